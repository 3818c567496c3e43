// Every register of sf_status_page says what its header says. With ANY it is not reset, but wakes up in any state of
// the registers that a host may read: some take years to reach from a reset, and a fault there would leave no trace.
//
//   case
//   case ANY=1
//
//   mutant early_i || (early_q && !clear) => early_i || early_q
//   mutant in_stall_q <= in_stall_q + 1'b1 => in_stall_q <= in_stall_q + 2'd2
//   mutant if (latency_q == '0) latency_q => latency_q
//   mutant if (frame_in_i) frames_in_q => if (frame_out_i) frames_in_q
//   mutant cycles_q     <= time_q => cycles_q     <= time_q + 1'b1
//   mutant reg_wdata_i[0]) reset_q => reg_wdata_i[1]) reset_q
`default_nettype none

module prove_status_page #(
  parameter bit ANY = 1'b0
) (
  input wire        clk_i,
  input wire  [7:0] addr_i,
  input wire        read_i,
  input wire        write_i,
  input wire [31:0] wdata_i,
  input wire        in_valid_i, in_ready_i, out_valid_i, out_ready_i,
  input wire        frame_in_i, frame_out_i, early_i, busy_i, overrun_i,
  input wire [31:0] errors_i
);
  wire rst_n, soft_reset;
  wire reset_n = ANY || rst_n;
  wire [31:0] rdata;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_status_page #(.HASH(128'h8123456789abcdef_fedcba99f6543211), .CLOCK_KHZ(25000)) i_page (
    .clk_i, .rst_ni(reset_n), .reg_addr_i(addr_i), .reg_read_i(read_i), .reg_write_i(write_i), .reg_wdata_i(wdata_i),
    .reg_rdata_o(rdata), .soft_reset_o(soft_reset), .in_valid_i, .in_ready_i, .out_valid_i, .out_ready_i, .frame_in_i,
    .frame_out_i, .early_i, .busy_i, .link_errors_i(errors_i), .link_overrun_i(overrun_i));

  wire clear = write_i && addr_i[7:2] == 6'h07 && wdata_i[1];
  logic [31:0] in_q, out_q, waits_in_q, waits_out_q, latency_q, scratch_q, base_q, high_q;
  logic [63:0] now_q, last_q;
  logic [4:0]  reset_q;
  logic        begun_q, early_q, overrun_q;
  wire begins = begun_q || (in_valid_i && in_ready_i);
  always_ff @(posedge clk_i)
    if (!reset_n) begin
      {in_q, out_q, waits_in_q, waits_out_q, latency_q, scratch_q, base_q, high_q} <= '0;
      {now_q, last_q, reset_q, begun_q, early_q, overrun_q} <= '0;
    end else begin
      reset_q <= write_i && addr_i[7:2] == 6'h07 && wdata_i[0] ? 5'd16 : reset_q - 5'(reset_q != '0);
      if (write_i && addr_i[7:2] == 6'h10) scratch_q <= wdata_i;
      if (read_i && addr_i[7:2] == 6'h0b) high_q <= last_q[63:32];
      if (clear) base_q <= errors_i;
      early_q   <= early_i || (early_q && !clear);
      overrun_q <= overrun_i || (overrun_q && !clear);
      if (clear) {in_q, out_q, waits_in_q, waits_out_q, latency_q, now_q, last_q, begun_q} <= '0;
      else begin
        begun_q <= begins;
        now_q   <= now_q + 64'(begins);
        in_q    <= in_q + 32'(frame_in_i);
        out_q   <= out_q + 32'(frame_out_i);
        if (frame_out_i) last_q <= now_q;
        if (frame_out_i && latency_q == '0) latency_q <= now_q[31:0];
        if (waits_in_q != '1) waits_in_q <= waits_in_q + 32'(in_valid_i && !in_ready_i);
        if (waits_out_q != '1) waits_out_q <= waits_out_q + 32'(out_valid_i && !out_ready_i);
      end
    end

  logic [31:0] want;
  always_comb
    case ({addr_i[7:2], 2'b00})
      8'h00: want = "SGNF";
      8'h04: want = 32'd1;
      8'h08: want = 32'h81234567;
      8'h0c: want = 32'h89abcdef;
      8'h10: want = 32'hfedcba99;
      8'h14: want = 32'hf6543211;
      8'h18: want = 32'd25000;
      8'h20: want = {22'd0, overrun_q, early_q, 5'd0, out_valid_i && !out_ready_i, in_valid_i && !in_ready_i, busy_i};
      8'h24: want = in_q;
      8'h28: want = out_q;
      8'h2c: want = last_q[31:0];
      8'h30: want = high_q;
      8'h34: want = waits_in_q;
      8'h38: want = waits_out_q;
      8'h3c: want = latency_q;
      8'h40: want = scratch_q;
      8'h44: want = errors_i - base_q;
      default: want = '0;
    endcase
  wire same = i_page.frames_in_q == in_q && i_page.frames_out_q == out_q && i_page.in_stall_q == waits_in_q
              && i_page.out_stall_q == waits_out_q && i_page.latency_q == latency_q && i_page.time_q == now_q
              && i_page.scratch_q == scratch_q && i_page.errors_q == base_q && i_page.high_q == high_q
              && i_page.cycles_q == last_q && i_page.started_q == begun_q && i_page.early_q == early_q
              && i_page.overrun_q == overrun_q && i_page.reset_q == reset_q;
  always_comb if (ANY && !rst_n) assume (same && reset_q <= 5'd16);
  always_comb
    if (rst_n) begin
      value:  assert (rdata == want);
      resets: assert (soft_reset == (reset_q != '0));
      help_same: assert (same);
      reach_a_latency: assert (latency_q == '0);
    end
endmodule

`default_nettype wire
