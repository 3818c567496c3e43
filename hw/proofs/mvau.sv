// Every result that sf_mvau puts into its FIFO is the sum of products of its neuron for the vector that came, compared
// with its threshold, for all weights and start values; and the FIFO always has room for it.
//
// The whole module is this proof and that of sf_fifo: what goes in without ever being refused leaves as it came.
//
//   case MW=1 MH=1 SIMD=1 PE=1 THRESHOLDS=0
//   case MW=2 MH=1 SIMD=1 PE=1 THRESHOLDS=1
//   case MW=2 MH=2 SIMD=2 PE=1 THRESHOLDS=1
//   case MW=2 MH=2 SIMD=2 PE=2 THRESHOLDS=0
//   case MW=2 MH=2 SIMD=1 PE=1 THRESHOLDS=1 TREE=0
//
//   assumes sf_memory
//   free out_valid, in_ready of out_ready_i
//
//   mutant addr_q == AW'(DEPTH - 1) => addr_q == AW'(DEPTH)
//   mutant first_q <= (STAGES + 1)'({first_q, sf_q == '0}) => first_q <= (STAGES + 1)'({first_q, sf_last})
//   mutant fresh ? in_data_i : buffer_q[sf_q] => in_data_i
//   mutant room_q - 6'(step && sf_last) => room_q - 6'(step)
//   mutant ROOM   = 32; => ROOM   = 1;
`default_nettype none

module prove_mvau #(
  parameter int MW         = 2,
  parameter int MH         = 2,
  parameter int SIMD       = 1,
  parameter int PE         = 1,
  parameter int THRESHOLDS = 1,
  parameter bit TREE       = 1'b1,
  localparam int SF  = MW / SIMD,
  localparam int NF  = MH / PE,
  localparam int ACC = 2,
  localparam int OUT = THRESHOLDS == 0 ? ACC : 1
) (
  input wire            clk_i,
  input wire            pick_i,
  input wire      [7:0] place_i,
  input wire [SIMD-1:0] in_data_i,
  input wire            in_valid_i,
  input wire            out_ready_i
);
  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [7:0] in_place, place;
  sf_mvau #(.MW(MW), .MH(MH), .SIMD(SIMD), .PE(PE), .ACC_WIDTH(ACC), .THRESHOLDS(THRESHOLDS), .TREE(TREE),
            .WEIGHTS_FILE("any"), .START_FILE("any")) i_mvau (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(), .out_valid_o(out_valid),
    .out_ready_i, .load_i('0), .load_o());

  logic known_q;
  logic [SF-1:0][SIMD-1:0] vector_q;
  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched) begin
      vector_q[in_place] <= in_data_i;
      if (in_place == 8'(SF - 1)) known_q <= 1'b1;
    end

  wire [PE*OUT-1:0] want;
  for (genvar p = 0; p < PE; p++) begin : gen_pe
    logic signed [ACC-1:0] sum;
    always_comb begin
      sum = i_mvau.i_accumulate.gen_start.i_start.any_q[place][0][p*ACC +: ACC];
      for (int s = 0; s < SF; s++)
        for (int i = 0; i < SIMD; i++)
          sum += ACC'(vector_q[s][i] == i_mvau.i_weights.any_q[32'(place) * SF + s][0][p*SIMD + i]);
    end
    assign want[p*OUT +: OUT] = THRESHOLDS == 0 ? OUT'(sum) : OUT'(sum >= 0);
  end
  watch #(.IN(SF), .OUT(NF), .WIDTH(PE*OUT), .AHEAD(8), .LATENCY(SF + 5), .IDLE(SF * NF + 1)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .able_i(i_mvau.room_q != '0), .flows_i(i_mvau.room_q != '0),
    .in_valid_i, .in_ready_i(in_ready), .out_data_i(i_mvau.results), .out_valid_i(i_mvau.result), .out_ready_i(1'b1),
    .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched), .place_o(place), .due_i(known_q), .want_i(want));

  // every word of the FIFO is free, filled, or promised to a step under way
  localparam int STAGES = 2;
  logic [5:0] promised;
  always_comb begin
    promised = 6'(i_mvau.result);
    for (int k = 0; k <= STAGES; k++) promised += 6'(i_mvau.valid_q[k] && i_mvau.last_q[k]);
  end
  wire active = i_mvau.nf_q != '0 || i_mvau.sf_q != '0;  // a vector is at work whose last step is to come
  always_comb
    if (rst_n) begin
      room: assert (!i_mvau.result || i_mvau.i_fifo.in_ready_o);
      help_room: assert (i_mvau.room_q + i_mvau.i_fifo.count_q + promised == 6'd32 && i_mvau.i_fifo.count_q <= 6'd32
                         && i_mvau.room_q <= 6'd32);
      help_flow: assert ((8'(i_watch.inside_q) - 8'(active)) * 8'(NF) + 8'(i_mvau.nf_q)
                         == 8'(promised) + 8'(i_watch.out_q));
      help_step: assert (32'(i_mvau.sf_q) < SF && 32'(i_mvau.nf_q) < NF
                         && in_place == (i_mvau.nf_q == '0 ? 8'(i_mvau.sf_q) : '0));
    end
endmodule

`default_nettype wire
