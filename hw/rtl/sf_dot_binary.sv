// Dot product of SIMD bits with SIMD binary weights: the number of places where they agree, one result per cycle.
//
//   count = popcount(act XNOR weights), STAGES = 2 + LEVELS cycles later
//
// A group of GROUP places whose flag is 1 counts as GROUP/2 places that agree, as the number 0 between +-1 does.
//
// A full adder takes a plain bit and two places with their weights: five inputs, so both of its outputs fit one 6-input
// look-up table. Fifteen places are reduced to their lowest sum bit and seven carries that way, and then the carries
// are counted; no fifteen has places of two groups. A tree of adders sums such counts (sf_adder_tree.sv).
// Registers follow the full adders and the counts. They run freely, without enable; a flag sets and resets those of the
// counts of its group. Whoever uses the counts knows which of them matter.
`default_nettype none

module sf_dot_binary #(
  parameter int  SIMD   = 64,
  parameter int  GROUP  = 0,  // 0: no flags
  localparam int UNIT   = GROUP > 0 ? GROUP : SIMD,
  localparam int PARTS  = (UNIT + 14) / 15,  // leaves of a unit
  localparam int LEAVES = SIMD / UNIT * PARTS,
  localparam int LEVELS = $clog2(LEAVES),
  localparam int LANES  = GROUP > 0 ? SIMD + SIMD / GROUP : SIMD,
  localparam int WIDTH  = 4 + LEVELS
) (
  input  wire              clk_i,
  input  wire  [LANES-1:0] act_i,  // with GROUP > 0 a flag behind every GROUP bits
  input  wire   [SIMD-1:0] weights_i,
  output wire  [WIDTH-1:0] count_o
);
  if (SIMD < 1) $error("sf_dot_binary: SIMD = %0d, must be >= 1", SIMD);
  if (GROUP < 0 || GROUP % 2 != 0 || SIMD % UNIT != 0)
    $error("sf_dot_binary: GROUP = %0d, must be even and divide SIMD = %0d", GROUP, SIMD);

  function automatic logic [1:0] full_add(input logic a, input logic b, input logic c);
    return {(a & b) | (a & c) | (b & c), a ^ b ^ c};
  endfunction

  // 15 places: {7 carries, sum}
  function automatic logic [7:0] reduce(input logic [14:0] x);
    logic [1:0] a, b, c, d, e, f, g;
    a = full_add(x[0], x[1], x[2]);
    b = full_add(x[3], x[4], a[0]);
    c = full_add(x[5], x[6], b[0]);
    d = full_add(x[7], x[8], x[9]);
    e = full_add(x[10], x[11], d[0]);
    f = full_add(x[12], x[13], e[0]);
    g = full_add(c[0], f[0], x[14]);
    return {a[1], b[1], c[1], d[1], e[1], f[1], g[1], g[0]};
  endfunction

  function automatic logic [2:0] count(input logic [6:0] x);
    logic [1:0] a, b, c;
    a = full_add(x[0], x[1], x[2]);
    b = full_add(x[3], x[4], x[5]);
    c = full_add(a[0], b[0], x[6]);
    return {full_add(a[1], b[1], c[1]), c[0]};
  endfunction

  wire [LEAVES-1:0][3:0] counts;
  for (genvar u = 0; u < SIMD / UNIT; u++) begin : gen_unit
    wire [UNIT-1:0] agree = act_i[u*LANES*UNIT/SIMD +: UNIT] ~^ weights_i[u*UNIT +: UNIT];
    wire            zero;
    if (GROUP > 0) begin : gen_flag
      logic flag_q;
      always_ff @(posedge clk_i) flag_q <= act_i[u*(GROUP+1) + GROUP];
      assign zero = flag_q;
    end else begin : gen_plain
      assign zero = 1'b0;
    end
    for (genvar i = 0; i < PARTS; i++) begin : gen_leaf
      localparam int LAST = 15*i + 15 < UNIT ? 15*i + 15 : UNIT;
      logic [7:0] reduced_q;
      always_ff @(posedge clk_i) reduced_q <= reduce(15'(agree[LAST-1:15*i]));
      assign counts[u*PARTS + i] = zero ? 4'(LAST/2 - 15*i/2) : {count(reduced_q[7:1]), reduced_q[0]};
    end
  end
  sf_adder_tree #(.N(LEAVES), .WIDTH(4), .IS_SIGNED(1'b0)) i_tree (.clk_i, .terms_i(counts), .sum_o(count_o));
endmodule

`default_nettype wire
