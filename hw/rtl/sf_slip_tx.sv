// Stuffs bytes for a line (SLIP, RFC 1055): an end mark becomes 0xC0, a byte 0xC0 becomes 0xDB 0xDC, 0xDB becomes 0xDB
// 0xDD.
//
//   latency     0 cycles
//   throughput  1 byte/cycle, 2 cycles for 0xC0 and 0xDB
//
// mark_i: this is an end, whatever data_i says. in_ready_o follows out_ready_i within the cycle. It has no buffer.
`default_nettype none

module sf_slip_tx (
  input  wire        clk_i,
  input  wire        rst_ni,
  input  wire [7:0]  in_data_i,
  input  wire        in_mark_i,
  input  wire        in_valid_i,
  output wire        in_ready_o,
  output wire [7:0]  out_data_o,
  output wire        out_valid_o,
  input  wire        out_ready_i
);
  localparam logic [7:0] END = 8'hC0, ESC = 8'hDB, ESC_END = 8'hDC, ESC_ESC = 8'hDD;

  logic second_q;                        // ESC is out, its partner is due

  wire special = !in_mark_i && (in_data_i == END || in_data_i == ESC);

  assign out_valid_o = in_valid_i;
  assign out_data_o  = in_mark_i ? END : !special ? in_data_i : !second_q ? ESC : in_data_i == END ? ESC_END : ESC_ESC;
  assign in_ready_o  = out_ready_i && (!special || second_q);

  always_ff @(posedge clk_i)
    if (!rst_ni) second_q <= 1'b0;
    else if (in_valid_i && out_ready_i) second_q <= special && !second_q;
endmodule

`default_nettype wire
