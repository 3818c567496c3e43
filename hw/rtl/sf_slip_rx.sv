// Takes the byte stuffing (SLIP, RFC 1055) off a line: 0xC0 ends a packet, 0xDB 0xDC stands for 0xC0, 0xDB 0xDD for
// 0xDB.
//
//   latency     0 cycles
//   throughput  1 byte/cycle
//
// After any rubbish the next 0xC0 starts a clean packet. bad_o: what came since the last end cannot be a packet (a
// wrong pair, or an error of the line). Two ends in a row are an empty packet, which the reader skips.
`default_nettype none

module sf_slip_rx (
  input  wire        clk_i,
  input  wire        rst_ni,
  input  wire [7:0]  data_i,
  input  wire        valid_i,
  input  wire        error_i,
  output wire [7:0]  data_o,
  output wire        valid_o,
  output wire        end_o,
  output wire        bad_o
);
  localparam logic [7:0] END = 8'hC0, ESC = 8'hDB, ESC_END = 8'hDC, ESC_ESC = 8'hDD;

  logic escaped_q;

  wire is_end = valid_i && data_i == END;
  wire is_esc = valid_i && data_i == ESC;
  wire right  = data_i == ESC_END || data_i == ESC_ESC;

  assign data_o  = !escaped_q ? data_i : data_i == ESC_END ? END : ESC;
  assign valid_o = valid_i && !is_end && !is_esc && (!escaped_q || right);
  assign end_o   = is_end;
  assign bad_o   = error_i || (valid_i && escaped_q && !right);

  always_ff @(posedge clk_i)
    if (!rst_ni || error_i) escaped_q <= 1'b0;
    else if (valid_i) escaped_q <= is_esc && !escaped_q;
endmodule

`default_nettype wire
