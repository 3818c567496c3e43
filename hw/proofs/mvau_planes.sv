// Every result that sf_mvau_planes puts into its FIFO is its vector's sum of agreements, over all bit planes, compared
// with the limits; and the FIFO always has room for it. So with the proof of sf_fifo they leave as they came.
//
// Weights and limits are constants, no inputs: each case has its own.
//
//   case MW=1 MH=2 ACT_WIDTH=2 ACT_SIGNED=1 PLANES=1 STAGES=2 WEIGHTS=2'b01 LIMITS=6'b011_010
//   case MW=1 MH=1 ACT_WIDTH=2 PLANES=1 STAGES=2 THRESHOLDS=2 WINDOW=1 WEIGHTS=1'b1 LIMITS=6'b010_001
//   case MW=2 MH=1 ACT_WIDTH=2 PLANES=2 STAGES=2 WEIGHTS=2'b10 LIMITS=4'd3
//   case MW=2 MH=2 ACT_WIDTH=3 PLANES=2 STAGES=2 TREE=0 WEIGHTS=4'b1001 LIMITS=12'o35_22
//   case MW=4 MH=1 ACT_WIDTH=2 PLANES=1 STAGES=2 WEIGHTS=4'b1101 LIMITS=5'd6
//   case MW=1 MH=1 ACT_WIDTH=3 PLANES=2 STAGES=2 WEIGHTS=1'b1 LIMITS=5'd5
//   case MW=1 MH=1 ACT_WIDTH=2 PLANES=1 STAGES=2 WEIGHTS=1'b0 LIMITS=3'd2
//   case MW=1 MH=1 ACT_WIDTH=2 PLANES=1 STAGES=2 THRESHOLDS=2 WEIGHTS=1'b1 LIMITS=6'b011_001
//
//   free out_valid, in_ready of out_ready_i
//
//   mutant raw ^ OFFSET => raw
//   mutant choice[now_q] => choice[at]
//   mutant PLANES'(hold_q[i] >> 32'(now_q)*PLANES) => PLANES'(hold_q[i])
//   mutant high_q <= sum[SUM_W-1:PLANES] => high_q <= sum[HIGH_W-1:0]
//   mutant first ? '0 : high_q => high_q
//   mutant first || reached_q} > {digit => 1'b1} > {digit
//   mutant {high_q, reached_q} > => {high_q, 1'b1} >
//   mutant !reached[0] || reached[1] => reached[0] && reached[1]
//   mutant valid_q[STAGES] && at_q == SW'(STEPS - 1) => valid_q[STAGES]
`default_nettype none

module prove_mvau_planes #(
  parameter int MW         = 1,
  parameter int MH         = 1,
  parameter int ACT_WIDTH  = 2,
  parameter bit ACT_SIGNED = 1'b0,
  parameter int PLANES     = 1,
  parameter int STAGES     = 2,
  parameter int THRESHOLDS = 1,
  parameter bit WINDOW     = 1'b0,
  parameter bit TREE       = 1'b1,
  localparam int STEPS = (ACT_WIDTH + PLANES - 1) / PLANES,
  localparam int BITS  = STEPS * PLANES,
  localparam int LIMIT = BITS + $clog2(MW + 1),
  localparam int OUT   = THRESHOLDS == 1 || WINDOW ? 1 : 2,
  parameter logic [MH-1:0][MW-1:0]                    WEIGHTS = '0,
  parameter logic [MH-1:0][THRESHOLDS-1:0][LIMIT-1:0] LIMITS  = '0
) (
  input wire                    clk_i,
  input wire                    pick_i,
  input wire [MW*ACT_WIDTH-1:0] in_data_i,
  input wire                    in_valid_i,
  input wire                    out_ready_i
);
  wire rst_n, in_ready, out_valid, take, in_watched;
  sf_mvau_planes #(.MW(MW), .MH(MH), .ACT_WIDTH(ACT_WIDTH), .ACT_SIGNED(ACT_SIGNED), .PLANES(PLANES), .STAGES(STAGES),
                   .THRESHOLDS(THRESHOLDS), .WINDOW(WINDOW), .TREE(TREE), .WEIGHTS(WEIGHTS),
                   .LIMITS(LIMITS)) i_dut (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(), .out_valid_o(out_valid),
    .out_ready_i);

  // the vector chosen, in offset binary
  localparam logic [ACT_WIDTH-1:0] OFFSET = ACT_WIDTH'(ACT_SIGNED) << (ACT_WIDTH - 1);
  logic known_q;
  logic [MW-1:0][BITS-1:0] vector_q;
  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched) begin
      known_q <= 1'b1;
      for (int i = 0; i < MW; i++) vector_q[i] <= BITS'(in_data_i[i*ACT_WIDTH +: ACT_WIDTH] ^ OFFSET);
    end
  wire [MH-1:0][OUT-1:0] want;
  for (genvar n = 0; n < MH; n++) begin : gen_neuron
    logic [LIMIT-1:0] sum;
    always_comb begin
      sum = '0;
      for (int i = 0; i < MW; i++) sum += LIMIT'(vector_q[i] ^ {BITS{!WEIGHTS[n][i]}});
    end
    wire one = sum >= LIMITS[n][0], two = sum >= LIMITS[n][THRESHOLDS-1];
    assign want[n] = THRESHOLDS == 1 ? OUT'(one) : WINDOW ? OUT'(!one || two) : OUT'(one) + OUT'(two);
  end
  watch #(.WIDTH(MH * OUT), .AHEAD(8), .LATENCY(STEPS + STAGES + 2), .IDLE(STEPS)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i(8'd0), .able_i(i_dut.i_steps.able_q), .flows_i(i_dut.i_steps.able_q),
    .in_valid_i, .in_ready_i(in_ready), .out_data_i(i_dut.results), .out_valid_i(i_dut.result_q), .out_ready_i(1'b1),
    .take_o(take), .in_watched_o(in_watched), .due_i(known_q), .want_i(want));

  // every word of the FIFO is free, filled, or promised to a vector under way
  wire [5:0] steps = 6'(i_dut.at_q) + 6'($countones(i_dut.valid_q));  // since the one whose counts come began
  wire [5:0] promised = 6'(i_dut.result_q) + steps / 6'(STEPS);
  always_comb
    if (rst_n) begin
      room: assert (!i_dut.result_q || i_dut.i_fifo.in_ready_o);
      help_room: assert (i_dut.i_steps.room_q + 6'(i_dut.i_steps.pop_q) + i_dut.i_fifo.count_q + promised == 6'd32
                         && i_dut.i_fifo.count_q <= 6'd32 && i_dut.i_steps.room_q <= 6'd32
                         && (!i_dut.i_steps.able_q || i_dut.i_steps.room_q != '0)
                         && i_dut.i_steps.fresh_q == (i_dut.at == '0));
      help_step: assert (steps % 6'(STEPS) == 6'(i_dut.at) && 32'(i_dut.at_q) < STEPS);
      help_flow: assert (6'(i_watch.inside_q) == promised + 6'(i_dut.at != '0));
    end
endmodule

`default_nettype wire
