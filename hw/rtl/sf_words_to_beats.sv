// The words of an accelerator to beats of a bus, frame by frame; the first word lies in the low bits of the first beat.
//
//   a beat is full, or ends with the last word of its frame (in_last_i) and is filled up with zeros
//   latency     1 cycle from the last word of a beat to the beat, or from a word to its first beat
//   throughput  one word a cycle or one beat a cycle, whichever is the narrower, without gaps between frames
//
// out_last_o marks the end of a packet, not of a frame: on the last beat of a frame it is the frame's tag, else 0. The
// last beat of a frame waits for its tag and takes it away. It waits here, in a register, so the accelerator gets rid
// of a whole frame even when it has not yet taken all input of that frame; nothing behind it can be needed for its own
// tag, so this never deadlocks. It does not count words: in_last_i comes from the accelerator.
`default_nettype none

module sf_words_to_beats #(
  parameter int WORD_BITS = 16,
  parameter int BEAT_BITS = 64
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  // words in
  input  wire  [WORD_BITS-1:0] in_data_i,
  input  wire                  in_valid_i,
  output wire                  in_ready_o,
  input  wire                  in_last_i,     // last word of its frame
  // beats out
  output wire  [BEAT_BITS-1:0] out_data_o,
  output wire                  out_valid_o,
  input  wire                  out_ready_i,
  output wire                  out_last_o,    // last beat of its packet
  // a tag for each frame: 1 if it ends its packet
  input  wire                  tag_i,
  input  wire                  tag_valid_i,
  output wire                  tag_ready_o
);
  localparam bit UP = BEAT_BITS >= WORD_BITS;
  localparam int R  = UP ? BEAT_BITS / WORD_BITS : WORD_BITS / BEAT_BITS;
  localparam int CW = R > 1 ? $clog2(R) : 1;

  if (BEAT_BITS < 1 || WORD_BITS < 1)
    $error("sf_words_to_beats: WORD_BITS = %0d, BEAT_BITS = %0d, must be >= 1", WORD_BITS, BEAT_BITS);
  if ((UP ? BEAT_BITS % WORD_BITS : WORD_BITS % BEAT_BITS) != 0)
    $error("sf_words_to_beats: WORD_BITS = %0d, BEAT_BITS = %0d: one must be a multiple of the other",
           WORD_BITS, BEAT_BITS);

  logic [CW-1:0] place_q;                               // of the next word in its beat, or of the beat in its word
  logic          valid_q, last_q;
  wire frame_end;                                       // this beat is the last of its frame
  wire full = place_q == CW'(R - 1);
  wire take = in_valid_i && in_ready_o;
  wire give = out_valid_o && out_ready_i;

  assign out_valid_o = valid_q && (tag_valid_i || !frame_end);
  assign out_last_o  = frame_end && tag_i;
  assign tag_ready_o = valid_q && frame_end && out_ready_i;

  if (UP) begin : gen_up
    logic [BEAT_BITS-1:0] data_q;
    assign in_ready_o = !valid_q || give;
    assign out_data_o = data_q;
    assign frame_end  = last_q;
    for (genvar k = 0; k < R; k++) begin : gen_lane
      always_ff @(posedge clk_i)
        if (take && (place_q == CW'(k) || place_q == '0))
          data_q[k*WORD_BITS +: WORD_BITS] <= place_q == CW'(k) ? in_data_i : '0;
    end
    always_ff @(posedge clk_i) begin
      if (take) last_q <= in_last_i;
      if (!rst_ni) begin
        place_q <= '0;
        valid_q <= 1'b0;
      end else begin
        if (take) place_q <= full || in_last_i ? '0 : place_q + 1'b1;
        if (in_ready_o) valid_q <= take && (full || in_last_i);
      end
    end
  end else begin : gen_down
    logic [WORD_BITS-1:0] data_q;
    assign in_ready_o = !valid_q || (give && full);
    assign out_data_o = data_q[BEAT_BITS-1:0];
    assign frame_end  = last_q && full;
    always_ff @(posedge clk_i) begin
      if (take) begin
        data_q <= in_data_i;
        last_q <= in_last_i;
      end else if (give) data_q <= data_q >> BEAT_BITS;
      if (!rst_ni) begin
        place_q <= '0;
        valid_q <= 1'b0;
      end else begin
        if (give) place_q <= full ? '0 : place_q + 1'b1;
        if (in_ready_o) valid_q <= take;
      end
    end
  end
endmodule

`default_nettype wire
