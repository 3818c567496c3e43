// Carry chain: position k passes a carry on where s[k] = 1, else its own carry is d[k].
//
//   o[k] = s[k] ^ carry[k],  carry[k+1] = s[k] ? carry[k] : d[k],  carry[0] = carry_i,  carry_o = carry[WIDTH]
//   latency 0 cycles; throughput: one addition per cycle
//
// With SF_LUT6_2 defined it is made of CARRY4 (UG953), with SF_CARRY8 too of CARRY8 (UG974); else plain text. A slice
// has one way out for o[k] and carry[k+1] of the same position, or a flip-flop for one of them: who uses carry_o and
// o[WIDTH-1] must register both.
`default_nettype none

module sf_carry #(
  parameter int WIDTH = 4
) (
  input  wire [WIDTH-1:0] s_i,
  input  wire [WIDTH-1:0] d_i,
  input  wire             carry_i,
  output wire [WIDTH-1:0] o_o,
  output wire             carry_o
);
  if (WIDTH < 1) $error("sf_carry: WIDTH = %0d, must be >= 1", WIDTH);

`ifdef SF_LUT6_2
`ifdef SF_CARRY8
  localparam int SIZE = 8;
`else
  localparam int SIZE = 4;
`endif
  localparam int N = (WIDTH + SIZE - 1) / SIZE;
  wire [N*SIZE-1:0] s = (N*SIZE)'(s_i), d = (N*SIZE)'(d_i), o, carry;
  for (genvar k = 0; k < N; k++) begin : gen_part
    wire first = k == 0 && carry_i;
`ifdef SF_CARRY8
    CARRY8 #(.CARRY_TYPE("SINGLE_CY8")) i_carry (
      .CI(k == 0 ? first : carry[k == 0 ? 0 : SIZE*k - 1]), .CI_TOP(1'b0),
`else
    CARRY4 i_carry (
      .CI(k > 0 && carry[k == 0 ? 0 : SIZE*k - 1]), .CYINIT(first),
`endif
      .S(s[k*SIZE +: SIZE]), .DI(d[k*SIZE +: SIZE]), .O(o[k*SIZE +: SIZE]), .CO(carry[k*SIZE +: SIZE]));
  end
  assign o_o     = o[WIDTH-1:0];
  assign carry_o = carry[WIDTH-1];
`else
  assign {carry_o, o_o} = {1'b0, d_i} + {1'b0, s_i ^ d_i} + (WIDTH + 1)'(carry_i);
`endif
endmodule

`default_nettype wire
