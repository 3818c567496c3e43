// sf_dot gives the terms of the module that its widths ask for, extended to TERM_WIDTH bits: the dot product of its row
// of weights with the activations of STAGES cycles ago.
//
// What the modules themselves give is proven beside them; here one small case of each.
//
//   case SIMD=2 PE=2 STAGES=2
//   case SIMD=2 PE=2 GROUP=2 STAGES=2
//   case SIMD=2 PE=2 STAGES=2 STEPS=1
//   case SIMD=2 PE=2 STAGES=2 STEPS=2
//   case SIMD=2 PE=2 STAGES=3 COUNT=1
//   case SIMD=2 PE=2 GROUP=2 STAGES=2 COUNT=1
//   case SIMD=2 PE=2 ACT_WIDTH=2 ACT_SIGNED=0 STAGES=2
//   case SIMD=2 PE=2 ACT_WIDTH=2 ACT_SIGNED=1 STAGES=2
//   case SIMD=2 PE=2 ACT_WIDTH=2 ACT_SIGNED=1 WEIGHT_WIDTH=2 STAGES=3
//
//   mutant weights_i[p*SIMD +: SIMD] => weights_i[0 +: SIMD]
//   mutant TERM_WIDTH'($signed(parts[p])) => TERM_WIDTH'(parts[p])
//   mutant TERM_WIDTH'(parts[p]); => TERM_WIDTH'($signed(parts[p]));
//   mutant .WEIGHTS(row(p))) i_dot => .WEIGHTS(row(0))) i_dot
`default_nettype none

module prove_dot #(
  parameter int SIMD         = 2,
  parameter int PE           = 2,
  parameter int ACT_WIDTH    = 1,
  parameter bit ACT_SIGNED   = 1'b0,
  parameter int WEIGHT_WIDTH = 1,
  parameter int GROUP        = 0,
  parameter int STAGES       = 2,
  parameter bit COUNT        = 1'b0,
  parameter int STEPS        = 0,
  localparam int LANES = SIMD * ACT_WIDTH + (GROUP > 0 ? SIMD / GROUP : 0),
  localparam int WORD  = PE * SIMD * WEIGHT_WIDTH,
  localparam int TERM  = 8
) (
  input wire             clk_i,
  input wire [LANES-1:0] act_i,
  input wire  [WORD-1:0] weights_i,
  input wire             step_i
);
  wire rst_n;
  wake i_wake (.clk_i, .rst_no(rst_n));

  // weights: those of the step; where bits are counted they come STAGES - 1 cycles behind their activations
  localparam logic [1:0][WORD-1:0] WEIGHTS = (2*WORD)'('h6d);
  wire step = STEPS > 1 && step_i;
  wire [WORD-1:0] weights = STEPS > 0 ? WEIGHTS[step] : weights_i;
  logic [STAGES-2:0][WORD-1:0] before_q;
  always_ff @(posedge clk_i) before_q <= ((STAGES - 1) * WORD)'({before_q, weights});

  wire [PE-1:0][TERM-1:0] terms;
  sf_dot #(.SIMD(SIMD), .PE(PE), .ACT_WIDTH(ACT_WIDTH), .ACT_SIGNED(ACT_SIGNED), .WEIGHT_WIDTH(WEIGHT_WIDTH),
           .GROUP(GROUP), .STAGES(STAGES), .COUNT(COUNT), .STEPS(STEPS),
           .WEIGHTS((STEPS > 0 ? STEPS*WORD : 1)'(WEIGHTS)), .TERM_WIDTH(TERM)) i_dot (
    .clk_i, .act_i, .weights_i(STEPS > 0 ? weights_i : COUNT ? before_q[STAGES-2] : weights), .step_i(2'(step)),
    .enable_i(1'b1), .terms_o(terms));

  logic signed [PE-1:0][TERM-1:0] want;
  always_comb
    for (int p = 0; p < PE; p++) begin
      want[p] = '0;
      for (int i = 0; i < SIMD; i++) begin
        logic [ACT_WIDTH-1:0] x;
        logic [WEIGHT_WIDTH-1:0] w;
        logic [TERM-1:0] wide;
        x = act_i[i*ACT_WIDTH +: ACT_WIDTH];
        w = weights[(p*SIMD + i)*WEIGHT_WIDTH +: WEIGHT_WIDTH];
        wide = {{TERM{ACT_SIGNED && x[ACT_WIDTH-1]}}, x};
        if (WEIGHT_WIDTH > 1) want[p] += wide * {{TERM{w[WEIGHT_WIDTH-1]}}, w};
        else if (ACT_WIDTH > 1) want[p] += w ? wide : -wide;  // no three of sf_dot_integer is whole here
        else if (GROUP > 0 && act_i[LANES-1]) want[p] += TERM'(i % 2);
        else want[p] += TERM'(x == w);
      end
    end
  delayed #(.STAGES(STAGES), .WIDTH(PE * TERM)) i_delayed (.clk_i, .rst_ni(rst_n), .want_i(want), .got_i(terms));
endmodule

`default_nettype wire
