// Matrix-vector-activation unit with weights in {-1, +1} (bit 1 = +1).
//
//   ACT_WIDTH = 1   acc[n] = popcount over i of (act[i] XNOR w[n][i])        in 0..MW
//   ACT_WIDTH > 1   acc[n] = sum over i of (w[n][i] ? act[i] : -act[i])      signed
//   THRESHOLDS = 1  out[n] = acc[n] >= T[n]   (1 bit)
//   THRESHOLDS = 0  out[n] = acc[n]           (ACC_WIDTH bits)
//
//   folding     NF = MH/PE neuron folds, SF = MW/SIMD input folds; PE p works on neuron nf*PE + p in step nf*SF + sf
//   throughput  one vector in exactly NF*SF cycles, no gaps; the SF input words are taken during nf = 0 and replayed after that
//   latency     3 + STAGES cycles from the last step of a fold to its output word, STAGES as in dot_binary.sv and dot_integer.sv
//
// Accumulators start at a constant of their neuron instead of 0, and the sign of the result is compared instead of the result:
// start = -T (binary) or N - T (integer; N: what dot_integer leaves out). With THRESHOLDS = 0, T = 0.
//
// Memories ($readmemh): WEIGHTS_FILE, NF*SF words of PE*SIMD bits; START_FILE, NF words of PE*ACC_WIDTH bits (unused where all are 0).
// Weights are logic, or with BLOCK = 1 in block RAM. There is no saturation: ACC_WIDTH must hold acc - T.
//
// Nothing stalls between the input and the FIFO at the output: a step starts only if its result will find room there. So in_ready_o does not
// depend on out_ready_i, and the data path has no enables.
//
// TREE = 0 replaces the tree of dot_binary by the $countones it computes, after the same number of cycles. Synthesis builds the tree; Verilator
// takes $countones unless told otherwise, because it runs ten times faster. The tests compare both.
`default_nettype none

module mvau #(
  parameter int    MW           = 64,
  parameter int    MH           = 16,
  parameter int    SIMD         = 16,
  parameter int    PE           = 4,
  parameter int    ACT_WIDTH    = 1,
  parameter bit    ACT_SIGNED   = 1'b0,
  parameter int    ACC_WIDTH    = 8,
  parameter bit    THRESHOLDS   = 1'b1,
  parameter bit    BLOCK        = 1'b0,
  parameter string WEIGHTS_FILE = "",
  parameter string START_FILE   = "",
`ifdef VERILATOR
  parameter bit    TREE         = 1'b0,
