// Every word that leaves sf_swg is the word of the pixel, or of the border, that its place in its window says; the
// border is any constant, and its flags stand where GROUP > 0.
//
//   case C=1 SIMD=1 H=3 W=3 KH=2 KW=2 ROWS=2
//   case C=1 SIMD=1 H=1 W=1 KH=2 KW=1 TOP=1 ROWS=2
//   case C=1 SIMD=1 H=2 W=2 KH=3 KW=3 TOP=1 LEFT=1 BOTTOM=1 RIGHT=1 ROWS=3
//   case C=1 SIMD=1 H=5 W=3 KH=2 KW=2 SH=2 SW=2 ROWS=2
//   case C=2 SIMD=1 H=3 W=2 KH=2 KW=1 ROWS=3 BLOCK=1
//   case C=1 SIMD=1 H=3 W=3 KH=2 KW=2 DH=2 DW=2 ROWS=3
//   case C=1 SIMD=1 H=2 W=3 KH=2 KW=2 SH=2 SW=1 TOP=1 RIGHT=2 BOTTOM=3 ROWS=4
//   case C=2 SIMD=2 H=2 W=2 KH=2 KW=2 TOP=1 LEFT=1 GROUP=2 ROWS=3
//   case C=1 SIMD=1 H=1 W=2 KH=1 KW=1 TOP=1 LEFT=1 ROWS=2
//
//   assumes sf_memory
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//   free in_ready of out_ready_i, in_valid_i
//
//   mutant {way_q.on | {NW{!step}}, !push} => {way_q.on | {NW{!step}}, !in_valid_i}
//   mutant fill_q == FW'(FULL - 1) => fill_q == FW'(FULL)
//   mutant there_q ? !move || goes => there_q ? goes
//   mutant !end_frame || => 1'b1 ||
//   mutant outside ? fill_q == FW'(TOP * ROW) : need_q == '0 => need_q == '0
//   mutant LINE   = DH * ROW => LINE   = ROW
//   mutant end_frame ? FW'(NEXT * ROW) : => 1'b0 ? FW'(NEXT * ROW) :
//   mutant write_q == AW'(RING - 1) => write_q == AW'(RING)
//   mutant {flag_q, word[ => {1'b0, word[
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

  // by definition: row and column of a place, and its word, counted from the frame's first one
  localparam int ROW = W * CF, FRAME = H * ROW, WORDS = OH * OW * KH * KW * CF, RING = ROWS * ROW;
  localparam int AW = RING > 1 ? $clog2(RING) : 1;
  function automatic int row(input int i);
    return i / CF / KW / KH / OW * SH + i / CF / KW % KH * DH - TOP;
  endfunction
  function automatic int column(input int i);
    return i / CF / KW / KH % OW * SW + i / CF % KW * DW - LEFT;
  endfunction
  function automatic int at(input int i);
    return row(i % WORDS) * ROW + column(i % WORDS) * CF + i % CF + i / WORDS * FRAME;
  endfunction
  function automatic bit beyond(input int i);
    return row(i) < 0 || row(i) >= H || column(i) < 0 || column(i) >= W;
  endfunction

  // where the place chosen lies: the word in of its pixel, or the border
  logic       border, mine;
  logic [7:0] word, pixel;  // in its pixel; in its frame
  always_comb begin
    border = 1'b1;
    {mine, word, pixel} = '0;
    for (int i = 0; i < WORDS; i++)
      if (place == 8'(i)) begin
        word   = 8'(i % CF);
        border = beyond(i);
        pixel  = 8'(at(i));
        mine   = !border && take && in_watched && in_place == pixel;
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
  typedef logic signed [11:0] int_t;
  wire int_t over = i_swg.NEXT < 0 ? -i_swg.NEXT : 0;  // rows of the border that take room when a frame starts
  wire [7:0] out_place;
  wire       offered = out_valid && out_place == 8'(WORDS - 1);                             // the last word of a frame
  wire int_t next  = offered ? '0 : int_t'(out_place) + int_t'(out_valid);                  // place of the next read
  wire int_t whole = int_t'(i_watch.inside_q) - int_t'(in_place != '0);                     // frames that have come
  wire int_t come  = int_t'(in_place) + FRAME * (whole - int_t'(offered));                  // since the frame's start
  wire int_t fill  = int_t'(i_swg.fill_q), write = int_t'(i_swg.write_q), read = int_t'(i_swg.read_q);

  // of the next read: its row of windows, and the word before it; whether the module knows its place, the next one and
  // the way there
  int_t oh, lies;
  logic outside, placed, counted, led;
  always_comb begin
    {oh, lies, outside, placed, counted, led} = '0;
    for (int i = 0; i < WORDS; i++)
      if (next == int_t'(i)) begin
        oh      = int_t'(i / CF / KW / KH / OW);
        lies    = int_t'(at(i));
        outside = beyond(i);
        placed  = 32'(i_swg.cf) == i % CF && i_swg.end_frame == (i == WORDS - 1) && i_swg.outside == outside
                  && i_swg.end_row == ((i + 1) % (WORDS / OH) == 0);
        counted = i_swg.i_places.gen_counter[0].count_q == (i + 1) % CF
                  && i_swg.i_places.gen_counter[1].count_q == (i + 1) / CF % KW
                  && i_swg.i_places.gen_counter[2].count_q == (i + 1) / CF / KW % KH
                  && i_swg.i_places.gen_counter[3].count_q == (i + 1) / CF / KW / KH % OW
                  && i_swg.i_places.gen_counter[4].count_q == (i + 1) / CF / KW / KH / OW % OH
                  && int_t'(i_swg.i_places.y_q) == row((i + 1) % WORDS)
                  && int_t'(i_swg.i_places.x_q) == column((i + 1) % WORDS);
        led     = int_t'(i_swg.way_q.on) == at(i + 1) - at(i) - 1
                  && int_t'(i_swg.way_q.ahead) == ((at(i + 1) - at(i)) % RING + RING) % RING
                  && i_swg.way_q.wrap == {1'b0, i_swg.way_q.ahead} - (AW + 1)'(RING);
      end
  end
  wire int_t above = oh * (SH * ROW) - TOP * ROW;  // the first word of its row of windows
  wire int_t need  = lies - above - fill;
  wire [4:0] ends  = i_swg.i_places.ends_q;

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
    for (int k = -4; k <= 4; k++) if (write + int_t'(i_swg.need_q) - read == int_t'(k * RING)) around = 1'b1;
  end

  always_comb
    if (rst_n) begin
      apart: assert (!(i_swg.push && i_swg.step && !i_swg.outside && write == read));  // as sf_ring asks for
      help_ranges: assert (write < RING && read < RING && fill >= -i_swg.LEAST && fill <= i_swg.MOST);
      help_next: assert (next < int_t'(WORDS) && placed && counted && led);
      help_ends: assert (i_swg.full_q == (fill >= i_swg.FULL)
                         && ends == {i_swg.i_places.gen_counter[4].count_q == OH - 1,
                                     i_swg.i_places.gen_counter[3].count_q == OW - 1,
                                     i_swg.i_places.gen_counter[2].count_q == KH - 1,
                                     i_swg.i_places.gen_counter[1].count_q == KW - 1,
                                     i_swg.i_places.gen_counter[0].count_q == CF - 1});
      help_begun: assert (next == '0 || come > 0);
      help_there: assert (i_swg.there_q == (outside ? come > 0 : need < 0));
      help_frame: assert (i_watch.inside_q != '0 || (next == '0 && !out_valid));
      help_need: assert (int_t'(i_swg.need_q) == need);
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
