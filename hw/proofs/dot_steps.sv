// The count of sf_dot_steps is the number of places where the bits of STAGES cycles ago agree with the weights of the
// step that came with them, a group whose flag is 1 being half of its places.
//
// The weights are constants, no inputs: those of a case have every pattern of three bits, in several places. A step
// that does not exist counts as step 0.
//
//   case SIMD=1 STEPS=2 STAGES=2
//   case SIMD=5 STEPS=4 STAGES=2
//   case SIMD=4 GROUP=2 STEPS=3 STAGES=2
//   case SIMD=8 GROUP=4 STEPS=3 STAGES=3
//   case SIMD=7 STEPS=1 STAGES=2
//   case SIMD=5 STEPS=4 STAGES=2 SF_LUT6_2
//   case SIMD=8 GROUP=4 STEPS=3 STAGES=3 SF_LUT6_2
//   case SIMD=5 STEPS=4 STAGES=2 SF_LUT6_2 SF_CARRY8
//
//   sum SIMD=147 STEPS=4 STAGES=6
//   sum SIMD=144 GROUP=18 STEPS=3 STAGES=6
//   sum SIMD=576 STEPS=2 STAGES=8
//
//   any sum
//
//   mutant k[i] == WEIGHTS => k[i] != WEIGHTS
//   mutant [k / 8 < STEPS ? k / 8 : 0] => [k / 8 < STEPS - 1 ? k / 8 : 0]
//   mutant [at + i]) => [i])
//   mutant (3*t + N)/2 - 3*t/2 => N/2
//   mutant (u + 1)*LANES/UNITS - 1 => u*LANES/UNITS
//   mutant {step_i, act[3*t +: 3]} => {2'd0, act[3*t +: 3]}
//   mutant .out_o({count[0], count[1]}) => .out_o(count)
//   mutant counts_q[1][u][t], counts_q[0][u][t]} <= zero => counts_q[1][u][t], counts_q[0][u][t]} <= 1'b0
`default_nettype none

module prove_dot_steps #(
  parameter int SIMD   = 5,
  parameter int GROUP  = 0,
  parameter int STEPS  = 4,
  parameter int STAGES = 2,
  parameter logic [STEPS*SIMD-1:0] WEIGHTS = '0,  // 0: those of a case
  localparam int UNIT  = GROUP > 0 ? GROUP : SIMD,
  localparam int LANES = GROUP > 0 ? SIMD + SIMD / GROUP : SIMD,
  localparam int WIDTH = $clog2(SIMD + 1)
) (
  input wire             clk_i,
  input wire [LANES-1:0] act_i,
  input wire       [1:0] step_i
);
  localparam int BITS = STEPS * SIMD;
  function automatic logic [BITS-1:0] weights();
    for (int k = 0; k < BITS; k++) weights[k] = 1'((k*k + 7*k) / 5) ^ 1'(k / 3);
  endfunction
  localparam logic [STEPS-1:0][SIMD-1:0] CONSTANTS = WEIGHTS == '0 ? weights() : WEIGHTS;

  wire rst_n;
  wire [WIDTH-1:0] count;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_dot_steps #(.SIMD(SIMD), .GROUP(GROUP), .STEPS(STEPS), .STAGES(STAGES), .WEIGHTS(CONSTANTS)) i_dot (
    .clk_i, .act_i, .step_i, .count_o(count));

  logic [STEPS-1:0] now;
  always_comb begin
    now = STEPS'(1);
    for (int s = 1; s < STEPS; s++) if (step_i == 2'(s)) now = STEPS'(1) << s;
  end
  logic [WIDTH-1:0] want;
  always_comb begin
    want = '0;
    for (int i = 0; i < SIMD; i++)
      if (GROUP == 0 || !act_i[i / UNIT * (UNIT + 1) + UNIT])
        for (int s = 0; s < STEPS; s++)
          want += WIDTH'(now[s] && act_i[GROUP > 0 ? i / UNIT * (UNIT + 1) + i % UNIT : i] == CONSTANTS[s][i]);
      else if (i % UNIT < UNIT / 2) want += WIDTH'(1);
  end
  delayed #(.STAGES(STAGES), .WIDTH(WIDTH)) i_delayed (.clk_i, .rst_ni(rst_n), .want_i(want), .got_i(count));
endmodule

`default_nettype wire
