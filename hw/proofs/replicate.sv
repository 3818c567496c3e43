// Every word of a vector leaves sf_replicate COPIES times, vector by vector.
//
//   case WORDS=1 COPIES=1
//   case WORDS=1 COPIES=3
//   case WORDS=2 COPIES=2
//   case WORDS=3 COPIES=2
//   case WORDS=3 COPIES=1
//   case WORDS=4 COPIES=3
//
//   any
//   alike in_data_i, out_data_o by WIDTH
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//
//   mutant word_q == AW'(WORDS - 1) => word_q == AW'(WORDS - 2)
//   mutant copy_q == CW'(COPIES - 1) => copy_q == CW'(COPIES)
//   mutant advance && fresh; => advance;
//   mutant step && fresh) vector_q => step) vector_q
//   mutant out_valid_q <= step; => out_valid_q <= in_valid_i;
//   mutant fresh ? in_data_i : stored => stored
`default_nettype none

module prove_replicate #(
  parameter int WORDS  = 2,
  parameter int COPIES = 2
) (
  input wire        clk_i,
  input wire        pick_i,
  input wire  [7:0] place_i,
  input wire        in_data_i,
  input wire        in_valid_i,
  input wire        out_ready_i
);
  wire rst_n, in_ready, out_data, out_valid, take, in_watched;
  wire  [7:0] in_place, place;
  logic known_q, want_q;

  sf_replicate #(.WIDTH(1), .WORDS(WORDS), .COPIES(COPIES)) i_replicate (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  watch #(.IN(WORDS), .OUT(WORDS * COPIES)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .place_o(place), .due_i(known_q), .want_i(want_q));

  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched && in_place == place % 8'(WORDS)) {known_q, want_q} <= {1'b1, in_data_i};

  // ---- what helps the prover: the next step of the module, and the word chosen where it is kept
  localparam int OUT = WORDS * COPIES;
  wire [31:0] given = 32'(i_watch.out_q) + 32'(out_valid), step = given == OUT ? '0 : given;
  wire [31:0] word = 32'(i_replicate.word_q), copy = 32'(i_replicate.copy_q);
  wire here = i_watch.chosen_q && !i_watch.gone_q;
  wire [WORDS-1:0] kept;
  for (genvar i = 0; i < WORDS; i++) begin : gen_word
    if (WORDS > 1) begin : gen_memory
      assign kept[i] = i_replicate.gen_memory.vector_q[i];
    end else begin : gen_register
      assign kept[i] = out_data;
    end
  end
  always_comb
    if (rst_n) begin
      help_step: assert (word < WORDS && copy < COPIES && step == copy * WORDS + word
                         && 32'(in_place) == (copy == '0 ? word : '0)
                         && 32'(i_watch.inside_q) == 32'(given != '0));
      help_known: assert (known_q == (i_watch.chosen_q && (i_watch.gone_q || given > 32'(place) % WORDS))
                          && i_watch.coming_q == (here && in_place != '0));
      help_word: assert (!(here && known_q) || (kept[32'(place) % WORDS] == want_q
                         && (!out_valid || 32'(i_watch.out_q) % WORDS != 32'(place) % WORDS || out_data == want_q)));
    end
endmodule

`default_nettype wire
