// Broadcast: a vector repeated for every position of a map.
//
//   in    frames of WORDS words
//   out   [copy][word],  copy < COPIES
//
//   throughput  one word per cycle: WORDS*COPIES cycles for a frame, no gaps; the words are taken during the first copy
//   latency     1 cycle
//   storage     the vector, in LUT RAM; a single word stays in the output register
`default_nettype none

module sf_replicate #(
  parameter int WIDTH  = 8,
  parameter int WORDS  = 4,
  parameter int COPIES = 16
) (
  input  wire              clk_i,
  input  wire              rst_ni,
  input  wire  [WIDTH-1:0] in_data_i,
  input  wire              in_valid_i,
  output wire              in_ready_o,
  output wire  [WIDTH-1:0] out_data_o,
  output wire              out_valid_o,
  input  wire              out_ready_i
);
  if (WORDS < 1)  $error("sf_replicate: WORDS = %0d, must be >= 1", WORDS);
  if (COPIES < 1) $error("sf_replicate: COPIES = %0d, must be >= 1", COPIES);

  localparam int AW = WORDS > 1 ? $clog2(WORDS) : 1;
  localparam int CW = COPIES > 1 ? $clog2(COPIES) : 1;

  logic [AW-1:0]    word_q;
  logic [CW-1:0]    copy_q;
  logic             out_valid_q;
  logic [WIDTH-1:0] out_q, stored;

  wire fresh   = copy_q == '0;
  wire advance = !out_valid_q || out_ready_i;
  wire step    = advance && (!fresh || in_valid_i);
  wire last    = word_q == AW'(WORDS - 1);
  assign in_ready_o = advance && fresh;

  if (WORDS > 1) begin : gen_memory
    (* ram_style = "distributed" *) logic [WIDTH-1:0] vector_q [WORDS];
    always_ff @(posedge clk_i) if (step && fresh) vector_q[word_q] <= in_data_i;
    assign stored = vector_q[word_q];
  end else begin : gen_register
    assign stored = out_q;
  end

  always_ff @(posedge clk_i) begin
    if (advance) out_q <= fresh ? in_data_i : stored;
    if (!rst_ni) begin
      out_valid_q <= 1'b0;
      word_q      <= '0;
      copy_q      <= '0;
    end else begin
      if (advance) out_valid_q <= step;
      if (step) word_q <= last ? '0 : word_q + 1'b1;
      if (step && last) copy_q <= copy_q == CW'(COPIES - 1) ? '0 : copy_q + 1'b1;
    end
  end
  assign out_data_o  = out_q;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
