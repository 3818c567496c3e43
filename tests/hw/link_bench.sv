// sf_serial_link between the pins of a ULX3S top and something simple: every byte comes back inverted, and eight
// registers.
//
//   registers   0: 1 stops the way back   4: writes to 8 so far   8: scratch   16: reads of 8 so far
//               20: link errors   24: overruns   others: bytes delivered
`default_nettype none

module link_bench #(
  parameter int CLOCKS_PER_BIT = 8,
  parameter int IN_DEPTH = 8192,
  parameter int OUT_DEPTH = 2048
) (
  input  wire         clk_25mhz,
  input  wire         ftdi_txd,
  output wire         ftdi_rxd,
  output wire [31:0]  errors_o,
  output logic [31:0] overruns_q,
  output logic [31:0] delivered_q
);
  logic [3:0] age_q = '0;
  wire clk = clk_25mhz, rst_n = age_q == '1;
  always_ff @(posedge clk) if (!rst_n) age_q <= age_q + 1'b1;

  wire [7:0]  there, back, address;
  wire        there_valid, there_ready, there_last, back_valid, back_ready, back_last, read, write, overrun;
  wire [31:0] wdata, errors;
  logic [31:0] rdata, stop_q, scratch_q, writes_q, reads_q;

  sf_serial_link #(.CLOCKS_PER_BIT(CLOCKS_PER_BIT), .IN_DEPTH(IN_DEPTH), .OUT_DEPTH(OUT_DEPTH)) i_link (
    .clk_i(clk), .rst_ni(rst_n), .rx_i(ftdi_txd), .tx_o(ftdi_rxd),
    .out_data_o(there), .out_valid_o(there_valid), .out_ready_i(there_ready), .out_last_o(there_last),
    .in_data_i(back), .in_valid_i(back_valid), .in_ready_o(back_ready), .in_last_i(back_last),
    .reg_addr_o(address), .reg_read_o(read), .reg_write_o(write), .reg_wdata_o(wdata), .reg_rdata_i(rdata),
    .link_errors_o(errors), .link_overrun_o(overrun)
  );
  assign errors_o = errors;

  wire there_ready_free;
  sf_fifo #(.WIDTH(9), .DEPTH(4)) i_way (
    .clk_i(clk), .rst_ni(rst_n),
    .in_data_i({there_last, ~there}), .in_valid_i(there_valid && !stop_q[0]), .in_ready_o(there_ready_free),
    .out_data_o({back_last, back}), .out_valid_o(back_valid), .out_ready_i(back_ready)
  );

  assign there_ready = there_ready_free && !stop_q[0];

  always_comb
    case (address)
      8'd0:    rdata = stop_q;
      8'd4:    rdata = writes_q;
      8'd8:    rdata = scratch_q;
      8'd16:   rdata = reads_q;
      8'd20:   rdata = errors;
      8'd24:   rdata = overruns_q;
      default: rdata = delivered_q;
    endcase

  always_ff @(posedge clk) begin
    if (write && address == 8'd0) stop_q <= wdata;
    if (write && address == 8'd8) {scratch_q, writes_q} <= {wdata, writes_q + 1'b1};
    if (read && address == 8'd8) reads_q <= reads_q + 1'b1;
    if (overrun) overruns_q <= overruns_q + 1'b1;
    if (there_valid && there_ready) delivered_q <= delivered_q + 1'b1;
    if (!rst_n) {stop_q, scratch_q, writes_q, reads_q, overruns_q, delivered_q} <= '0;
  end
endmodule

`default_nettype wire
