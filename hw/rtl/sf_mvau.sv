// Matrix-vector-activation unit with weights in {-1, +1} (WEIGHT_WIDTH = 1, bit 1 = +1) or signed integers.
//
//   WEIGHT_WIDTH = 1, ACT_WIDTH = 1   acc[n] = popcount over i of (act[i] XNOR w[n][i])        in 0..MW
//   WEIGHT_WIDTH = 1, ACT_WIDTH > 1   acc[n] = sum over i of (w[n][i] ? act[i] : -act[i])      signed
//   WEIGHT_WIDTH > 1, ACT_WIDTH > 1   acc[n] = sum over i of w[n][i] * act[i]                  signed
//   THRESHOLDS = 0  out[n] = acc[n]                        (ACC_WIDTH bits)
//   THRESHOLDS = 1  out[n] = acc[n] >= T1[n]               (1 bit)
//   THRESHOLDS = 2  out[n] = 0, 1, 2: how many of T1[n] <= T2[n] are <= acc[n]    (2 bits)
//       WINDOW = 1  out[n] = acc[n] < T1[n] or acc[n] >= T2[n]                    (1 bit)
//
//   GROUP > 0       every GROUP bits of an input word (ACT_WIDTH = 1) are followed by a flag, which is 1 where all of
//                   them are the number 0 between +-1: they count as GROUP/2 places that agree, whatever they hold
//
//   folding     NF = ceil(MH/PE) neuron folds, SF = ceil(MW/SIMD) input folds; PE p works on neuron nf*PE + p in step
//               nf*SF + sf. Places behind MW hold zeros and have weights 1: bits disagree and count nothing, integers
//               add 0. Neurons behind MH are results for nobody (sf_dwc.sv pads and drops).
//   PIXELS      so many vectors share the weights that are read (ACT_WIDTH = 1): input words hold a word of each,
//               output words PE results of each, the first vector at the bottom (sf_interleave.sv)
//   throughput  PIXELS vectors in exactly NF*SF cycles, no gaps; the SF input words are taken in nf = 0, then replayed
//   latency     3 + STAGES cycles from the last step of a fold to its output word (sf_dot_*.sv), 1 more where
//               words are replayed (NF > 1 and SF > 1) or FAST weights lie in block RAM, 1 more for a T2
//
// Accumulators (sf_accumulate.sv) start at a constant of their neuron: start = -T1, or N - T1 with sf_dot_integer's N.
//
// Memories (sf_memory.sv), in this order on the load chain: WEIGHTS_FILE, NF*SF words of PE*SIMD weights; START_FILE
// (unused where all are 0) and GAP_FILE (T2 - T1, for THRESHOLDS = 2), NF words of PE*ACC_WIDTH bits. Weights lie in
// logic, with BLOCK = 1 in block RAM, with ULTRA = 1 in UltraRAM. With ADDERS = 1 they lie in the adders of the dot
// product, as the constant WEIGHTS, word 0 lowest: NF <= 4 and SF = 1. ACC_WIDTH must hold acc - T1.
//
// Nothing stalls between the input and the FIFO at the output: a step starts only if its result will find room there
// (sf_steps.sv). So in_ready_o does not depend on out_ready_i, and the data path has no enables.
//
// FAST = 1 is for clocks up to 200 MHz: chains of 4 instead of 8 full adders (sf_dot_binary.sv), and a second register
// behind weights in block RAM, which costs a cycle of latency where no words are replayed.
//
// TREE = 0 replaces sf_dot_binary and sf_dot_steps by sf_dot_count, which gives the same after the same number of
// cycles. Synthesis builds the tree; Verilator counts unless told otherwise. The tests compare both.
`default_nettype none

module sf_mvau #(
  parameter int    MW           = 64,
  parameter int    MH           = 16,
  parameter int    SIMD         = 16,
  parameter int    PE           = 4,
  parameter int    PIXELS       = 1,
  parameter int    ACT_WIDTH    = 1,
  parameter bit    ACT_SIGNED   = 1'b0,
  parameter int    WEIGHT_WIDTH = 1,
  parameter int    GROUP        = 0,
  parameter int    TREE_STAGES  = 3,  // STAGES of sf_dot_binary.sv or sf_dot_steps.sv, for ACT_WIDTH = 1
  parameter int    ACC_WIDTH    = 8,
  parameter int    THRESHOLDS   = 1,
  parameter bit    WINDOW       = 1'b0,
  parameter bit    BLOCK        = 1'b0,
  parameter bit    ULTRA        = 1'b0,
  parameter bit    ADDERS       = 1'b0,
  parameter bit    FAST         = 1'b0,
  parameter bit    LOAD         = 1'b0,
  parameter WEIGHTS_FILE = "",
  parameter START_FILE   = "",
  parameter GAP_FILE     = "",
  parameter logic [(ADDERS ? (MH + PE - 1)/PE*PE*MW : 1)-1:0] WEIGHTS = '0,
`ifdef VERILATOR
  parameter bit    TREE         = 1'b0,
