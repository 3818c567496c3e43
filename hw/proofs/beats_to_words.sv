// The words of every frame leave sf_beats_to_words in order, one tag a frame, while packets end between frames; a
// packet that ends inside one halts it, and then it takes and drops everything and offers nothing new.
//
//   case BEAT_BITS=1 WORD_BITS=1 WORDS=2
//   case BEAT_BITS=2 WORD_BITS=2 WORDS=1
//   case BEAT_BITS=2 WORD_BITS=1 WORDS=1
//   case BEAT_BITS=2 WORD_BITS=1 WORDS=3
//   case BEAT_BITS=4 WORD_BITS=1 WORDS=5
//   case BEAT_BITS=1 WORD_BITS=2 WORDS=2
//   case BEAT_BITS=1 WORD_BITS=3 WORDS=1
//
//   free in_ready of in_valid_i, in_data_i, in_last
//   free out_valid of out_ready_i
//
//   mutant beat_q == BW'(BEATS - 1) => beat_q == BW'(BEATS - 2)
//   mutant CW'((WORDS - 1) % R) => CW'(WORDS % R)
//   mutant (room && (tag_ready_i || !frame_end)) => room
//   mutant in_valid_i && in_ready_o && !halted_q => in_valid_i && in_ready_o
//   mutant take && (frame_end || !in_last_i) => take
`default_nettype none

module prove_beats_to_words #(
  parameter int BEAT_BITS = 2,
  parameter int WORD_BITS = 1,
  parameter int WORDS     = 3
) (
  input wire                 clk_i,
  input wire                 pick_i,
  input wire           [7:0] place_i,
  input wire [BEAT_BITS-1:0] in_data_i,
  input wire                 in_valid_i,
  input wire                 in_last_i,
  input wire                 out_ready_i,
  input wire                 tag_ready_i
);
  localparam int BITS  = WORDS * WORD_BITS;
  localparam int BEATS = (BITS + BEAT_BITS - 1) / BEAT_BITS;

  wire rst_n, in_ready, out_valid, take, in_watched, tag, tag_valid, busy, early, halted;
  wire [7:0] in_place, place;
  wire [WORD_BITS-1:0] out_data;
  logic broken_q;                                     // a packet has ended inside a frame
  wire  in_last = in_last_i;
  wire  ends    = in_place == 8'(BEATS - 1);
  wire  moves   = in_valid_i && in_ready;

  sf_beats_to_words #(.BEAT_BITS(BEAT_BITS), .WORD_BITS(WORD_BITS), .WORDS(WORDS)) i_dut (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .in_last_i(in_last), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i, .tag_o(tag), .tag_valid_o(tag_valid), .tag_ready_i, .busy_o(busy),
    .early_o(early), .halted_o(halted));

  logic known_q;
  logic [BEATS*BEAT_BITS-1:0] frame_q;
  wire  [WORD_BITS-1:0] want = WORD_BITS'(frame_q >> (place * WORD_BITS));

  // the beats that count: those before the error
  watch #(.IN(BEATS), .OUT(WORDS), .WIDTH(WORD_BITS), .AHEAD(2), .IDLE(1)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .able_i(tag_ready_i || !ends),
    .in_valid_i(in_valid_i && !broken_q && (ends || !in_last)),
    .in_ready_i(in_ready), .out_data_i(out_data), .out_valid_i(out_valid), .out_ready_i, .take_o(take),
    .in_place_o(in_place), .in_watched_o(in_watched), .place_o(place), .due_i(known_q), .want_i(want));

  always_ff @(posedge clk_i)
    if (!rst_n) {broken_q, known_q} <= '0;
    else begin
      if (moves && in_last && !ends) broken_q <= 1'b1;
      if (take && in_watched) begin
        frame_q[in_place*BEAT_BITS +: BEAT_BITS] <= in_data_i;
        if ((32'(in_place) + 1) * BEAT_BITS >= (32'(place) + 1) * WORD_BITS) known_q <= 1'b1;
      end
    end

  always_comb
    if (rst_n) begin
      tags:    assert ((tag_valid && tag_ready_i) == (moves && ends && !broken_q) && (!tag_valid || tag == in_last));
      halts:   assert (halted == broken_q && early == (moves && in_last && !ends && !broken_q));
      drops:   assert (!broken_q || in_ready);
      is_busy: assert (broken_q || busy == (in_place != '0));
    end
  if (BEATS > 1) begin : gen_error  // a frame of one beat ends where its packet does
    always_comb if (rst_n) reach_the_error: assert (!broken_q);
  end
endmodule

`default_nettype wire