`else
  parameter bit    TREE         = 1'b1,
`endif
  localparam int   OUT_WIDTH    = THRESHOLDS ? 1 : ACC_WIDTH
) (
  input  wire                       clk_i,
  input  wire                       rst_ni,
  input  wire  [SIMD*ACT_WIDTH-1:0] in_data_i,
  input  wire                       in_valid_i,
  output wire                       in_ready_o,
  output wire  [PE*OUT_WIDTH-1:0]   out_data_o,
  output wire                       out_valid_o,
  input  wire                       out_ready_i
);
  if (SIMD < 1 || MW % SIMD != 0) $error("mvau: SIMD = %0d does not divide MW = %0d", SIMD, MW);
  if (PE < 1 || MH % PE != 0)     $error("mvau: PE = %0d does not divide MH = %0d", PE, MH);
  if (ACT_WIDTH < 1)              $error("mvau: ACT_WIDTH = %0d, must be >= 1", ACT_WIDTH);
  if (WEIGHTS_FILE == "")         $error("mvau: WEIGHTS_FILE is empty");

  localparam int SF    = MW / SIMD;
  localparam int NF    = MH / PE;
  localparam int DEPTH = NF * SF;
  localparam int SFW   = SF > 1 ? $clog2(SF) : 1;
  localparam int NFW   = NF > 1 ? $clog2(NF) : 1;
  localparam int AW    = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam int LANES = SIMD * ACT_WIDTH;

  localparam int  STAGES = ACT_WIDTH == 1 ? 2 + $clog2((SIMD + 14) / 15) : 2 + $clog2((SIMD + 2) / 3);
  localparam bit  COUNT  = ACT_WIDTH == 1 && !TREE;
  localparam int  ROOM   = 32;  // words of the FIFO at the output: more than are under way at once, and what one LUT RAM holds

  // ---- step control
  logic [SFW-1:0] sf_q;
  logic [NFW-1:0] nf_q;
  logic [$clog2(ROOM+1)-1:0] room_q;  // words of the FIFO that no step under way will need
  wire            fresh = nf_q == '0;
  wire            step  = room_q != '0 && (!fresh || in_valid_i);
  wire            sf_last = sf_q == SFW'(SF - 1);
  wire            nf_last = nf_q == NFW'(NF - 1);
  assign in_ready_o = room_q != '0 && fresh;

  always_ff @(posedge clk_i)
    if (!rst_ni) room_q <= 6'(ROOM);
    else room_q <= room_q - 6'(step && sf_last) + 6'(out_valid_o && out_ready_i);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      sf_q <= '0;
      nf_q <= '0;
    end else if (step) begin
      sf_q <= sf_last ? '0 : sf_q + 1'b1;
      if (sf_last) nf_q <= nf_last ? '0 : nf_q + 1'b1;
    end
  end

  // ---- activation of this step, from the input or replayed
  logic [LANES-1:0] act_q;
  if (NF > 1) begin : gen_replay
    (* ram_style = "distributed" *) logic [LANES-1:0] buffer_q [SF];
    always_ff @(posedge clk_i) begin
      if (step && fresh) buffer_q[sf_q] <= in_data_i;
      act_q <= fresh ? in_data_i : buffer_q[sf_q];
    end
  end else begin : gen_straight
    always_ff @(posedge clk_i) act_q <= in_data_i;
  end

  // ---- what accompanies the step through the pipeline; [STAGES] is where its sum arrives
  logic [STAGES:0] valid_q, first_q, last_q;
  always_ff @(posedge clk_i) begin
    valid_q <= rst_ni ? (STAGES + 1)'({valid_q, step}) : '0;
    first_q <= (STAGES + 1)'({first_q, sf_q == '0});
    last_q  <= (STAGES + 1)'({last_q, sf_last});
  end
  wire arrives = valid_q[STAGES], result = arrives && last_q[STAGES];

  // ---- weights: read for the step that starts, or (COUNT) for the step that is counted
  logic [AW-1:0] addr_q;
  logic [PE*SIMD-1:0] word, weights;
  wire advance = COUNT ? valid_q[STAGES-1] : step;
  always_ff @(posedge clk_i)
    if (!rst_ni) addr_q <= '0;
    else if (advance) addr_q <= addr_q == AW'(DEPTH - 1) ? '0 : addr_q + 1'b1;

  if (BLOCK) begin : gen_block
    (* rom_style = "block" *) logic [PE*SIMD-1:0] rom [DEPTH];
    initial $readmemh(WEIGHTS_FILE, rom);
    assign word = rom[addr_q];
  end else begin : gen_logic
    (* logic_block *) logic [PE*SIMD-1:0] rom [DEPTH];
    initial $readmemh(WEIGHTS_FILE, rom);
    assign word = rom[addr_q];
  end
  if (COUNT) assign weights = word;
  else begin : gen_read
    logic [PE*SIMD-1:0] weights_q;
    always_ff @(posedge clk_i) weights_q <= word;
    assign weights = weights_q;
  end

  // ---- start values: of the fold that is summed
  logic [PE*ACC_WIDTH-1:0] start;
  if (START_FILE != "") begin : gen_start
    logic [PE*ACC_WIDTH-1:0] rom [NF];
    logic [NFW-1:0] fold_q;
    initial $readmemh(START_FILE, rom);
    always_ff @(posedge clk_i)
      if (!rst_ni) fold_q <= '0;
      else if (result) fold_q <= fold_q == NFW'(NF - 1) ? '0 : fold_q + 1'b1;
    assign start = rom[fold_q];
  end else begin : gen_zero
    assign start = '0;
  end

  // ---- sums of SIMD products
  localparam int PART_W = ACT_WIDTH > 1 ? ACT_WIDTH + 3 - 32'(ACT_SIGNED) + $clog2((SIMD + 2) / 3)
                        : COUNT ? $clog2(SIMD + 1) : STAGES + 2;
  logic [PE-1:0][PART_W-1:0] parts;
  if (ACT_WIDTH > 1) begin : gen_integer
    dot_integer #(.SIMD(SIMD), .PE(PE), .ACT_WIDTH(ACT_WIDTH), .ACT_SIGNED(ACT_SIGNED)) i_dot (
      .clk_i, .act_i(act_q), .weights_i(weights), .sum_o(parts));
  end else if (!COUNT) begin : gen_tree
    for (genvar p = 0; p < PE; p++) begin : gen_pe
      dot_binary #(.SIMD(SIMD)) i_dot (.clk_i, .act_i(act_q), .weights_i(weights[p*SIMD +: SIMD]), .count_o(parts[p]));
    end
  end else begin : gen_count
    logic [STAGES-1:0][LANES-1:0] act;  // of this step and the ones before
    assign act[0] = act_q;
    if (STAGES > 1) begin : gen_delay
      logic [STAGES-2:0][LANES-1:0] delay_q;
      always_ff @(posedge clk_i) delay_q <= act[STAGES-2:0];
      assign act[STAGES-1:1] = delay_q;
    end
    for (genvar p = 0; p < PE; p++) begin : gen_pe
      logic [PART_W-1:0] part_q;
      wire  [SIMD-1:0]   agree = act[STAGES-1] ~^ weights[p*SIMD +: SIMD];
      always_ff @(posedge clk_i) if (valid_q[STAGES-1]) part_q <= PART_W'($countones(agree));
      assign parts[p] = part_q;
    end
  end

  // ---- accumulate, compare, hand over
  logic [PE-1:0][OUT_WIDTH-1:0] results_q;
  logic                         result_q;
  for (genvar p = 0; p < PE; p++) begin : gen_pe
    wire  [ACC_WIDTH-1:0] part = ACT_WIDTH > 1 ? ACC_WIDTH'($signed(parts[p])) : ACC_WIDTH'(parts[p]);
    logic [ACC_WIDTH-1:0] acc_q;
    wire  [ACC_WIDTH-1:0] sum = part + (SF == 1 || first_q[STAGES] ? start[p*ACC_WIDTH +: ACC_WIDTH] : acc_q);
    always_ff @(posedge clk_i) if (arrives) begin
      acc_q        <= sum;
      results_q[p] <= THRESHOLDS ? OUT_WIDTH'(!sum[ACC_WIDTH-1]) : OUT_WIDTH'(sum);
    end
  end
  always_ff @(posedge clk_i) result_q <= rst_ni && result;

  wire unused_ready;  // there is always room
  fifo #(.WIDTH(PE*OUT_WIDTH), .DEPTH(ROOM)) i_fifo (
    .clk_i, .rst_ni, .in_data_i(results_q), .in_valid_i(result_q), .in_ready_o(unused_ready), .out_data_o, .out_valid_o, .out_ready_i);
endmodule

`default_nettype wire
