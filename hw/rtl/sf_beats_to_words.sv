// Beats of a bus to the words of an accelerator, frame by frame; the first word lies in the low bits of the first beat.
//
//   a frame has WORDS words in BEATS = ceil(WORDS * WORD_BITS / BEAT_BITS) beats; the rest of the last one is dropped
//   latency     1 cycle from a beat to its first word, or from the last beat of a word to the word
//   throughput  one beat a cycle or one word a cycle, whichever is the narrower, without gaps between frames
//
// A packet is any number of whole frames; in_last_i marks its last beat. Every frame gives one tag, when its last beat
// is taken: 1 if the frame ends its packet. While no tag can be given (tag_ready_i = 0) the last beat of a frame waits.
// in_last_i inside a frame is an error: early_o pulses, then halted_o stays high until reset, and from that beat on all
// beats are taken and dropped, so that the sender can finish. in_ready_o does not depend on in_valid_i, in_data_i or
// in_last_i. It does not restart by itself after an error and does not know which words of the broken frame were given.
`default_nettype none

module sf_beats_to_words #(
  parameter int BEAT_BITS = 64,
  parameter int WORD_BITS = 16,
  parameter int WORDS     = 5
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  // beats in
  input  wire  [BEAT_BITS-1:0] in_data_i,
  input  wire                  in_valid_i,
  output wire                  in_ready_o,
  input  wire                  in_last_i,
  // words out
  output wire  [WORD_BITS-1:0] out_data_o,
  output wire                  out_valid_o,
  input  wire                  out_ready_i,
  // a tag for each frame
  output wire                  tag_o,
  output wire                  tag_valid_o,
  input  wire                  tag_ready_i,
  // state
  output wire                  busy_o,        // a frame has begun and not ended
  output wire                  early_o,
  output wire                  halted_o
);
  localparam bit DOWN  = BEAT_BITS >= WORD_BITS;
  localparam int R     = DOWN ? BEAT_BITS / WORD_BITS : WORD_BITS / BEAT_BITS;
  localparam int CW    = R > 1 ? $clog2(R) : 1;
  localparam int BEATS = DOWN ? (WORDS + R - 1) / R : WORDS * R;
  localparam int BW    = BEATS > 1 ? $clog2(BEATS) : 1;

  if (BEAT_BITS < 1 || WORD_BITS < 1 || WORDS < 1)
    $error("sf_beats_to_words: BEAT_BITS = %0d, WORD_BITS = %0d, WORDS = %0d, must be >= 1",
           BEAT_BITS, WORD_BITS, WORDS);
  if ((DOWN ? BEAT_BITS % WORD_BITS : WORD_BITS % BEAT_BITS) != 0)
    $error("sf_beats_to_words: BEAT_BITS = %0d, WORD_BITS = %0d: one must be a multiple of the other",
           BEAT_BITS, WORD_BITS);

  logic [BW-1:0] beat_q;
  logic          halted_q;
  wire room;                                            // for the words of a beat
  wire frame_end = beat_q == BW'(BEATS - 1);
  wire take      = in_valid_i && in_ready_o && !halted_q;
  wire good      = take && (frame_end || !in_last_i);

  assign in_ready_o  = halted_q || (room && (tag_ready_i || !frame_end));
  assign tag_o       = in_last_i;
  assign tag_valid_o = in_valid_i && room && frame_end && !halted_q;
  assign busy_o      = beat_q != '0;
  assign early_o     = take && !good;
  assign halted_o    = halted_q;

  always_ff @(posedge clk_i)
    if (!rst_ni) begin
      beat_q   <= '0;
      halted_q <= 1'b0;
    end else begin
      if (good) beat_q <= frame_end ? '0 : beat_q + 1'b1;
      if (early_o) halted_q <= 1'b1;
    end

  logic [CW-1:0] place_q;                               // of the next word in its beat, or of the next beat in its word
  logic          valid_q;
  assign out_valid_o = valid_q;

  if (DOWN) begin : gen_down
    localparam logic [CW-1:0] FULL = CW'(R - 1);
    localparam logic [CW-1:0] REST = CW'((WORDS - 1) % R);
    logic [BEAT_BITS-1:0] data_q;
    logic [CW-1:0]        last_q;                       // place of the last word of this beat
    wire give = valid_q && out_ready_i;
    wire done = place_q == last_q;
    assign room       = !valid_q || (out_ready_i && done);
    assign out_data_o = data_q[WORD_BITS-1:0];
    always_ff @(posedge clk_i) begin
      if (good) begin
        data_q <= in_data_i;
        last_q <= frame_end ? REST : FULL;
      end else if (give) data_q <= data_q >> WORD_BITS;
      if (!rst_ni) begin
        place_q <= '0;
        valid_q <= 1'b0;
      end else begin
        if (give) place_q <= done ? '0 : place_q + 1'b1;
        if (good) valid_q <= 1'b1;
        else if (give && done) valid_q <= 1'b0;
      end
    end
  end else begin : gen_up
    logic [WORD_BITS-1:0] data_q;
    wire full = place_q == CW'(R - 1);
    assign room       = !valid_q || out_ready_i;
    assign out_data_o = data_q;
    always_ff @(posedge clk_i) begin
      if (good) data_q <= {in_data_i, data_q[WORD_BITS-1:BEAT_BITS]};  // after R beats the first one is at the bottom
      if (!rst_ni) begin
        place_q <= '0;
        valid_q <= 1'b0;
      end else begin
        if (good) place_q <= full ? '0 : place_q + 1'b1;
        if (good && full) valid_q <= 1'b1;
        else if (out_ready_i) valid_q <= 1'b0;
      end
    end
  end
endmodule

`default_nettype wire
