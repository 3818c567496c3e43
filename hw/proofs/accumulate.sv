// Every fold of sf_accumulate gives its start value plus the parts of its steps, compared with its thresholds, in the
// cycle that the header says, for all constants.
//
//   case NF=1 PE=1 ACC_WIDTH=3 THRESHOLDS=0
//   case NF=2 PE=1 ACC_WIDTH=2 THRESHOLDS=1
//   case NF=1 PE=2 ACC_WIDTH=2 THRESHOLDS=1
//   case NF=2 PE=1 ACC_WIDTH=3 THRESHOLDS=2
//   case NF=1 PE=1 ACC_WIDTH=3 THRESHOLDS=2 WINDOW=1
//   case NF=2 PE=2 PIXELS=2 ACC_WIDTH=2 THRESHOLDS=1
//   case NF=2 PE=1 PIXELS=2 ACC_WIDTH=2 THRESHOLDS=2
//
//   assumes sf_memory
//
//   mutant first_i ? start => last_i ? start
//   mutant fold_q == NFW'(NF - 1) => fold_q == NFW'(NF)
//   mutant if (ending_i) => if (result)
//   mutant acc_q[p] >= gap[p%PE] => acc_q[p] > gap[p%PE]
//   mutant start[p%PE*ACC_WIDTH => start[p/PIXELS*ACC_WIDTH
//   mutant !sum[p][ACC_WIDTH-1] => sum[p][ACC_WIDTH-1]
//   mutant outside && !acc_q[p][ACC_WIDTH-1] => outside
`default_nettype none

module prove_accumulate #(
  parameter int NF         = 1,
  parameter int PE         = 1,
  parameter int PIXELS     = 1,
  parameter int ACC_WIDTH  = 3,
  parameter int THRESHOLDS = 1,
  parameter bit WINDOW     = 1'b0,
  parameter bit LOAD       = 1'b0,
  localparam int LANES = PIXELS * PE,
  localparam int OUT   = THRESHOLDS == 0 ? ACC_WIDTH : THRESHOLDS == 1 || WINDOW ? 1 : 2
) (
  input wire                       clk_i,
  input wire [LANES*ACC_WIDTH-1:0] parts_i,
  input wire                       next_valid_i,  // a cycle earlier
  input wire                       next_last_i
);
  wire rst_n, valid;
  wire [LANES-1:0][OUT-1:0] results;
  wake i_wake (.clk_i, .rst_no(rst_n));

  // folds of any number of steps
  logic [15:0] fold_q;  // of the parts that come
  logic        begun_q;
  logic        valid_q, last_q, read_q;  // a step, the last one; the start value is read
  wire  [15:0] fold = !(valid_q && last_q) ? fold_q : fold_q == 16'(NF - 1) ? '0 : fold_q + 1'b1;
  always_ff @(posedge clk_i) begin
    {valid_q, last_q, read_q} <= {rst_n && next_valid_i, next_last_i, rst_n};
    fold_q <= rst_n ? fold : '0;
    if (!rst_n) begun_q <= 1'b0;
    else if (valid_q) begun_q <= !last_q;
  end

  sf_accumulate #(.NF(NF), .PE(PE), .PIXELS(PIXELS), .ACC_WIDTH(ACC_WIDTH), .THRESHOLDS(THRESHOLDS), .WINDOW(WINDOW), .LOAD(LOAD),
                  .START_FILE("any"), .GAP_FILE("any")) i_dut (
    .clk_i, .rst_ni(rst_n), .parts_i, .valid_i(valid_q), .first_i(!begun_q), .last_i(last_q),
    .ending_i(next_valid_i && next_last_i), .results_o(results), .valid_o(valid), .load_i('0), .load_o());

  // what was to be expected 1 cycle ago, and 2
  logic [1:0] due_q;
  always_ff @(posedge clk_i) due_q <= rst_n ? {due_q[0], valid_q && last_q} : '0;
  wire due = due_q[THRESHOLDS == 2];

  for (genvar p = 0; p < LANES; p++) begin : gen_lane
    wire [PE*ACC_WIDTH-1:0] starts = i_dut.gen_start.i_start.any_q[fold_q[$clog2(NF+1)-1:0]];
    wire    [ACC_WIDTH-1:0] start  = starts[p%PE*ACC_WIDTH +: ACC_WIDTH];
    logic [ACC_WIDTH-1:0] before_q;  // the start and the fold's earlier steps
    wire signed [ACC_WIDTH-1:0] sum = (begun_q ? before_q : start) + parts_i[p*ACC_WIDTH +: ACC_WIDTH];
    always_ff @(posedge clk_i) if (valid_q) before_q <= sum;
    always_comb if (rst_n) help_sum: assert (!begun_q || i_dut.acc_q[p] == before_q);

    wire [OUT-1:0] want;
    if (THRESHOLDS == 0) begin : gen_sum
      assign want = sum;
    end else if (THRESHOLDS == 1) begin : gen_sign
      assign want = sum >= 0;
    end else begin : gen_interval
      wire [PE*ACC_WIDTH-1:0] gaps = i_dut.gen_interval.i_gap.any_q[fold_q[$clog2(NF+1)-1:0]];
      wire    [ACC_WIDTH-1:0] gap  = gaps[p%PE*ACC_WIDTH +: ACC_WIDTH];
      wire one = sum >= 0, two = sum >= 0 && {1'b0, sum} >= {1'b0, gap};
      assign want = WINDOW ? OUT'(one == two) : two ? OUT'(2) : OUT'(one);
      // the gap is one: no less than 0, and within reach
      always_comb if (rst_n) assume (32'(gap) <= 2**(ACC_WIDTH-1));
    end
    logic [1:0][OUT-1:0] want_q;
    always_ff @(posedge clk_i) want_q <= {want_q[0], want};
    always_comb if (rst_n && due) value: assert (results[p] == want_q[THRESHOLDS == 2]);
  end
  always_comb
    if (rst_n) begin
      comes: assert (valid == due);
      help_fold: assert (16'(i_dut.gen_start.fold_q) == fold && 32'(fold_q) < NF);
      help_start: assert (read_q ? i_dut.start == i_dut.gen_start.i_start.any_q[fold_q[$clog2(NF+1)-1:0]] : !valid_q);
      reach_a_result: assert (!valid || results == '0);
    end
endmodule

`default_nettype wire
