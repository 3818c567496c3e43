// Two functions of the same five bits: what one 6-input look-up table of Xilinx holds (LUT6_2, UG953 and UG974).
//
//   out[1] = TABLES[32 + in], out[0] = TABLES[in]
//   latency 0 cycles; throughput: one look-up per cycle
//
// With SF_LUT6_2 defined it is that primitive, so that synthesis need not find the pair again; else plain text.
`default_nettype none

module sf_lut_pair #(
  parameter logic [63:0] TABLES = '0
) (
  input  wire [4:0] in_i,
  output wire [1:0] out_o
);
`ifdef SF_LUT6_2
  LUT6_2 #(.INIT(TABLES)) i_lut (
    .I0(in_i[0]), .I1(in_i[1]), .I2(in_i[2]), .I3(in_i[3]), .I4(in_i[4]), .I5(1'b1), .O6(out_o[1]), .O5(out_o[0]));
`else
  assign out_o = {TABLES[{1'b1, in_i}], TABLES[{1'b0, in_i}]};
`endif
endmodule

`default_nettype wire
