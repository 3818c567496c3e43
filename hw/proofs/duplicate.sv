// Each output of sf_duplicate takes every word once, at its own time, while the word waits at the input.
//
//   case
//
//   any
//   alike in_data_i, out0_data_o, out1_data_o by WIDTH
//   free out0_valid, out1_valid of out0_ready_i, out1_ready_i
//
//   mutant ready0 && ready1; => ready0 || ready1;
//   mutant <= {ready0, ready1} => <= {ready1, ready0}
//   mutant in_valid_i && !done0_q => in_valid_i
//   mutant !rst_ni || !in_valid_i || in_ready_o => !in_valid_i || in_ready_o
`default_nettype none

module prove_duplicate (
  input wire clk_i,
  input wire in_data_i,
  input wire in_valid_i,
  input wire out0_ready_i,
  input wire out1_ready_i
);
  wire rst_n, in_ready, out0_data, out0_valid, out1_data, out1_valid;
  wake i_wake (.clk_i, .rst_no(rst_n));
  steady #(.ASSUMED(1'b1)) i_in (.clk_i, .rst_ni(rst_n), .data_i(in_data_i), .valid_i(in_valid_i), .ready_i(in_ready));
  steady i_out0 (.clk_i, .rst_ni(rst_n), .data_i(out0_data), .valid_i(out0_valid), .ready_i(out0_ready_i));
  steady i_out1 (.clk_i, .rst_ni(rst_n), .data_i(out1_data), .valid_i(out1_valid), .ready_i(out1_ready_i));

  sf_duplicate #(.WIDTH(1)) i_duplicate (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready),
    .out0_data_o(out0_data), .out0_valid_o(out0_valid), .out0_ready_i,
    .out1_data_o(out1_data), .out1_valid_o(out1_valid), .out1_ready_i);

  logic had0_q, had1_q;  // the output has had the word at the input
  wire  has0 = had0_q || (out0_valid && out0_ready_i);
  wire  has1 = had1_q || (out1_valid && out1_ready_i);
  wire  take = in_valid_i && in_ready;
  always_ff @(posedge clk_i)
    if (!rst_n || take) {had0_q, had1_q} <= '0;
    else {had0_q, had1_q} <= {has0, has1};

  always_comb
    if (rst_n) begin
      value: assert ((!out0_valid || out0_data == in_data_i) && (!out1_valid || out1_data == in_data_i));
      comes: assert (out0_valid == (in_valid_i && !had0_q) && out1_valid == (in_valid_i && !had1_q));
      taken: assert (!in_valid_i || in_ready == (has0 && has1));
      reach_both: assert (!(take && had0_q && !had1_q));
    end
endmodule

`default_nettype wire
