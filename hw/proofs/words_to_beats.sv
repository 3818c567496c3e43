// The words of every frame leave sf_words_to_beats in order, filled up with zeros, each frame's last beat with its tag.
//
//   case WORD_BITS=1 BEAT_BITS=1 WORDS=2
//   case WORD_BITS=1 BEAT_BITS=2 WORDS=3
//   case WORD_BITS=1 BEAT_BITS=4 WORDS=5
//   case WORD_BITS=2 BEAT_BITS=1 WORDS=2
//   case WORD_BITS=3 BEAT_BITS=1 WORDS=1
//   case WORD_BITS=4 BEAT_BITS=1 WORDS=1
//
//   free out_valid of out_ready_i
//   free in_ready of in_valid_i, in_data_i
//
//   mutant full || in_last_i ? '0 => full ? '0
//   mutant take && (full || in_last_i) => take && full
//   mutant place_q == CW'(k) ? in_data_i : '0 => in_data_i
//   mutant tag_valid_i || !frame_end => 1'b1
//   mutant frame_end && tag_i => tag_i
//   mutant valid_q && frame_end && out_ready_i => valid_q && out_ready_i
`default_nettype none

module prove_words_to_beats #(
  parameter int WORD_BITS = 1,
  parameter int BEAT_BITS = 2,
  parameter int WORDS     = 3
) (
  input wire                 clk_i,
  input wire                 pick_i,
  input wire           [7:0] place_i,
  input wire [WORD_BITS-1:0] in_data_i,
  input wire                 in_valid_i,
  input wire                 out_ready_i,
  input wire                 tag_i,
  input wire                 tag_valid_i
);
  localparam int BITS  = WORDS * WORD_BITS;
  localparam int BEATS = (BITS + BEAT_BITS - 1) / BEAT_BITS;

  wire rst_n, in_ready, out_valid, out_last, take, give, in_watched, tag_ready;
  wire [7:0] in_place, out_place, place;
  wire [BEAT_BITS-1:0] out_data;
  wire ends = out_place == 8'(BEATS - 1);
  steady #(.ASSUMED(1'b1)) i_tag (.clk_i, .rst_ni(rst_n), .data_i(tag_i), .valid_i(tag_valid_i), .ready_i(tag_ready));

  sf_words_to_beats #(.WORD_BITS(WORD_BITS), .BEAT_BITS(BEAT_BITS)) i_dut (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .in_last_i(in_place == 8'(WORDS - 1)),
    .out_data_o(out_data), .out_valid_o(out_valid), .out_ready_i, .out_last_o(out_last), .tag_i, .tag_valid_i,
    .tag_ready_o(tag_ready));

  logic known_q;
  logic [BEATS*BEAT_BITS-1:0] frame_q;
  watch #(.IN(WORDS), .OUT(BEATS), .WIDTH(BEAT_BITS + 1), .AHEAD(2), .IDLE(1)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .able_i(tag_valid_i), .in_valid_i, .in_ready_i(in_ready),
    .out_data_i({out_last, out_data}),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .give_o(give), .out_place_o(out_place), .place_o(place), .due_i(known_q && (tag_valid_i || !ends)),
    .want_i({ends && tag_i, BEAT_BITS'(frame_q >> (place * BEAT_BITS))}));

  always_ff @(posedge clk_i)
    if (!rst_n) {known_q, frame_q} <= '0;
    else if (take && in_watched) begin
      frame_q[in_place*WORD_BITS +: WORD_BITS] <= in_data_i;
      if (in_place == 8'(WORDS - 1) || (32'(in_place) + 1) * WORD_BITS >= (32'(place) + 1) * BEAT_BITS) known_q <= 1'b1;
    end

  always_comb
    if (rst_n) begin
      tags: assert ((tag_valid_i && tag_ready) == (give && ends));
    end
endmodule

`default_nettype wire
