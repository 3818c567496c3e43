// The line of sf_uart_tx has the form that its header says: start bit 0, eight bits, stop bit 1, each CLOCKS_PER_BIT
// cycles long, one byte behind the other without a gap.
//
//   case CLOCKS_PER_BIT=4
//   case CLOCKS_PER_BIT=5
//   case CLOCKS_PER_BIT=25
//
//   free line of valid_i, data_i
//
//   mutant line_q  <= {data_i, 1'b0} => line_q  <= {data_i, 1'b1}
//   mutant line_q <= {1'b1, line_q[8:1]} => line_q <= {1'b0, line_q[8:1]}
//   mutant timer_q <= ends ? WHOLE : => timer_q <= ends ? WHOLE - 1'b1 :
//   mutant bits_q == 4'd1 && ends => bits_q == 4'd2 && ends
`default_nettype none

module prove_uart_tx #(
  parameter int CLOCKS_PER_BIT = 4
) (
  input wire       clk_i,
  input wire [7:0] data_i,
  input wire       valid_i
);
  wire rst_n, ready, line;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_uart_tx #(.CLOCKS_PER_BIT(CLOCKS_PER_BIT)) i_tx (
    .clk_i, .rst_ni(rst_n), .data_i, .valid_i, .ready_o(ready), .tx_o(line));

  logic       busy_q;          // a byte is on the line
  logic [3:0] bit_q;           // which bit of it
  logic [7:0] cycle_q, byte_q; // in that bit
  wire        bit_ends = cycle_q == 8'(CLOCKS_PER_BIT - 1);
  wire        ends     = bit_ends && bit_q == 4'd9;
  wire [9:0]  frame    = {1'b1, byte_q, 1'b0};
  always_ff @(posedge clk_i)
    if (!rst_n) {busy_q, bit_q, cycle_q} <= '0;
    else if (valid_i && ready) {busy_q, bit_q, cycle_q, byte_q} <= {1'b1, 4'd0, 8'd0, data_i};
    else if (busy_q) begin
      cycle_q <= bit_ends ? '0 : cycle_q + 1'b1;
      if (bit_ends) bit_q <= bit_q + 1'b1;
      if (ends) busy_q <= 1'b0;
    end
  always_comb
    if (rst_n) begin
      form:  assert (line == (busy_q ? frame[bit_q] : 1'b1));
      takes: assert (ready == (!busy_q || ends));
      help_bits: assert (i_tx.bits_q == (busy_q ? 4'd10 - bit_q : 4'd0) && (!busy_q || bit_q <= 4'd9));
      help_time: assert (!busy_q || (cycle_q < 8'(CLOCKS_PER_BIT)
                                      && 8'(i_tx.timer_q) == 8'(CLOCKS_PER_BIT - 1) - cycle_q));
      help_line: assert (i_tx.line_q == (busy_q ? 9'({9'h1ff, frame} >> bit_q) : 9'h1ff));
      reach_the_end: assert (!ends);
    end
endmodule

`default_nettype wire
