// The words of sf_fifo leave as they came, and it holds DEPTH of them at most.
//
//   case DEPTH=2
//   case DEPTH=3
//   case DEPTH=4
//   case DEPTH=5
//   case DEPTH=2 BLOCK=1
//   case DEPTH=3 BLOCK=1
//   case DEPTH=4 BLOCK=1
//
//   any
//   alike in_data_i, out_data_o by WIDTH
//   free out_valid, in_ready of out_ready_i, in_valid_i
//
//   mutant count_q != CW'(DEPTH); => 1'b1;
//   mutant wr_q <= WRAPS && => wr_q <= !WRAPS &&
//   mutant count_q != CW'(pop); => count_q != '0;
//   mutant pop && !push => pop
//   mutant count_q != '0; => 1'b1;
`default_nettype none

module prove_fifo #(
  parameter int DEPTH = 2,
  parameter bit BLOCK = 1'b0
) (
  input wire       clk_i,
  input wire       pick_i,
  input wire [7:0] place_i,
  input wire       in_data_i,
  input wire       in_valid_i,
  input wire       out_ready_i
);
  wire  rst_n, in_ready, out_data, out_valid, take, in_watched;
  logic known_q, want_q;

  sf_fifo #(.WIDTH(1), .DEPTH(DEPTH), .BLOCK(BLOCK)) i_fifo (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  watch #(.AHEAD(DEPTH), .LATENCY(BLOCK ? 2 : 1)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(), .in_watched_o(in_watched), .give_o(),
    .out_place_o(), .out_watched_o(), .place_o(), .due_i(known_q), .want_i(want_q));

  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched) {known_q, want_q} <= {1'b1, in_data_i};

  // ---- what helps the prover: where the word chosen lies
  localparam int AW = $clog2(DEPTH);
  wire [DEPTH-1:0] words;
  for (genvar i = 0; i < DEPTH; i++) begin : gen_word
    assign words[i] = i_fifo.mem_q[i][0];
  end
  wire [31:0] count = 32'(i_fifo.count_q), first = 32'(i_fifo.rd_q);
  wire [31:0] behind = first + count, chosen = first + 32'(i_watch.ahead_q);
  logic [AW-1:0] at_q;
  always_ff @(posedge clk_i) if (take && in_watched) at_q <= AW'(i_fifo.wr_q);
  always_comb
    if (rst_n) begin
      help_count: assert (count == 32'(i_watch.inside_q) && first < DEPTH
                          && 32'(i_fifo.wr_q) == (behind < DEPTH ? behind : behind - DEPTH));
      help_word:  assert (known_q == i_watch.chosen_q && (!known_q || i_watch.gone_q
                          || (32'(at_q) == (chosen < DEPTH ? chosen : chosen - DEPTH) && words[at_q] == want_q)));
    end
  if (BLOCK) begin : gen_block
    always_comb
      if (rst_n) help_output: assert (!out_valid || (count != '0 && out_data == words[first[AW-1:0]]));
  end
endmodule

`default_nettype wire
