// Every byte that an ideal sender puts on the line comes out of sf_uart_rx once, without an error, in the time that the
// header says; a start bit may come at any moment after the stop bit before it. From 8 clocks a bit on: with fewer a
// byte comes out when the next one has begun, which this sender has then forgotten.
//
//   case CLOCKS_PER_BIT=8
//
//   mutant {line_q, data_q[7:1]} => {line_q, data_q[7:2], data_q[2]}
//   mutant valid_q <= line_q => valid_q <= 1'b1
//   mutant bits_q == 4'd10 && line_q => bits_q == 4'd9 && line_q
//   mutant (CLOCKS_PER_BIT - 1) / 2 => CLOCKS_PER_BIT - 1
`default_nettype none

module prove_uart_rx #(
  parameter int CLOCKS_PER_BIT = 8
) (
  input wire       clk_i,
  input wire [7:0] data_i,
  input wire       valid_i,
  input wire       broken_i
);
  localparam int DUE = (19 * CLOCKS_PER_BIT + 1) / 2 + 3;  // cycles from the start bit to the byte
  wire rst_n, valid, error;
  wire [7:0] data;
  wake i_wake (.clk_i, .rst_no(rst_n));

  logic [2:0] ready_q;          // the line was idle for some cycles
  logic       busy_q, broken_q; // a byte is on the line; its stop bit is 0
  logic [3:0] bit_q;            // which bit of it
  logic [7:0] cycle_q, byte_q;  // in that bit
  logic [7:0] time_q, sent_q;   // since the start bit of the byte that is to come
  wire        bit_ends = cycle_q == 8'(CLOCKS_PER_BIT - 1);
  wire        ends     = bit_ends && bit_q == 4'd9;
  wire [9:0]  frame    = {!broken_q, byte_q, 1'b0};
  wire        line     = busy_q ? frame[bit_q] : 1'b1;
  wire        start    = valid_i && (!busy_q && ready_q[2] || (ends && !broken_q));
  always_ff @(posedge clk_i)
    if (!rst_n) {ready_q, busy_q, bit_q, cycle_q, broken_q} <= '0;
    else begin
      ready_q <= busy_q ? '0 : {ready_q[1:0], 1'b1};
      if (start) {busy_q, bit_q, cycle_q, byte_q, broken_q} <= {1'b1, 4'd0, 8'd0, data_i, broken_i};
      else if (busy_q) begin
        cycle_q <= bit_ends ? '0 : cycle_q + 1'b1;
        if (bit_ends) bit_q <= bit_q + 1'b1;
        if (ends) busy_q <= 1'b0;
      end
    end
  sf_uart_rx #(.CLOCKS_PER_BIT(CLOCKS_PER_BIT)) i_rx (
    .clk_i, .rst_ni(rst_n), .rx_i(line), .data_o(data), .valid_o(valid), .error_o(error));

  wire [7:0] now = 8'(bit_q) * 8'(CLOCKS_PER_BIT) + cycle_q;
  wire       due = busy_q && now == 8'(DUE);
  always_comb
    if (rst_n) begin
      value: assert (!valid || data == byte_q);
      comes: assert (valid == (due && !broken_q) && error == (due && broken_q));
      reach_a_byte: assert (!valid);
    end
  // the module runs three cycles behind the line
  wire [7:0] late = now - 8'd3;
  always_comb
    if (rst_n && busy_q && now >= 8'd3) begin
      help_bits: assert (now > 8'(DUE - 1) ? i_rx.bits_q == '0 : i_rx.bits_q != '0);
    end
endmodule

`default_nettype wire
