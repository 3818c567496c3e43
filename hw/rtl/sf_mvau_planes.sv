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
// Threes of activations are counted once for all neurons, with every pattern of weights (sf_lut_pair.sv); a neuron adds
// its counts of PLANES planes (sf_compress.sv). The low planes come first: sums are shifted down, the bits that leave
// are compared with those of the limits at once, and the accumulator stays as narrow as MW.
//
// WEIGHTS and LIMITS are constants, neuron 0 lowest: MW bits, and THRESHOLDS limits of LIMIT_W bits, L1 lowest. Nothing
// stalls between the input and the FIFO at the output (as in sf_mvau.sv). STAGES is what the caller expects, and
// refused where it is not 2 + LEVELS of sf_compress.sv.
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
  localparam int THREES = (MW + 2) / 3;
  localparam int PART_W = $clog2(MW*(2**PLANES - 1) + 1);
  localparam int SUM_W  = PLANES + HIGH_W;
  localparam int ROOM   = 32;  // words of the FIFO at the output

  // ---- step control
  logic [SW-1:0] step_q;
  logic [$clog2(ROOM+1)-1:0] room_q;
  wire fresh = step_q == '0;
  wire last  = step_q == SW'(STEPS - 1);
  wire step  = room_q != '0 && (!fresh || in_valid_i);
  assign in_ready_o = room_q != '0 && fresh;
  always_ff @(posedge clk_i)
    if (!rst_ni) begin
      step_q <= '0;
      room_q <= 6'(ROOM);
    end else begin
      if (step) step_q <= last ? '0 : step_q + 1'b1;
      room_q <= room_q - 6'(step && last) + 6'(out_valid_o && out_ready_i);
    end

  logic [STAGES:0] valid_q;  // [0]: the step's planes are selected; [STAGES]: they are counted
  always_ff @(posedge clk_i) valid_q <= rst_ni ? (STAGES + 1)'({valid_q, step}) : '0;

  // ---- planes of this step, of the vector that is held
  logic [MW-1:0][STEPS*PLANES-1:0] hold_q;
  logic [SW-1:0]                   now_q;
  wire  [PLANES-1:0][3*THREES-1:0] plane;
  always_ff @(posedge clk_i) now_q <= step_q;
  localparam logic [ACT_WIDTH-1:0] OFFSET = ACT_WIDTH'(ACT_SIGNED) << (ACT_WIDTH - 1);
  for (genvar i = 0; i < 3*THREES; i++) begin : gen_activation
    if (i < MW) begin : gen_here
      wire [ACT_WIDTH-1:0] raw = in_data_i[i*ACT_WIDTH +: ACT_WIDTH];
      always_ff @(posedge clk_i)
        if (step && fresh) hold_q[i] <= (STEPS*PLANES)'(raw ^ OFFSET);
      for (genvar b = 0; b < PLANES; b++) begin : gen_plane
        wire [STEPS-1:0] choice;
        for (genvar s = 0; s < STEPS; s++) begin : gen_step
          assign choice[s] = hold_q[i][s*PLANES + b];
        end
        assign plane[b][i] = choice[now_q];
      end
    end else begin : gen_missing
      for (genvar b = 0; b < PLANES; b++) begin : gen_plane
        assign plane[b][i] = 1'b0;
      end
    end
  end

  // ---- threes, with every pattern of weights: how many agree; what is missing does not
  function automatic logic [63:0] tables(input int pattern, input int n);
    logic [1:0] agree;
    for (int k = 0; k < 32; k++) begin
      agree = '0;
      for (int i = 0; i < n; i++) agree += 2'(k[i] == pattern[i]);
      {tables[32 + k], tables[k]} = agree;
    end
  endfunction
  logic [PLANES-1:0][THREES-1:0][7:0][1:0] agree_q;
  for (genvar b = 0; b < PLANES; b++) begin : gen_plane
    for (genvar t = 0; t < THREES; t++) begin : gen_three
      for (genvar q = 0; q < 8; q++) begin : gen_pattern
        wire [1:0] agree;
        sf_lut_pair #(.TABLES(tables(q, 3*t + 3 < MW ? 3 : MW - 3*t))) i_count (
          .in_i({2'b00, plane[b][3*t +: 3]}), .out_o(agree));
        always_ff @(posedge clk_i) agree_q[b][t][q] <= agree;
      end
    end
  end
  wire unused_patterns = &{1'b0, agree_q};

  // ---- columns of a neuron's counts: column r has the low bits of plane r and the high bits of plane r - 1
  function automatic logic [PART_W-1:0][15:0] heights();
    for (int r = 0; r < PART_W; r++) heights[r] = 16'(THREES * (32'(r < PLANES) + 32'(r > 0 && r <= PLANES)));
  endfunction
  function automatic int from(input int r);  // first bit of column r
    return THREES * (r == 0 ? 0 : 2*r - 1);
  endfunction
  localparam int TOTAL = PART_W > PLANES ? 2*PLANES*THREES : (2*PLANES - 1)*THREES;

  // ---- sums from the low planes on, compared as their bits leave
  logic [SW-1:0] at_q;  // the step whose counts come
  wire           first = at_q == '0;
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
    wire [TOTAL-1:0]  bits;
    wire [PART_W-1:0] part;
    for (genvar b = 0; b < PLANES; b++) begin : gen_plane
      for (genvar t = 0; t < THREES; t++) begin : gen_three
        localparam int PATTERN = 32'((3*THREES)'(WEIGHTS[n]) >> 3*t) % 8;
        assign bits[from(b) + t + (b > 0 ? THREES : 0)] = agree_q[b][t][PATTERN][0];
        if (b + 1 < PART_W) assign bits[from(b + 1) + t] = agree_q[b][t][PATTERN][1];
      end
    end
    sf_compress #(.WIDTH(PART_W), .HEIGHTS(heights()), .TOTAL(TOTAL), .LEVELS(STAGES - 2)) i_compress (
      .clk_i, .bits_i(bits), .sum_o(part));

    logic [HIGH_W-1:0] high_q;
    wire  [SUM_W-1:0]  sum = SUM_W'(part) + SUM_W'(first ? '0 : high_q);
    always_ff @(posedge clk_i) if (valid_q[STAGES]) high_q <= sum[SUM_W-1:PLANES];
    wire [THRESHOLDS-1:0] reached;
    for (genvar k = 0; k < THRESHOLDS; k++) begin : gen_limit
      localparam logic [LIMIT_W-1:0] LIMIT = LIMITS[n][k];
      logic reached_q;  // by the bits that have left
      wire [PLANES-1:0] digit = PLANES'(LIMIT >> 32'(at_q)*PLANES);
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
