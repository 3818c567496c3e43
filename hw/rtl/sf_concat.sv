// Join: the channels of one stream, then those of the other, at every position.
//
//   in0   [position][w < WORDS0], in1 [position][w < WORDS1], PE elements in a word
//   out   [position][word]:  in0[position][0 .. WORDS0-1], then in1[position][0 .. WORDS1-1]
//         every element as an integer of OUT_WIDTH bits, its sign extended where SIGNED = 1: exact, OUT_WIDTH >= WIDTH
//
//   throughput  one word per cycle: POSITIONS * (WORDS0 + WORDS1) cycles for a frame
//   latency     0 cycles: no storage, a word stays at its input until the output has taken it
//
// While one input has its turn the other waits: put a FIFO in front of it. out_valid_o depends combinationally on the
// valid of the input whose turn it is, that input's ready on out_ready_i; no input waits for the other within a word.
`default_nettype none

module sf_concat #(
  parameter int PE        = 1,
  parameter int WORDS0    = 2,
  parameter int WIDTH0    = 4,
  parameter bit SIGNED0   = 1'b0,
  parameter int WORDS1    = 3,
  parameter int WIDTH1    = 4,
  parameter bit SIGNED1   = 1'b0,
  parameter int OUT_WIDTH = 4
) (
  input  wire                     clk_i,
  input  wire                     rst_ni,
  input  wire  [PE*WIDTH0-1:0]    in0_data_i,
  input  wire                     in0_valid_i,
  output wire                     in0_ready_o,
  input  wire  [PE*WIDTH1-1:0]    in1_data_i,
  input  wire                     in1_valid_i,
  output wire                     in1_ready_o,
  output wire  [PE*OUT_WIDTH-1:0] out_data_o,
  output wire                     out_valid_o,
  input  wire                     out_ready_i
);
  if (PE < 1)                   $error("sf_concat: PE = %0d, must be >= 1", PE);
  if (WORDS0 < 1 || WORDS1 < 1) $error("sf_concat: WORDS0 = %0d and WORDS1 = %0d, must be >= 1", WORDS0, WORDS1);
  if (OUT_WIDTH < WIDTH0 || OUT_WIDTH < WIDTH1)
    $error("sf_concat: OUT_WIDTH = %0d is less than WIDTH0 = %0d or WIDTH1 = %0d", OUT_WIDTH, WIDTH0, WIDTH1);

  localparam int WORDS = WORDS0 + WORDS1;
  localparam int AW    = $clog2(WORDS);

  logic [AW-1:0] word_q;  // of the output, in its position
  wire  second = 32'(word_q) >= WORDS0;
  assign out_valid_o = second ? in1_valid_i : in0_valid_i;
  assign in0_ready_o = out_ready_i && !second;
  assign in1_ready_o = out_ready_i && second;
  always_ff @(posedge clk_i)
    if (!rst_ni) word_q <= '0;
    else if (out_valid_o && out_ready_i) word_q <= word_q == AW'(WORDS - 1) ? '0 : word_q + 1'b1;

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [WIDTH0-1:0] a = in0_data_i[p*WIDTH0 +: WIDTH0];
    wire [WIDTH1-1:0] b = in1_data_i[p*WIDTH1 +: WIDTH1];
    wire [OUT_WIDTH-1:0] wide_a = SIGNED0 ? OUT_WIDTH'($signed(a)) : OUT_WIDTH'(a);
    wire [OUT_WIDTH-1:0] wide_b = SIGNED1 ? OUT_WIDTH'($signed(b)) : OUT_WIDTH'(b);
    assign out_data_o[p*OUT_WIDTH +: OUT_WIDTH] = second ? wide_b : wide_a;
  end
endmodule

`default_nettype wire
