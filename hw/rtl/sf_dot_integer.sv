// Dot products of SIMD integers with PE rows of SIMD weights in {-1, +1} (bit 1 = +1), PE results per cycle.
//
//   sum[p] = dot(act, weights[p]) - N[p],  N[p] = number of threes of weights[p] whose last weight is -1
//   latency     STAGES = 2 + LEVELS cycles
//   throughput  PE sums a cycle
//
// Activations are taken by threes x, y, z. The four sums z +- x +- y are made once for all PE rows. Each row selects
// one of them and inverts it where the weight of z is -1 (inverting is one short of negating: N counts what is missing,
// and belongs to the caller's constants). A tree of adders follows (sf_adder_tree.sv). The registers run freely,
// without enable or reset; whoever uses the sums knows which count.
`default_nettype none

module sf_dot_integer #(
  parameter int  SIMD       = 9,
  parameter int  PE         = 4,
  parameter int  ACT_WIDTH  = 8,
  parameter bit  ACT_SIGNED = 1'b0,
  localparam int THREES = (SIMD + 2) / 3,
  localparam int LEVELS = $clog2(THREES),
  localparam int SUM_W  = ACT_WIDTH + 3 - 32'(ACT_SIGNED),  // signed; holds three activations
  localparam int WIDTH  = SUM_W + LEVELS
) (
  input  wire                      clk_i,
  input  wire [SIMD*ACT_WIDTH-1:0] act_i,
  input  wire        [PE*SIMD-1:0] weights_i,
  output wire       [PE*WIDTH-1:0] sum_o
);
  if (SIMD < 1 || PE < 1) $error("sf_dot_integer: SIMD = %0d, PE = %0d, must be >= 1", SIMD, PE);
  if (ACT_WIDTH < 2) $error("sf_dot_integer: ACT_WIDTH = %0d, must be >= 2", ACT_WIDTH);

  // ---- stage 1: the four sums of every three, index {y is added, x is added}; a missing activation is 0
  wire [THREES*3*ACT_WIDTH-1:0] act = (THREES*3*ACT_WIDTH)'(act_i);
  logic [THREES-1:0][3:0][SUM_W-1:0] choice_q;
  for (genvar t = 0; t < THREES; t++) begin : gen_three
    logic [2:0][SUM_W-1:0] e;
    for (genvar k = 0; k < 3; k++) begin : gen_extend
      wire [ACT_WIDTH-1:0] raw = act[(3*t + k)*ACT_WIDTH +: ACT_WIDTH];
      assign e[k] = ACT_SIGNED ? SUM_W'($signed(raw)) : SUM_W'(raw);
    end
    always_ff @(posedge clk_i)
      choice_q[t] <= {e[2] + e[1] + e[0], e[2] + e[1] - e[0], e[2] - e[1] + e[0], e[2] - e[1] - e[0]};
  end
  logic [PE*SIMD-1:0] weights_q;
  always_ff @(posedge clk_i) weights_q <= weights_i;

  // ---- stage 2: select and invert; then the adder tree
  for (genvar p = 0; p < PE; p++) begin : gen_row
    wire [THREES*3-1:0] w = (THREES*3)'(weights_q[p*SIMD +: SIMD]);
    wire [THREES-1:0][SUM_W-1:0] terms;
    for (genvar t = 0; t < THREES; t++) begin : gen_term
      // a missing third activation is 0: with its weight +1, only the choice counts
      wire minus = 3*t + 2 < SIMD && !w[3*t + 2];
      wire [1:0] index = w[3*t +: 2] ^ {2{minus}};
      assign terms[t] = choice_q[t][index] ^ {SUM_W{minus}};
    end
    sf_adder_tree #(.N(THREES), .WIDTH(SUM_W)) i_tree (.clk_i, .terms_i(terms), .sum_o(sum_o[p*WIDTH +: WIDTH]));
  end
endmodule

`default_nettype wire
