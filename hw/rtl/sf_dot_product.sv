// Dot products of SIMD integers with PE rows of SIMD integer weights, PE results per cycle.
//
//   sum[p] = sum over i of act[i] * weights[p][i], exact; weights in two's complement
//   latency     STAGES = 2 + LEVELS cycles
//   throughput  PE sums a cycle
//
// One multiplier a lane, in a DSP block or in LUTs as synthesis decides, with the two registers that a DSP block has; then a tree of registered
// adders, one adder a stage. The registers run freely, without enable or reset; whoever uses the sums knows which count.
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

    for (genvar l = 0; l <= LEVELS; l++) begin : gen_level
      localparam int NODES = (SIMD + (1 << l) - 1) >> l;
      localparam int W     = PRODUCT_W + l;
      logic [NODES-1:0][W-1:0] sum_q;
      if (l == 0) begin : gen_leaf
        always_ff @(posedge clk_i) sum_q <= product_q;
      end else begin : gen_add
        localparam int BELOW = (SIMD + (1 << (l - 1)) - 1) >> (l - 1);
        for (genvar i = 0; i < NODES; i++) begin : gen_node
          wire [W-2:0] a = gen_level[l-1].sum_q[2*i];
          if (2*i + 1 < BELOW) begin : gen_pair
            wire [W-2:0] b = gen_level[l-1].sum_q[2*i+1];
            always_ff @(posedge clk_i) sum_q[i] <= W'($signed(a)) + W'($signed(b));
          end else begin : gen_odd
            always_ff @(posedge clk_i) sum_q[i] <= W'($signed(a));
          end
        end
      end
    end
    assign sum_o[p*WIDTH +: WIDTH] = gen_level[LEVELS].sum_q[0];
  end
endmodule

`default_nettype wire
