// Every word that leaves sf_swg is the word of the pixel, or of the border, that its place in its window says; the
// border is any constant, and its flags stand where GROUP > 0.
//
//   case C=1 SIMD=1 H=3 W=3 KH=2 KW=2 ROWS=2
//   case C=1 SIMD=1 H=2 W=2 KH=3 KW=3 TOP=1 LEFT=1 BOTTOM=1 RIGHT=1 ROWS=3
//   case C=1 SIMD=1 H=5 W=3 KH=2 KW=2 SH=2 SW=2 ROWS=2
//   case C=2 SIMD=1 H=3 W=2 KH=2 KW=1 ROWS=3 BLOCK=1
//   case C=1 SIMD=1 H=3 W=3 KH=2 KW=2 DH=2 DW=2 ROWS=3
//   case C=1 SIMD=1 H=2 W=3 KH=2 KW=2 SH=2 SW=1 TOP=1 RIGHT=2 BOTTOM=3 ROWS=4
//   case C=2 SIMD=2 H=2 W=2 KH=2 KW=2 TOP=1 LEFT=1 GROUP=2 ROWS=3
//
//   assumes sf_memory
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//   free in_ready of out_ready_i, in_valid_i
//
//   mutant fill_q > place_q => fill_q >= place_q
//   mutant FULL + less - 1 : => FULL + less :
//   mutant (moves & ends) | (~moves & ends_q) => ends
//   mutant begun_q <= !end_frame => begun_q <= 1'b1
//   mutant x_q >= X_W'(W) => x_q > X_W'(W)
//   mutant LINE   = DH * ROW => LINE   = ROW
//   mutant end_frame ? FW'(NEXT * ROW) : => 1'b0 ? FW'(NEXT * ROW) :
//   mutant write_q == AW'(RING - 1) => write_q == AW'(RING)
//   mutant {outside_q, word[ => {1'b0, word[
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
  logic [7:0] word, pixel;  // in its pixel; in its frame
  always_comb begin
    border = 1'b1;
    {mine, word, pixel} = '0;
    for (int i = 0; i < OH * OW * KH * KW * CF; i++) begin
      int y, x;
      y = i / CF / KW / KH / OW * SH + i / CF / KW % KH * DH - TOP;
      x = i / CF / KW / KH % OW * SW + i / CF % KW * DW - LEFT;
      if (place == 8'(i)) begin
        word   = 8'(i % CF);
        border = y < 0 || y >= H || x < 0 || x >= W;
        pixel  = 8'((y * W + x) * CF + i % CF);
        mine   = !border && take && in_watched && in_place == pixel;
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
  typedef logic signed [11:0] int_t;
  wire int_t over = i_swg.NEXT < 0 ? -i_swg.NEXT : 0;  // rows of the border that take room when a frame starts
  wire [7:0] out_place;
  wire int_t oh = int_t'(i_swg.oh_q), ow = int_t'(i_swg.ow_q), kh = int_t'(i_swg.kh_q), kw = int_t'(i_swg.kw_q);
  wire int_t y = oh * SH + kh * DH - TOP, x = ow * SW + kw * DW - LEFT;                     // of the next read
  wire int_t above = oh * (SH * ROW) - TOP * ROW;                                           // its row of windows
  wire       offered = out_valid && out_place == 8'(WORDS - 1);                             // the last word of a frame
  wire int_t next  = offered ? '0 : int_t'(out_place) + int_t'(out_valid);                  // its place
  wire int_t whole = int_t'(i_watch.inside_q) - int_t'(in_place != '0);                     // frames that have come
  wire int_t come  = int_t'(in_place) + FRAME * (whole - int_t'(offered));                  // since the frame's start
  wire int_t fill  = int_t'(i_swg.fill_q), write = int_t'(i_swg.write_q), read = int_t'(i_swg.read_q);

  int_t age_q;  // words that have come since the one of the place chosen, that one included
  always_ff @(posedge clk_i)
    if (mine) age_q <= 12'd1;
    else if (take && age_q < int_t'(2 * (FRAME + RING))) age_q <= age_q + 12'd1;
  int_t found;  // where it lies
  always_comb begin
    found = write - age_q;
    if (found < 0) found = found + int_t'(RING);
  end

  wire [RING-1:0][SIMD-1:0] ring;
  for (genvar i = 0; i < RING; i++) begin : gen_ring
    if (BLOCK) begin : gen_block
      assign ring[i] = i_swg.i_ring.gen_block.ring_q[i];
    end else begin : gen_distributed
      assign ring[i] = i_swg.i_ring.gen_distributed.ring_q[i];
    end
  end

  logic around;  // the read address is as far behind the write address as the place to read behind the words written
  always_comb begin
    around = 1'b0;
    for (int k = -4; k <= 4; k++) if (write - fill + int_t'(i_swg.place_q) - read == int_t'(k * RING)) around = 1'b1;
  end

  always_comb
    if (rst_n) begin
      help_ranges: assert (oh < OH && ow < OW && kh < KH && kw < KW && 32'(i_swg.cf_q) < CF
                           && write < RING && read < RING && fill >= -i_swg.LEAST && fill <= i_swg.MOST);
      help_place: assert (next == (((oh * OW + ow) * KH + kh) * KW + kw) * CF + int_t'(i_swg.cf_q));
      help_ends: assert (i_swg.ends_q == {oh == OH - 1, ow == OW - 1, kh == KH - 1, kw == KW - 1,
                                          32'(i_swg.cf_q) == C / SIMD - 1}
                         && i_swg.full_q == (fill >= i_swg.FULL));
      help_begun: assert (i_swg.begun_q == (next != '0));
      help_frame: assert (i_watch.inside_q != '0 || (next == '0 && !out_valid));
      help_pixel: assert (int_t'(i_swg.y_q) == y && int_t'(i_swg.x_q) == x
                          && int_t'(i_swg.place_q) == y * ROW - above + x * CF + int_t'(i_swg.cf_q));
      help_fill: assert (fill == come - above
                         && (fill <= i_swg.FULL || fill <= i_swg.FULL + over * ROW - oh * (SH * ROW)));
      help_address: assert (around);
      help_known: assert (begun_q == i_watch.chosen_q
                          && known_q == (!border && begun_q && (!i_watch.coming_q || in_place > pixel)));
      help_age: assert (!(known_q && !i_watch.gone_q)
                        || age_q == int_t'(in_place) - int_t'(pixel)
                        + FRAME * (whole - int_t'(i_watch.ahead_q)));
      help_ring: assert (!known_q || (age_q > 0 && (age_q > RING || ring[found] == pixel_q)));
    end

  watch #(.IN(H * W * CF), .OUT(OH * OW * KH * KW * CF), .WIDTH(OUT), .AHEAD(3), .LATENCY(2), .IDLE(1)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(shown),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .out_place_o(out_place), .place_o(place), .due_i(border ? begun_q : known_q), .want_i(want));
endmodule

`default_nettype wire
