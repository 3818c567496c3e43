// Fork: every word goes to both outputs, each of which may take it at its own time.
//
//   out0 = out1 = in
//
//   throughput  one word per cycle
//   latency     0 cycles: no storage, the word stays at the input until both outputs have taken it
//
// in_ready_o depends on out0_ready_i and out1_ready_i, out*_valid_o on in_valid_i, both combinationally; neither output
// waits for the other within a word. It does not let one output run ahead: put FIFOs behind it.
`default_nettype none

module sf_duplicate #(
  parameter int WIDTH = 8
) (
  input  wire              clk_i,
  input  wire              rst_ni,
  input  wire  [WIDTH-1:0] in_data_i,
  input  wire              in_valid_i,
  output wire              in_ready_o,
  output wire  [WIDTH-1:0] out0_data_o,
  output wire              out0_valid_o,
  input  wire              out0_ready_i,
  output wire  [WIDTH-1:0] out1_data_o,
  output wire              out1_valid_o,
  input  wire              out1_ready_i
);
  if (WIDTH < 1) $error("sf_duplicate: WIDTH = %0d, must be >= 1", WIDTH);

  logic done0_q, done1_q;  // the output has taken the word at the input
  wire  ready0 = done0_q || out0_ready_i;
  wire  ready1 = done1_q || out1_ready_i;
  assign in_ready_o = ready0 && ready1;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || !in_valid_i || in_ready_o) {done0_q, done1_q} <= '0;
    else {done0_q, done1_q} <= {ready0, ready1};
  end

  assign out0_data_o  = in_data_i;
  assign out1_data_o  = in_data_i;
  assign out0_valid_o = in_valid_i && !done0_q;
  assign out1_valid_o = in_valid_i && !done1_q;
endmodule

`default_nettype wire
