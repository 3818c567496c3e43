// Both outputs of sf_lut_pair are the entries of its table, in both of its forms, for five tables that together have
// another pattern at each of the 32 inputs: no two inputs can be mixed up.
//
//   case
//   case SF_LUT6_2
//
//   any
//
//   mutant TABLES[{1'b0, in_i}] => TABLES[{1'b1, in_i}]
//   mutant .I5(1'b1) => .I5(1'b0)
//   mutant .I0(in_i[0]), .I1(in_i[1]) => .I0(in_i[1]), .I1(in_i[0])
//   mutant .O6(out_o[1]), .O5(out_o[0]) => .O6(out_o[0]), .O5(out_o[1])
`default_nettype none

module prove_lut_pair #(
  parameter logic [1:0][31:0] TABLES = '0  // 0: the five
) (
  input wire       clk_i,
  input wire [4:0] in_i
);
  wire rst_n;
  wake i_wake (.clk_i, .rst_no(rst_n));

  localparam logic [4:0][31:0] BITS = {32'hffff0000, 32'hff00ff00, 32'hf0f0f0f0, 32'hcccccccc, 32'haaaaaaaa};
  for (genvar k = 0; k < 5; k++) begin : gen_table
    wire [1:0] out;
    localparam logic [1:0][31:0] BOTH = TABLES == '0 ? {BITS[k], BITS[4-k] ^ 32'h96696996} : TABLES;
    sf_lut_pair #(.TABLES(BOTH)) i_lut (.in_i, .out_o(out));
    always_comb
      if (rst_n) begin
        high: assert (out[1] == (TABLES == '0 ? in_i[k] : TABLES[1][in_i]));
        low:  assert (out[0] == (TABLES == '0 ? in_i[4-k] ^ ^in_i : TABLES[0][in_i]));
        reach_both: assert (out != 2'd3);
      end
  end
endmodule

`default_nettype wire
