// Interleaver: the words of PIXELS vectors side by side, or one vector behind the other again.
//
//   JOIN = 1   PIXELS vectors of WORDS words come  ->  WORDS words leave, word w = {vector PIXELS-1, ..., vector 0}[w]
//   JOIN = 0   the other way round
//
// VECTORS vectors are an image. Where PIXELS does not divide them, its last group is short: what stands in its words
// for the vectors it lacks means nothing with JOIN = 1, and is dropped with JOIN = 0.
//
//   throughput  one word a cycle on the narrow side, groups without gaps
//   latency     2 cycles from the last word of a group to the first that leaves
//
// Two halves of a LUT RAM for each vector of a group: one is filled while the other is read. A half is free the cycle
// after its last word was read.
`default_nettype none

module sf_interleave #(
  parameter int  WIDTH   = 8,
  parameter int  PIXELS  = 2,
  parameter int  WORDS   = 4,
  parameter int  VECTORS = 2 * PIXELS,
  parameter bit  JOIN    = 1'b1,
  localparam int IN_WIDTH  = JOIN ? WIDTH : PIXELS * WIDTH,
  localparam int OUT_WIDTH = JOIN ? PIXELS * WIDTH : WIDTH
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  input  wire  [IN_WIDTH-1:0]  in_data_i,
  input  wire                  in_valid_i,
  output wire                  in_ready_o,
  output wire  [OUT_WIDTH-1:0] out_data_o,
  output wire                  out_valid_o,
  input  wire                  out_ready_i
);
  if (WIDTH < 1 || WORDS < 1) $error("sf_interleave: WIDTH = %0d, WORDS = %0d, must be >= 1", WIDTH, WORDS);
  if (PIXELS < 2)             $error("sf_interleave: PIXELS = %0d, must be >= 2", PIXELS);
  if (VECTORS < PIXELS)       $error("sf_interleave: VECTORS = %0d, must be >= PIXELS = %0d", VECTORS, PIXELS);

  localparam int WW = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam int PW = $clog2(PIXELS);
  localparam int VW = $clog2(VECTORS);
  localparam bit SHORT = VECTORS % PIXELS != 0;  // the last group is

  logic [1:0] full_q;  // halves that are filled
  logic       valid_q;
  wire put = in_valid_i && in_ready_o;
  wire get = full_q != '0 && (!valid_q || out_ready_i);
  assign in_ready_o  = full_q != 2'd2;
  assign out_valid_o = valid_q;

  // ---- place of the word that comes, and of the one that leaves: its half, its vector where the side is narrow
  logic          put_half_q, get_half_q;
  logic [WW-1:0] put_word_q, get_word_q;
  logic [PW-1:0] pixel_q;  // of the narrow side
  wire vector;           // the last one of the image
  wire put_word = put_word_q == WW'(WORDS - 1);
  wire get_word = get_word_q == WW'(WORDS - 1);
  wire pixel    = pixel_q == PW'(PIXELS - 1) || SHORT && vector;
  wire next     = JOIN ? put && put_word : get && get_word;  // vector
  wire put_last = put && put_word && (!JOIN || pixel);
  wire get_last = get && get_word && (JOIN || pixel);

  always_ff @(posedge clk_i)
    if (!rst_ni) begin
      {put_half_q, get_half_q, put_word_q, get_word_q, pixel_q} <= '0;
      full_q  <= '0;
      valid_q <= 1'b0;
    end else begin
      if (put) put_word_q <= put_word ? '0 : put_word_q + 1'b1;
      if (get) get_word_q <= get_word ? '0 : get_word_q + 1'b1;
      if (next) pixel_q <= pixel ? '0 : pixel_q + 1'b1;
      put_half_q <= put_half_q ^ put_last;
      get_half_q <= get_half_q ^ get_last;
      full_q     <= full_q + 2'(put_last) - 2'(get_last);
      if (!valid_q || out_ready_i) valid_q <= get;
    end

  if (SHORT) begin : gen_short
    logic [VW-1:0] vector_q;
    assign vector = vector_q == VW'(VECTORS - 1);
    always_ff @(posedge clk_i)
      if (!rst_ni) vector_q <= '0;
      else if (next) vector_q <= vector ? '0 : vector_q + 1'b1;
  end else begin : gen_whole
    assign vector = 1'b0;
  end

  // ---- the words of each vector of a group
  wire [PIXELS-1:0][WIDTH-1:0] words;
  for (genvar m = 0; m < PIXELS; m++) begin : gen_vector
    (* ram_style = "distributed" *) logic [WIDTH-1:0] memory_q [2**(WW+1)];
    wire write = put && (!JOIN || pixel_q == PW'(m));
    always_ff @(posedge clk_i)
      if (write) memory_q[{put_half_q, put_word_q}] <= in_data_i[(JOIN ? 0 : m)*WIDTH +: WIDTH];
    assign words[m] = memory_q[{get_half_q, get_word_q}];
  end

  logic [OUT_WIDTH-1:0] data_q;
  assign out_data_o = data_q;
  always_ff @(posedge clk_i)
    if (!valid_q || out_ready_i) data_q <= JOIN ? OUT_WIDTH'(words) : OUT_WIDTH'(words[pixel_q]);
endmodule

`default_nettype wire
