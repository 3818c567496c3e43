// Positions and carry out of sf_carry are those of the formula, position by position, in each of its three forms.
//
//   case WIDTH=1
//   case WIDTH=4
//   case WIDTH=9
//   case WIDTH=16
//   case WIDTH=1 SF_LUT6_2
//   case WIDTH=2 SF_LUT6_2
//   case WIDTH=4 SF_LUT6_2
//   case WIDTH=9 SF_LUT6_2
//   case WIDTH=16 SF_LUT6_2
//   case WIDTH=1 SF_LUT6_2 SF_CARRY8
//   case WIDTH=2 SF_LUT6_2 SF_CARRY8
//   case WIDTH=8 SF_LUT6_2 SF_CARRY8
//   case WIDTH=9 SF_LUT6_2 SF_CARRY8
//   case WIDTH=16 SF_LUT6_2 SF_CARRY8
//
//   any
//
//   mutant {1'b0, s_i ^ d_i} => {1'b0, s_i}
//   mutant (WIDTH + 1)'(carry_i) => '0
//   mutant first = k == 0 && carry_i => first = k == 1 && carry_i
//   mutant carry_o = carry[WIDTH-1] => carry_o = carry[N*SIZE-1]
//   mutant .CYINIT(first) => .CYINIT(1'b0)
`default_nettype none

module prove_carry #(
  parameter int WIDTH = 4
) (
  input wire             clk_i,
  input wire [WIDTH-1:0] s_i,
  input wire [WIDTH-1:0] d_i,
  input wire             carry_i
);
  wire rst_n;
  wake i_wake (.clk_i, .rst_no(rst_n));
  wire [WIDTH-1:0] o;
  wire             carry;
  sf_carry #(.WIDTH(WIDTH)) i_carry (.s_i, .d_i, .carry_i, .o_o(o), .carry_o(carry));

  logic [WIDTH:0] carries;
  always_comb begin
    carries[0] = carry_i;
    for (int k = 0; k < WIDTH; k++) carries[k+1] = s_i[k] ? carries[k] : d_i[k];
    if (rst_n) begin
      positions:     assert (o == (s_i ^ carries[WIDTH-1:0]));
      last:          assert (carry == carries[WIDTH]);
      reach_a_carry: assert (!(carry && !d_i[WIDTH-1]));
    end
  end
endmodule

`default_nettype wire
