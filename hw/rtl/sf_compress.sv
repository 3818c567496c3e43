// Sum of bits of different weights: columns of bits are counted until three rows are left, and these are added.
//
//   sum = sum over columns r of 2**r * (number of ones in column r), modulo 2**WIDTH
//   latency     1 + LEVELS cycles
//   throughput  1 sum a cycle
//
// Column r has HEIGHTS[r] bits; they stand in bits_i column after column, the lowest first. In every level each column
// is counted six at a time (sf_counter.sv), five that remain too, three or four that remain by a full adder; what is
// left over goes on as it is. The counts are registered: bits of the columns r, r+1 and r+2. sf_add3.sv ends it.
// The registers run freely, without enable or reset; whoever uses the sums knows which of them count.
//
// TOTAL and LEVELS are what the caller expects, and refused where they are not what HEIGHTS gives.
`default_nettype none

module sf_compress #(
  parameter int                     WIDTH   = 4,
  parameter logic [WIDTH-1:0][15:0] HEIGHTS = {16'd0, 16'd0, 16'd8, 16'd1},
  parameter int                     TOTAL   = 9,  // bits in all
  parameter int                     LEVELS  = 1
) (
  input  wire              clk_i,
  input  wire  [TOTAL-1:0] bits_i,
  output wire  [WIDTH-1:0] sum_o
);
  typedef logic [WIDTH-1:0][15:0] heights_t;

  // first bit of column r
  function automatic int start(input heights_t heights, input int r);
    start = 0;
    for (int k = 0; k < r; k++) start += 32'(heights[k]);
  endfunction
  function automatic int total(input heights_t heights);
    return start(heights, WIDTH);
  endfunction

  // of a column of h bits: counters, full adders, and what is left over
  function automatic int counters(input int h);
    return (h + 1) / 6;
  endfunction
  function automatic int adders(input int h);
    return h % 6 == 3 || h % 6 == 4 ? 1 : 0;
  endfunction
  function automatic int rest(input int h);
    return h % 6 == 5 ? 0 : h % 6 - 3 * adders(h);
  endfunction

  // of column r of the next level: bits that stand in front of those of weight 2**(r - from)
  function automatic int ahead(input heights_t h, input int r, input int from);
    ahead = 0;
    if (from > 0) ahead += counters(32'(h[r])) + adders(32'(h[r]));
    if (from > 1 && r >= 1) ahead += counters(32'(h[r-1])) + adders(32'(h[r-1]));
    if (from > 2 && r >= 2) ahead += counters(32'(h[r-2]));
  endfunction
  function automatic heights_t next(input heights_t h);
    for (int r = 0; r < WIDTH; r++) next[r] = 16'(ahead(h, r, 3) + rest(32'(h[r])));
  endfunction

  function automatic heights_t after(input int level);
    after = HEIGHTS;
    for (int l = 0; l < level; l++) after = next(after);
  endfunction
  function automatic int highest(input heights_t h);
    highest = 0;
    for (int r = 0; r < WIDTH; r++) if (32'(h[r]) > highest) highest = 32'(h[r]);
  endfunction
  function automatic int levels();
    levels = 0;
    while (highest(after(levels)) > 3) levels++;
  endfunction
  if (TOTAL != total(HEIGHTS)) $error("sf_compress: TOTAL = %0d, the heights give %0d", TOTAL, total(HEIGHTS));
  if (LEVELS != levels()) $error("sf_compress: LEVELS = %0d, the heights give %0d", LEVELS, levels());

  for (genvar l = 0; l <= LEVELS; l++) begin : gen_level
    localparam heights_t H = after(l);
    wire [total(H)-1:0] bits;  // of this level
    if (l == 0) begin : gen_first
      assign bits = bits_i;
    end else begin : gen_next
      localparam heights_t B = after(l - 1);  // below
      wire [total(B)-1:0] below = gen_level[l-1].bits;
      wire [total(H)-1:0] counted;
      (* shreg_extract = "no" *) logic [total(H)-1:0] counted_q;
      always_ff @(posedge clk_i) counted_q <= counted;
      assign bits = counted_q;

      for (genvar r = 0; r < WIDTH; r++) begin : gen_column
        localparam int FROM  = start(B, r), SIZE = 32'(B[r]), N = counters(SIZE), M = adders(SIZE), REST = rest(SIZE);
        localparam int ONES  = start(H, r);
        localparam int TWOS  = r + 1 < WIDTH ? start(H, r + 1) + ahead(B, r + 1, 1) : 0;
        localparam int FOURS = r + 2 < WIDTH ? start(H, r + 2) + ahead(B, r + 2, 2) : 0;
        for (genvar k = 0; k < N; k++) begin : gen_counter
          localparam int LAST = 6*k + 6 < SIZE ? 6*k + 6 : SIZE;
          wire [2:0] count;
          sf_counter i_counter (.in_i(6'(below[FROM + LAST - 1 : FROM + 6*k])), .count_o(count));
          assign counted[ONES + k] = count[0];
          if (r + 1 < WIDTH) assign counted[TWOS + k] = count[1];
          if (r + 2 < WIDTH) assign counted[FOURS + k] = count[2];
        end
        if (M > 0) begin : gen_adder
          wire [1:0] count;
          sf_lut_pair #(.TABLES(64'h96969696_e8e8e8e8)) i_add (
            .in_i({2'b00, below[FROM + 6*N +: 3]}), .out_o({count[0], count[1]}));
          assign counted[ONES + N] = count[0];
          if (r + 1 < WIDTH) assign counted[TWOS + N] = count[1];
        end
        if (REST > 0) begin : gen_rest
          assign counted[start(H, r) + ahead(B, r, 3) +: REST] = below[FROM + SIZE - REST +: REST];
        end
      end
    end
  end

  // ---- three rows; low columns of one bit are their sum
  localparam heights_t LAST = after(LEVELS);
  function automatic int lowest();
    lowest = 0;
    while (lowest < WIDTH && LAST[lowest] < 2) lowest++;
  endfunction
  localparam int LOW = lowest();
  wire [2:0][WIDTH-1:0] rows;
  wire                  unused_rows = &{1'b0, rows};
  for (genvar r = 0; r < WIDTH; r++) begin : gen_row
    for (genvar k = 0; k < 3; k++) begin : gen_bit
      if (k < LAST[r]) assign rows[k][r] = gen_level[LEVELS].bits[start(LAST, r) + k];
      else assign rows[k][r] = 1'b0;
    end
  end
  if (LOW > 0) begin : gen_low
    logic [LOW-1:0] low_q;
    always_ff @(posedge clk_i) low_q <= rows[0][LOW-1:0];
    assign sum_o[LOW-1:0] = low_q;
  end
  if (LOW < WIDTH) begin : gen_high
    sf_add3 #(.WIDTH(WIDTH - LOW)) i_add (
      .clk_i, .a_i(rows[0][WIDTH-1:LOW]), .b_i(rows[1][WIDTH-1:LOW]), .c_i(rows[2][WIDTH-1:LOW]),
      .sum_o(sum_o[WIDTH-1:LOW]));
  end
endmodule

`default_nettype wire
