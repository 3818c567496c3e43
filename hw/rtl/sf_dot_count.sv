// Dot product of SIMD bits with SIMD binary weights, as sf_dot_binary counts them, for simulators.
//
//   count = popcount(act XNOR weights); a group of GROUP places whose flag is 1 counts as GROUP/2 places that agree
//   latency     STAGES cycles from act_i, 1 cycle from weights_i and enable_i
//   throughput  PE counts a cycle, in cycles with enable_i = 1
//
// Ten times faster than the tree of sf_dot_binary under Verilator. Not for synthesis.
`default_nettype none

module sf_dot_count #(
  parameter int  SIMD   = 64,
  parameter int  PE     = 1,
  parameter int  GROUP  = 0,  // 0: no flags
  parameter int  STAGES = 2,
  localparam int UNIT   = GROUP > 0 ? GROUP : SIMD,
  localparam int LANES  = GROUP > 0 ? SIMD + SIMD / GROUP : SIMD,
  localparam int WIDTH  = $clog2(SIMD + 1)
) (
  input  wire                 clk_i,
  input  wire     [LANES-1:0] act_i,  // with GROUP > 0 a flag behind every GROUP bits
  input  wire   [PE*SIMD-1:0] weights_i,
  input  wire                 enable_i,
  output wire  [PE*WIDTH-1:0] count_o
);
  if (STAGES < 2) $error("sf_dot_count: STAGES = %0d, must be >= 2", STAGES);
  if (GROUP < 0 || GROUP % 2 != 0 || SIMD % UNIT != 0)
    $error("sf_dot_count: GROUP = %0d, must be even and divide SIMD = %0d", GROUP, SIMD);

  // act_i inverted, so that places that agree differ: in a ring, where one word a cycle moves, then in a register
  localparam int DELAY = STAGES - 2;
  logic [LANES-1:0] away_q;
  if (DELAY > 0) begin : gen_ring
    localparam int AW = DELAY > 1 ? $clog2(DELAY) : 1;
    logic [LANES-1:0] ring_q [2**AW];
    logic [AW-1:0]    at_q;  // may start anywhere
    always_ff @(posedge clk_i) begin
      at_q         <= at_q + 1'b1;
      ring_q[at_q] <= ~act_i;
      away_q       <= ring_q[at_q - AW'(DELAY)];
    end
  end else begin : gen_straight
    always_ff @(posedge clk_i) away_q <= ~act_i;
  end

  logic [PE-1:0][WIDTH-1:0] count_q  /*verilator split_var*/;
  for (genvar p = 0; p < PE; p++) begin : gen_pe
    logic [WIDTH-1:0] count;
    always_comb begin
      count = '0;
      for (int u = 0; u < SIMD / UNIT; u++)
        if (GROUP > 0 && !away_q[u*(GROUP+1) + GROUP]) count += WIDTH'(GROUP / 2);
        else count += WIDTH'($countones(away_q[u*LANES*UNIT/SIMD +: UNIT] ^ weights_i[p*SIMD + u*UNIT +: UNIT]));
    end
    always_ff @(posedge clk_i) if (enable_i) count_q[p] <= count;
  end
  assign count_o = count_q;
endmodule

`default_nettype wire
