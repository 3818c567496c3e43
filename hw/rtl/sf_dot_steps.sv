// Dot product of SIMD bits with binary weights that are constants of at most four steps: the number of places where
// they agree, one result per cycle.
//
//   count       = popcount(act XNOR WEIGHTS[step]), STAGES cycles later
//   throughput  one count a cycle
//
// A group of GROUP places whose flag is 1 counts as GROUP/2 places that agree, as the number 0 between +-1 does.
//
// Three places and the step are five inputs: one look-up table (sf_lut_pair.sv) holds a full adder of the three with
// the weights of every step in it, so weights take no memory and no table of their own. Sums and carries are
// registered, freely; a flag sets and resets those of its group. sf_compress.sv counts them. STAGES is what the caller
// expects, and refused where it is not 2 + LEVELS of sf_compress.sv.
`default_nettype none

module sf_dot_steps #(
  parameter int  SIMD    = 48,
  parameter int  GROUP   = 0,  // 0: no flags
  parameter int  STEPS   = 4,
  parameter int  STAGES  = 5,
  parameter logic [STEPS-1:0][SIMD-1:0] WEIGHTS = '0,
  localparam int UNIT    = GROUP > 0 ? GROUP : SIMD,
  localparam int UNITS   = SIMD / UNIT,
  localparam int THREES  = (UNIT + 2) / 3,  // full adders of a unit
  localparam int LANES   = GROUP > 0 ? SIMD + UNITS : SIMD,
  localparam int WIDTH   = $clog2(SIMD + 1)
) (
  input  wire              clk_i,
  input  wire  [LANES-1:0] act_i,  // with GROUP > 0 a flag behind every GROUP bits
  input  wire        [1:0] step_i,
  output wire [WIDTH-1:0] count_o
);
  if (SIMD < 1) $error("sf_dot_steps: SIMD = %0d, must be >= 1", SIMD);
  if (STEPS < 1 || STEPS > 4) $error("sf_dot_steps: STEPS = %0d, must be 1 to 4", STEPS);
  if (GROUP < 0 || GROUP % 2 != 0 || SIMD % UNIT != 0)
    $error("sf_dot_steps: GROUP = %0d, must be even and divide SIMD = %0d", GROUP, SIMD);

  // of {step, n places from ``at`` on}: the lowest bit of how many agree, and the other bit
  function automatic logic [63:0] tables(input int at, input int n);
    logic [1:0] agree;
    for (int k = 0; k < 32; k++) begin
      agree = '0;
      for (int i = 0; i < n; i++) agree += 2'(k[i] == WEIGHTS[k / 8 < STEPS ? k / 8 : 0][at + i]);
      {tables[k], tables[32 + k]} = agree;
    end
  endfunction

  localparam int COLUMNS = WIDTH > 1 ? WIDTH : 2;
  localparam logic [COLUMNS-1:0][15:0] HEIGHTS = (COLUMNS*16)'({16'(UNITS*THREES), 16'(UNITS*THREES)});
  logic [1:0][UNITS-1:0][THREES-1:0] counts_q;  // carries, sums
  for (genvar u = 0; u < UNITS; u++) begin : gen_unit
    wire [3*THREES-1:0] act  = (3*THREES)'(act_i[u*LANES/UNITS +: UNIT]);
    wire                zero = GROUP > 0 && act_i[(u + 1)*LANES/UNITS - 1];
    for (genvar t = 0; t < THREES; t++) begin : gen_three
      localparam int N    = 3*t + 3 < UNIT ? 3 : UNIT - 3*t;
      localparam int HALF = (3*t + N)/2 - 3*t/2;  // agree where the group is 0
      wire [1:0] count;  // the low bit first
      sf_lut_pair #(.TABLES(tables(u*UNIT + 3*t, N))) i_add (
        .in_i({step_i, act[3*t +: 3]}), .out_o({count[0], count[1]}));
      always_ff @(posedge clk_i) {counts_q[1][u][t], counts_q[0][u][t]} <= zero ? 2'(HALF) : count;
    end
  end
  wire [COLUMNS-1:0] count;
  wire               unused_count = &{1'b0, count[COLUMNS-1]};
  sf_compress #(.WIDTH(COLUMNS), .HEIGHTS(HEIGHTS), .TOTAL(2*UNITS*THREES), .LEVELS(STAGES - 2)) i_compress (
    .clk_i, .bits_i(counts_q), .sum_o(count));
  assign count_o = count[WIDTH-1:0];
endmodule

`default_nettype wire
