// The sum of sf_add3 is that of the three numbers of the cycle before.
//
//   case WIDTH=1
//   case WIDTH=3
//   case WIDTH=8
//   case WIDTH=12
//   case WIDTH=1 SF_LUT6_2
//   case WIDTH=3 SF_LUT6_2
//   case WIDTH=8 SF_LUT6_2
//   case WIDTH=12 SF_LUT6_2
//   case WIDTH=1 SF_LUT6_2 SF_CARRY8
//   case WIDTH=3 SF_LUT6_2 SF_CARRY8
//   case WIDTH=8 SF_LUT6_2 SF_CARRY8
//   case WIDTH=12 SF_LUT6_2 SF_CARRY8
//
//   any
//
//   mutant a_i + b_i + c_i => a_i + b_i - c_i
//   mutant ^k[3:0] => ^k[2:0]
//   mutant $countones(k[2:0]) >= 2 => $countones(k[2:0]) >= 3
//   mutant .d_i(carries[WIDTH-1:0]) => .d_i(carries[WIDTH:1])
`default_nettype none

module prove_add3 #(
  parameter int WIDTH = 3
) (
  input wire             clk_i,
  input wire [WIDTH-1:0] a_i,
  input wire [WIDTH-1:0] b_i,
  input wire [WIDTH-1:0] c_i
);
  wire rst_n;
  wire [WIDTH-1:0] sum;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_add3 #(.WIDTH(WIDTH)) i_add (.clk_i, .a_i, .b_i, .c_i, .sum_o(sum));
  delayed #(.STAGES(1), .WIDTH(WIDTH)) i_delayed (
    .clk_i, .rst_ni(rst_n), .want_i(WIDTH'(a_i + b_i + c_i)), .got_i(sum));
endmodule

`default_nettype wire
