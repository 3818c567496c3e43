// FIFO with first-word fall-through.
//
//   latency     1 cycle from push to visible at the output (2 cycles when BLOCK = 1)
//   throughput  1 word/cycle; holds exactly DEPTH words
//   storage     BLOCK = 0: LUT RAM (asynchronous read), BLOCK = 1: block RAM
//
// in_ready_o does not depend on out_ready_i: the FIFO breaks the ready chain. It does not count or report its fill
// level.
`default_nettype none

module sf_fifo #(
  parameter int WIDTH = 8,
  parameter int DEPTH = 2,
  parameter bit BLOCK = 1'b0
) (
  input  wire              clk_i,
  input  wire              rst_ni,
  input  wire [WIDTH-1:0]  in_data_i,
  input  wire              in_valid_i,
  output wire              in_ready_o,
  output wire [WIDTH-1:0]  out_data_o,
  output wire              out_valid_o,
  input  wire              out_ready_i
);
  if (WIDTH < 1) $error("sf_fifo: WIDTH = %0d, must be >= 1", WIDTH);
  if (DEPTH < 2) $error("sf_fifo: DEPTH = %0d, must be >= 2", DEPTH);

  localparam int PW = DEPTH > 2 ? $clog2(DEPTH) : 1;
  localparam int CW = $clog2(DEPTH + 1);
  localparam logic [PW-1:0] LAST = PW'(DEPTH - 1);
  localparam bit WRAPS = DEPTH != 2**PW;  // else the pointers do so by themselves

  (* ram_style = BLOCK ? "block" : "distributed" *)
  logic [WIDTH-1:0] mem_q [DEPTH];
  logic [PW-1:0] wr_q, rd_q, rd_d;
  logic [CW-1:0] count_q;

  wire push = in_valid_i && in_ready_o;
  wire pop  = out_valid_o && out_ready_i;

  assign in_ready_o = count_q != CW'(DEPTH);
  assign rd_d = !pop ? rd_q : WRAPS && rd_q == LAST ? '0 : rd_q + 1'b1;

  always_ff @(posedge clk_i) begin
    if (push) mem_q[wr_q] <= in_data_i;
    if (!rst_ni) begin
      wr_q    <= '0;
      rd_q    <= '0;
      count_q <= '0;
    end else begin
      if (push) wr_q <= WRAPS && wr_q == LAST ? '0 : wr_q + 1'b1;
      if (pop) rd_q <= rd_d;
      if (push && !pop) count_q <= count_q + 1'b1;
      if (pop && !push) count_q <= count_q - 1'b1;
    end
  end

  if (BLOCK) begin : gen_block
    logic [WIDTH-1:0] data_q;
    logic             valid_q;
    always_ff @(posedge clk_i) begin
      data_q  <= mem_q[rd_d];
      valid_q <= rst_ni && count_q != CW'(pop);  // words written before this cycle and still there
    end
    assign out_data_o  = data_q;
    assign out_valid_o = valid_q;
  end else begin : gen_distributed
    assign out_data_o  = mem_q[rd_q];
    assign out_valid_o = count_q != '0;
  end
endmodule

`default_nettype wire
