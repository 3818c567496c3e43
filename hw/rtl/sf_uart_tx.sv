// Sender to a serial line: start bit 0, 8 data bits, least significant first, stop bit 1; CLOCKS_PER_BIT cycles each.
//
//   latency     1 cycle from a byte taken to its start bit
//   throughput  1 byte in 10 * CLOCKS_PER_BIT cycles, without a gap when the next one waits
//
// The idle line is 1. It has no buffer and knows no break.
`default_nettype none

module sf_uart_tx #(
  parameter int CLOCKS_PER_BIT = 25
) (
  input  wire        clk_i,
  input  wire        rst_ni,
  input  wire [7:0]  data_i,
  input  wire        valid_i,
  output wire        ready_o,
  output wire        tx_o
);
  if (CLOCKS_PER_BIT < 4) $error("sf_uart_tx: CLOCKS_PER_BIT = %0d, must be >= 4", CLOCKS_PER_BIT);

  localparam int TW = $clog2(CLOCKS_PER_BIT);
  localparam logic [TW-1:0] WHOLE = TW'(CLOCKS_PER_BIT - 1);

  logic [TW-1:0] timer_q;
  logic [3:0]    bits_q;                 // bits to send, the one on the line included; 0 = idle
  logic [8:0]    line_q;                 // bit 0 is on the line

  wire ends = timer_q == '0;

  assign ready_o = bits_q == '0 || (bits_q == 4'd1 && ends);
  assign tx_o = line_q[0];

  always_ff @(posedge clk_i) begin
    timer_q <= ends ? WHOLE : timer_q - 1'b1;
    if (valid_i && ready_o) begin
      line_q  <= {data_i, 1'b0};
      bits_q  <= 4'd10;
      timer_q <= WHOLE;
    end else if (bits_q != '0 && ends) begin
      line_q <= {1'b1, line_q[8:1]};
      bits_q <= bits_q - 1'b1;
    end
    if (!rst_ni) begin
      line_q <= '1;
      bits_q <= '0;
    end
  end
endmodule

`default_nettype wire
