// Sliding-window generator with a border, one word per cycle.
//
//   in    frames of H x W pixels of C/SIMD words:  [h][w][cf]
//   out   windows of KH x KW pixels:               [oh][ow][kh][kw][cf], of the pixel in row oh*SH + kh*DH - TOP and
//         column ow*SW + kw*DW - LEFT; where that lies outside the frame, of the border
//
//   throughput  max(H*W, OH*OW*KH*KW) * C/SIMD cycles for a frame: writing overlaps reading, across frames too, and
//               the border is read without being written
//   latency     2 cycles from a pixel's word to its first use in a window; a frame starts with its first word
//   storage     a ring of ROWS rows of pixels; hw/ops/window.py knows how many are needed for this throughput
//
// Border: GROUP = 0, the words of BORDER_FILE (sf_memory.sv, C/SIMD words, the same for every pixel; "" where there is
// none). GROUP > 0, the number 0 between bits: behind every GROUP bits of an output word stands a flag, which
// is 1 in the border; then these bits mean nothing.
//
// Rows are freed when the row of windows that starts with them is complete. Fill and place are counted from the first
// row of the current windows, which may lie in the border: rows above a frame count as written. Both may be negative.
// BLOCK = 1 puts the ring into block RAM, else it is LUT RAM.
//
// The places of words are known one word ahead (sf_swg_places.sv), so what a word needs to be read lies in registers:
// whether it is there, its address, how far the next one is.
`default_nettype none

module sf_swg #(
  parameter int ELEM_WIDTH = 1,
  parameter int C      = 64,
  parameter int SIMD   = 64,
  parameter int H      = 8, W = 8,
  parameter int KH     = 3, KW = 3,
  parameter int SH     = 1, SW = 1, DH = 1, DW = 1,
  parameter int TOP    = 0, LEFT = 0, BOTTOM = 0, RIGHT = 0,
  parameter int GROUP  = 0,
  parameter int ROWS   = 5, parameter bit BLOCK = 1'b0, LOAD = 1'b0,
  parameter BORDER_FILE = "",
  localparam int WIDTH     = SIMD * ELEM_WIDTH,
  localparam int OUT_WIDTH = GROUP > 0 ? WIDTH + WIDTH / GROUP : WIDTH
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  input  wire      [WIDTH-1:0] in_data_i,
  input  wire                  in_valid_i,
  output wire                  in_ready_o,
  output wire  [OUT_WIDTH-1:0] out_data_o,
  output wire                  out_valid_o,
  input  wire                  out_ready_i,
  input  wire           [32:0] load_i,  // load chain (sf_memory.sv)
  output wire           [32:0] load_o
);
  localparam int  HP  = TOP + H + BOTTOM;   // the frame with its border
  localparam int  WP  = LEFT + W + RIGHT;
  localparam int  EH  = (KH - 1) * DH + 1;  // from the first to the last pixel of a window
  localparam int  EW  = (KW - 1) * DW + 1;
  localparam bit  PAD = TOP > 0 || LEFT > 0 || BOTTOM > 0 || RIGHT > 0;
  if (SIMD < 1 || C % SIMD != 0)  $error("sf_swg: SIMD = %0d does not divide C = %0d", SIMD, C);
  if (KH < 1 || KW < 1 || EH > HP || EW > WP)
    $error("sf_swg: a window of %0dx%0d pixels does not fit the %0dx%0d frame with its border", EH, EW, HP, WP);
  if (SH < 1 || SW < 1 || DH < 1 || DW < 1)
    $error("sf_swg: stride %0dx%0d and dilation %0dx%0d must be >= 1", SH, SW, DH, DW);
  if (TOP < 0 || LEFT < 0 || BOTTOM < 0 || RIGHT < 0)
    $error("sf_swg: a border of %0d, %0d, %0d, %0d pixels must be >= 0", TOP, LEFT, BOTTOM, RIGHT);
  if (PAD && (BORDER_FILE == "") == (GROUP == 0)) $error("sf_swg: a border needs either BORDER_FILE or GROUP > 0");
  if (GROUP > 0 && (ELEM_WIDTH != 1 || SIMD % GROUP != 0))
    $error("sf_swg: GROUP = %0d does not divide SIMD = %0d elements of one bit, not %0d", GROUP, SIMD, ELEM_WIDTH);

  localparam int CF     = C / SIMD;
  localparam int OH     = SH > 0 ? (HP - EH) / SH + 1 : 1;
  localparam int OW     = SW > 0 ? (WP - EW) / SW + 1 : 1;
  localparam int ROW    = W * CF;                       // words in a row
  localparam int RING   = ROWS * ROW;
  localparam int START  = (OH - 1) * SH - TOP;          // row of the first pixel of the last windows
  localparam int BEYOND = START > H ? START - H : 0;    // rows of the border that a window skips behind the frame
  localparam int FULL   = RING - BEYOND * ROW;
  if (ROWS < BEYOND + EH || ROWS < BEYOND + TOP + 1)
    $error("sf_swg: ROWS = %0d, must be >= %0d", ROWS, BEYOND + (EH > TOP ? EH : TOP + 1));
  localparam int NEXT  = H - TOP - START;               // rows from the last windows to the next frame's first ones
  localparam int LEAST = (NEXT > 0 ? H - TOP : START) * ROW;       // fill is > -LEAST,
  localparam int MOST  = FULL + (NEXT < 0 ? -NEXT * ROW : 0);      // and at most this
  localparam int FW    = 1 + $clog2((LEAST > MOST ? LEAST : MOST) + 1);
  localparam int AW    = RING > 1 ? $clog2(RING) : 1;
  localparam int CF_W  = CF > 1 ? $clog2(CF) : 1;

  // steps of the read position, in words: to the next pixel of a line, line of a window, window, row of windows, frame;
  // FIRST and FINAL are the first and the last word of a row of windows
  localparam int PIXEL  = (DW - 1) * CF + 1;
  localparam int LINE   = DH * ROW - EW * CF + 1;
  localparam int WINDOW = SW * CF - (EH - 1) * ROW - EW * CF + 1;
  localparam int FIRST  = -LEFT * CF;
  localparam int FINAL  = FIRST + (EH - 1) * ROW + ((OW - 1) * SW + EW) * CF - 1;
  localparam int BELOW  = FIRST - FINAL + SH * ROW;
  localparam int FRAME  = FIRST - FINAL + NEXT * ROW;
  localparam int NW     = 1 + $clog2((FINAL + LEAST > MOST - FIRST ? FINAL + LEAST : MOST - FIRST) + 1);

  function automatic logic [AW-1:0] modulo(input int step);  // a step around the ring, forward
    return AW'((step % RING + RING) % RING);
  endfunction

  typedef struct packed {
    logic signed [NW-1:0] on;     // words from one to the next, less 1
    logic        [AW-1:0] ahead;  // around the ring
    logic          [AW:0] wrap;   // less the ring
  } way_t;
  function automatic way_t way(input int words);
    return {NW'(words - 1), modulo(words), {1'b0, modulo(words)} - (AW + 1)'(RING)};
  endfunction
  function automatic way_t behind(input logic [4:0] lasts);
    return lasts[4] ? way(FRAME) : lasts[3] ? way(BELOW) : lasts[2] ? way(WINDOW) : lasts[1] ? way(LINE)
         : lasts[0] ? way(PIXEL) : way(1);
  endfunction

  // ---- the word to read and the one behind it: their places
  logic there_q, out_valid_q;             // it is there; the one before is offered
  wire move = !out_valid_q || out_ready_i;
  wire step = move && there_q;
  wire [CF_W-1:0] cf;
  wire            end_row, end_frame, outside, next_outside;
  wire      [4:0] next_lasts;
  sf_swg_places #(.CF(CF), .H(H), .W(W), .KH(KH), .KW(KW), .OH(OH), .OW(OW), .SH(SH), .SW(SW), .DH(DH), .DW(DW),
                  .TOP(TOP), .LEFT(LEFT), .BOTTOM(BOTTOM), .RIGHT(RIGHT)) i_places (
    .clk_i, .rst_ni, .step_i(step), .cf_o(cf), .end_row_o(end_row), .end_frame_o(end_frame), .outside_o(outside),
    .next_lasts_o(next_lasts), .next_outside_o(next_outside));

  // ---- what was written, and what is missing
  logic        [AW-1:0] write_q, read_q;  // ring addresses
  logic signed [FW-1:0] fill_q;           // words written
  logic                 full_q;
  logic signed [NW-1:0] need_q;           // place of the word to read behind them: negative where it was written
  way_t                 way_q;            // from it to the one behind it

  wire free = step && end_row;
  wire push = in_valid_i && !full_q;
  assign in_ready_o = !full_q;

  // a word that comes counts as half a word more, or as the carry of a sum
  wire signed [FW:0] written = {fill_q, push};
  wire        [NW:0] need    = {need_q, 1'b1} + {way_q.on | {NW{!step}}, !push};
  wire        [NW:0] beyond  = {need_q, 1'b1} + {way_q.on, !push};
  wire unused = &{1'b0, cf, need[0], beyond[NW-1:0]};
  // the border is there with the frame's first word
  wire comes = push && (outside ? fill_q == FW'(TOP * ROW) : need_q == '0);
  wire goes  = next_outside ? !end_frame || int'(written) > 2 * (TOP + NEXT) * ROW : beyond[NW];

  wire [AW:0] next_read = {1'b0, read_q} + {1'b0, way_q.ahead};
  wire [AW:0] wrapped   = {1'b0, read_q} + way_q.wrap;  // negative, or around the ring

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {write_q, there_q} <= '0;
      read_q <= modulo(FIRST - TOP * ROW);
      need_q <= NW'(FIRST - TOP * ROW);
      way_q  <= behind(i_places.LASTS);
      fill_q <= FW'(TOP * ROW);
      full_q <= TOP * ROW >= FULL;
    end else begin
      full_q <= !free ? full_q || (push && fill_q == FW'(FULL - 1))
              : NEXT <= 0 && int'(written) > 2 * (FULL - 1 + (end_frame ? NEXT : SH) * ROW);
      fill_q  <= fill_q + FW'(push) - (!free ? '0 : end_frame ? FW'(NEXT * ROW) : FW'(SH * ROW));
      need_q  <= need[NW:1];
      there_q <= there_q ? !move || goes : comes;
      if (push) write_q <= write_q == AW'(RING - 1) ? '0 : write_q + 1'b1;
      if (step) {read_q, way_q} <= {AW'(wrapped[AW] ? next_read : wrapped), behind(next_lasts)};
    end
  end

  // ---- the words: of the ring, or of the border
  wire [WIDTH-1:0] border, word;
  if (BORDER_FILE != "") begin : gen_border
    sf_memory #(.WIDTH(WIDTH), .DEPTH(CF), .LOAD(LOAD), .FILE(BORDER_FILE)) i_border (
      .clk_i, .rst_ni, .read_i(1'b1), .addr_i(cf), .word_o(border), .load_i, .load_o);
  end else begin : gen_flags
    assign border = '0, load_o = load_i;
  end
  sf_ring #(.WIDTH(WIDTH), .DEPTH(RING), .BLOCK(BLOCK)) i_ring (
    .clk_i, .write_i(push), .write_addr_i(write_q), .word_i(in_data_i), .read_i(step), .read_addr_i(read_q),
    .masked_i(GROUP == 0 && outside), .border_i(border), .word_o(word));
  if (GROUP > 0) begin : gen_flagged
    logic flag_q;
    always_ff @(posedge clk_i) if (step) flag_q <= outside;
    for (genvar g = 0; g < WIDTH / GROUP; g++) begin : gen_group
      assign out_data_o[g*(GROUP+1) +: GROUP+1] = {flag_q, word[g*GROUP +: GROUP]};
    end
  end else begin : gen_plain
    assign out_data_o = word;
  end

  always_ff @(posedge clk_i) if (!rst_ni || move) out_valid_q <= rst_ni && step;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
