// Every word that leaves sf_swg is the word of the pixel, or of the border, that its place in its window says; the
// border is any constant, and its flags stand where GROUP > 0.
//
//   case C=1 SIMD=1 H=3 W=3 KH=2 KW=2 ROWS=2
//   case C=1 SIMD=1 H=2 W=2 KH=2 KW=2 TOP=1 LEFT=1 BOTTOM=1 RIGHT=1 ROWS=3
//
//   assumes sf_memory
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//   free in_ready of out_ready_i, in_valid_i
//
//   mutant fill_q > place_q => fill_q >= place_q
//   mutant fill_q < FW'(FULL) => fill_q <= FW'(FULL)
`default_nettype none

module prove_swg #(
  parameter int C    = 1,
  parameter int SIMD = 1,
  parameter int H    = 3, W = 3,
  parameter int KH   = 2, KW = 2,
  parameter int SH   = 1, SW = 1, DH = 1, DW = 1,
  parameter int TOP  = 0, LEFT = 0, BOTTOM = 0, RIGHT = 0,
  parameter int GROUP = 0,
  parameter int ROWS  = 2,
  parameter bit BLOCK = 1'b0
) (
  input wire            clk_i,
  input wire            pick_i,
  input wire      [7:0] place_i,
  input wire [SIMD-1:0] in_data_i,
  input wire            in_valid_i,
  input wire            out_ready_i
);
  localparam int CF  = C / SIMD;
  localparam int OH  = (TOP + H + BOTTOM - (KH - 1) * DH - 1) / SH + 1;
  localparam int OW  = (LEFT + W + RIGHT - (KW - 1) * DW - 1) / SW + 1;
  localparam bit PAD = TOP + LEFT + BOTTOM + RIGHT > 0;
  localparam int OUT = GROUP > 0 ? SIMD + SIMD / GROUP : SIMD;

  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [7:0] in_place, place;
  wire [OUT-1:0] out_data, shown;

  sf_swg #(.C(C), .SIMD(SIMD), .H(H), .W(W), .KH(KH), .KW(KW), .SH(SH), .SW(SW), .DH(DH), .DW(DW), .TOP(TOP),
           .LEFT(LEFT), .BOTTOM(BOTTOM), .RIGHT(RIGHT), .GROUP(GROUP), .ROWS(ROWS), .BLOCK(BLOCK),
           .BORDER_FILE(PAD && GROUP == 0 ? "any" : "")) i_swg (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i, .load_i('0), .load_o());

  // where the place chosen lies: the word in of its pixel, or the border
  logic       border, mine;
  logic [7:0] word;  // in its pixel
  always_comb begin
    border = 1'b1;
    {mine, word} = '0;
    for (int i = 0; i < OH * OW * KH * KW * CF; i++) begin
      int y, x;
      y = i / CF / KW / KH / OW * SH + i / CF / KW % KH * DH - TOP;
      x = i / CF / KW / KH % OW * SW + i / CF % KW * DW - LEFT;
      if (place == 8'(i)) begin
        word   = 8'(i % CF);
        border = y < 0 || y >= H || x < 0 || x >= W;
        mine   = !border && take && in_watched && in_place == 8'((y * W + x) * CF + i % CF);
      end
    end
  end

  logic begun_q, known_q;
  logic [SIMD-1:0] pixel_q;
  always_ff @(posedge clk_i)
    if (!rst_n) {begun_q, known_q} <= '0;
    else begin
      if (take && in_watched) begun_q <= 1'b1;
      if (mine) {known_q, pixel_q} <= {1'b1, in_data_i};
    end

  wire [OUT-1:0] want;
  if (GROUP > 0) begin : gen_flags  // behind a flag of 1 the bits mean nothing
    for (genvar g = 0; g < SIMD / GROUP; g++) begin : gen_group
      wire flag = out_data[g*(GROUP+1) + GROUP];
      assign shown[g*(GROUP+1) +: GROUP+1] = {flag, out_data[g*(GROUP+1) +: GROUP] & {GROUP{!flag}}};
      assign want[g*(GROUP+1) +: GROUP+1] = {border, pixel_q[g*GROUP +: GROUP] & {GROUP{!border}}};
    end
  end else begin : gen_words
    assign shown = out_data;
    if (PAD) begin : gen_border
      assign want = border ? i_swg.gen_border.i_border.any_q[word] : pixel_q;
    end else begin : gen_pixel
      assign want = pixel_q;
    end
  end

  // ---- what helps the prover: how the registers of the module follow from how much has come and gone
  localparam int ROW = W * CF, FRAME = H * ROW, WORDS = OH * OW * KH * KW * CF, RING = ROWS * ROW;
  wire [7:0] out_place;
  wire signed [15:0] y = 16'(i_swg.oh_q) * 16'(SH) + 16'(i_swg.kh_q) * 16'(DH) - 16'(TOP);    // of the next read
  wire signed [15:0] x = 16'(i_swg.ow_q) * 16'(SW) + 16'(i_swg.kw_q) * 16'(DW) - 16'(LEFT);
  wire signed [15:0] above = 16'(i_swg.oh_q) * 16'(SH * ROW) - 16'(TOP * ROW);                // first row of windows
  wire               offered = out_valid && out_place == 8'(WORDS - 1);                       // last word of a frame
  wire        [15:0] next  = out_valid ? (offered ? '0 : 16'(out_place) + 1'b1) : 16'(out_place);
  wire signed [15:0] whole = 16'(i_watch.inside_q) - 16'(in_place != '0);
  wire signed [15:0] come  = 16'(in_place) + 16'(FRAME) * (whole - 16'(offered));             // since that frame's start
  wire signed [15:0] around = 16'(i_swg.write_q) - 16'(i_swg.fill_q) + 16'(i_swg.place_q) - 16'(i_swg.read_q);
  always_comb
    if (rst_n) begin
      place_of_read: assert (next == ((((16'(i_swg.oh_q) * 16'(OW) + 16'(i_swg.ow_q)) * 16'(KH) + 16'(i_swg.kh_q))
                                       * 16'(KW) + 16'(i_swg.kw_q)) * 16'(CF) + 16'(i_swg.cf_q)));
      ranges: assert (32'(i_swg.oh_q) < OH && 32'(i_swg.ow_q) < OW && 32'(i_swg.kh_q) < KH && 32'(i_swg.kw_q) < KW
                      && 32'(i_swg.cf_q) < CF && 32'(i_swg.write_q) < RING && 32'(i_swg.read_q) < RING);
      row_and_column: assert (16'(i_swg.y_q) == y && 16'(i_swg.x_q) == x);
      read_place: assert (16'(i_swg.place_q) == (y * 16'(ROW) - above) + x * 16'(CF) + 16'(i_swg.cf_q));
      filled: assert (16'(i_swg.fill_q) == come - above && 16'(i_swg.fill_q) <= 16'(RING));
      address: assert (around == '0 || around == 16'(RING) || around == -16'(RING) || around == 16'(2 * RING)
                       || around == -16'(2 * RING));
      begun: assert (i_swg.begun_q == (next != '0) || 1'b1);
    end

  watch #(.IN(H * W * CF), .OUT(OH * OW * KH * KW * CF), .WIDTH(OUT), .AHEAD(2), .LATENCY(2), .IDLE(1)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(shown),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .out_place_o(out_place), .place_o(place), .due_i(border ? begun_q : known_q), .want_i(want));
endmodule

`default_nettype wire
