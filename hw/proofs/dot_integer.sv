// Every sum of sf_dot_integer is the sum of the +-activations that came STAGES cycles ago, less the threes whose last
// weight is -1.
//
//   case SIMD=1 PE=1 ACT_WIDTH=2 ACT_SIGNED=0
//   case SIMD=3 PE=1 ACT_WIDTH=2 ACT_SIGNED=1
//   case SIMD=4 PE=2 ACT_WIDTH=2 ACT_SIGNED=0
//   case SIMD=6 PE=1 ACT_WIDTH=2 ACT_SIGNED=1
//   case SIMD=8 PE=1 ACT_WIDTH=2 ACT_SIGNED=0
//
//   mutant index = w[3*t +: 2] ^ {2{minus}} => index = w[3*t +: 2]
//   mutant e[2] + e[1] + e[0], => e[2] + e[1],
//   mutant 3*t + 2 < SIMD && => 1'b1 &&
//   mutant ACT_SIGNED ? SUM_W => 1'b0 ? SUM_W
`default_nettype none

module prove_dot_integer #(
  parameter int SIMD       = 1,
  parameter int PE         = 1,
  parameter int ACT_WIDTH  = 2,
  parameter bit ACT_SIGNED = 1'b0,
  localparam int THREES = (SIMD + 2) / 3,
  localparam int WIDTH  = ACT_WIDTH + 3 - 32'(ACT_SIGNED) + $clog2(THREES)
) (
  input wire                      clk_i,
  input wire [SIMD*ACT_WIDTH-1:0] act_i,
  input wire        [PE*SIMD-1:0] weights_i
);
  wire rst_n;
  wire [PE*WIDTH-1:0] sums;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_dot_integer #(.SIMD(SIMD), .PE(PE), .ACT_WIDTH(ACT_WIDTH), .ACT_SIGNED(ACT_SIGNED)) i_dot (
    .clk_i, .act_i, .weights_i, .sum_o(sums));

  for (genvar p = 0; p < PE; p++) begin : gen_row
    logic signed [15:0] want;
    always_comb begin
      want = 0;
      for (int i = 0; i < SIMD; i++) begin
        logic [ACT_WIDTH-1:0] x;
        logic signed [15:0] wide;
        x = act_i[i*ACT_WIDTH +: ACT_WIDTH];
        wide = {{16 - ACT_WIDTH{ACT_SIGNED && x[ACT_WIDTH-1]}}, x};
        want += weights_i[p*SIMD + i] ? wide : -wide;
        if (i % 3 == 2 && !weights_i[p*SIMD + i]) want -= 16'd1;
      end
    end
    delayed #(.STAGES(2 + $clog2(THREES)), .WIDTH(WIDTH)) i_delayed (
      .clk_i, .rst_ni(rst_n), .want_i(WIDTH'(want)), .got_i(sums[p*WIDTH +: WIDTH]));
  end
endmodule

`default_nettype wire
