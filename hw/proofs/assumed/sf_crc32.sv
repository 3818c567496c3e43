// What the users of sf_crc32 need to know of it: its values stay as long as it neither gets a byte nor is cleared. What
// they are is proven in crc32.sv.
`default_nettype none

module sf_crc32 (
  input  wire        clk_i,
  input  wire        clear_i,
  input  wire  [7:0] data_i,
  input  wire        valid_i,
  output wire [31:0] crc_o,
  output wire        right_o
);
  wire  [32:0] any = 'x;  // anything, another in every cycle
  logic [32:0] value_q;
  always_ff @(posedge clk_i) if (clear_i || valid_i) value_q <= any;
  assign {crc_o, right_o} = value_q;
endmodule

`default_nettype wire
