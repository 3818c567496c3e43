// Dot product of SIMD bits with SIMD binary weights: the number of places where they agree, one result per cycle.
//
//   count = popcount(act XNOR weights), STAGES = 1 + LEVELS cycles later
//
// Six places are counted in one step of look-up tables, then pairs of counts are added, one adder a stage, with registers after each stage. They run
// freely, without enable or reset: an enable would cost yosys a look-up table input at every register. Whoever uses the tree knows which results count.
`default_nettype none

module dot_binary #(
  parameter int  SIMD   = 64,
  localparam int LEAVES = (SIMD + 5) / 6,
  localparam int LEVELS = $clog2(LEAVES),
  localparam int WIDTH  = 3 + LEVELS
) (
  input  wire              clk_i,
  input  wire  [SIMD-1:0]  act_i,
  input  wire  [SIMD-1:0]  weights_i,
  output wire  [WIDTH-1:0] count_o
);
  if (SIMD < 1) $error("dot_binary: SIMD = %0d, must be >= 1", SIMD);

  function automatic logic [1:0] full_add(input logic a, input logic b, input logic c);
    return {(a & b) | (a & c) | (b & c), a ^ b ^ c};
  endfunction

  function automatic logic [2:0] count(input logic [5:0] x);
    logic [1:0] a, b, high;
    a = full_add(x[0], x[1], x[2]);
    b = full_add(x[3], x[4], x[5]);
    high = full_add(a[1], b[1], a[0] & b[0]);
    return {high, a[0] ^ b[0]};
  endfunction

  wire [SIMD-1:0]     agree  = act_i ~^ weights_i;
  wire [LEAVES*6-1:0] places = (LEAVES*6)'(agree);

  for (genvar l = 0; l <= LEVELS; l++) begin : gen_level
    localparam int NODES = (LEAVES + (1 << l) - 1) >> l;
    localparam int W     = 3 + l;
    logic [NODES-1:0][W-1:0] sum_q;
    if (l == 0) begin : gen_leaf
      for (genvar i = 0; i < NODES; i++) begin : gen_node
        always_ff @(posedge clk_i) sum_q[i] <= count(places[6*i +: 6]);
      end
    end else begin : gen_add
      localparam int BELOW = (LEAVES + (1 << (l - 1)) - 1) >> (l - 1);
      for (genvar i = 0; i < NODES; i++) begin : gen_node
        if (2*i + 1 < BELOW) begin : gen_pair
          always_ff @(posedge clk_i) sum_q[i] <= W'(gen_level[l-1].sum_q[2*i]) + W'(gen_level[l-1].sum_q[2*i+1]);
        end else begin : gen_odd
          always_ff @(posedge clk_i) sum_q[i] <= W'(gen_level[l-1].sum_q[2*i]);
        end
      end
    end
  end
  assign count_o = gen_level[LEVELS].sum_q[0];
endmodule

`default_nettype wire
