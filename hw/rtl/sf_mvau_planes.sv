// Matrix-vector-activation unit of integers with constant weights in {-1, +1}, PLANES bits of an activation a cycle.
//
//   acc[n] = sum over i of (w[n][i] ? act[i] : -act[i]) is written as a count of agreements, bit plane by bit plane,
//   with u = act, in offset binary where ACT_SIGNED, and places 0 above its bits:
//     sum[n] = sum over b of 2**b * popcount over i of (u[i][b] XNOR w[n][i])  =  acc[n] + a constant of n
//   THRESHOLDS = 1  out[n] = sum[n] >= L1[n]               (1 bit)
//   THRESHOLDS = 2  out[n] = 0, 1, 2: how many of L1[n] <= L2[n] are <= sum[n]    (2 bits)
//       WINDOW = 1  out[n] = sum[n] < L1[n] or sum[n] >= L2[n]                    (1 bit)
//
//   throughput  one vector of MW activations in STEPS = ceil(ACT_WIDTH / PLANES) cycles, for all MH neurons
//   latency     3 + STAGES cycles from the last step of a vector to its output word
//
// The planes of a step are counted for all neurons (sf_dot_planes.sv). The low planes come first: sums are shifted
// down, the bits that leave are compared with those of the limits at once, and the accumulator stays as narrow as MW.
//
// WEIGHTS and LIMITS are constants, neuron 0 lowest: MW bits, and THRESHOLDS limits of LIMIT_W bits, L1 lowest. Nothing
// stalls between the input and the FIFO at the output (as in sf_mvau.sv). STAGES is that of sf_dot_planes.sv.
//
// TREE = 0 replaces sf_dot_planes by sf_dot_numbers, which gives the same after the same number of cycles. Synthesis
// builds the tree; Verilator adds numbers unless told otherwise. The tests compare both.
`default_nettype none

module sf_mvau_planes #(
  parameter int  MW         = 9,
  parameter int  MH         = 4,
  parameter int  ACT_WIDTH  = 8,
  parameter bit  ACT_SIGNED = 1'b0,
  parameter int  PLANES     = 2,
  parameter int  STAGES     = 3,
  parameter int  THRESHOLDS = 1,
  parameter bit  WINDOW     = 1'b0,
`ifdef VERILATOR
  parameter bit  TREE       = 1'b0,
