// The words that were committed leave sf_replay_fifo as they were written, each at its position, again after a rewind;
// what was taken back never does.
//
//   case DEPTH=4
//
//   free out_valid, full of out_pop_i, in_push_i, commit_i, rollback_i
//
//   mutant rollback_i ? head_q : => rollback_i ? tail_q :
//   mutant write_q - tail_q == 16'(DEPTH) => write_q - tail_q == 16'(DEPTH + 1)
//   mutant read_q != head_q; => read_q != write_q;
//   mutant in_push_i && !full_o && !rollback_i => in_push_i && !rollback_i
//   mutant pop ? read_q + 16'd1 != head_q => pop ? read_q != head_q
//   mutant rewind_i ? release_to_i : pop => pop
`default_nettype none

module prove_replay_fifo #(
  parameter int DEPTH = 4
) (
  input wire        clk_i,
  input wire        clear_i,
  input wire        in_data_i,
  input wire        in_push_i,
  input wire        commit_i,
  input wire        rollback_i,
  input wire        out_pop_i,
  input wire        release_i,
  input wire        rewind_i,
  input wire [15:0] release_to_i,
  input wire        pick_i
);
  wire rst_n, full, out_data, out_valid;
  wire [15:0] head, read, tail;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_replay_fifo #(.WIDTH(1), .DEPTH(DEPTH)) i_fifo (
    .clk_i, .rst_ni(rst_n), .clear_i, .in_data_i, .in_push_i, .commit_i, .rollback_i, .full_o(full),
    .out_data_o(out_data), .out_valid_o(out_valid), .out_pop_i, .release_i, .rewind_i, .release_to_i,
    .head_o(head), .read_o(read), .tail_o(tail));

  // the caller's side, which serial_link.sv proves of the one there is: tail <= release_to_i <= read
  always_comb if (rst_n) assume (!(release_i || rewind_i) || release_to_i - tail <= read - tail);
  always_comb if (rst_n) assume (!rewind_i || release_i);

  // the word chosen: written now, at this position; it counts until it is taken back, released or cleared
  logic chosen_q, word_q, safe_q;
  logic [15:0] place_q, write_q;  // its position; that of the next write
  wire push = in_push_i && !full && !rollback_i;
  always_ff @(posedge clk_i)
    if (!rst_n || clear_i) {chosen_q, safe_q, write_q} <= '0;
    else begin
      write_q <= rollback_i ? head : write_q + 16'(push);
      if (push && pick_i && !chosen_q) {chosen_q, word_q, place_q, safe_q} <= {1'b1, in_data_i, write_q, commit_i};
      else begin
        if (commit_i && !rollback_i) safe_q <= chosen_q;
        if (chosen_q && ((rollback_i && !safe_q) || (release_i && safe_q && release_to_i - tail > place_q - tail)))
          chosen_q <= 1'b0;
      end
    end

  always_comb
    if (rst_n) begin
      value:  assert (!(out_valid && chosen_q && read == place_q) || (out_data == word_q && safe_q));
      order:  assert (head - tail <= 16'(DEPTH) && read - tail <= head - tail && write_q - tail <= 16'(DEPTH)
                      && head - tail <= write_q - tail);
      fullness: assert (full == (write_q - tail == 16'(DEPTH)));
      no_more:  assert (!out_valid || read != head);
      reach_the_word: assert (!(out_valid && chosen_q && read == place_q && out_pop_i));
      help_write: assert (i_fifo.write_q == write_q);
      help_word: assert (!chosen_q || (place_q - tail < write_q - tail
                                       && i_fifo.mem_q[place_q[$clog2(DEPTH)-1:0]] == word_q
                                       && safe_q == (place_q - tail < head - tail)));
    end
  logic unread_q;  // a committed word waits, and nothing was popped or rewound
  always_ff @(posedge clk_i) unread_q <= rst_n && !clear_i && read != head && !rewind_i && !(out_pop_i && out_valid);
  always_comb if (rst_n) comes: assert (!unread_q || out_valid);
endmodule

`default_nettype wire
