// Requantisation: a linear function of every element, rounded down and clipped, the quantiser of a multi-bit branch.
//
//   out[e] = min(max((in[e] * M[c] + B[c]) >> SHIFT, LOW), HIGH)        >> rounds down
//
//   c = word * PE + lane, modulo FOLDS * PE; with FOLDS = 1 all words share one row of constants
//
//   throughput  one word per cycle
//   latency     4 cycles: constants read, product, sum, clipped
//
// Memory (sf_memory.sv): CONSTANTS_FILE, FOLDS words of PE * (M_WIDTH + B_WIDTH) bits, lane 0 in the low bits, M below
// B, both in two's complement. BLOCK = 1: in block RAM, else in logic. One multiplier a lane, in a DSP block or in LUTs
// as synthesis decides, with the registers that a DSP block has. SUM_WIDTH bits must hold every in * M and in * M + B.
`default_nettype none

module sf_requantise #(
  parameter int IN_WIDTH  = 8,
  parameter bit IN_SIGNED = 1'b1,
  parameter int M_WIDTH   = 8,
  parameter int B_WIDTH   = 16,
  parameter int SUM_WIDTH = 18,
  parameter int SHIFT     = 8,
  parameter int LOW       = -8,
  parameter int HIGH      = 7,
  parameter int OUT_WIDTH = 4,
  parameter int PE        = 1,
  parameter int FOLDS     = 1,
  parameter bit BLOCK     = 1'b0,
  parameter bit LOAD      = 1'b0,
  parameter CONSTANTS_FILE = "",
  localparam int X_W     = IN_WIDTH + 32'(!IN_SIGNED),  // signed
  localparam int PRODUCT = X_W + M_WIDTH
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
  if (PE < 1)             $error("sf_requantise: PE = %0d, must be >= 1", PE);
  if (FOLDS < 1)          $error("sf_requantise: FOLDS = %0d, must be >= 1", FOLDS);
  if (LOW > HIGH)         $error("sf_requantise: LOW = %0d is more than HIGH = %0d", LOW, HIGH);
  if (SHIFT < 0 || SUM_WIDTH <= SHIFT)
    $error("sf_requantise: SHIFT = %0d, must be 0 to SUM_WIDTH - 1 = %0d", SHIFT, SUM_WIDTH - 1);
  if (SUM_WIDTH < PRODUCT)
    $error("sf_requantise: SUM_WIDTH = %0d does not hold a product of %0d bits", SUM_WIDTH, PRODUCT);
  if (CONSTANTS_FILE == "") $error("sf_requantise: CONSTANTS_FILE is empty");

  localparam int FW   = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int ROW  = M_WIDTH + B_WIDTH;
  localparam int CODE = SUM_WIDTH - SHIFT;           // rounded, not yet clipped
  localparam int WIDE = CODE > OUT_WIDTH + 1 ? CODE : OUT_WIDTH + 1;  // holds both, signed

  logic [3:0] valid_q;
  wire advance = !out_valid_o || out_ready_i;
  assign out_valid_o = valid_q[3];
  assign in_ready_o  = advance;
  always_ff @(posedge clk_i)
    if (!rst_ni) valid_q <= '0;
    else if (advance) valid_q <= {valid_q[2:0], in_valid_i};

  logic [FW-1:0] fold_q;
  always_ff @(posedge clk_i)
    if (!rst_ni) fold_q <= '0;
    else if (advance && in_valid_i) fold_q <= fold_q == FW'(FOLDS - 1) ? '0 : fold_q + 1'b1;

  wire [PE*ROW-1:0] constants;
  sf_memory #(.WIDTH(PE*ROW), .DEPTH(FOLDS), .REGISTERED(1'b1), .BLOCK(BLOCK), .LOAD(LOAD),
              .FILE(CONSTANTS_FILE)) i_constants (
    .clk_i, .rst_ni, .read_i(advance), .addr_i(fold_q), .word_o(constants), .load_i, .load_o);

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [IN_WIDTH-1:0] x = in_data_i[p*IN_WIDTH +: IN_WIDTH];
    wire signed [M_WIDTH-1:0] m = constants[p*ROW +: M_WIDTH];
    logic signed [X_W-1:0]       x_q;
    logic signed [PRODUCT-1:0]   product_q;
    logic signed [B_WIDTH-1:0]   b_q;
    logic signed [SUM_WIDTH-1:0] sum_q;
    logic        [OUT_WIDTH-1:0] out_q;
    wire signed [WIDE-1:0] code = WIDE'(sum_q >>> SHIFT);
    always_ff @(posedge clk_i) if (advance) begin
      x_q       <= IN_SIGNED ? X_W'($signed(x)) : X_W'(x);
      product_q <= x_q * m;
      b_q       <= constants[p*ROW+M_WIDTH +: B_WIDTH];
      sum_q     <= SUM_WIDTH'(product_q) + SUM_WIDTH'(b_q);
      out_q     <= code < WIDE'(LOW) ? OUT_WIDTH'(LOW) : code > WIDE'(HIGH) ? OUT_WIDTH'(HIGH) : OUT_WIDTH'(code);
    end
    assign out_data_o[p*OUT_WIDTH +: OUT_WIDTH] = out_q;
  end
endmodule

`default_nettype wire
