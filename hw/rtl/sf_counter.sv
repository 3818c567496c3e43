// 6:3 counter: how many of six bits are 1.
//
//   count = popcount(in)
//   latency 0 cycles; throughput: one count per cycle
//
// On Xilinx (SF_LUT6_2) two look-up tables and half a carry chain: five bits are counted in two tables of two
// functions, as the "propagate" and "generate" of two positions, and the sixth bit is the carry that enters. Six bits
// become three, so a table takes 1.5 bits away, where a full adder takes away one. Elsewhere plain text.
`default_nettype none

module sf_counter (
  input  wire [5:0] in_i,
  output wire [2:0] count_o  // to be registered: see sf_carry.sv
);
`ifdef SF_LUT6_2
  // for n of five bits: position 0 propagates where n is odd, and generates nothing; 1 propagates n/2 = 1, generates 2
  function automatic logic [1:0][63:0] tables();
    for (int k = 0; k < 32; k++) begin
      logic [2:0] n;
      n = 3'($countones(5'(k)));
      tables[0][k]      = 1'b0;
      tables[0][32 + k] = n[0];
      tables[1][k]      = n[2];
      tables[1][32 + k] = n[1];
    end
  endfunction
  localparam logic [1:0][63:0] TABLES = tables();

  wire [1:0] propagate, generates;
  for (genvar k = 0; k < 2; k++) begin : gen_position
    sf_lut_pair #(.TABLES(TABLES[k])) i_lut (.in_i(in_i[4:0]), .out_o({propagate[k], generates[k]}));
  end
  sf_carry #(.WIDTH(2)) i_carry (
    .s_i(propagate), .d_i(generates), .carry_i(in_i[5]), .o_o(count_o[1:0]), .carry_o(count_o[2]));
`else
  function automatic logic [1:0] full_add(input logic a, input logic b, input logic c);
    return {(a & b) | (a & c) | (b & c), a ^ b ^ c};
  endfunction
  wire [1:0] a = full_add(in_i[0], in_i[1], in_i[2]), b = full_add(in_i[3], in_i[4], in_i[5]);
  wire [1:0] low = {a[0] & b[0], a[0] ^ b[0]};
  assign count_o = {full_add(a[1], b[1], low[1]), low[0]};
`endif
endmodule

`default_nettype wire
