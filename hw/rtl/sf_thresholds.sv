// Thresholds on wide integers: how many of a channel's thresholds an element reaches, by binary search.
//
//   WINDOW = 0  out[e] = BIAS + #{i : T[c][i] <= u[e]}           in BIAS .. BIAS + 2**STAGES - 1
//   WINDOW = 1  out[e] = #{i : T[c][i] <= u[e]} != 1             1 bit, STAGES = 2: outside [T[c][0], T[c][1])
//
//   u[e] is the element in offset binary (IN_SIGNED: x + 2**(IN_WIDTH-1)), for channels with sign bit 1 counted from
//   the other end: 2**IN_WIDTH - 1 - u, one inversion. So -x is compared exactly, with thresholds to suit; 0 is always
//   reached, 2**IN_WIDTH never.
//   c = word * PE + lane, modulo FOLDS * PE; with FOLDS = 1 all words share one row for each lane.
//
//   throughput  one word per cycle
//   latency     2 * STAGES cycles: a stage reads one of 2**s thresholds, then compares
//
// Memories (sf_memory.sv), lane 0 in the low bits: THRESHOLDS_s for every stage s, FOLDS * 2**s words of PE * (IN_WIDTH
// + 1) bits, word fold * 2**s + i what is compared when the outcomes so far are i as a binary number; SIGNS_FILE, FOLDS
// words of PE bits ("": no signs). On the load chain the signs come first. Stages from BLOCK_FROM on lie in block RAM,
// the others in logic. Every lane has a read port of its own.
`default_nettype none

module sf_thresholds #(
  parameter int    IN_WIDTH     = 16,
  parameter bit    IN_SIGNED    = 1'b1,
  parameter int    STAGES       = 2,
  parameter int    OUT_WIDTH    = 2,
  parameter int    BIAS         = 0,
  parameter bit    WINDOW       = 1'b0,
  parameter int    PE           = 1,
  parameter int    FOLDS        = 1,
  parameter int    BLOCK_FROM   = 8,
  parameter bit    LOAD         = 1'b0,
  parameter THRESHOLDS_0 = "",
  parameter THRESHOLDS_1 = "",
  parameter THRESHOLDS_2 = "",
  parameter THRESHOLDS_3 = "",
  parameter THRESHOLDS_4 = "",
  parameter THRESHOLDS_5 = "",
  parameter THRESHOLDS_6 = "",
  parameter THRESHOLDS_7 = "",
  parameter SIGNS_FILE   = ""
) (
  input  wire                     clk_i,
  input  wire                     rst_ni,
  input  wire  [PE*IN_WIDTH-1:0]  in_data_i,
  input  wire                     in_valid_i,
  output wire                     in_ready_o,
  output wire  [PE*OUT_WIDTH-1:0] out_data_o,
  output wire                     out_valid_o,
  input  wire                     out_ready_i,
  // load chain
  input  wire               [32:0] load_i,
  output wire               [32:0] load_o
);
  if (STAGES < 1 || STAGES > 8)  $error("sf_thresholds: STAGES = %0d, must be 1 to 8", STAGES);
  if (WINDOW && STAGES != 2)     $error("sf_thresholds: WINDOW = 1 and STAGES = %0d; a window has 2 stages", STAGES);
  if (WINDOW && OUT_WIDTH != 1)
    $error("sf_thresholds: WINDOW = 1 and OUT_WIDTH = %0d; a window gives 1 bit", OUT_WIDTH);
  if (BLOCK_FROM < 0)            $error("sf_thresholds: BLOCK_FROM = %0d, must be >= 0", BLOCK_FROM);

  localparam int FW = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int TW = IN_WIDTH + 1;

  logic [2*STAGES-1:0] valid_q;  // of the words in the pipeline: [2*s] compared in stage s, [2*s+1] read in stage s+1
  wire advance = !out_valid_o || out_ready_i;
  assign out_valid_o = valid_q[2*STAGES-1];
  assign in_ready_o  = advance;
  always_ff @(posedge clk_i)
    if (!rst_ni) valid_q <= '0;
    else if (advance) valid_q <= (2*STAGES)'({valid_q, in_valid_i});

  logic [STAGES-1:0][PE-1:0][IN_WIDTH-1:0] u;      // at the read of each stage
  logic [STAGES:0][PE-1:0][STAGES-1:0]     count;  // outcomes so far, as a binary number
  assign count[0] = '0;
  wire  [32:0]                             load [STAGES+1];  // in front of each stage
  assign load_o = load[STAGES];

  // one parameter a stage, because Vivado takes no expression that selects a string
  localparam bit [7:0] GIVEN = {THRESHOLDS_7 != "", THRESHOLDS_6 != "", THRESHOLDS_5 != "", THRESHOLDS_4 != "",
                                THRESHOLDS_3 != "", THRESHOLDS_2 != "", THRESHOLDS_1 != "", THRESHOLDS_0 != ""};

  for (genvar s = 0; s < STAGES; s++) begin : gen_stage
    localparam int DEPTH = FOLDS * 2**s;
    localparam int AW    = DEPTH > 1 ? $clog2(DEPTH) : 1;
    if (!GIVEN[s]) $error("sf_thresholds: THRESHOLDS_%0d is empty", s);

    logic [FW-1:0] fold_q;  // of the word that is read
    wire here = s == 0 ? in_valid_i : valid_q[s == 0 ? 0 : 2*s-1];
    always_ff @(posedge clk_i)
      if (!rst_ni) fold_q <= '0;
      else if (advance && here) fold_q <= fold_q == FW'(FOLDS - 1) ? '0 : fold_q + 1'b1;

    if (s == 0) begin : gen_sign
      wire [PE-1:0] sign;
      if (SIGNS_FILE != "") begin : gen_file
        sf_memory #(.WIDTH(PE), .DEPTH(FOLDS), .LOAD(LOAD), .FILE(SIGNS_FILE)) i_signs (
          .clk_i, .rst_ni, .read_i(1'b1), .addr_i(fold_q), .word_o(sign), .load_i, .load_o(load[0]));
      end else begin : gen_none
        assign sign    = '0;
        assign load[0] = load_i;
      end
      for (genvar p = 0; p < PE; p++) begin : gen_lane
        localparam logic [IN_WIDTH-1:0] OFFSET = IN_SIGNED ? IN_WIDTH'(1) << (IN_WIDTH - 1) : '0;
        assign u[0][p] = in_data_i[p*IN_WIDTH +: IN_WIDTH] ^ OFFSET ^ {IN_WIDTH{sign[p]}};
      end
    end

    logic [PE-1:0][AW-1:0] addr;
    wire  [PE-1:0][TW-1:0] threshold;  // read a cycle ago
    `define SF_THRESHOLDS_MEMORY(IMAGE)                                                                             \
      sf_memory #(.WIDTH(TW), .LANES(PE), .DEPTH(DEPTH), .REGISTERED(1'b1), .BLOCK(s >= BLOCK_FROM), .LOAD(LOAD),   \
                  .FILE(IMAGE)) i_thresholds (                                                                      \
        .clk_i, .rst_ni, .read_i(advance), .addr_i(addr), .word_o(threshold), .load_i(load[s]), .load_o(load[s+1]));
    if (s == 0) begin : gen_0 `SF_THRESHOLDS_MEMORY(THRESHOLDS_0) end
    if (s == 1) begin : gen_1 `SF_THRESHOLDS_MEMORY(THRESHOLDS_1) end
    if (s == 2) begin : gen_2 `SF_THRESHOLDS_MEMORY(THRESHOLDS_2) end
    if (s == 3) begin : gen_3 `SF_THRESHOLDS_MEMORY(THRESHOLDS_3) end
    if (s == 4) begin : gen_4 `SF_THRESHOLDS_MEMORY(THRESHOLDS_4) end
    if (s == 5) begin : gen_5 `SF_THRESHOLDS_MEMORY(THRESHOLDS_5) end
    if (s == 6) begin : gen_6 `SF_THRESHOLDS_MEMORY(THRESHOLDS_6) end
    if (s == 7) begin : gen_7 `SF_THRESHOLDS_MEMORY(THRESHOLDS_7) end
    `undef SF_THRESHOLDS_MEMORY

    for (genvar p = 0; p < PE; p++) begin : gen_lane
      logic [IN_WIDTH-1:0] u_q;
      logic [STAGES-1:0]   count_q, next_q;
      assign addr[p] = AW'(32'(fold_q) << s | 32'(count[s][p]));
      always_ff @(posedge clk_i) if (advance) begin
        u_q         <= u[s][p];
        count_q     <= count[s][p];
        next_q      <= STAGES'({count_q, {1'b0, u_q} >= threshold[p]});
      end
      assign count[s+1][p] = next_q;
      if (s < STAGES - 1) begin : gen_next
        logic [IN_WIDTH-1:0] next_u_q;
        always_ff @(posedge clk_i) if (advance) next_u_q <= u_q;
        assign u[s+1][p] = next_u_q;
      end
    end
  end

  for (genvar p = 0; p < PE; p++) begin : gen_out
    wire [STAGES-1:0] total = count[STAGES][p];
    assign out_data_o[p*OUT_WIDTH +: OUT_WIDTH] =
      WINDOW ? OUT_WIDTH'(total != STAGES'(1)) : OUT_WIDTH'(32'(total) + BIAS);
  end
endmodule

`default_nettype wire
