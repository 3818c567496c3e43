// The count of sf_dot_binary is the number of places where the bits and weights of STAGES cycles ago agree, a group
// whose flag is 1 being half of its places.
//
//   case SIMD=1 STAGES=2
//   case SIMD=2 STAGES=2
//   case SIMD=5 STAGES=2
//   case SIMD=9 STAGES=3
//   case SIMD=4 GROUP=2 STAGES=2
//   case SIMD=12 GROUP=4 STAGES=3
//   case SIMD=12 CHAIN=4 STAGES=3
//   case SIMD=5 STAGES=2 SF_LUT6_2
//   case SIMD=12 GROUP=4 STAGES=3 SF_LUT6_2
//   case SIMD=5 STAGES=2 SF_LUT6_2 SF_CARRY8
//
//   sum SIMD=36 STAGES=4
//   sum SIMD=64 STAGES=4
//   sum SIMD=128 STAGES=5
//   sum SIMD=144 GROUP=18 STAGES=6
//   sum SIMD=147 STAGES=6
//   sum SIMD=1152 STAGES=9
//
//   any sum
//
//   mutant N % 2 == 1; => 1'b1;
//   mutant N'((1 << N/2) - 1) => N'((1 << N/2))
//   mutant 2'(k[0]) + 2'(k[1] == k[2]) => 2'(k[0]) + 2'(k[1] != k[2])
//   mutant {1'b1, weights_i[u*UNIT +: UNIT]} => {1'b0, weights_i[u*UNIT +: UNIT]}
//   mutant (u + 1)*LANES/UNITS - 1 => u*LANES/UNITS
//   mutant AT = 2*(r*CHAIN + k) => AT = 2*k
//   mutant plain_q <= plain[N]; => plain_q <= plain[N-1];
//   mutant {16'(UNITS*PAIRS), 16'(UNITS*ROWS)} => {16'(UNITS*ROWS), 16'(UNITS*PAIRS)}
`default_nettype none

module prove_dot_binary #(
  parameter int SIMD   = 16,
  parameter int GROUP  = 0,
  parameter int CHAIN  = 8,
  parameter int STAGES = 3,
  localparam int UNIT  = GROUP > 0 ? GROUP : SIMD,
  localparam int LANES = GROUP > 0 ? SIMD + SIMD / GROUP : SIMD,
  localparam int WIDTH = $clog2(SIMD + 1)
) (
  input wire             clk_i,
  input wire [LANES-1:0] act_i,
  input wire  [SIMD-1:0] weights_i
);
  wire rst_n;
  wire [WIDTH-1:0] count;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_dot_binary #(.SIMD(SIMD), .GROUP(GROUP), .CHAIN(CHAIN), .STAGES(STAGES)) i_dot (
    .clk_i, .act_i, .weights_i, .count_o(count));

  logic [WIDTH-1:0] want;
  always_comb begin
    want = '0;
    for (int i = 0; i < SIMD; i++)
      if (GROUP == 0 || !act_i[i / UNIT * (UNIT + 1) + UNIT])
        want += WIDTH'(act_i[GROUP > 0 ? i / UNIT * (UNIT + 1) + i % UNIT : i] == weights_i[i]);
      else if (i % UNIT < UNIT / 2) want += WIDTH'(1);
  end
  delayed #(.STAGES(STAGES), .WIDTH(WIDTH)) i_delayed (.clk_i, .rst_ni(rst_n), .want_i(want), .got_i(count));
endmodule

`default_nettype wire
