// Sums of every channel over POSITIONS positions: a whole map, or window by window behind a generator of windows.
//
//   in    [position][word], elements of WIDTH bits, PE of them in a word
//   out   [word]:  out[w][e] = sum over the positions of in[position][w][e]      exact: OUT_WIDTH must hold every sum
//
//   throughput  one word per cycle: POSITIONS*WORDS cycles for a sum of every channel, no gaps
//   latency     1 cycle from a word of the last position to its sums
//   storage     one sum for each channel, in LUT RAM, or in registers if a vector is one word
`default_nettype none

module sf_accpool #(
  parameter int PE        = 1,
  parameter int WORDS     = 4,
  parameter int POSITIONS = 16,
  parameter int WIDTH     = 5,
  parameter bit IS_SIGNED = 1'b1,
  parameter int OUT_WIDTH = 9
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
  if (WORDS < 1)         $error("sf_accpool: WORDS = %0d, must be >= 1", WORDS);
  if (POSITIONS < 1)     $error("sf_accpool: POSITIONS = %0d, must be >= 1", POSITIONS);
  if (OUT_WIDTH < WIDTH) $error("sf_accpool: OUT_WIDTH = %0d is less than WIDTH = %0d", OUT_WIDTH, WIDTH);

  localparam int AW = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam int NW = POSITIONS > 1 ? $clog2(POSITIONS) : 1;

  logic [AW-1:0]           word_q;
  logic [NW-1:0]           position_q;
  logic                    out_valid_q;
  logic [PE*OUT_WIDTH-1:0] out_q, sums, held;

  assign in_ready_o = !out_valid_q || out_ready_i;
  wire take  = in_valid_i && in_ready_o;
  wire first = position_q == '0;
  wire last  = position_q == NW'(POSITIONS - 1);
  wire last_word = word_q == AW'(WORDS - 1);

  if (WORDS > 1) begin : gen_memory
    (* ram_style = "distributed" *) logic [PE*OUT_WIDTH-1:0] sums_q [WORDS];
    always_ff @(posedge clk_i) if (take) sums_q[word_q] <= sums;
    assign held = sums_q[word_q];
  end else begin : gen_register
    logic [PE*OUT_WIDTH-1:0] sums_q;
    always_ff @(posedge clk_i) if (take) sums_q <= sums;
    assign held = sums_q;
  end

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [WIDTH-1:0]     x = in_data_i[p*WIDTH +: WIDTH];
    wire [OUT_WIDTH-1:0] wide = IS_SIGNED ? OUT_WIDTH'($signed(x)) : OUT_WIDTH'(x);
    assign sums[p*OUT_WIDTH +: OUT_WIDTH] = wide + (first ? '0 : held[p*OUT_WIDTH +: OUT_WIDTH]);
  end

  always_ff @(posedge clk_i) begin
    if (in_ready_o) out_q <= sums;
    if (!rst_ni) begin
      out_valid_q <= 1'b0;
      word_q      <= '0;
      position_q  <= '0;
    end else begin
      if (in_ready_o) out_valid_q <= take && last;
      if (take) word_q <= last_word ? '0 : word_q + 1'b1;
      if (take && last_word) position_q <= last ? '0 : position_q + 1'b1;
    end
  end
  assign out_data_o  = out_q;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
