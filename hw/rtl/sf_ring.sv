// Ring of words for sf_swg.sv: one is written, another one read, or in its place a constant.
//
//   word_o      after a cycle with read_i = 1: the word at read_addr_i, with masked_i = 1 border_i; kept meanwhile
//   throughput  one word in and one word out a cycle
//   latency     1 cycle; a word can be read in the cycle after it was written
//
// BLOCK = 1 puts the words into block RAM, else they lie in LUT RAM. Nothing keeps them from being overwritten. A word
// that is read in the cycle in which it is written is not known (`no_rw_check`): to see to that costs the block RAMs of
// an ECP5 a register and a multiplexer behind them.
`default_nettype none

module sf_ring #(
  parameter int  WIDTH = 8,
  parameter int  DEPTH = 16,
  parameter bit  BLOCK = 1'b0,
  localparam int AW    = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
  input  wire             clk_i,
  input  wire             write_i,
  input  wire    [AW-1:0] write_addr_i,
  input  wire [WIDTH-1:0] word_i,
  input  wire             read_i,
  input  wire    [AW-1:0] read_addr_i,
  input  wire             masked_i,
  input  wire [WIDTH-1:0] border_i,
  output wire [WIDTH-1:0] word_o
);
  if (WIDTH < 1 || DEPTH < 1) $error("sf_ring: WIDTH = %0d, DEPTH = %0d, must be >= 1", WIDTH, DEPTH);

  if (BLOCK) begin : gen_block
    (* ram_style = "block", no_rw_check *) logic [WIDTH-1:0] ring_q [DEPTH];
    logic [WIDTH-1:0] pixel_q, border_q;
    logic             masked_q;
    always_ff @(posedge clk_i) if (write_i) ring_q[write_addr_i] <= word_i;
    always_ff @(posedge clk_i) if (read_i) pixel_q <= ring_q[read_addr_i];
    always_ff @(posedge clk_i) if (read_i) {masked_q, border_q} <= {masked_i, border_i};
    assign word_o = masked_q ? border_q : pixel_q;
  end else begin : gen_distributed
    (* ram_style = "distributed" *) logic [WIDTH-1:0] ring_q [DEPTH];
    logic [WIDTH-1:0] word_q;
    always_ff @(posedge clk_i) if (write_i) ring_q[write_addr_i] <= word_i;
    always_ff @(posedge clk_i) if (read_i) word_q <= masked_i ? border_i : ring_q[read_addr_i];
    assign word_o = word_q;
  end
endmodule

`default_nettype wire
