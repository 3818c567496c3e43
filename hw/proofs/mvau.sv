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
//   case MW=2 MH=2 SIMD=1 PE=1 THRESHOLDS=1
//   case MW=3 MH=1 SIMD=2 PE=1 THRESHOLDS=1
//   case MW=1 MH=3 SIMD=1 PE=2 THRESHOLDS=1
//   case MW=2 MH=1 SIMD=1 PE=1 PIXELS=2 THRESHOLDS=1
//   case MW=2 MH=2 SIMD=2 PE=1 ADDERS=1 THRESHOLDS=1
//   case MW=2 MH=2 SIMD=2 PE=1 THRESHOLDS=1 FAST=1
//   case MW=2 MH=2 SIMD=1 PE=1 THRESHOLDS=1 FAST=1
//   case MW=2 MH=2 SIMD=1 PE=1 THRESHOLDS=1 TREE=0 FAST=1
//
//   assumes sf_memory
//   free out_valid, in_ready of out_ready_i
//
//   mutant addr_q == AW'(DEPTH - 1) => addr_q == AW'(DEPTH)
//   mutant first_q, sf == '0} => first_q, sf_last}
//   mutant read_q <= sf => read_q <= '0
//   mutant step_q <= 2'(nf) => step_q <= '0
//   mutant act_q[m*VECTOR +: VECTOR] => act_q[0 +: VECTOR]
//   mutant DELAY > 0 && !BEHIND ? valid_q[0] : step => step
//   mutant BEHIND && !COUNT ? word_q : word => word
`default_nettype none

module prove_mvau #(
  parameter int MW         = 2,
  parameter int MH         = 2,
  parameter int SIMD       = 1,
  parameter int PE         = 1,
  parameter int PIXELS     = 1,
  parameter int THRESHOLDS = 1,
  parameter bit ADDERS     = 1'b0,
  parameter bit TREE       = 1'b1,
  parameter bit FAST       = 1'b0,
  localparam int SF    = (MW + SIMD - 1) / SIMD,
  localparam int NF    = (MH + PE - 1) / PE,
  localparam int ACC   = 2,
  localparam int OUT   = THRESHOLDS == 0 ? ACC : 1,
  localparam int LANES = PIXELS * SIMD,
  localparam int WORD  = PE * SIMD
) (
  input wire             clk_i,
  input wire             pick_i,
  input wire       [7:0] place_i,
  input wire [LANES-1:0] in_data_i,
  input wire             in_valid_i,
  input wire             out_ready_i
);
  localparam logic [NF*WORD-1:0] CONSTANTS = (NF*WORD)'('h6);  // weights where they lie in the adders
  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [7:0] in_place, place;
  sf_mvau #(.MW(MW), .MH(MH), .SIMD(SIMD), .PE(PE), .PIXELS(PIXELS), .TREE_STAGES(2), .ACC_WIDTH(ACC),
            .THRESHOLDS(THRESHOLDS), .ADDERS(ADDERS), .TREE(TREE), .FAST(FAST), .BLOCK(FAST),
            .WEIGHTS_FILE("any"), .START_FILE("any"), .WEIGHTS((ADDERS ? NF*WORD : 1)'(CONSTANTS))) i_mvau (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(), .out_valid_o(out_valid),
    .out_ready_i, .load_i('0), .load_o());

  logic known_q;
  logic [SF-1:0][PIXELS-1:0][SIMD-1:0] vectors_q;
  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched) begin
      vectors_q[in_place] <= in_data_i;
      if (in_place == 8'(SF - 1)) known_q <= 1'b1;
    end

  wire [SF-1:0][PE-1:0][SIMD-1:0] weights;  // of the fold chosen
  for (genvar s = 0; s < SF; s++) begin : gen_weights
    if (ADDERS) begin : gen_constant
      assign weights[s] = WORD'(CONSTANTS >> 32'(place) * WORD);
    end else begin : gen_any
      assign weights[s] = i_mvau.gen_memory.i_weights.any_q[32'(place) * SF + s];
    end
  end
  wire [PIXELS-1:0][PE-1:0][OUT-1:0] want;
  for (genvar m = 0; m < PIXELS; m++) begin : gen_vector
    for (genvar p = 0; p < PE; p++) begin : gen_pe
      logic signed [ACC-1:0] sum;
      always_comb begin
        sum = i_mvau.i_accumulate.gen_start.i_start.any_q[place][0][p*ACC +: ACC];
        for (int s = 0; s < SF; s++)
          for (int i = 0; i < SIMD; i++) sum += ACC'(vectors_q[s][m][i] == weights[s][p][i]);
      end
      assign want[m][p] = THRESHOLDS == 0 ? OUT'(sum) : OUT'(sum >= 0);
    end
  end
  watch #(.IN(SF), .OUT(NF), .WIDTH(PIXELS*PE*OUT), .AHEAD(8), .LATENCY(SF + 6), .IDLE(SF * NF + 1)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .able_i(i_mvau.i_steps.able_q), .flows_i(i_mvau.i_steps.able_q),
    .in_valid_i, .in_ready_i(in_ready), .out_data_i(i_mvau.results), .out_valid_i(i_mvau.result), .out_ready_i(1'b1),
    .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched), .place_o(place), .due_i(known_q), .want_i(want));

  // every word of the FIFO is free, filled, or promised to a step under way
  localparam int SUM = 2 + 32'((NF > 1 && SF > 1) || FAST);
  logic [5:0] promised;
  always_comb begin
    promised = 6'(i_mvau.result);
    for (int k = 0; k <= SUM; k++) promised += 6'(i_mvau.valid_q[k] && i_mvau.last_q[k]);
  end
  wire active = i_mvau.i_steps.nf_q != '0 || i_mvau.i_steps.sf_q != '0;  // its last step is to come
  always_comb
    if (rst_n) begin
      room: assert (!i_mvau.result || i_mvau.i_fifo.in_ready_o);
      help_room: assert (i_mvau.i_steps.room_q + 6'(i_mvau.i_steps.pop_q) + i_mvau.i_fifo.count_q + promised == 6'd32
                         && i_mvau.i_fifo.count_q <= 6'd32 && i_mvau.i_steps.room_q <= 6'd32
                         && (!i_mvau.i_steps.able_q || i_mvau.i_steps.room_q != '0)
                         && i_mvau.i_steps.fresh_q == (i_mvau.i_steps.nf_q == '0));
      help_flow: assert ((8'(i_watch.inside_q) - 8'(active)) * 8'(NF) + 8'(i_mvau.i_steps.nf_q)
                         == 8'(promised) + 8'(i_watch.out_q));
      help_step: assert (32'(i_mvau.i_steps.sf_q) < SF && 32'(i_mvau.i_steps.nf_q) < NF
                         && in_place == (i_mvau.i_steps.nf_q == '0 ? 8'(i_mvau.i_steps.sf_q) : '0));
    end
endmodule

`default_nettype wire
