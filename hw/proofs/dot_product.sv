// Every sum of sf_dot_product is the sum of the products of the activations and weights that came STAGES cycles ago.
//
//   case SIMD=1 PE=1 ACT_WIDTH=2 ACT_SIGNED=1 WEIGHT_WIDTH=2
//   case SIMD=2 PE=2 ACT_WIDTH=2 ACT_SIGNED=0 WEIGHT_WIDTH=2
//   case SIMD=3 PE=1 ACT_WIDTH=2 ACT_SIGNED=1 WEIGHT_WIDTH=3
//
//   mutant ACT_SIGNED && raw => 1'b0 && raw
//   mutant weights_i[(p*SIMD + i)*WEIGHT_WIDTH => weights_i[(p*SIMD)*WEIGHT_WIDTH
//   mutant act * weight => act + weight
`default_nettype none

module prove_dot_product #(
  parameter int SIMD         = 1,
  parameter int PE           = 1,
  parameter int ACT_WIDTH    = 2,
  parameter bit ACT_SIGNED   = 1'b0,
  parameter int WEIGHT_WIDTH = 2,
  localparam int WIDTH = ACT_WIDTH + WEIGHT_WIDTH + $clog2(SIMD)
) (
  input wire                            clk_i,
  input wire       [SIMD*ACT_WIDTH-1:0] act_i,
  input wire [PE*SIMD*WEIGHT_WIDTH-1:0] weights_i
);
  wire rst_n;
  wire [PE*WIDTH-1:0] sums;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_dot_product #(.SIMD(SIMD), .PE(PE), .ACT_WIDTH(ACT_WIDTH), .ACT_SIGNED(ACT_SIGNED),
                   .WEIGHT_WIDTH(WEIGHT_WIDTH)) i_dot (.clk_i, .act_i, .weights_i, .sum_o(sums));

  for (genvar p = 0; p < PE; p++) begin : gen_row
    logic signed [15:0] want;
    always_comb begin
      want = 0;
      for (int i = 0; i < SIMD; i++) begin
        logic [ACT_WIDTH-1:0] x;
        logic [WEIGHT_WIDTH-1:0] w;
        x = act_i[i*ACT_WIDTH +: ACT_WIDTH];
        w = weights_i[(p*SIMD + i)*WEIGHT_WIDTH +: WEIGHT_WIDTH];
        want += $signed({{16 - ACT_WIDTH{ACT_SIGNED && x[ACT_WIDTH-1]}}, x}) * 16'($signed(w));
      end
    end
    delayed #(.STAGES(2 + $clog2(SIMD)), .WIDTH(WIDTH)) i_delayed (
      .clk_i, .rst_ni(rst_n), .want_i(WIDTH'(want)), .got_i(sums[p*WIDTH +: WIDTH]));
  end
endmodule

`default_nettype wire
