// Behind sf_slip_tx and sf_slip_rx stands what stood before them: the same bytes and end marks, in the same order.
//
//   case
//
//   free line_valid of out_ready_i
//
//   mutant special && !second_q; => special;
//   mutant out_ready_i && (!special || second_q) => out_ready_i
//   mutant in_data_i == END ? ESC_END : ESC_ESC => in_data_i == END ? ESC_ESC : ESC_END
//   mutant in_mark_i ? END : !special => !special
`default_nettype none

module prove_slip_tx (
  input wire       clk_i,
  input wire [7:0] in_data_i,
  input wire       in_mark_i,
  input wire       in_valid_i,
  input wire       out_ready_i
);
  wire rst_n, in_ready, line_valid, byte_valid, byte_end, byte_bad;
  wire [7:0] line, data;
  wake i_wake (.clk_i, .rst_no(rst_n));
  steady #(.WIDTH(9), .ASSUMED(1'b1)) i_in (
    .clk_i, .rst_ni(rst_n), .data_i({in_mark_i, in_data_i}), .valid_i(in_valid_i), .ready_i(in_ready));
  steady #(.WIDTH(8)) i_out (.clk_i, .rst_ni(rst_n), .data_i(line), .valid_i(line_valid), .ready_i(out_ready_i));
  sf_slip_tx i_tx (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_mark_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(line),
    .out_valid_o(line_valid), .out_ready_i);
  sf_slip_rx i_rx (
    .clk_i, .rst_ni(rst_n), .data_i(line), .valid_i(line_valid && out_ready_i), .error_i(1'b0), .data_o(data),
    .valid_o(byte_valid), .end_o(byte_end), .bad_o(byte_bad));

  logic waits_q;  // a byte on the line did not finish the one at the input
  wire  moves = line_valid && out_ready_i, take = in_valid_i && in_ready;
  always_ff @(posedge clk_i) waits_q <= rst_n && (moves ? !take : waits_q);
  always_comb
    if (rst_n) begin
      bytes: assert (byte_valid == (take && !in_mark_i) && (!byte_valid || data == in_data_i));
      marks: assert (byte_end == (take && in_mark_i));
      clean: assert (!byte_bad);
      moves_on: assert (!(in_valid_i && out_ready_i) || (moves && (take || !waits_q)));
      reach_a_pair: assert (!(take && waits_q));
    end
endmodule

`default_nettype wire
