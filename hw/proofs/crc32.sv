// sf_crc32 divides by the polynomial, bit by bit; a message and its CRC leave the residue.
//
//   case BYTES=1
//   case BYTES=2
//
//   mutant 32'hEDB88320 => 32'hEDB88321
//   mutant clear_i) state_q <= '1 => clear_i) state_q <= '0
//   mutant 8 * BYTES; => 8 * BYTES - 1;
//   mutant state_q == RESIDUE => state_q == ~RESIDUE
`default_nettype none

module prove_crc32 #(
  parameter int BYTES = 1
) (
  input wire               clk_i,
  input wire               clear_i,
  input wire [8*BYTES-1:0] data_i,
  input wire               valid_i,
  input wire        [31:0] any_i
);
  wire rst_n, right;
  wire [31:0] crc;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_crc32 #(.BYTES(BYTES)) i_crc (
    .clk_i, .clear_i(clear_i || !rst_n), .data_i, .valid_i, .crc_o(crc), .right_o(right));

  // division as on paper, most significant coefficient first: x^32 + 0x04C11DB7, every byte's low bit first
  function automatic logic [31:0] divide(input logic [31:0] rest, input logic [8*BYTES-1:0] data, input int bits);
    for (int i = 0; i < bits; i++) begin
      logic top;
      top  = rest[31] ^ data[i];
      rest = {rest[30:0], 1'b0} ^ (top ? 32'h04C11DB7 : 32'd0);
    end
    return rest;
  endfunction
  function automatic logic [31:0] mirrored(input logic [31:0] word);
    for (int i = 0; i < 32; i++) mirrored[i] = word[31-i];
  endfunction

  logic [31:0] rest_q;
  always_ff @(posedge clk_i)
    if (!rst_n || clear_i) rest_q <= '1;
    else if (valid_i) rest_q <= divide(rest_q, data_i, 8 * BYTES);

  // whatever came before: the CRC, low byte first, leaves always the same
  logic [31:0] after;
  always_comb begin
    after = any_i;
    for (int i = 0; i < 4; i++) after = after_byte(after, ~mirrored(any_i) >> (8 * i));
  end
  function automatic logic [31:0] after_byte(input logic [31:0] rest, input logic [31:0] data);
    for (int i = 0; i < 8; i++) begin
      logic top;
      top  = rest[31] ^ data[i];
      rest = {rest[30:0], 1'b0} ^ (top ? 32'h04C11DB7 : 32'd0);
    end
    return rest;
  endfunction

  always_comb
    if (rst_n) begin
      value:   assert (crc == ~mirrored(rest_q));
      residue: assert (right == (rest_q == after));
    end
endmodule

`default_nettype wire
