// The sum of sf_compress is that of the bits of 1 + LEVELS cycles ago, each with the weight of its column.
//
//   case WIDTH=1 HEIGHTS=1 TOTAL=1 LEVELS=0
//   case WIDTH=1 HEIGHTS=4 TOTAL=4 LEVELS=1
//   case WIDTH=2 HEIGHTS=32'h0002_0003 TOTAL=5 LEVELS=0
//   case WIDTH=2 HEIGHTS=32'h0000_0006 TOTAL=6 LEVELS=1
//   case WIDTH=4 HEIGHTS=64'h0000_0000_0000_0009 TOTAL=9 LEVELS=1
//   case WIDTH=4 HEIGHTS=64'h0000_0001_0000_0006 TOTAL=7 LEVELS=1
//   case WIDTH=5 HEIGHTS=80'h0000_0000_0003_000b_0002 TOTAL=16 LEVELS=1
//   case WIDTH=4 HEIGHTS=64'h0000_0000_0004_0005 TOTAL=9 LEVELS=1
//   case WIDTH=4 HEIGHTS=64'h0000_0000_0004_0005 TOTAL=9 LEVELS=1 SF_LUT6_2
//   case WIDTH=4 HEIGHTS=64'h0000_0000_0004_0005 TOTAL=9 LEVELS=1 SF_LUT6_2 SF_CARRY8
//
//   sum WIDTH=7 HEIGHTS=112'h0028_0028 TOTAL=80 LEVELS=3
//   sum WIDTH=9 HEIGHTS=144'h0010_0020_0020_0020_0010 TOTAL=128 LEVELS=4
//   sum WIDTH=10 HEIGHTS=160'h0040_0080_00c0_0040 TOTAL=448 LEVELS=6
//   sum WIDTH=11 HEIGHTS=176'h0320_0064 TOTAL=900 LEVELS=7
//
//   any sum
//
//   mutant 6'(below[FROM + LAST - 1 : FROM + 6*k]) => 6'(below[FROM + LAST - 1 : FROM + 6*k + 1])
//   mutant 64'h96969696_e8e8e8e8 => 64'h96969696_e8e8e8e0
//   mutant counted[TWOS + k] = count[1] => counted[TWOS + k] = count[0]
//   mutant counted[FOURS + k] = count[2] => counted[FOURS + k] = count[1]
//   mutant assign counted[ONES + N] = count[0] => assign counted[ONES + N] = count[1]
//   mutant FROM + SIZE - REST +: REST => FROM +: REST
//   mutant low_q <= rows[0][LOW-1:0] => low_q <= ~rows[0][LOW-1:0]
`default_nettype none

module prove_compress #(
  parameter int                     WIDTH   = 4,
  parameter logic [WIDTH-1:0][15:0] HEIGHTS = '0,
  parameter int                     TOTAL   = 9,
  parameter int                     LEVELS  = 1
) (
  input wire             clk_i,
  input wire [TOTAL-1:0] bits_i
);
  wire rst_n;
  wire [WIDTH-1:0] sum;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_compress #(.WIDTH(WIDTH), .HEIGHTS(HEIGHTS), .TOTAL(TOTAL), .LEVELS(LEVELS)) i_compress (
    .clk_i, .bits_i, .sum_o(sum));

  logic [WIDTH-1:0] want;
  always_comb begin
    int at;
    at = 0;
    want = '0;
    for (int r = 0; r < WIDTH; r++)
      for (int k = 0; k < 32'(HEIGHTS[r]); k++) begin
        want += WIDTH'({bits_i[at], WIDTH'(0)} >> (WIDTH - r));
        at++;
      end
  end
  delayed #(.STAGES(1 + LEVELS), .WIDTH(WIDTH)) i_delayed (.clk_i, .rst_ni(rst_n), .want_i(want), .got_i(sum));
endmodule

`default_nettype wire
