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
  localparam int KW_W  = KW > 1 ? $clog2(KW) : 1;
  localparam int KH_W  = KH > 1 ? $clog2(KH) : 1;
  localparam int OW_W  = OW > 1 ? $clog2(OW) : 1;
  localparam int OH_W  = OH > 1 ? $clog2(OH) : 1;
  localparam int X_W   = $clog2(WP + 1) + 1;
  localparam int Y_W   = $clog2(HP + 1) + 1;

  // steps of the read position, in words: to the next pixel of a line, line of a window, window; FIRST and FINAL are
  // the first and the last word of a row of windows
  localparam int PIXEL  = (DW - 1) * CF + 1;
  localparam int LINE   = DH * ROW - EW * CF + 1;
  localparam int WINDOW = SW * CF - (EH - 1) * ROW - EW * CF + 1;
  localparam int FIRST  = -LEFT * CF;
  localparam int FINAL  = FIRST + (EH - 1) * ROW + ((OW - 1) * SW + EW) * CF - 1;

  function automatic logic [AW-1:0] modulo(input int step);  // a step around the ring, forward
    return AW'((step % RING + RING) % RING);
  endfunction

  logic        [AW-1:0] write_q, read_q;  // ring addresses
  logic signed [FW-1:0] fill_q;           // words written
  logic signed [FW-1:0] place_q;          // place of the word to read
  logic signed [X_W-1:0] x_q;             // its column and row
  logic signed [Y_W-1:0] y_q;
  logic [CF_W-1:0] cf_q;
  logic [KW_W-1:0] kw_q;
  logic [KH_W-1:0] kh_q;
  logic [OW_W-1:0] ow_q;
  logic [OH_W-1:0] oh_q;
  logic            begun_q;               // the first word of this frame has come
  logic            full_q, out_valid_q;

  logic [4:0] ends_q;                     // which of the counters are at their ends: oh, ow, kh, kw, cf

  wire last_word  = ends_q[0];
  wire last_pixel = &ends_q[1:0];
  wire last_line  = &ends_q[2:0];
  wire end_row    = &ends_q[3:0];
  wire end_frame  = &ends_q;
  wire [4:0] moves = {end_row, last_line, last_pixel, last_word, 1'b1};  // the counters that move, to their ends
  wire [4:0] ends  = {OH == 1 || 32'(oh_q) == OH - 2, OW == 1 || 32'(ow_q) == OW - 2, KH == 1 || 32'(kh_q) == KH - 2,
                      KW == 1 || 32'(kw_q) == KW - 2, CF == 1 || 32'(cf_q) == CF - 2};

  wire outside = (LEFT > 0 && x_q < 0) || (RIGHT > 0 && x_q >= X_W'(W))
              || (TOP > 0 && y_q < 0) || (BOTTOM > 0 && y_q >= Y_W'(H));
  wire move = !out_valid_q || out_ready_i;
  wire step = move && (outside ? begun_q || fill_q > FW'(TOP * ROW) : fill_q > place_q);
  assign in_ready_o = !full_q;
  wire push  = in_valid_i && in_ready_o;
  // whether the ring is full after a cycle in which ``less`` words are freed, and one ``more`` comes
  function automatic logic filled(input logic signed [FW-1:0] fill, input logic more, input int less);
    return 32'(fill) >= (more ? FULL + less - 1 : FULL + less);
  endfunction

  wire [AW-1:0] ahead = end_frame ? modulo(NEXT * ROW + FIRST - FINAL) : end_row ? modulo(SH * ROW + FIRST - FINAL)
                      : last_line ? modulo(WINDOW) : last_pixel ? modulo(LINE) : last_word ? modulo(PIXEL) : modulo(1);
  wire [AW:0] next_read = {1'b0, read_q} + {1'b0, ahead};
  wire [AW:0] wrapped   = {1'b0, read_q} + ({1'b0, ahead} - (AW + 1)'(RING));  // negative, or around the ring

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {write_q, cf_q, kw_q, kh_q, ow_q, oh_q} <= '0;
      ends_q  <= {OH == 1, OW == 1, KH == 1, KW == 1, CF == 1};
      read_q  <= modulo(FIRST - TOP * ROW);
      place_q <= FW'(FIRST);
      x_q     <= X_W'(-LEFT);
      y_q     <= Y_W'(-TOP);
      fill_q  <= FW'(TOP * ROW);
      begun_q <= 1'b0;
      full_q  <= TOP * ROW >= FULL;
    end else begin
      full_q <= !(step && end_row) ? filled(fill_q, push, 0)
              : end_frame ? filled(fill_q, push, NEXT * ROW) : filled(fill_q, push, SH * ROW);
      if (push) write_q <= write_q == AW'(RING - 1) ? '0 : write_q + 1'b1;
      fill_q <= fill_q + FW'(push) - (!(step && end_row) ? '0 : end_frame ? FW'(NEXT * ROW) : FW'(SH * ROW));
      if (step) begin
        begun_q <= !end_frame;
        read_q  <= AW'(wrapped[AW] ? next_read : wrapped);
        place_q <= end_row ? FW'(FIRST)
                 : place_q + (last_line ? FW'(WINDOW) : last_pixel ? FW'(LINE) : last_word ? FW'(PIXEL) : FW'(1));
        cf_q <= last_word ? '0 : cf_q + 1'b1;
        ends_q <= (moves & ends) | (~moves & ends_q);
        if (last_word) begin
          kw_q <= last_pixel ? '0 : kw_q + 1'b1;
          x_q  <= end_row ? X_W'(-LEFT) : x_q + (last_line ? X_W'(SW - EW + 1) : last_pixel ? X_W'(1 - EW) : X_W'(DW));
        end
        if (last_pixel) begin
          kh_q <= last_line ? '0 : kh_q + 1'b1;
          y_q  <= end_frame ? Y_W'(-TOP)
                : y_q + (end_row ? Y_W'(SH - EH + 1) : last_line ? Y_W'(1 - EH) : Y_W'(DH));
        end
        if (last_line) ow_q <= end_row ? '0 : ow_q + 1'b1;
        if (end_row) oh_q <= end_frame ? '0 : oh_q + 1'b1;
      end
    end
  end

  // ---- the words: of the ring, or of the border
  wire [WIDTH-1:0] border, word;
  if (BORDER_FILE != "") begin : gen_border
    sf_memory #(.WIDTH(WIDTH), .DEPTH(CF), .LOAD(LOAD), .FILE(BORDER_FILE)) i_border (
      .clk_i, .rst_ni, .read_i(1'b1), .addr_i(cf_q), .word_o(border), .load_i, .load_o);
  end else begin : gen_flags
    assign border = '0, load_o = load_i;
  end
  sf_ring #(.WIDTH(WIDTH), .DEPTH(RING), .BLOCK(BLOCK)) i_ring (
    .clk_i, .write_i(push), .write_addr_i(write_q), .word_i(in_data_i), .read_i(step), .read_addr_i(read_q),
    .masked_i(GROUP == 0 && outside), .border_i(border), .word_o(word));
  if (GROUP > 0) begin : gen_flagged
    logic outside_q;
    always_ff @(posedge clk_i) if (step) outside_q <= outside;
    for (genvar g = 0; g < WIDTH / GROUP; g++) begin : gen_group
      assign out_data_o[g*(GROUP+1) +: GROUP+1] = {outside_q, word[g*GROUP +: GROUP]};
    end
  end else begin : gen_plain
    assign out_data_o = word;
  end

  always_ff @(posedge clk_i) if (!rst_ni || move) out_valid_q <= rst_ni && step;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
