// The status page: what runs here, whether it moves, how fast. Registers of 32 bits, byte offsets; all others read 0.
//
//   00 MAGIC "SGNF"   04 VERSION   08..14 HASH0..3 (HASH0 = top 32 bits)   18 CLOCK_KHZ
//   1C CONTROL (write) bit 0: soft reset for 16 cycles; bit 1: clear counters and sticky flags
//   20 STATUS bit 0: frames in flight; 1: input offered and not taken; 2: output offered and not taken;
//             sticky 8: LAST_EARLY (packet ended inside a frame), 9: OVERRUN (of the link)
//   24 FRAMES_IN, 28 FRAMES_OUT: whole frames since clear, modulo 2^32
//   2C CYCLES_LO, 30 CYCLES_HI: from the first beat taken since clear to the last beat of the latest frame given;
//             reading LO keeps the HI that belongs to it
//   34 IN_STALL, 38 OUT_STALL: cycles with valid and not ready since clear, stopping at 2^32 - 1
//   3C LATENCY: from the first beat in since clear to the last beat out of the first frame since clear
//   40 SCRATCH   44 LINK_ERRORS: as counted by the link, since clear
//
//   latency 0: reg_rdata_o follows reg_addr_i in the same cycle; what happens in a cycle is counted in the next
//   throughput: one read or write per cycle
//
// A soft reset does not clear the page. It does not check that a clear comes while nothing is in flight: what moves in
// the very cycle of a clear is not counted, frames begun before it and given after it are counted as given.
`default_nettype none

module sf_status_page #(
  parameter logic [127:0] HASH      = '0,
  parameter int           CLOCK_KHZ = 100000
) (
  input  wire         clk_i,
  input  wire         rst_ni,
  // register bus
  input  wire  [7:0]  reg_addr_i,
  input  wire         reg_read_i,
  input  wire         reg_write_i,
  input  wire  [31:0] reg_wdata_i,
  output logic [31:0] reg_rdata_o,
  output wire         soft_reset_o,
  // the two streams, as seen from outside
  input  wire         in_valid_i,
  input  wire         in_ready_i,
  input  wire         out_valid_i,
  input  wire         out_ready_i,
  // one cycle each: the last beat of a frame is taken; is given; a packet ended inside a frame
  input  wire         frame_in_i,
  input  wire         frame_out_i,
  input  wire         early_i,
  input  wire         busy_i,                 // frames in flight
  input  wire  [31:0] link_errors_i,
  input  wire         link_overrun_i
);
  localparam logic [31:0] MAGIC = 32'h53474E46, VERSION = 32'd1;
  localparam logic [4:0]  RESET_CYCLES = 5'd16;
  localparam logic [5:0] CONTROL = 6'h07, CYCLES_LO = 6'h0B, SCRATCH = 6'h10;  // offsets / 4

  if (CLOCK_KHZ < 1) $error("sf_status_page: CLOCK_KHZ = %0d, must be >= 1", CLOCK_KHZ);

  logic [4:0]  reset_q;
  logic [31:0] frames_in_q, frames_out_q, in_stall_q, out_stall_q, latency_q, scratch_q, errors_q, high_q;
  logic [63:0] time_q, cycles_q;              // since the first beat taken; the same when the latest frame was given
  logic        started_q, early_q, overrun_q;

  wire [5:0] place   = reg_addr_i[7:2];
  wire       control = reg_write_i && place == CONTROL;
  wire       clear   = control && reg_wdata_i[1];
  wire       in_wait = in_valid_i && !in_ready_i, out_wait = out_valid_i && !out_ready_i;
  wire       unused  = &{1'b0, reg_addr_i[1:0]};

  assign soft_reset_o = reset_q != '0;

  always_comb
    case (place)
      6'h00:     reg_rdata_o = MAGIC;
      6'h01:     reg_rdata_o = VERSION;
      6'h02:     reg_rdata_o = HASH[127:96];
      6'h03:     reg_rdata_o = HASH[95:64];
      6'h04:     reg_rdata_o = HASH[63:32];
      6'h05:     reg_rdata_o = HASH[31:0];
      6'h06:     reg_rdata_o = 32'(CLOCK_KHZ);
      6'h08:     reg_rdata_o = {22'b0, overrun_q, early_q, 5'b0, out_wait, in_wait, busy_i};
      6'h09:     reg_rdata_o = frames_in_q;
      6'h0A:     reg_rdata_o = frames_out_q;
      CYCLES_LO: reg_rdata_o = cycles_q[31:0];
      6'h0C:     reg_rdata_o = high_q;
      6'h0D:     reg_rdata_o = in_stall_q;
      6'h0E:     reg_rdata_o = out_stall_q;
      6'h0F:     reg_rdata_o = latency_q;
      SCRATCH:   reg_rdata_o = scratch_q;
      6'h11:     reg_rdata_o = link_errors_i - errors_q;
      default:   reg_rdata_o = '0;
    endcase

  always_ff @(posedge clk_i) begin
    if (!rst_ni) reset_q <= '0;
    else if (control && reg_wdata_i[0]) reset_q <= RESET_CYCLES;
    else if (soft_reset_o) reset_q <= reset_q - 1'b1;

    if (!rst_ni) scratch_q <= '0;
    else if (reg_write_i && place == SCRATCH) scratch_q <= reg_wdata_i;

    if (!rst_ni) errors_q <= '0;              // the link's count at the last clear
    else if (clear) errors_q <= link_errors_i;

    if (!rst_ni) high_q <= '0;
    else if (reg_read_i && place == CYCLES_LO) high_q <= cycles_q[63:32];

    early_q   <= rst_ni && (early_i || (early_q && !clear));          // an error is never lost to a clear
    overrun_q <= rst_ni && (link_overrun_i || (overrun_q && !clear));
    if (!rst_ni || clear) begin
      {frames_in_q, frames_out_q, latency_q} <= '0;
      {in_stall_q, out_stall_q}              <= '0;
      {time_q, cycles_q, started_q}          <= '0;
    end else begin
      if (in_valid_i && in_ready_i) started_q <= 1'b1;
      if (started_q || (in_valid_i && in_ready_i)) time_q <= time_q + 1'b1;
      if (frame_in_i) frames_in_q <= frames_in_q + 1'b1;
      if (frame_out_i) begin
        frames_out_q <= frames_out_q + 1'b1;
        cycles_q     <= time_q;
        if (latency_q == '0) latency_q <= time_q[31:0];
      end
      if (in_wait && in_stall_q != '1) in_stall_q <= in_stall_q + 1'b1;
      if (out_wait && out_stall_q != '1) out_stall_q <= out_stall_q + 1'b1;
    end
  end
endmodule

`default_nettype wire
