// Every request that sf_axi_lite takes is done once on the register bus and answered once, in order; no output waits
// for an input combinationally, and none waits for ever.
//
//   case
//
//   free aw_ready, w_ready, ar_ready, b_valid, r_valid of aw_valid_i, w_valid_i, ar_valid_i, b_ready_i, r_ready_i
//
//   mutant aw_full_q && w_full_q && !b_valid_q => aw_full_q && w_full_q
//   mutant ar_full_q && !r_valid_q && !write => ar_full_q && !r_valid_q
//   mutant write ? aw_addr_q : ar_addr_q => read ? aw_addr_q : ar_addr_q
//   mutant write && &w_strb_q => write
//   mutant !(&w_strb_q) && |w_strb_q => !(&w_strb_q)
//   mutant b_valid_q ? !b_ready_i : write => b_valid_q ? 1'b0 : write
`default_nettype none

module prove_axi_lite (
  input wire        clk_i,
  input wire  [2:0] aw_addr_i,
  input wire        aw_valid_i,
  input wire [31:0] w_data_i,
  input wire  [3:0] w_strb_i,
  input wire        w_valid_i,
  input wire        b_ready_i,
  input wire  [2:0] ar_addr_i,
  input wire        ar_valid_i,
  input wire        r_ready_i,
  input wire [31:0] reg_rdata_i
);
  wire rst_n, aw_ready, w_ready, b_valid, ar_ready, r_valid, read, write;
  wire [1:0] b_resp, r_resp;
  wire [31:0] r_data, wdata;
  wire [2:0] addr;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_axi_lite #(.ADDR_BITS(3)) i_axi (
    .clk_i, .rst_ni(rst_n), .aw_addr_i, .aw_valid_i, .aw_ready_o(aw_ready), .w_data_i, .w_strb_i, .w_valid_i,
    .w_ready_o(w_ready), .b_resp_o(b_resp), .b_valid_o(b_valid), .b_ready_i, .ar_addr_i, .ar_valid_i,
    .ar_ready_o(ar_ready), .r_data_o(r_data), .r_resp_o(r_resp), .r_valid_o(r_valid), .r_ready_i,
    .reg_addr_o(addr), .reg_read_o(read), .reg_write_o(write), .reg_wdata_o(wdata), .reg_rdata_i);

  steady #(.WIDTH(2)) i_b (.clk_i, .rst_ni(rst_n), .data_i(b_resp), .valid_i(b_valid), .ready_i(b_ready_i));
  steady #(.WIDTH(34)) i_r (.clk_i, .rst_ni(rst_n), .data_i({r_resp, r_data}), .valid_i(r_valid), .ready_i(r_ready_i));

  // what was taken and is not yet done; whether an answer is due, and which
  logic aw_q, w_q, ar_q, b_q, r_q, b_error_q;
  logic [2:0]  aw_addr_q, ar_addr_q;
  logic [31:0] data_q, r_data_q;
  logic [3:0]  strb_q;
  wire takes_aw = aw_valid_i && aw_ready, takes_w = w_valid_i && w_ready, takes_ar = ar_valid_i && ar_ready;
  wire does_write = aw_q && w_q && !b_q;   // with all, some or no strobes
  wire does_read  = ar_q && !r_q && !does_write;
  always_ff @(posedge clk_i)
    if (!rst_n) {aw_q, w_q, ar_q, b_q, r_q} <= '0;
    else begin
      if (takes_aw) {aw_q, aw_addr_q} <= {1'b1, aw_addr_i};
      else if (does_write) aw_q <= 1'b0;
      if (takes_w) {w_q, data_q, strb_q} <= {1'b1, w_data_i, w_strb_i};
      else if (does_write) w_q <= 1'b0;
      if (takes_ar) {ar_q, ar_addr_q} <= {1'b1, ar_addr_i};
      else if (does_read) ar_q <= 1'b0;
      if (does_write) {b_q, b_error_q} <= {1'b1, strb_q != 4'hf && strb_q != 4'h0};
      else if (b_valid && b_ready_i) b_q <= 1'b0;
      if (does_read) {r_q, r_data_q} <= {1'b1, reg_rdata_i};
      else if (r_valid && r_ready_i) r_q <= 1'b0;
    end

  always_comb
    if (rst_n) begin
      one_at_a_time: assert (!(takes_aw && aw_q) && !(takes_w && w_q) && !(takes_ar && ar_q));
      takes: assert (aw_ready == !aw_q && w_ready == !w_q && ar_ready == !ar_q);
      writes: assert (write == (does_write && strb_q == 4'hf) && (!write || (addr == aw_addr_q && wdata == data_q)));
      reads: assert (read == does_read && (!read || addr == ar_addr_q));
      answers: assert (b_valid == b_q && r_valid == r_q && (!b_valid || b_resp == {b_error_q, 1'b0})
                       && (!r_valid || (r_resp == 2'b00 && r_data == r_data_q)));
      reach_both: assert (!(b_valid && r_valid && aw_q && ar_q));
    end

  logic [1:0] waits_q;  // cycles that a read waits with room for its answer
  always_ff @(posedge clk_i) waits_q <= !rst_n || !ar_q || r_q || does_read ? '0 : waits_q + 2'(waits_q != '1);
  always_comb if (rst_n) reads_soon: assert (waits_q <= 2'd1);
endmodule

`default_nettype wire
