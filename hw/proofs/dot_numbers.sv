// The sums of sf_dot_numbers are, over the numbers of STAGES cycles ago, 2**b times the number of places whose bit b
// agrees with the constant weights of the row: what sf_dot_planes counts.
//
// The weights of a case have every pattern of three bits.
//
//   case MW=1 MH=2 PLANES=1 STAGES=2
//   case MW=2 MH=4 PLANES=2 STAGES=2
//   case MW=3 MH=8 PLANES=1 STAGES=2
//   case MW=8 MH=1 PLANES=1 STAGES=2
//   case MW=5 MH=3 PLANES=3 STAGES=3
//
//   mutant q / 2**i % 2 == 1 ? number => q / 2**i % 2 == 0 ? number
//   mutant >> 3*t) % 8 => >> 3*t) % 4
//   mutant sum[t] + three => three
//   mutant delay_q[STAGES-2] => number_i
`default_nettype none

module prove_dot_numbers #(
  parameter int MW     = 3,
  parameter int MH     = 2,
  parameter int PLANES = 2,
  parameter int STAGES = 2,
  localparam int WIDTH = $clog2(MW*(2**PLANES - 1) + 1)
) (
  input wire                      clk_i,
  input wire [MW-1:0][PLANES-1:0] number_i
);
  function automatic logic [MH*MW-1:0] weights();
    for (int k = 0; k < MH*MW; k++) weights[k] = 1'(k / MW >> k % MW % 3);
  endfunction
  localparam logic [MH-1:0][MW-1:0] WEIGHTS = weights();

  wire rst_n;
  wire [MH-1:0][WIDTH-1:0] sums;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_dot_numbers #(.MW(MW), .MH(MH), .PLANES(PLANES), .STAGES(STAGES), .WEIGHTS(WEIGHTS)) i_dot (
    .clk_i, .number_i, .sums_o(sums));

  logic [MH-1:0][WIDTH-1:0] want;
  always_comb begin
    want = '0;
    for (int n = 0; n < MH; n++)
      for (int b = 0; b < PLANES; b++)
        for (int i = 0; i < MW; i++) want[n] += WIDTH'(number_i[i][b] == WEIGHTS[n][i]) << b;
  end
  delayed #(.STAGES(STAGES), .WIDTH(MH*WIDTH)) i_delayed (.clk_i, .rst_ni(rst_n), .want_i(want), .got_i(sums));
endmodule

`default_nettype wire
