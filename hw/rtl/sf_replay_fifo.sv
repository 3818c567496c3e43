// FIFO in block RAM with second thoughts on both sides: what was written can be taken back until it is committed, what
// was read can be read again until it is released.
//
//   positions   words since clear_i, modulo 2^16: tail_o (released) <= read_o <= head_o (committed) <= next write
//   latency     2 cycles from commit to visible at the output
//   throughput  1 word/cycle; holds exactly DEPTH words from tail_o to the next write
//
// commit_i takes a word pushed in the same cycle with it; rollback_i does not and wins over push_i. release_i frees the
// words before release_to_i, rewind_i reads on from there; the caller keeps tail <= release_to_i <= read. A push while
// full_o is lost. With release_i = 1 and release_to_i = read_o it is a plain FIFO to its reader.
`default_nettype none

module sf_replay_fifo #(
  parameter int WIDTH = 9,
  parameter int DEPTH = 2048
) (
  input  wire              clk_i,
  input  wire              rst_ni,
  input  wire              clear_i,
  // write
  input  wire [WIDTH-1:0]  in_data_i,
  input  wire              in_push_i,
  input  wire              commit_i,
  input  wire              rollback_i,
  output wire              full_o,
  // read
  output wire [WIDTH-1:0]  out_data_o,
  output wire              out_valid_o,
  input  wire              out_pop_i,
  input  wire              release_i,
  input  wire              rewind_i,
  input  wire [15:0]       release_to_i,
  // where everything is
  output wire [15:0]       head_o,
  output wire [15:0]       read_o,
  output wire [15:0]       tail_o
);
  if (WIDTH < 1) $error("sf_replay_fifo: WIDTH = %0d, must be >= 1", WIDTH);
  if (DEPTH < 4 || DEPTH > 32768 || 2**$clog2(DEPTH) != DEPTH)
    $error("sf_replay_fifo: DEPTH = %0d, must be a power of two from 4 to 32768", DEPTH);

  localparam int AW = $clog2(DEPTH);

  (* ram_style = "block", no_rw_check *)
  logic [WIDTH-1:0] mem_q [DEPTH];
  logic [15:0]      write_q, head_q, read_q, tail_q, write_d, read_d;
  logic [WIDTH-1:0] data_q;
  logic             valid_q;

  wire push = in_push_i && !full_o && !rollback_i;
  wire pop  = out_pop_i && valid_q;

  assign full_o  = write_q - tail_q == 16'(DEPTH);
  // push and pop come late: they only choose
  assign write_d = rollback_i ? head_q : push ? write_q + 1'b1 : write_q;
  assign read_d  = rewind_i ? release_to_i : pop ? read_q + 1'b1 : read_q;

  always_ff @(posedge clk_i) begin
    if (push) mem_q[write_q[AW-1:0]] <= in_data_i;
    data_q <= mem_q[read_d[AW-1:0]];
  end

  always_ff @(posedge clk_i)
    if (!rst_ni || clear_i) begin
      write_q <= '0;
      head_q  <= '0;
      read_q  <= '0;
      tail_q  <= '0;
      valid_q <= 1'b0;
    end else begin
      write_q <= write_d;
      if (commit_i) head_q <= write_d;
      read_q  <= read_d;
      if (release_i) tail_q <= release_to_i;
      // read_d != head_q: committed before this cycle
      valid_q <= rewind_i ? release_to_i != head_q : pop ? read_q + 16'd1 != head_q : read_q != head_q;
    end

  assign out_data_o  = data_q;
  assign out_valid_o = valid_q;
  assign head_o = head_q;
  assign read_o = read_q;
  assign tail_o = tail_q;
endmodule

`default_nettype wire
