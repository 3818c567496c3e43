// More channels: at every position BEFORE words of a constant, the WORDS words of the input, AFTER of the constant.
//
//   in    [position][w < WORDS], PE elements of WIDTH bits in a word
//   out   [position][word], elements of OUT_WIDTH bits: those of the input, their sign extended where SIGNED = 1, and
//         VALUE in the others
//
//   throughput  one word per cycle: POSITIONS * (BEFORE + WORDS + AFTER) cycles for a frame
//   latency     0 cycles: no storage, a word stays at the input until the output has taken it
//
// The words in front are offered when the first word of their position is there, those behind after its last word.
// out_valid_o depends combinationally on in_valid_i, in_ready_o on out_ready_i.
`default_nettype none

module sf_pad_channels #(
  parameter int PE        = 1,
  parameter int WORDS     = 2,
  parameter int BEFORE    = 1,
  parameter int AFTER     = 1,
  parameter int WIDTH     = 4,
  parameter bit SIGNED    = 1'b1,
  parameter int OUT_WIDTH = 4,
  parameter int VALUE     = 0
) (
  input  wire                     clk_i,
  input  wire                     rst_ni,
  input  wire  [PE*WIDTH-1:0]     in_data_i,
  input  wire                     in_valid_i,
  output wire                     in_ready_o,
  output wire  [PE*OUT_WIDTH-1:0] out_data_o,
  output wire                     out_valid_o,
  input  wire                     out_ready_i
);
  if (PE < 1)    $error("sf_pad_channels: PE = %0d, must be >= 1", PE);
  if (WORDS < 1) $error("sf_pad_channels: WORDS = %0d, must be >= 1", WORDS);
  if (BEFORE < 0 || AFTER < 0 || BEFORE + AFTER < 1)
    $error("sf_pad_channels: BEFORE = %0d and AFTER = %0d, must be >= 0 and one of them >= 1", BEFORE, AFTER);
  if (OUT_WIDTH < WIDTH) $error("sf_pad_channels: OUT_WIDTH = %0d is less than WIDTH = %0d", OUT_WIDTH, WIDTH);

  localparam int ALL = BEFORE + WORDS + AFTER;
  localparam int AW  = $clog2(ALL);

  logic [AW-1:0] word_q;  // of the output, in its position
  wire  behind = 32'(word_q) >= BEFORE + WORDS;
  wire  own = !behind && (BEFORE == 0 || 32'(word_q) >= BEFORE);
  assign out_valid_o = in_valid_i || behind;
  assign in_ready_o  = out_ready_i && own;
  always_ff @(posedge clk_i)
    if (!rst_ni) word_q <= '0;
    else if (out_valid_o && out_ready_i) word_q <= word_q == AW'(ALL - 1) ? '0 : word_q + 1'b1;

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [WIDTH-1:0] x = in_data_i[p*WIDTH +: WIDTH];
    wire [OUT_WIDTH-1:0] wide = SIGNED ? OUT_WIDTH'($signed(x)) : OUT_WIDTH'(x);
    assign out_data_o[p*OUT_WIDTH +: OUT_WIDTH] = own ? wide : OUT_WIDTH'(VALUE);
  end
endmodule

`default_nettype wire