`else
  parameter bit  TREE       = 1'b1,
`endif
  localparam int STEPS      = (ACT_WIDTH + PLANES - 1) / PLANES,
  localparam int HIGH_W     = $clog2(MW + 1),          // of a sum that is shifted down
  localparam int LIMIT_W    = STEPS*PLANES + HIGH_W,
  localparam int OUT_WIDTH  = THRESHOLDS == 1 || WINDOW ? 1 : 2,
  parameter logic [MH-1:0][MW-1:0]                      WEIGHTS = '0,
  parameter logic [MH-1:0][THRESHOLDS-1:0][LIMIT_W-1:0] LIMITS  = '0
) (
  input  wire                     clk_i,
  input  wire                     rst_ni,
  input  wire  [MW*ACT_WIDTH-1:0] in_data_i,
  input  wire                     in_valid_i,
  output wire                     in_ready_o,
  output wire  [MH*OUT_WIDTH-1:0] out_data_o,
  output wire                     out_valid_o,
  input  wire                     out_ready_i
);
  if (MW < 1 || MH < 1) $error("sf_mvau_planes: MW = %0d, MH = %0d, must be >= 1", MW, MH);
  if (PLANES < 1 || PLANES > ACT_WIDTH)
    $error("sf_mvau_planes: PLANES = %0d, must be 1..ACT_WIDTH = %0d", PLANES, ACT_WIDTH);
  if (THRESHOLDS < 1 || THRESHOLDS > 2 || WINDOW && THRESHOLDS != 2)
    $error("sf_mvau_planes: THRESHOLDS = %0d, WINDOW = %0d; one, two, or a window of two", THRESHOLDS, WINDOW);

  localparam int SW     = STEPS > 1 ? $clog2(STEPS) : 1;
  localparam int PART_W = $clog2(MW*(2**PLANES - 1) + 1);
  localparam int SUM_W  = PLANES + HIGH_W;
  localparam int ROOM   = 32;  // words of the FIFO at the output

  // ---- step control
  wire [SW-1:0] at;  // the step
  wire          step, fresh, unused_last, unused_sf;
  sf_steps #(.SF(1), .NF(STEPS), .ROOM(ROOM), .ONCE(1'b1)) i_steps (
    .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .pop_i(out_valid_o && out_ready_i), .step_o(step), .fresh_o(fresh),
    .last_o(unused_last), .sf_o(unused_sf), .nf_o(at));

  logic [STAGES:0] valid_q;  // [0]: the step's planes are selected; [STAGES]: they are counted
  always_ff @(posedge clk_i) valid_q <= rst_ni ? (STAGES + 1)'({valid_q, step}) : '0;

  // ---- planes of this step, of the vector that is held
  logic [MW-1:0][STEPS*PLANES-1:0] hold_q;
  logic [SW-1:0]                   now_q;
  wire  [PLANES-1:0][MW-1:0]       plane;
  always_ff @(posedge clk_i) now_q <= at;
  localparam logic [ACT_WIDTH-1:0] OFFSET = ACT_WIDTH'(ACT_SIGNED) << (ACT_WIDTH - 1);
  for (genvar i = 0; i < MW; i++) begin : gen_activation
    wire [ACT_WIDTH-1:0] raw = in_data_i[i*ACT_WIDTH +: ACT_WIDTH];
    always_ff @(posedge clk_i)
      if (fresh) hold_q[i] <= (STEPS*PLANES)'(raw ^ OFFSET);
    for (genvar b = 0; b < PLANES; b++) begin : gen_plane
      wire [STEPS-1:0] choice;
      for (genvar s = 0; s < STEPS; s++) begin : gen_step
        assign choice[s] = hold_q[i][s*PLANES + b];
      end
      assign plane[b][i] = choice[now_q];
    end
  end

  // ---- counts of PLANES planes, the low ones worth less
  wire [MH-1:0][PART_W-1:0] part  /*verilator split_var*/;
  if (TREE) begin : gen_tree
    sf_dot_planes #(.MW(MW), .MH(MH), .PLANES(PLANES), .STAGES(STAGES), .WEIGHTS(WEIGHTS)) i_dot (
      .clk_i, .act_i(plane), .sums_o(part));
  end else begin : gen_numbers
    wire unused_planes = &{1'b0, plane};
    wire [MW-1:0][PLANES-1:0] number;
    for (genvar i = 0; i < MW; i++) begin : gen_number
      assign number[i] = PLANES'(hold_q[i] >> 32'(now_q)*PLANES);
    end
    sf_dot_numbers #(.MW(MW), .MH(MH), .PLANES(PLANES), .STAGES(STAGES), .WEIGHTS(WEIGHTS)) i_dot (
      .clk_i, .number_i(number), .sums_o(part));
  end

  // ---- sums from the low planes on, compared as their bits leave
  logic [SW-1:0] at_q;  // the step whose counts come
  wire           first = STEPS == 1 || at_q == '0;
  logic          result_q;
  always_ff @(posedge clk_i)
    if (!rst_ni) begin
      at_q     <= '0;
      result_q <= 1'b0;
    end else begin
      if (valid_q[STAGES]) at_q <= at_q == SW'(STEPS - 1) ? '0 : at_q + 1'b1;
      result_q <= valid_q[STAGES] && at_q == SW'(STEPS - 1);
    end

  wire [MH*OUT_WIDTH-1:0] results;
  for (genvar n = 0; n < MH; n++) begin : gen_neuron
    logic [HIGH_W-1:0] high_q;
    wire  [SUM_W-1:0]  sum = SUM_W'(part[n]) + SUM_W'(first ? '0 : high_q);
    always_ff @(posedge clk_i) if (valid_q[STAGES]) high_q <= sum[SUM_W-1:PLANES];
    wire [THRESHOLDS-1:0] reached;
    for (genvar k = 0; k < THRESHOLDS; k++) begin : gen_limit
      localparam logic [LIMIT_W-1:0] LIMIT = LIMITS[n][k];
      logic reached_q;  // by the bits that have left
      wire [PLANES-1:0] digit = PLANES'(LIMIT >> (STEPS == 1 ? 0 : 32'(at_q)*PLANES));
      always_ff @(posedge clk_i)
        if (valid_q[STAGES]) reached_q <= {sum[PLANES-1:0], first || reached_q} > {digit, 1'b0};
      assign reached[k] = {high_q, reached_q} > {LIMIT[LIMIT_W-1 -: HIGH_W], 1'b0};
    end
    if (THRESHOLDS == 1) begin : gen_bit
      assign results[n] = reached[0];
    end else begin : gen_two
      assign results[n*OUT_WIDTH +: OUT_WIDTH] =
        WINDOW ? OUT_WIDTH'(!reached[0] || reached[1]) : OUT_WIDTH'(reached[0]) + OUT_WIDTH'(reached[1]);
    end
  end

  wire unused_ready;  // there is always room
  sf_fifo #(.WIDTH(MH*OUT_WIDTH), .DEPTH(ROOM)) i_fifo (
    .clk_i, .rst_ni, .in_data_i(results), .in_valid_i(result_q), .in_ready_o(unused_ready),
    .out_data_o, .out_valid_o, .out_ready_i);
endmodule

`default_nettype wire
