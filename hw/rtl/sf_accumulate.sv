// Accumulators of PE neurons at a time, for each of PIXELS vectors (vector m in lanes m*PE..): each starts at a
// constant of its neuron, takes one part a step, and is compared after the last step.
//
//   sum[p] = start[n] + parts of all steps      n = neuron of lane p in this fold; with start = -T1, sum = acc - T1
//   THRESHOLDS = 0  result = sum                       (ACC_WIDTH bits, start = -T1 with T1 = 0)
//   THRESHOLDS = 1  result = sum >= 0                  (1 bit)
//   THRESHOLDS = 2  result = number of T1 <= T2 that acc has reached: 0, 1, 2    (2 bits)
//       WINDOW = 1  result = that number is not 1: acc < T1 or acc >= T2         (1 bit)
//
//   throughput  one step a cycle, whatever the number of steps in a fold; step control comes with the parts, and a
//               cycle earlier with ending_i = 1 that a fold ends: the next one's start value is read meanwhile
//   latency     1 cycle from the last part of a fold to its results, with THRESHOLDS = 2 one more
//
// The second threshold is a memory of gaps T2 - T1 and one comparison without sign: a sum below 0 is, read so, above
// every gap, hence "sum >= gap" alone says that acc lies outside T1..T2-1.
//
// Memories (sf_memory.sv): NF words of PE*ACC_WIDTH bits, START_FILE (not needed where all starts are 0), then GAP_FILE
// (THRESHOLDS = 2). There is no saturation: ACC_WIDTH must hold acc - T1 with its sign, and 2**(ACC_WIDTH-1) must reach
// every gap.
`default_nettype none

module sf_accumulate #(
  parameter int    NF         = 4,
  parameter int    PE         = 4,
  parameter int    PIXELS     = 1,
  parameter int    ACC_WIDTH  = 8,
  parameter int    THRESHOLDS = 1,
  parameter bit    WINDOW     = 1'b0,
  parameter bit    LOAD       = 1'b0,
  parameter START_FILE = "",
  parameter GAP_FILE   = "",
  localparam int   OUT_WIDTH  = THRESHOLDS == 0 ? ACC_WIDTH : THRESHOLDS == 1 || WINDOW ? 1 : 2
) (
  input  wire                    clk_i,
  input  wire                    rst_ni,
  // one step
  input  wire [PIXELS*PE*ACC_WIDTH-1:0] parts_i,
  input  wire                           valid_i,
  input  wire                           first_i,
  input  wire                           last_i,
  input  wire                           ending_i,  // valid_i && last_i of the next cycle
  // results of a fold; they cannot be held back
  output wire [PIXELS*PE*OUT_WIDTH-1:0] results_o,
  output wire                           valid_o,
  // load chain
  input  wire                    [32:0] load_i,
  output wire                    [32:0] load_o
);
  if (THRESHOLDS < 0 || THRESHOLDS > 2) $error("sf_accumulate: THRESHOLDS = %0d, must be 0, 1 or 2", THRESHOLDS);
  if (WINDOW && THRESHOLDS != 2)        $error("sf_accumulate: WINDOW = 1 needs THRESHOLDS = 2, not %0d", THRESHOLDS);
  if (THRESHOLDS == 2 && (START_FILE == "" || GAP_FILE == ""))
    $error("sf_accumulate: THRESHOLDS = 2 needs START_FILE and GAP_FILE");

  localparam int NFW = NF > 1 ? $clog2(NF) : 1;
  wire result = valid_i && last_i;

  // ---- start values: of the fold that is summed, in a register
  wire [PE*ACC_WIDTH-1:0] start;
  wire [32:0]             load;  // behind the start values
  if (START_FILE != "") begin : gen_start
    logic [NFW-1:0] fold_q;  // of the sum in the next cycle
    always_ff @(posedge clk_i)
      if (!rst_ni) fold_q <= '0;
      else if (ending_i) fold_q <= fold_q == NFW'(NF - 1) ? '0 : fold_q + 1'b1;
    sf_memory #(.WIDTH(PE*ACC_WIDTH), .DEPTH(NF), .REGISTERED(1'b1), .LOAD(LOAD), .FILE(START_FILE)) i_start (
      .clk_i, .rst_ni, .read_i(1'b1), .addr_i(fold_q), .word_o(start), .load_i, .load_o(load));
  end else begin : gen_zero
    wire unused_ending = &{1'b0, ending_i};
    assign start = '0;
    assign load  = load_i;
  end

  // ---- accumulate
  localparam int LANES = PIXELS * PE;
  logic [LANES-1:0][ACC_WIDTH-1:0] sum  /*verilator split_var*/, acc_q  /*verilator split_var*/;
  logic result_q;  // acc_q is a whole sum
  for (genvar p = 0; p < LANES; p++) begin : gen_pe
    assign sum[p] = parts_i[p*ACC_WIDTH +: ACC_WIDTH] + (first_i ? start[p%PE*ACC_WIDTH +: ACC_WIDTH] : acc_q[p]);
    always_ff @(posedge clk_i) if (valid_i) acc_q[p] <= sum[p];
  end
  always_ff @(posedge clk_i) result_q <= rst_ni && result;

  // ---- compare
  logic [LANES-1:0][OUT_WIDTH-1:0] results_q  /*verilator split_var*/;
  assign results_o = results_q;
  if (THRESHOLDS < 2) begin : gen_sign
    for (genvar p = 0; p < LANES; p++) begin : gen_pe
      always_ff @(posedge clk_i)
        if (valid_i) results_q[p] <= THRESHOLDS == 1 ? OUT_WIDTH'(!sum[p][ACC_WIDTH-1]) : OUT_WIDTH'(sum[p]);
    end
    assign valid_o = result_q;
    assign load_o  = load;
  end else begin : gen_interval
    logic [NFW-1:0] fold_q;  // of the sum
    logic valid_q;
    wire [PE-1:0][ACC_WIDTH-1:0] gap;
    sf_memory #(.WIDTH(PE*ACC_WIDTH), .DEPTH(NF), .REGISTERED(1'b1), .LOAD(LOAD), .FILE(GAP_FILE)) i_gap (
      .clk_i, .rst_ni, .read_i(1'b1), .addr_i(fold_q), .word_o(gap), .load_i(load), .load_o);
    always_ff @(posedge clk_i) begin
      fold_q  <= gen_start.fold_q;
      valid_q <= rst_ni && result_q;
    end
    for (genvar p = 0; p < LANES; p++) begin : gen_pe
      wire outside = acc_q[p] >= gap[p%PE];
      always_ff @(posedge clk_i)
        results_q[p] <= WINDOW ? OUT_WIDTH'(outside) : OUT_WIDTH'({outside && !acc_q[p][ACC_WIDTH-1], !outside});
    end
    assign valid_o = valid_q;
  end
endmodule

`default_nettype wire
