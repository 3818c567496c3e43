// sf_serial_link, whatever its host sends: every request is answered, in its turn, with its own fields; registers are
// touched only by requests of this session, once each; results leave at the position that the reply says, and none is
// acknowledged that was not sent, as sf_replay_fifo wants it.
//
// Any requests come (assumed/sf_link_request.sv) and replies last as long as they like (assumed/sf_link_reply.sv). That
// requests are whole and replies end is proven beside those modules, and so are the buffers, the stuffing and the UART.
//
//   case
//
//   assumes sf_link_request
//   assumes sf_link_reply
//
//   mutant result_from - result_tail; => 16'd8;
//   mutant waiting_q && !busy => waiting_q
//   mutant (request || (waiting_q && !start)) => request
//   mutant sequence_number != last_sequence_q => 1'b1
//   mutant asked_session == session_q && session_q != '0; => asked_session == session_q;
//   mutant asked_session == session_q && session_q != '0; => session_q != '0;
//   mutant if (start) results_q <= session_right_q => results_q <= session_right_q
//   mutant plausible && again_q ? acknowledged_q : result_from => again_q ? acknowledged_q : result_from
//   mutant errors_q <= errors_q + 1'b1 => errors_q <= errors_q + 2'd2
//   mutant (again_q && !start) => again_q
`default_nettype none

module prove_serial_link (
  input wire        clk_i,
  input wire        rx_i,
  input wire        out_ready_i,
  input wire  [7:0] in_data_i,
  input wire        in_valid_i,
  input wire        in_last_i,
  input wire [31:0] reg_rdata_i
);
  wire rst_n, read, write;
  wire [31:0] errors;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_serial_link #(.CLOCKS_PER_BIT(8), .IN_DEPTH(4), .OUT_DEPTH(4)) i_link (
    .clk_i, .rst_ni(rst_n), .rx_i, .tx_o(), .out_data_o(), .out_valid_o(), .out_ready_i, .out_last_o(), .in_data_i,
    .in_valid_i, .in_ready_o(), .in_last_i, .reg_addr_o(), .reg_read_o(read), .reg_write_o(write), .reg_wdata_o(),
    .reg_rdata_i, .link_errors_o(errors), .link_overrun_o());

  // the session, and the latest request: waiting for its reply or answered
  logic        waits_q, ours_q, known_q, again_q, replies_ours_q;
  logic  [7:0] session_q, kind_q, sequence_q, last_q;
  logic [15:0] got_q;
  logic [31:0] read_q, errors_q;
  wire request = i_link.request;
  wire sync = request && i_link.kind[2:0] == 3'd0;
  wire ours = request && !sync && session_q != '0 && i_link.asked_session == session_q;
  wire once = ours && i_link.sequence_number != last_q;
  always_ff @(posedge clk_i) begin
    if (sync) session_q <= i_link.asked_session;
    if (request) {kind_q, sequence_q, ours_q} <= {i_link.kind, i_link.sequence_number, sync || ours};
    if (sync || ours) last_q <= i_link.sequence_number;
    if (ours) got_q <= i_link.acknowledged;
    if (sync) got_q <= '0;
    if (read) {read_q, known_q} <= {reg_rdata_i, 1'b1};
    if (i_link.start) replies_ours_q <= ours_q;
    waits_q <= request || (waits_q && !i_link.start);
    again_q <= !sync && ((ours && i_link.kind[4]) || (again_q && !i_link.start));
    if (i_link.dropped && errors_q != '1) errors_q <= errors_q + 1'b1;
    if (!rst_n) {waits_q, session_q, known_q, got_q, again_q, errors_q} <= '0;
  end

  // the position that the reply named is that of the next result
  logic        began_q;
  logic [15:0] from_q;
  always_ff @(posedge clk_i) begin
    began_q <= rst_n && i_link.start && !sync;
    from_q  <= i_link.i_reply.from_i;
  end

  wire [15:0] released = i_link.i_out_buffer.release_to_i - i_link.i_out_buffer.tail_o;
  always_comb
    if (rst_n) begin
      answers: assert (i_link.start == (waits_q && !i_link.busy));
      fields:  assert (!i_link.start || (i_link.i_reply.session_i == session_q && i_link.i_reply.kind_i == kind_q
                                         && i_link.i_reply.sequence_i == sequence_q));
      reads:   assert (read == (once && i_link.kind[2:0] == 3'd2));
      writes:  assert (write == (once && i_link.kind[2:0] == 3'd3));
      value:   assert (!(i_link.start && i_link.i_reply.with_value_i)
                       || (ours_q && kind_q[2:0] == 3'd2 && (!known_q || i_link.i_reply.value_i == read_q)));
      from:    assert (!began_q || i_link.i_out_buffer.read_o == from_q);
      again:   assert (!(i_link.start && again_q) || i_link.i_reply.from_i == got_q
                       || got_q - i_link.i_out_buffer.tail_o > i_link.i_out_buffer.read_o - i_link.i_out_buffer.tail_o);
      foreign: assert (!i_link.result_pop || replies_ours_q);
      sent:    assert (!(i_link.i_out_buffer.release_i || i_link.i_out_buffer.rewind_i)
                       || released <= i_link.i_out_buffer.read_o - i_link.i_out_buffer.tail_o);
      both:    assert (!i_link.i_out_buffer.rewind_i || i_link.i_out_buffer.release_i);
      taken:   assert (i_link.i_in_buffer.release_i && !i_link.i_in_buffer.rewind_i
                       && i_link.i_in_buffer.release_to_i == i_link.i_in_buffer.read_o);
      counts:  assert (errors == errors_q);
      reach_an_old_result: assert (!(i_link.start && i_link.i_out_buffer.rewind_i));
      help_same: assert (i_link.waiting_q == waits_q && i_link.session_q == session_q && i_link.again_q == again_q
                         && i_link.acknowledged_q == got_q && (session_q == '0 || i_link.last_sequence_q == last_q));
      help_latest: assert (!waits_q || (i_link.kind_q == kind_q && i_link.sequence_q == sequence_q
                                        && i_link.session_right_q == ours_q));
      help_read: assert (!known_q || i_link.value_q == read_q);
    end
endmodule

`default_nettype wire
