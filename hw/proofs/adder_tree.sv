// The sum of sf_adder_tree is the sum of the terms that came 1 + LEVELS cycles ago.
//
//   case N=1 WIDTH=3
//   case N=2 WIDTH=3
//   case N=3 WIDTH=3 IS_SIGNED=0
//   case N=4 WIDTH=2
//   case N=5 WIDTH=2
//   case N=7 WIDTH=1 IS_SIGNED=0
//
//   mutant {IS_SIGNED && a[W-2], a} + => {IS_SIGNED && a[W-2], a} -
//   mutant 2*i + 1 < BELOW => 2*i + 2 < BELOW
//   mutant sum_q[2*i+1] => sum_q[2*i]
`default_nettype none

module prove_adder_tree #(
  parameter int N         = 2,
  parameter int WIDTH     = 2,
  parameter bit IS_SIGNED = 1'b1,
  localparam int STAGES   = 1 + $clog2(N),
  localparam int OUT      = WIDTH + $clog2(N)
) (
  input wire               clk_i,
  input wire [N*WIDTH-1:0] terms_i
);
  wire rst_n;
  wire [OUT-1:0] sum;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_adder_tree #(.N(N), .WIDTH(WIDTH), .IS_SIGNED(IS_SIGNED)) i_tree (.clk_i, .terms_i, .sum_o(sum));

  logic signed [31:0] want;
  always_comb begin
    want = 0;
    for (int i = 0; i < N; i++)
      want += {{32 - WIDTH{IS_SIGNED && terms_i[i*WIDTH + WIDTH-1]}}, terms_i[i*WIDTH +: WIDTH]};
  end
  delayed #(.STAGES(STAGES), .WIDTH(OUT)) i_delayed (.clk_i, .rst_ni(rst_n), .want_i(OUT'(want)), .got_i(sum));
endmodule

`default_nettype wire
