// AXI4-Lite subordinate to a register bus of 32 bit words: one access a cycle, data in the same cycle.
//
//   a write happens once address and data are there, in whichever order they came; a read once its address is there
//   latency     2 cycles from the last of address and data to B, 2 cycles from AR to R
//   throughput  a write every 2 cycles and a read every 2 cycles; when both want the bus the write goes first, and as
//               it then needs at least a cycle to refill, the read goes next: none waits for ever
//
// All outputs come from registers alone (no path from an input to an output, as AXI demands). Writes with all byte
// strobes are done, with none are answered OKAY and do nothing, with some are refused with SLVERR and do nothing. It
// does not decode addresses: an offset without a register reads what the bus gives, with OKAY. It ignores AxPROT.
`default_nettype none

module sf_axi_lite #(
  parameter int ADDR_BITS = 8
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  // write address, write data, write response
  input  wire  [ADDR_BITS-1:0] aw_addr_i,
  input  wire                  aw_valid_i,
  output wire                  aw_ready_o,
  input  wire  [31:0]          w_data_i,
  input  wire  [3:0]           w_strb_i,
  input  wire                  w_valid_i,
  output wire                  w_ready_o,
  output wire  [1:0]           b_resp_o,
  output wire                  b_valid_o,
  input  wire                  b_ready_i,
  // read address, read data
  input  wire  [ADDR_BITS-1:0] ar_addr_i,
  input  wire                  ar_valid_i,
  output wire                  ar_ready_o,
  output wire  [31:0]          r_data_o,
  output wire  [1:0]           r_resp_o,
  output wire                  r_valid_o,
  input  wire                  r_ready_i,
  // register bus
  output wire  [ADDR_BITS-1:0] reg_addr_o,
  output wire                  reg_read_o,
  output wire                  reg_write_o,
  output wire  [31:0]          reg_wdata_o,
  input  wire  [31:0]          reg_rdata_i
);
  localparam logic [1:0] OKAY = 2'b00, SLVERR = 2'b10;

  if (ADDR_BITS < 3) $error("sf_axi_lite: ADDR_BITS = %0d, must be >= 3", ADDR_BITS);

  logic [ADDR_BITS-1:0] aw_addr_q, ar_addr_q;
  logic [31:0]          w_data_q, r_data_q;
  logic [3:0]           w_strb_q;
  logic                 aw_full_q, w_full_q, ar_full_q, b_valid_q, b_error_q, r_valid_q;

  wire write = aw_full_q && w_full_q && !b_valid_q;
  wire read  = ar_full_q && !r_valid_q && !write;

  assign aw_ready_o = !aw_full_q;
  assign w_ready_o  = !w_full_q;
  assign ar_ready_o = !ar_full_q;
  assign b_valid_o  = b_valid_q;
  assign b_resp_o   = b_error_q ? SLVERR : OKAY;
  assign r_valid_o  = r_valid_q;
  assign r_resp_o   = OKAY;
  assign r_data_o   = r_data_q;

  assign reg_addr_o  = write ? aw_addr_q : ar_addr_q;
  assign reg_write_o = write && &w_strb_q;
  assign reg_read_o  = read;
  assign reg_wdata_o = w_data_q;

  always_ff @(posedge clk_i) begin
    if (aw_ready_o) aw_addr_q <= aw_addr_i;
    if (ar_ready_o) ar_addr_q <= ar_addr_i;
    if (w_ready_o) begin
      w_data_q <= w_data_i;
      w_strb_q <= w_strb_i;
    end
    if (write) b_error_q <= !(&w_strb_q) && |w_strb_q;
    if (read) r_data_q <= reg_rdata_i;
    if (!rst_ni) begin
      aw_full_q <= 1'b0;
      w_full_q  <= 1'b0;
      ar_full_q <= 1'b0;
      b_valid_q <= 1'b0;
      r_valid_q <= 1'b0;
    end else begin
      aw_full_q <= aw_full_q ? !write : aw_valid_i;
      w_full_q  <= w_full_q ? !write : w_valid_i;
      ar_full_q <= ar_full_q ? !read : ar_valid_i;
      b_valid_q <= b_valid_q ? !b_ready_i : write;
      r_valid_q <= r_valid_q ? !r_ready_i : read;
    end
  end
endmodule

`default_nettype wire
