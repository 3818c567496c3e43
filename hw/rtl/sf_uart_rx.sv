// Receiver of a serial line: 8 data bits, no parity, 1 stop bit, least significant bit first.
//
//   bit k is read (k + 1.5) * CLOCKS_PER_BIT cycles after the falling edge of the start bit, within a cycle
//   latency     9.5 * CLOCKS_PER_BIT + 3 cycles from the start bit to valid_o
//   throughput  1 byte in 9.5 bit times; a sender may be up to 2 % faster or slower than CLOCKS_PER_BIT says
//
// The line is asynchronous: two flip-flops bring it into the clock. A start bit shorter than half a bit is taken for
// noise. A stop bit that is not 1 gives error_o instead of valid_o. valid_o and error_o last one cycle; it has no
// buffer.
`default_nettype none

module sf_uart_rx #(
  parameter int CLOCKS_PER_BIT = 25
) (
  input  wire        clk_i,
  input  wire        rst_ni,
  input  wire        rx_i,
  output wire [7:0]  data_o,
  output wire        valid_o,
  output wire        error_o
);
  if (CLOCKS_PER_BIT < 4) $error("sf_uart_rx: CLOCKS_PER_BIT = %0d, must be >= 4", CLOCKS_PER_BIT);

  localparam int TW = $clog2(CLOCKS_PER_BIT);
  localparam logic [TW-1:0] HALF = TW'((CLOCKS_PER_BIT - 1) / 2);
  localparam logic [TW-1:0] WHOLE = TW'(CLOCKS_PER_BIT - 1);

  logic          meta_q, line_q, before_q;
  logic [TW-1:0] timer_q;
  logic [3:0]    bits_q;                 // samples still to take: start, 8 data, stop; 0 = idle
  logic [7:0]    data_q;
  logic          valid_q, error_q;

  wire sample = bits_q != '0 && timer_q == '0;

  always_ff @(posedge clk_i) begin
    meta_q   <= rx_i;
    line_q   <= meta_q;
    before_q <= line_q;
    valid_q  <= 1'b0;
    error_q  <= 1'b0;
    timer_q  <= timer_q - 1'b1;
    if (bits_q == '0) begin
      timer_q <= HALF;
      if (before_q && !line_q) bits_q <= 4'd10;
    end else if (sample) begin
      timer_q <= WHOLE;
      bits_q  <= bits_q - 1'b1;
      if (bits_q == 4'd10 && line_q) bits_q <= '0;
      if (bits_q == 4'd1) begin
        valid_q <= line_q;
        error_q <= !line_q;
      end else data_q <= {line_q, data_q[7:1]};
    end
    if (!rst_ni) begin
      {meta_q, line_q, before_q} <= 3'b111;
      bits_q  <= '0;
      valid_q <= 1'b0;
      error_q <= 1'b0;
    end
  end

  assign data_o  = data_q;
  assign valid_o = valid_q;
  assign error_o = error_q;
endmodule

`default_nettype wire
