// Dot product of SIMD bits with SIMD binary weights: the number of places where they agree, one result per cycle.
//
//   count = popcount(act XNOR weights), STAGES cycles later
//
// A group of GROUP places whose flag is 1 counts as GROUP/2 places that agree, as the number 0 between +-1 does.
//
// A full adder takes a plain bit and two places with their weights: five inputs, so both of its outputs fit one 6-input
// look-up table (sf_lut_pair.sv). CHAIN of them in a row reduce 2 * CHAIN places to their lowest sum bit and CHAIN
// carries, which sf_compress.sv counts; no row has places of two groups. The outputs of the rows are registered,
// freely, without enable; a flag sets and resets those of its group, which costs nothing. Whoever uses the counts knows
// which of them matter.
//
// CHAIN = 8 is for 100 MHz on the 7 series, CHAIN = 4 for 200 MHz, with 5 % more look-up tables. STAGES is what the
// caller expects, and refused where it is not 2 + LEVELS of sf_compress.sv.
`default_nettype none

module sf_dot_binary #(
  parameter int  SIMD   = 64,
  parameter int  GROUP  = 0,  // 0: no flags
  parameter int  CHAIN  = 8,
  parameter int  STAGES = 4,
  localparam int UNIT   = GROUP > 0 ? GROUP : SIMD,
  localparam int UNITS  = SIMD / UNIT,
  localparam int PAIRS  = (UNIT + 1) / 2,          // full adders of a unit
  localparam int ROWS   = (PAIRS + CHAIN - 1) / CHAIN,
  localparam int LANES  = GROUP > 0 ? SIMD + UNITS : SIMD,
  localparam int WIDTH  = $clog2(SIMD + 1)
) (
  input  wire              clk_i,
  input  wire  [LANES-1:0] act_i,  // with GROUP > 0 a flag behind every GROUP bits
  input  wire   [SIMD-1:0] weights_i,
  output wire  [WIDTH-1:0] count_o
);
  if (SIMD < 1 || CHAIN < 1) $error("sf_dot_binary: SIMD = %0d, CHAIN = %0d, must be >= 1", SIMD, CHAIN);
  if (GROUP < 0 || GROUP % 2 != 0 || SIMD % UNIT != 0)
    $error("sf_dot_binary: GROUP = %0d, must be even and divide SIMD = %0d", GROUP, SIMD);

  // of {w1, a1, w0, a0, plain}: the lowest bit of plain + (a0 XNOR w0) + (a1 XNOR w1), and its carry
  function automatic logic [63:0] tables();
    for (int k = 0; k < 32; k++) {tables[k], tables[32 + k]} = 2'(k[0]) + 2'(k[1] == k[2]) + 2'(k[3] == k[4]);
  endfunction
  localparam logic [63:0] TABLES = tables();

  wire [UNITS-1:0][ROWS-1:0]  plains;
  wire [UNITS-1:0][PAIRS-1:0] carries;
  for (genvar u = 0; u < UNITS; u++) begin : gen_unit
    // a place that is missing does not agree
    wire [2*PAIRS-1:0] act     = (2*PAIRS)'(act_i[u*LANES/UNITS +: UNIT]);
    wire [2*PAIRS-1:0] weights = (2*PAIRS)'({1'b1, weights_i[u*UNIT +: UNIT]});
    wire               zero    = GROUP > 0 && act_i[(u + 1)*LANES/UNITS - 1];
    for (genvar r = 0; r < ROWS; r++) begin : gen_row
      localparam int N = (r + 1)*CHAIN < PAIRS ? CHAIN : PAIRS - r*CHAIN;
      wire  [N:0]   plain;
      wire  [N-1:0] carry;
      logic         plain_q;
      logic [N-1:0] carry_q;
      assign plain[0] = 1'b0;
      for (genvar k = 0; k < N; k++) begin : gen_add
        localparam int AT = 2*(r*CHAIN + k);
        sf_lut_pair #(.TABLES(TABLES)) i_add (
          .in_i({weights[AT+1], act[AT+1], weights[AT], act[AT], plain[k]}), .out_o({plain[k+1], carry[k]}));
      end
      always_ff @(posedge clk_i)
        if (zero) begin
          plain_q <= N % 2 == 1;
          carry_q <= N'((1 << N/2) - 1);
        end else begin
          plain_q <= plain[N];
          carry_q <= carry;
        end
      assign plains[u][r]               = plain_q;
      assign carries[u][r*CHAIN +: N] = carry_q;
    end
  end

  // columns of weight 1 and 2; a count of one place has no second
  localparam int COLUMNS = WIDTH > 1 ? WIDTH : 2;
  localparam logic [COLUMNS-1:0][15:0] HEIGHTS = (COLUMNS*16)'({16'(UNITS*PAIRS), 16'(UNITS*ROWS)});
  wire [COLUMNS-1:0] count;
  wire               unused_count = &{1'b0, count[COLUMNS-1]};
  sf_compress #(.WIDTH(COLUMNS), .HEIGHTS(HEIGHTS), .TOTAL(UNITS*(PAIRS + ROWS)), .LEVELS(STAGES - 2)) i_compress (
    .clk_i, .bits_i({carries, plains}), .sum_o(count));
  assign count_o = count[WIDTH-1:0];
endmodule

`default_nettype wire
