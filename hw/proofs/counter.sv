// The count of sf_counter is how many of its six bits are 1.
//
//   case
//   case SF_LUT6_2
//   case SF_LUT6_2 SF_CARRY8
//
//   any
//
//   mutant n = 3'($countones(5'(k))) => n = 3'($countones(4'(k)))
//   mutant tables[0][k]      = 1'b0 => tables[0][k]      = n[1]
//   mutant .carry_i(in_i[5]) => .carry_i(1'b0)
//   mutant {a[0] & b[0], a[0] ^ b[0]} => {a[0] | b[0], a[0] ^ b[0]}
//   mutant full_add(in_i[3], in_i[4], in_i[5]) => full_add(in_i[3], in_i[4], in_i[4])
`default_nettype none

module prove_counter (
  input wire       clk_i,
  input wire [5:0] in_i
);
  wire rst_n;
  wake i_wake (.clk_i, .rst_no(rst_n));
  wire [2:0] count;
  sf_counter i_counter (.in_i, .count_o(count));
  always_comb if (rst_n) begin
    value: assert (count == 3'($countones(in_i)));
    reach_six: assert (count != 3'd6);
  end
endmodule

`default_nettype wire