`else
  parameter bit    TREE         = 1'b1,
`endif
  localparam int   GROUPS       = GROUP > 0 ? SIMD / GROUP : 0,
  localparam int   OUT_WIDTH    = THRESHOLDS == 0 ? ACC_WIDTH : THRESHOLDS == 1 || WINDOW ? 1 : 2
) (
  input  wire                                       clk_i,
  input  wire                                       rst_ni,
  input  wire  [PIXELS*(SIMD*ACT_WIDTH+GROUPS)-1:0] in_data_i,
  input  wire                                       in_valid_i,
  output wire                                       in_ready_o,
  output wire  [PIXELS*PE*OUT_WIDTH-1:0]            out_data_o,
  output wire                                       out_valid_o,
  input  wire                                       out_ready_i,
  // load chain
  input  wire                                [32:0] load_i,
  output wire                                [32:0] load_o
);
  if (SIMD < 1 || SIMD > MW) $error("sf_mvau: SIMD = %0d, must be 1..MW = %0d", SIMD, MW);
  if (PE < 1 || PE > MH)     $error("sf_mvau: PE = %0d, must be 1..MH = %0d", PE, MH);
  if (ACT_WIDTH < 1)         $error("sf_mvau: ACT_WIDTH = %0d, must be >= 1", ACT_WIDTH);
  if (WEIGHT_WIDTH < 1 || WEIGHT_WIDTH > 1 && ACT_WIDTH == 1)
    $error("sf_mvau: WEIGHT_WIDTH = %0d with ACT_WIDTH = %0d; bits need weights of one bit", WEIGHT_WIDTH, ACT_WIDTH);
  if (GROUP < 0 || GROUP > 0 && (ACT_WIDTH > 1 || GROUP % 2 != 0 || SIMD % GROUP != 0))
    $error("sf_mvau: GROUP = %0d with ACT_WIDTH = %0d; must be even and divide SIMD = %0d", GROUP, ACT_WIDTH, SIMD);
  if (!ADDERS && WEIGHTS_FILE == "") $error("sf_mvau: WEIGHTS_FILE is empty");
  if (ADDERS && (MW != SIMD || ACT_WIDTH > 1 || LOAD))
    $error("sf_mvau: ADDERS = 1 with SIMD = %0d of %0d, ACT_WIDTH = %0d, LOAD = %0d", SIMD, MW, ACT_WIDTH, LOAD);
  if (PIXELS < 1 || PIXELS > 1 && (ACT_WIDTH > 1 || ADDERS))
    $error("sf_mvau: PIXELS = %0d with ACT_WIDTH = %0d, ADDERS = %0d; must be >= 1, and 1 with integers or adders",
           PIXELS, ACT_WIDTH, ADDERS);

  localparam int SF    = (MW + SIMD - 1) / SIMD;
  localparam int NF    = (MH + PE - 1) / PE;
  localparam int DEPTH = NF * SF;
  localparam int SFW   = SF > 1 ? $clog2(SF) : 1;
  localparam int NFW   = NF > 1 ? $clog2(NF) : 1;
  localparam int AW    = DEPTH > 1 ? $clog2(DEPTH) : 1;
  localparam int VECTOR = SIMD * ACT_WIDTH + GROUPS;  // bits of an input word of one vector
  localparam int LANES  = PIXELS * VECTOR;
  localparam int WORD  = PE * SIMD * WEIGHT_WIDTH;

  localparam int  STAGES = ACT_WIDTH == 1 ? TREE_STAGES : 2 + $clog2(WEIGHT_WIDTH == 1 ? (SIMD + 2) / 3 : SIMD);
  localparam bit  COUNT  = ACT_WIDTH == 1 && !TREE;
  localparam int  ROOM   = 32;  // words of the FIFO at the output: more than are under way at once, one LUT RAM

  // ---- step control
  wire [SFW-1:0] sf;
  wire [NFW-1:0] nf;
  wire           step, fresh, sf_last, unused_nf = &{1'b0, nf};
  sf_steps #(.SF(SF), .NF(NF), .ROOM(ROOM)) i_steps (
    .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .pop_i(out_valid_o && out_ready_i), .step_o(step), .fresh_o(fresh),
    .last_o(sf_last), .sf_o(sf), .nf_o(nf));

  // ---- activation of a step: of the input, held, or read from the buffer a cycle later, with no multiplexer to pass;
  // what is written while no step is made, is written again with the next one
  localparam bit BEHIND = FAST && (BLOCK || ULTRA);  // a second register behind the weights
  localparam int DELAY  = (NF > 1 && SF > 1) || BEHIND ? 1 : 0;
  logic [LANES-1:0] act_q;
  if (NF > 1 && SF > 1) begin : gen_replay
    (* ram_style = "distributed" *) logic [LANES-1:0] buffer_q [SF];
    logic [SFW-1:0] read_q;
    always_ff @(posedge clk_i) begin
      if (fresh) buffer_q[sf] <= in_data_i;
      read_q <= sf;
      act_q  <= buffer_q[read_q];
    end
  end else if (DELAY > 0) begin : gen_later
    logic [LANES-1:0] hold_q;
    always_ff @(posedge clk_i) begin
      if (fresh) hold_q <= in_data_i;
      act_q <= hold_q;
    end
  end else begin : gen_hold
    always_ff @(posedge clk_i) if (fresh) act_q <= in_data_i;
  end

  // ---- what accompanies the step through the pipeline; [SUM] is where its sum arrives
  localparam int SUM = DELAY + STAGES;
  logic [SUM:0] valid_q, first_q, last_q;
  always_ff @(posedge clk_i) begin
    valid_q <= rst_ni ? (SUM + 1)'({valid_q, step}) : '0;
    first_q <= (SUM + 1)'({first_q, sf == '0});
    last_q  <= (SUM + 1)'({last_q, sf_last});
  end

  // ---- weights: read with the activation, or a cycle before, or (COUNT) for the step that is counted
  logic [AW-1:0] addr_q;
  wire  [WORD-1:0] weights;
  wire  [32:0]     load;  // behind the weights
  wire advance = COUNT ? valid_q[SUM-1] : DELAY > 0 && !BEHIND ? valid_q[0] : step;
  always_ff @(posedge clk_i)
    if (!rst_ni) addr_q <= '0;
    else if (advance) addr_q <= addr_q == AW'(DEPTH - 1) ? '0 : addr_q + 1'b1;

  if (ADDERS) begin : gen_constant
    assign weights = WEIGHTS[addr_q*WORD +: WORD];
    assign load    = load_i;
  end else begin : gen_memory
    wire [WORD-1:0] word;
    sf_memory #(.WIDTH(WORD), .DEPTH(DEPTH), .REGISTERED(!COUNT), .BLOCK(BLOCK), .ULTRA(ULTRA), .LOAD(LOAD),
                .FILE(WEIGHTS_FILE)) i_weights (
      .clk_i, .rst_ni, .read_i(1'b1), .addr_i(addr_q), .word_o(word), .load_i, .load_o(load));
    logic [WORD-1:0] word_q;
    always_ff @(posedge clk_i) word_q <= word;
    assign weights = BEHIND && !COUNT ? word_q : word;
  end

  // ---- sums of SIMD products, accumulated, compared, handed over
  wire [PIXELS*PE*ACC_WIDTH-1:0] terms  /*verilator split_var*/;
  logic [1:0] step_q;  // beside act_q, for ADDERS
  always_ff @(posedge clk_i) step_q <= 2'(nf);
  for (genvar m = 0; m < PIXELS; m++) begin : gen_vector
    sf_dot #(.SIMD(SIMD), .PE(PE), .ACT_WIDTH(ACT_WIDTH), .ACT_SIGNED(ACT_SIGNED), .WEIGHT_WIDTH(WEIGHT_WIDTH),
             .GROUP(GROUP), .CHAIN(FAST ? 4 : 8), .STAGES(STAGES), .COUNT(COUNT), .STEPS(ADDERS ? NF : 0),
             .WEIGHTS(WEIGHTS), .TERM_WIDTH(ACC_WIDTH)) i_dot (
      .clk_i, .act_i(act_q[m*VECTOR +: VECTOR]), .weights_i(weights), .step_i(step_q),
      .enable_i(valid_q[SUM-1]), .terms_o(terms[m*PE*ACC_WIDTH +: PE*ACC_WIDTH]));
  end

  wire [PIXELS*PE*OUT_WIDTH-1:0] results;
  wire                    result;
  sf_accumulate #(.NF(NF), .PE(PE), .PIXELS(PIXELS), .ACC_WIDTH(ACC_WIDTH), .THRESHOLDS(THRESHOLDS), .WINDOW(WINDOW),
                  .LOAD(LOAD), .START_FILE(START_FILE), .GAP_FILE(GAP_FILE)) i_accumulate (
    .clk_i, .rst_ni, .parts_i(terms), .valid_i(valid_q[SUM]), .first_i(SF == 1 || first_q[SUM]),
    .last_i(last_q[SUM]), .ending_i(valid_q[SUM-1] && last_q[SUM-1]), .results_o(results), .valid_o(result),
    .load_i(load), .load_o);

  wire unused_ready;  // there is always room
  sf_fifo #(.WIDTH(PIXELS*PE*OUT_WIDTH), .DEPTH(ROOM)) i_fifo (
    .clk_i, .rst_ni, .in_data_i(results), .in_valid_i(result), .in_ready_o(unused_ready),
    .out_data_o, .out_valid_o, .out_ready_i);
endmodule

`default_nettype wire
