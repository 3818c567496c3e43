// Every window that leaves sf_swg_parallel holds, at the place chosen in it, the pixel of its frame or the border that
// the header says; flags stand where GROUP > 0.
//
//   case C=1 H=3 W=3 KH=2 KW=2
//   case C=1 H=2 W=2 KH=3 KW=3 TOP=1 LEFT=1 BOTTOM=1 RIGHT=1 GROUP=0
//   case C=1 H=5 W=4 KH=2 KW=2 SH=2 SW=2
//   case C=1 H=3 W=3 KH=2 KW=2 DH=2 DW=2
//   case C=2 H=2 W=3 KH=2 KW=2 TOP=1 RIGHT=1 GROUP=2
//   case C=1 H=2 W=3 KH=1 KW=3 LEFT=1 GROUP=1
//
//   file border.mem 1
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//
//   mutant x_q == XW'(WS - 1) => x_q == XW'(W - 1)
//   mutant ends_x ? WXW'(SW - 1) => ends_x ? WXW'(SW)
//   mutant row_q[R] || column_q[K] => row_q[R]
//   mutant rows_q[address] <= pixels[EH-1:1] => rows_q[address] <= pixels[EH-2:0]
//   mutant take && ends_x && ends_y => take && ends_x
`default_nettype none

module prove_swg_parallel #(
  parameter int C  = 1,
  parameter int H  = 3, W = 3,
  parameter int KH = 2, KW = 2,
  parameter int SH = 1, SW = 1, DH = 1, DW = 1,
  parameter int TOP = 0, LEFT = 0, BOTTOM = 0, RIGHT = 0,
  parameter int GROUP = 0
) (
  input wire         clk_i,
  input wire         pick_i,
  input wire   [7:0] place_i,
  input wire   [7:0] tap_i,
  input wire [C-1:0] in_data_i,
  input wire         in_valid_i,
  input wire         out_ready_i
);
  localparam int OH = (TOP + H + BOTTOM - (KH - 1) * DH - 1) / SH + 1;
  localparam int OW = (LEFT + W + RIGHT - (KW - 1) * DW - 1) / SW + 1;
  localparam bit PAD = TOP + LEFT + BOTTOM + RIGHT > 0;
  localparam int PIXEL = GROUP > 0 ? C + C / GROUP : C;

  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [7:0] in_place, place;
  wire [KH*KW-1:0][PIXEL-1:0] out_data;

  sf_swg_parallel #(.ELEM_WIDTH(1), .C(C), .H(H), .W(W), .KH(KH), .KW(KW), .SH(SH), .SW(SW), .DH(DH), .DW(DW),
                    .TOP(TOP), .LEFT(LEFT), .BOTTOM(BOTTOM), .RIGHT(RIGHT), .GROUP(GROUP),
                    .BORDER_FILE(PAD && GROUP == 0 ? "border.mem" : "")) i_dut (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  logic [7:0] tap_q;  // the place chosen in the window
  always_ff @(posedge clk_i) if (!rst_n) tap_q <= tap_i < 8'(KH * KW) ? tap_i : '0;

  // where it lies: the pixel of the frame, or the border; and the last pixel of the frame that its window waits for
  logic       border;
  logic [7:0] pixel, newest;
  always_comb begin
    border = 1'b1;
    {pixel, newest} = '0;
    for (int i = 0; i < OH * OW; i++)
      for (int k = 0; k < KH * KW; k++) begin
        int y, x, y_last, x_last;
        y = i / OW * SH + k / KW * DH - TOP;
        x = i % OW * SW + k % KW * DW - LEFT;
        y_last = i / OW * SH + (KH - 1) * DH - TOP;
        x_last = i % OW * SW + (KW - 1) * DW - LEFT;
        if (place == 8'(i) && tap_q == 8'(k)) begin
          border = y < 0 || y >= H || x < 0 || x >= W;
          if (!border) pixel = 8'(y * W + x);
          newest = 8'((y_last < H ? y_last : H - 1) * W + (x_last < W && y_last < H ? x_last : W - 1));
        end
      end
  end

  logic known_q;
  logic [C-1:0] pixel_q;
  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= '0;
    else if (take && in_watched) begin
      if (in_place == pixel) pixel_q <= in_data_i;
      if (in_place == newest) known_q <= 1'b1;
    end

  wire [PIXEL-1:0] tap = out_data[tap_q];
  wire [PIXEL-1:0] want, shown;
  if (GROUP > 0) begin : gen_flags  // behind a flag of 1 the bits mean nothing
    for (genvar g = 0; g < C / GROUP; g++) begin : gen_group
      wire flag = tap[g*(GROUP+1) + GROUP];
      assign shown[g*(GROUP+1) +: GROUP+1] = {flag, tap[g*(GROUP+1) +: GROUP] & {GROUP{!flag}}};
      assign want[g*(GROUP+1) +: GROUP+1] = {border, pixel_q[g*GROUP +: GROUP] & {GROUP{!border}}};
    end
  end else begin : gen_words
    assign shown = tap;
    if (PAD) begin : gen_border
      assign want = border ? PIXEL'(1) : pixel_q;
    end else begin : gen_pixel
      assign want = pixel_q;
    end
  end
  watch #(.IN(H * W), .OUT(OH * OW), .WIDTH(PIXEL), .AHEAD(2), .LATENCY(2 + BOTTOM * (W + RIGHT) + RIGHT),
          .IDLE(RIGHT + BOTTOM * (W + RIGHT))) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(shown),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .place_o(place), .due_i(known_q), .want_i(want));
endmodule

`default_nettype wire
