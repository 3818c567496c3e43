// CRC-32 of a sequence of bytes (IEEE 802.3, as zlib.crc32): polynomial 0x04C11DB7, bits reflected, start and end
// inverted.
//
//   state' = bytewise division of (state ^ byte) by the reflected polynomial 0xEDB88320; crc_o = ~state
//   latency     1 cycle from a byte to the CRC of everything since clear_i
//   throughput  BYTES bytes (1 to 4) a cycle, the lowest one first
//
// right_o: the bytes so far end with their own CRC, least significant byte first. It does not count bytes.
`default_nettype none

module sf_crc32 #(
  parameter int BYTES = 1
) (
  input  wire         clk_i,
  input  wire         clear_i,          // start anew; wins over valid_i
  input  wire [8*BYTES-1:0] data_i,
  input  wire         valid_i,
  output wire [31:0]  crc_o,
  output wire         right_o
);
  localparam logic [31:0] POLYNOMIAL = 32'hEDB88320;
  localparam logic [31:0] RESIDUE = 32'hDEBB20E3;  // the state after any message and its CRC

  if (BYTES < 1 || BYTES > 4) $error("sf_crc32: BYTES = %0d, must be 1 to 4", BYTES);

  logic [31:0] state_q, state_d;

  always_comb begin
    state_d = state_q ^ 32'(data_i);
    for (int i = 0; i < 8 * BYTES; i++) state_d = {1'b0, state_d[31:1]} ^ (state_d[0] ? POLYNOMIAL : 32'b0);
  end

  always_ff @(posedge clk_i)
    if (clear_i) state_q <= '1;
    else if (valid_i) state_q <= state_d;

  assign crc_o   = ~state_q;
  assign right_o = state_q == RESIDUE;
endmodule

`default_nettype wire
