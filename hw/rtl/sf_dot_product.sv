// Dot products of SIMD integers with PE rows of SIMD integer weights, PE results per cycle.
//
//   sum[p] = sum over i of act[i] * weights[p][i], exact; weights in two's complement
//   latency     STAGES = 2 + LEVELS cycles
//   throughput  PE sums a cycle
//
// One multiplier a lane, in a DSP block or in LUTs as synthesis decides, with the two registers that a DSP block has;
// the second one is the first of the tree of adders (sf_adder_tree.sv). The registers run freely, without enable or
// reset; whoever uses the sums knows which count.
`default_nettype none

module sf_dot_product #(
  parameter int  SIMD         = 4,
  parameter int  PE           = 2,
  parameter int  ACT_WIDTH    = 8,
  parameter bit  ACT_SIGNED   = 1'b0,
  parameter int  WEIGHT_WIDTH = 8,
  localparam int LEVELS    = $clog2(SIMD),
  localparam int PRODUCT_W = ACT_WIDTH + WEIGHT_WIDTH,  // signed
  localparam int WIDTH     = PRODUCT_W + LEVELS
) (
  input  wire                              clk_i,
  input  wire         [SIMD*ACT_WIDTH-1:0] act_i,
  input  wire   [PE*SIMD*WEIGHT_WIDTH-1:0] weights_i,
  output wire               [PE*WIDTH-1:0] sum_o
);
  if (SIMD < 1 || PE < 1) $error("sf_dot_product: SIMD = %0d, PE = %0d, must be >= 1", SIMD, PE);
  if (ACT_WIDTH < 2 || WEIGHT_WIDTH < 2)
    $error("sf_dot_product: ACT_WIDTH = %0d, WEIGHT_WIDTH = %0d, must be >= 2", ACT_WIDTH, WEIGHT_WIDTH);

  for (genvar p = 0; p < PE; p++) begin : gen_row
    logic [SIMD-1:0][PRODUCT_W-1:0] product_q;
    for (genvar i = 0; i < SIMD; i++) begin : gen_lane
      wire [ACT_WIDTH-1:0] raw = act_i[i*ACT_WIDTH +: ACT_WIDTH];
      wire signed [ACT_WIDTH:0] act = {ACT_SIGNED && raw[ACT_WIDTH-1], raw};
      wire signed [WEIGHT_WIDTH-1:0] weight = weights_i[(p*SIMD + i)*WEIGHT_WIDTH +: WEIGHT_WIDTH];
      always_ff @(posedge clk_i) product_q[i] <= PRODUCT_W'(act * weight);
    end
    sf_adder_tree #(.N(SIMD), .WIDTH(PRODUCT_W)) i_tree (
      .clk_i, .terms_i(product_q), .sum_o(sum_o[p*WIDTH +: WIDTH]));
  end
endmodule

`default_nettype wire
