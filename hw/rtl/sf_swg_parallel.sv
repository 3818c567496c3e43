// Sliding-window generator with a border, one whole window per cycle.
//
//   in    frames of H x W pixels, all C channels in a word:  [h][w]
//   out   windows: element (kh, kw, c) at position (kh*KW + kw)*C + c, [oh][ow]: the pixel in row oh*SH + kh*DH - TOP
//         and column ow*SW + kw*DW - LEFT; where that lies outside the frame, the border
//
//   throughput  one pixel per cycle; the border right and below takes a cycle a pixel, that above and to the left none:
//               (H+BOTTOM) * (W+RIGHT) cycles for a frame
//   latency     2 cycles from the last pixel of a window to the window
//   storage     rows of pixels above, and a window of registers twice: one moves on while the other waits
//
// Border: GROUP = 0, the word of BORDER_FILE ($readmemh, one pixel; "" where there is none). GROUP > 0, the number 0
// between bits: behind every GROUP bits of a window stands a flag, which is 1 in the border; then these bits mean
// nothing. Not here: windows that lie wholly in the border (sf_swg.sv).
`default_nettype none

module sf_swg_parallel #(
  parameter int ELEM_WIDTH = 8,
  parameter int C      = 1,
  parameter int H      = 8, W = 8,
  parameter int KH     = 3, KW = 3,
  parameter int SH     = 1, SW = 1,
  parameter int DH     = 1, DW = 1,
  parameter int TOP    = 0, LEFT = 0, BOTTOM = 0, RIGHT = 0,
  parameter int GROUP  = 0,
  parameter BORDER_FILE = "",
  localparam int WIDTH = C * ELEM_WIDTH,
  localparam int PIXEL = GROUP > 0 ? WIDTH + WIDTH / GROUP : WIDTH
) (
  input  wire                    clk_i,
  input  wire                    rst_ni,
  input  wire        [WIDTH-1:0] in_data_i,
  input  wire                    in_valid_i,
  output wire                    in_ready_o,
  output logic [KH*KW*PIXEL-1:0] out_data_o,
  output logic                   out_valid_o,
  input  wire                    out_ready_i
);
  localparam int EH  = (KH - 1) * DH + 1;  // from the first to the last pixel of a window
  localparam int EW  = (KW - 1) * DW + 1;
  localparam int HS  = H + BOTTOM;         // the frame with the border that takes steps
  localparam int WS  = W + RIGHT;
  localparam bit PAD = TOP > 0 || LEFT > 0 || BOTTOM > 0 || RIGHT > 0;
  if (SH < 1 || SW < 1 || DH < 1 || DW < 1)
    $error("sf_swg_parallel: stride %0dx%0d and dilation %0dx%0d must be >= 1", SH, SW, DH, DW);
  if (KH < 1 || KW < 1 || EH > TOP + HS || EW > LEFT + WS)
    $error("sf_swg_parallel: a window of %0dx%0d pixels does not fit the %0dx%0d frame with its border", EH, EW,
           TOP + HS, LEFT + WS);
  if (TOP < 0 || TOP >= EH || BOTTOM < 0 || BOTTOM >= EH || LEFT < 0 || LEFT >= EW || RIGHT < 0 || RIGHT >= EW)
    $error("sf_swg_parallel: a border of %0d, %0d, %0d, %0d pixels must be >= 0 and smaller than the %0dx%0d window",
           TOP, LEFT, BOTTOM, RIGHT, EH, EW);
  if (PAD && (BORDER_FILE == "") == (GROUP == 0))
    $error("sf_swg_parallel: a border needs either BORDER_FILE or GROUP > 0");
  if (GROUP > 0 && (ELEM_WIDTH != 1 || C % GROUP != 0))
    $error("sf_swg_parallel: GROUP = %0d does not divide C = %0d elements of one bit, not %0d", GROUP, C, ELEM_WIDTH);

  localparam int AW  = W > 1 ? $clog2(W) : 1;
  localparam int XW  = WS > 1 ? $clog2(WS) : 1;
  localparam int YW  = HS > 1 ? $clog2(HS) : 1;
  localparam int WXW = EW > SW ? (EW > 1 ? $clog2(EW) : 1) : SW > 1 ? $clog2(SW) : 1;
  localparam int WYW = EH > SH ? (EH > 1 ? $clog2(EH) : 1) : SH > 1 ? $clog2(SH) : 1;

  logic [XW-1:0] x_q;  // the pixel of this step, or the border's
  logic [YW-1:0] y_q;
  logic [WXW-1:0] wait_x_q;
  logic [WYW-1:0] wait_y_q;
  logic          whole_q;  // window_q is a window

  wire right  = RIGHT > 0 && int'(x_q) >= W;
  wire below  = BOTTOM > 0 && int'(y_q) >= H;
  wire pass   = !out_valid_o || out_ready_i;
  wire move   = !whole_q || pass;
  wire take   = move && (right || below || in_valid_i);  // a step
  wire last_x = x_q == XW'(WS - 1);
  wire last_y = y_q == YW'(HS - 1);
  assign in_ready_o = move && !right && !below;

  // ---- the newest column of the window, of KH pixels, and those of its rows that lie in the border
  logic [KH-1:0][WIDTH-1:0] column;
  wire  [KH-1:0]            border_row;
  if (EH > 1) begin : gen_rows
    (* ram_style = "distributed" *) logic [(EH-1)*WIDTH-1:0] rows_q [W];  // the pixels above, oldest first
    wire          [AW-1:0] address = AW'(x_q);
    wire [EH-1:0][WIDTH-1:0] pixels = {in_data_i, rows_q[address]};
    always_ff @(posedge clk_i) if (take && !right) rows_q[address] <= pixels[EH-1:1];
    for (genvar k = 0; k < KH; k++) begin : gen_tap
      assign column[k] = pixels[k*DH];
    end
  end else begin : gen_row
    assign column = in_data_i;
  end
  for (genvar k = 0; k < KH; k++) begin : gen_border_row
    localparam int AGE = (KH - 1 - k) * DH;  // rows above the newest one
    assign border_row[k] = (TOP > 0 && int'(y_q) < AGE) || (BOTTOM > 0 && int'(y_q) >= H + AGE);
  end

  // pixels (rows) until the next window ends: first that of the first one, then SW - 1
  wire ends_x = wait_x_q == '0;
  wire ends_y = wait_y_q == '0;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      x_q         <= '0;
      y_q         <= '0;
      wait_x_q    <= WXW'(EW - 1 - LEFT);
      wait_y_q    <= WYW'(EH - 1 - TOP);
      whole_q     <= 1'b0;
      out_valid_o <= 1'b0;
    end else begin
      if (take) begin
        x_q      <= last_x ? '0 : x_q + 1'b1;
        wait_x_q <= last_x ? WXW'(EW - 1 - LEFT) : ends_x ? WXW'(SW - 1) : wait_x_q - 1'b1;
      end
      if (take && last_x) begin
        y_q      <= last_y ? '0 : y_q + 1'b1;
        wait_y_q <= last_y ? WYW'(EH - 1 - TOP) : ends_y ? WYW'(SH - 1) : wait_y_q - 1'b1;
      end
      if (move) whole_q <= take && ends_x && ends_y;
      if (pass) out_valid_o <= whole_q;
    end
  end

  // ---- the window: its columns move up; with the first pixel of a row, those before it are the border
  wire [WIDTH-1:0] border;
  wire             first = LEFT > 0 && x_q == '0;
  if (BORDER_FILE != "") begin : gen_border
    (* logic_block *) logic [WIDTH-1:0] border_rom [1];
    initial $readmemh(BORDER_FILE, border_rom);
    assign border = border_rom[0];
  end else begin : gen_no_border
    assign border = '0;
  end
  logic [KH-1:0][EW-1:0][WIDTH-1:0] window_q;  // [0][0]: first pixel
  always_ff @(posedge clk_i)
    if (take)
      for (int r = 0; r < KH; r++) begin
        for (int k = 0; k < EW - 1; k++) window_q[r][k] <= first && GROUP == 0 ? border : window_q[r][k+1];
        window_q[r][EW-1] <= (right || border_row[r]) && GROUP == 0 ? border : column[r];
      end

  // ---- the words
  wire [KH*KW*PIXEL-1:0] word;
  always_ff @(posedge clk_i) if (pass) out_data_o <= word;
  if (GROUP > 0) begin : gen_flagged
    logic [KH-1:0] row_q;  // which rows of the window, and which of its columns, lie in the border
    logic [EW-1:0] column_q;
    always_ff @(posedge clk_i)
      if (take) begin
        row_q <= border_row;
        for (int k = 0; k < EW - 1; k++) column_q[k] <= first || column_q[k+1];
        column_q[EW-1] <= right;
      end
    for (genvar i = 0; i < KH * KW * WIDTH / GROUP; i++) begin : gen_group
      localparam int PLACE = i / (WIDTH / GROUP);  // in the window
      localparam int R = PLACE / KW, K = PLACE % KW * DW, G = i % (WIDTH / GROUP);
      assign word[i*(GROUP+1) +: GROUP+1] = {row_q[R] || column_q[K], window_q[R][K][G*GROUP +: GROUP]};
    end
  end else begin : gen_plain
    for (genvar i = 0; i < KH * KW; i++) begin : gen_pixel
      assign word[i*WIDTH +: WIDTH] = window_q[i/KW][i%KW*DW];
    end
  end
endmodule

`default_nettype wire
