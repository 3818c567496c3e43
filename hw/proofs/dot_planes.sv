// The sums of sf_dot_planes are, over the planes of STAGES cycles ago, 2**b times the number of places of plane b that
// agree with the constant weights of the row.
//
// The weights of a case have every pattern of three bits.
//
//   case MW=1 MH=2 PLANES=1 STAGES=2
//   case MW=2 MH=4 PLANES=2 STAGES=2
//   case MW=3 MH=8 PLANES=1 STAGES=2
//   case MW=8 MH=1 PLANES=1 STAGES=2
//   case MW=5 MH=3 PLANES=3 STAGES=3
//   case MW=4 MH=3 PLANES=2 STAGES=3 SF_LUT6_2
//   case MW=4 MH=3 PLANES=2 STAGES=3 SF_LUT6_2 SF_CARRY8
//
//   sum MW=27 MH=1 PLANES=2 STAGES=4
//   sum MW=147 MH=1 PLANES=4 STAGES=8
//
//   mutant k[i] == pattern[i] => k[i] != pattern[i]
//   mutant i < n; i++) agree => i < n - 1; i++) agree
//   mutant >> 3*t) % 8 => >> 3*t) % 4
//   mutant = agree_q[b][t][PATTERN][1] => = agree_q[b][t][PATTERN][0]
`default_nettype none

module prove_dot_planes #(
  parameter int MW     = 3,
  parameter int MH     = 2,
  parameter int PLANES = 2,
  parameter int STAGES = 2,
  localparam int WIDTH = $clog2(MW*(2**PLANES - 1) + 1)
) (
  input wire                      clk_i,
  input wire [PLANES-1:0][MW-1:0] act_i
);
  function automatic logic [MH*MW-1:0] weights();
    for (int k = 0; k < MH*MW; k++) weights[k] = 1'(k / MW >> k % MW % 3);
  endfunction
  localparam logic [MH-1:0][MW-1:0] WEIGHTS = weights();

  wire rst_n;
  wire [MH-1:0][WIDTH-1:0] sums;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_dot_planes #(.MW(MW), .MH(MH), .PLANES(PLANES), .STAGES(STAGES), .WEIGHTS(WEIGHTS)) i_dot (
    .clk_i, .act_i, .sums_o(sums));

  logic [MH-1:0][WIDTH-1:0] want;
  always_comb begin
    want = '0;
    for (int n = 0; n < MH; n++)
      for (int b = 0; b < PLANES; b++)
        for (int i = 0; i < MW; i++) want[n] += WIDTH'(act_i[b][i] == WEIGHTS[n][i]) << b;
  end
  delayed #(.STAGES(STAGES), .WIDTH(MH*WIDTH)) i_delayed (.clk_i, .rst_ni(rst_n), .want_i(want), .got_i(sums));
endmodule

`default_nettype wire
