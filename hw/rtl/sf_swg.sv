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
  logic            out_valid_q;

  wire last_word  = cf_q == CF_W'(CF - 1);
  wire last_pixel = last_word && kw_q == KW_W'(KW - 1);
  wire last_line  = last_pixel && kh_q == KH_W'(KH - 1);
  wire end_row    = last_line && ow_q == OW_W'(OW - 1);
  wire end_frame  = end_row && oh_q == OH_W'(OH - 1);

  wire outside = (LEFT > 0 && x_q < 0) || (RIGHT > 0 && x_q >= X_W'(W))
              || (TOP > 0 && y_q < 0) || (BOTTOM > 0 && y_q >= Y_W'(H));
  wire move = !out_valid_q || out_ready_i;
  wire step = move && (outside ? begun_q || fill_q > FW'(TOP * ROW) : fill_q > place_q);
  assign in_ready_o = fill_q < FW'(FULL);
  wire push = in_valid_i && in_ready_o;

  wire [AW-1:0] ahead = end_frame ? modulo(NEXT * ROW + FIRST - FINAL) : end_row ? modulo(SH * ROW + FIRST - FINAL)
                      : last_line ? modulo(WINDOW) : last_pixel ? modulo(LINE) : last_word ? modulo(PIXEL) : modulo(1);
  wire [AW:0] next_read = {1'b0, read_q} + {1'b0, ahead};

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      {write_q, cf_q, kw_q, kh_q, ow_q, oh_q} <= '0;
      read_q  <= modulo(FIRST - TOP * ROW);
      place_q <= FW'(FIRST);
      x_q     <= X_W'(-LEFT);
      y_q     <= Y_W'(-TOP);
      fill_q  <= FW'(TOP * ROW);
      begun_q <= 1'b0;
    end else begin
      if (push) write_q <= write_q == AW'(RING - 1) ? '0 : write_q + 1'b1;
      fill_q <= fill_q + FW'(push) - (!(step && end_row) ? '0 : end_frame ? FW'(NEXT * ROW) : FW'(SH * ROW));
      if (step) begin
        begun_q <= !end_frame;
        read_q  <= AW'(next_read >= (AW + 1)'(RING) ? next_read - (AW + 1)'(RING) : next_read);
        place_q <= end_row ? FW'(FIRST)
                 : place_q + (last_line ? FW'(WINDOW) : last_pixel ? FW'(LINE) : last_word ? FW'(PIXEL) : FW'(1));
        cf_q <= last_word ? '0 : cf_q + 1'b1;
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
  wire             masked = GROUP == 0 && outside;
  if (BORDER_FILE != "") begin : gen_border
    sf_memory #(.WIDTH(WIDTH), .DEPTH(CF), .LOAD(LOAD), .FILE(BORDER_FILE)) i_border (
      .clk_i, .rst_ni, .read_i(1'b1), .addr_i(cf_q), .word_o(border), .load_i, .load_o);
  end else begin : gen_flags
    assign border = '0, load_o = load_i;
  end
  if (BLOCK) begin : gen_block
    (* ram_style = "block" *) logic [WIDTH-1:0] ring_q [RING];
    logic [WIDTH-1:0] pixel_q, border_q;
    logic             masked_q;
    always_ff @(posedge clk_i) if (push) ring_q[write_q] <= in_data_i;
    always_ff @(posedge clk_i) if (step) pixel_q <= ring_q[read_q];
    always_ff @(posedge clk_i) if (step) {masked_q, border_q} <= {masked, border};
    assign word = masked_q ? border_q : pixel_q;
  end else begin : gen_distributed
    (* ram_style = "distributed" *) logic [WIDTH-1:0] ring_q [RING];
    logic [WIDTH-1:0] word_q;
    always_ff @(posedge clk_i) if (push) ring_q[write_q] <= in_data_i;
    always_ff @(posedge clk_i) if (step) word_q <= masked ? border : ring_q[read_q];
    assign word = word_q;
  end
  if (GROUP > 0) begin : gen_flagged
    logic outside_q;
    always_ff @(posedge clk_i) if (step) outside_q <= outside;
    for (genvar g = 0; g < WIDTH / GROUP; g++) begin : gen_group
      assign out_data_o[g*(GROUP+1) +: GROUP+1] = {outside_q, word[g*GROUP +: GROUP]};
    end
  end else begin : gen_plain
    assign out_data_o = word;
  end

  always_ff @(posedge clk_i)
    if (!rst_ni) out_valid_q <= 1'b0;
    else if (move) out_valid_q <= step;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
