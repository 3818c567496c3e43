// Dot products of SIMD activations with PE rows of weights, of the kind that their widths ask for.
//
//   terms[p] = dot(act, weights[p]), extended to TERM_WIDTH bits; a row of weights that are bits counts what agrees
//   latency     STAGES cycles (those of the module that is chosen)
//   throughput  PE terms a cycle
//
//   ACT_WIDTH = 1    sf_dot_binary, or with STEPS > 0 sf_dot_steps with the constants WEIGHTS instead of weights_i, or
//                    with COUNT = 1 sf_dot_count in place of both, which takes weights_i and enable_i in the last cycle
//   ACT_WIDTH > 1    sf_dot_integer; with WEIGHT_WIDTH > 1 sf_dot_product
`default_nettype none

module sf_dot #(
  parameter int  SIMD         = 16,
  parameter int  PE           = 4,
  parameter int  ACT_WIDTH    = 1,
  parameter bit  ACT_SIGNED   = 1'b0,
  parameter int  WEIGHT_WIDTH = 1,
  parameter int  GROUP        = 0,
  parameter int  STAGES       = 3,
  parameter bit  COUNT        = 1'b0,
  parameter int  CHAIN        = 8,  // of sf_dot_binary.sv
  parameter int  STEPS        = 0,
  parameter logic [(STEPS > 0 ? STEPS*PE*SIMD : 1)-1:0] WEIGHTS = '0,
  parameter int  TERM_WIDTH   = 8,
  localparam int LANES        = SIMD * ACT_WIDTH + (GROUP > 0 ? SIMD / GROUP : 0)
) (
  input  wire                            clk_i,
  input  wire                [LANES-1:0] act_i,
  input  wire [PE*SIMD*WEIGHT_WIDTH-1:0] weights_i,
  input  wire                      [1:0] step_i,    // of act_i, for STEPS > 0
  input  wire                            enable_i,  // for COUNT
  output wire        [PE*TERM_WIDTH-1:0] terms_o
);
  localparam int PART_W = WEIGHT_WIDTH > 1 ? ACT_WIDTH + WEIGHT_WIDTH + $clog2(SIMD)
                        : ACT_WIDTH > 1 ? ACT_WIDTH + 3 - 32'(ACT_SIGNED) + $clog2((SIMD + 2) / 3)
                        : $clog2(SIMD + 1);
  localparam int ROW = STEPS > 0 ? STEPS*SIMD : 1;
  // the constants of row p, of every step
  function automatic logic [ROW-1:0] row(input int p);
    row = '0;
    for (int k = 0; k < STEPS; k++) row |= ROW'(SIMD'(WEIGHTS >> (k*PE + p)*SIMD)) << k*SIMD;
  endfunction

  logic [PE-1:0][PART_W-1:0] parts  /*verilator split_var*/;
  wire unused_inputs = &{1'b0, weights_i, step_i, enable_i};
  if (WEIGHT_WIDTH > 1) begin : gen_product
    sf_dot_product #(.SIMD(SIMD), .PE(PE), .ACT_WIDTH(ACT_WIDTH), .ACT_SIGNED(ACT_SIGNED),
                     .WEIGHT_WIDTH(WEIGHT_WIDTH)) i_dot (
      .clk_i, .act_i, .weights_i, .sum_o(parts));
  end else if (ACT_WIDTH > 1) begin : gen_integer
    sf_dot_integer #(.SIMD(SIMD), .PE(PE), .ACT_WIDTH(ACT_WIDTH), .ACT_SIGNED(ACT_SIGNED)) i_dot (
      .clk_i, .act_i, .weights_i, .sum_o(parts));
  end else if (COUNT) begin : gen_count
    sf_dot_count #(.SIMD(SIMD), .PE(PE), .GROUP(GROUP), .STAGES(STAGES)) i_dot (
      .clk_i, .act_i, .weights_i, .enable_i, .count_o(parts));
  end else if (STEPS > 0) begin : gen_steps
    for (genvar p = 0; p < PE; p++) begin : gen_pe
      sf_dot_steps #(.SIMD(SIMD), .GROUP(GROUP), .STEPS(STEPS), .STAGES(STAGES), .WEIGHTS(row(p))) i_dot (
        .clk_i, .act_i, .step_i, .count_o(parts[p]));
    end
  end else begin : gen_tree
    for (genvar p = 0; p < PE; p++) begin : gen_pe
      sf_dot_binary #(.SIMD(SIMD), .GROUP(GROUP), .CHAIN(CHAIN), .STAGES(STAGES)) i_dot (
        .clk_i, .act_i, .weights_i(weights_i[p*SIMD +: SIMD]), .count_o(parts[p]));
    end
  end

  for (genvar p = 0; p < PE; p++) begin : gen_term
    assign terms_o[p*TERM_WIDTH +: TERM_WIDTH] =
      ACT_WIDTH > 1 ? TERM_WIDTH'($signed(parts[p])) : TERM_WIDTH'(parts[p]);
  end
endmodule

`default_nettype wire
