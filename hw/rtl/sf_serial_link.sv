// A stream of bytes in, a stream of bytes out and the register bus over one serial line, with nothing lost, doubled or
// wrong.
//
// This header is the definition of the protocol. The host asks, the FPGA answers; all repetition is the host's
// business. A packet is stuffed as in SLIP (RFC 1055): 0xC0 before and after. Numbers are little end first. crc: CRC-32
// of all bytes before it (zlib.crc32). Positions count bytes of a stream since SYNC, modulo 2^16.
//
//   request   session, kind, sequence, acknowledged[2], position[2], value[4] of WRITE or payload of DATA, crc[4]
//   reply     session, kind, sequence, accepted[2], room[2], from[2], value[4] of READ or results, flags, crc[4]
//
//   kind      bits 2:0 of the request, repeated in the reply:
//             0 SYNC   begin the session of this number (not 0): both streams at position 0, buffers empty
//             1 POLL   only the reply is wanted
//             2 READ   register `position`           3 WRITE   register `position` := value
//             4 DATA   payload (1 byte or more) for `position` of the stream to the accelerator
//             bit 3: the last byte of the payload is the last of a packet of frames (TLAST)
//             bit 4: AGAIN, send results from `acknowledged` on, not from where the previous reply ended
//   sequence  READ and WRITE are executed only if it differs from that of the one before: a repeat is answered again
//   acknowledged  results before this position have arrived: their room is given back; ignored beyond what was sent
//   accepted  position of the next byte wanted; DATA for any other position, or beyond accepted + room, is ignored
//   from      position of the first result byte in the reply
//   flags     bit 0: the last result byte in the reply is the last of a packet of frames
//
// A damaged request is dropped, counted (link_errors_o) and not answered. An intact one of another session is answered
// with the FPGA's session number (0 after power-up) and not executed. One reply may answer several requests: it carries
// the kind and sequence of the latest. Payload enters the stream after its CRC was right, never before.
//
//   latency     3 cycles from the end mark of DATA to out_valid_o, 4 from that of a request to the reply's start bit
//   throughput  line rate: CLOCKS_PER_BIT cycles a bit, 10 bits a byte, 13 bytes more a DATA packet than its payload
//
// It has no timeouts and does not check that payloads make whole frames (the shell does). link_overrun_o: DATA had no
// room.
`default_nettype none

module sf_serial_link #(
  parameter int CLOCKS_PER_BIT = 25,
  parameter int IN_DEPTH = 8192,         // bytes buffered towards the accelerator
  parameter int OUT_DEPTH = 2048         // result bytes kept until they are acknowledged
) (
  input  wire         clk_i,
  input  wire         rst_ni,
  // serial line
  input  wire         rx_i,
  output wire         tx_o,
  // bytes to the accelerator
  output wire  [7:0]  out_data_o,
  output wire         out_valid_o,
  input  wire         out_ready_i,
  output wire         out_last_o,
  // bytes from the accelerator
  input  wire  [7:0]  in_data_i,
  input  wire         in_valid_i,
  output wire         in_ready_o,
  input  wire         in_last_i,
  // registers
  output wire  [7:0]  reg_addr_o,
  output wire         reg_read_o,
  output wire         reg_write_o,
  output wire  [31:0] reg_wdata_o,
  input  wire  [31:0] reg_rdata_i,
  // what went wrong
  output wire  [31:0] link_errors_o,
  output wire         link_overrun_o
);
  localparam logic [2:0] SYNC = 3'd0, READ = 3'd2, WRITE = 3'd3;

  // ---- requests
  wire [7:0]  rx_data, stuffed_data, asked_session, kind, sequence_number;
  wire        rx_valid, rx_error, stuffed_valid, stuffed_end, stuffed_bad;
  wire        request, dropped, overrun;
  wire [15:0] acknowledged, position;
  logic [7:0] session_q, last_sequence_q;

  sf_uart_rx #(.CLOCKS_PER_BIT(CLOCKS_PER_BIT)) i_uart_rx (
    .clk_i, .rst_ni, .rx_i, .data_o(rx_data), .valid_o(rx_valid), .error_o(rx_error)
  );
  sf_slip_rx i_slip_rx (
    .clk_i, .rst_ni, .data_i(rx_data), .valid_i(rx_valid), .error_i(rx_error),
    .data_o(stuffed_data), .valid_o(stuffed_valid), .end_o(stuffed_end), .bad_o(stuffed_bad)
  );

  // the request is for this session; SYNC makes it so; there is none before
  wire sync    = request && kind[2:0] == SYNC;
  wire ours    = request && kind[2:0] != SYNC && asked_session == session_q && session_q != '0;
  wire fresh   = ours && sequence_number != last_sequence_q;
  wire read    = fresh && kind[2:0] == READ;

  assign reg_addr_o  = position[7:0];
  assign reg_read_o  = read;
  assign reg_write_o = fresh && kind[2:0] == WRITE;
  wire unused = &{1'b0, kind[7:5], position[15:8]};

  // ---- buffers
  wire [8:0]  push_data, sent_data, result_data;
  wire        push, commit, rollback, push_full, result_full, result_valid, result_pop;
  wire [15:0] accepted, consumed, consumed_tail, unused_head, result_from, result_tail;
  wire        start;
  logic [15:0] acknowledged_q;
  logic        again_q;

  sf_link_request i_request (
    .clk_i, .rst_ni, .data_i(stuffed_data), .valid_i(stuffed_valid), .end_i(stuffed_end), .bad_i(stuffed_bad),
    .session_i(session_q), .position_i(accepted),
    .push_data_o(push_data), .push_o(push), .commit_o(commit), .rollback_o(rollback), .full_i(push_full),
    .request_o(request), .session_o(asked_session), .kind_o(kind), .sequence_o(sequence_number),
    .ack_o(acknowledged), .position_o(position), .value_o(reg_wdata_o), .dropped_o(dropped), .overrun_o(overrun)
  );
  sf_replay_fifo #(.WIDTH(9), .DEPTH(IN_DEPTH)) i_in_buffer (
    .clk_i, .rst_ni, .clear_i(sync),
    .in_data_i(push_data), .in_push_i(push), .commit_i(commit), .rollback_i(rollback), .full_o(push_full),
    .out_data_o(sent_data), .out_valid_o, .out_pop_i(out_ready_i),
    .release_i(1'b1), .rewind_i(1'b0), .release_to_i(consumed),
    .head_o(accepted), .read_o(consumed), .tail_o(consumed_tail)
  );
  // an acknowledgement is believed only between what was released and what was sent
  wire plausible = acknowledged_q - result_tail <= result_from - result_tail;
  sf_replay_fifo #(.WIDTH(9), .DEPTH(OUT_DEPTH)) i_out_buffer (
    .clk_i, .rst_ni, .clear_i(sync),
    .in_data_i({in_last_i, in_data_i}), .in_push_i(in_valid_i), .commit_i(1'b1), .rollback_i(1'b0),
    .full_o(result_full),
    .out_data_o(result_data), .out_valid_o(result_valid), .out_pop_i(result_pop),
    .release_i(start && plausible), .rewind_i(start && plausible && again_q), .release_to_i(acknowledged_q),
    .head_o(unused_head), .read_o(result_from), .tail_o(result_tail)
  );
  assign {out_last_o, out_data_o} = sent_data;
  assign in_ready_o = !result_full;

  // ---- replies: the latest request waits here until the reply before it is out
  logic        waiting_q, session_right_q, results_q;  // results_q: the reply under way may have some
  logic [7:0]  kind_q, sequence_q;
  logic [31:0] value_q;
  wire         busy;
  assign start = waiting_q && !busy;

  always_ff @(posedge clk_i) begin
    if (read) value_q <= reg_rdata_i;
    if (request) begin
      kind_q <= kind;
      sequence_q <= sequence_number;
      session_right_q <= sync || ours;
    end
    if (start) results_q <= session_right_q;
    if (ours) acknowledged_q <= acknowledged;
    if (ours || sync) last_sequence_q <= sequence_number;
    if (sync) session_q <= asked_session;
    if (!rst_ni || sync) acknowledged_q <= '0;
    again_q   <= rst_ni && !sync && ((ours && kind[4]) || (again_q && !start));
    waiting_q <= rst_ni && (request || (waiting_q && !start));
    if (!rst_ni) session_q <= '0;
  end

  wire [7:0] reply_data, line_data;
  wire       reply_mark, reply_valid, reply_ready, line_valid, line_ready;
  sf_link_reply i_reply (
    .clk_i, .rst_ni, .start_i(start), .session_i(session_q), .kind_i(kind_q), .sequence_i(sequence_q),
    .accepted_i(accepted), .room_i(16'(IN_DEPTH) - (accepted - consumed_tail)),
    .from_i(plausible && again_q ? acknowledged_q : result_from),
    .value_i(value_q), .with_value_i(session_right_q && kind_q[2:0] == READ), .busy_o(busy),
    .result_i(result_data), .result_valid_i(result_valid && results_q), .result_pop_o(result_pop),
    .data_o(reply_data), .mark_o(reply_mark), .valid_o(reply_valid), .ready_i(reply_ready)
  );
  sf_slip_tx i_slip_tx (
    .clk_i, .rst_ni, .in_data_i(reply_data), .in_mark_i(reply_mark), .in_valid_i(reply_valid), .in_ready_o(reply_ready),
    .out_data_o(line_data), .out_valid_o(line_valid), .out_ready_i(line_ready)
  );
  sf_uart_tx #(.CLOCKS_PER_BIT(CLOCKS_PER_BIT)) i_uart_tx (
    .clk_i, .rst_ni, .data_i(line_data), .valid_i(line_valid), .ready_o(line_ready), .tx_o
  );

  logic [31:0] errors_q;
  always_ff @(posedge clk_i)
    if (!rst_ni) errors_q <= '0;
    else if (dropped && errors_q != '1) errors_q <= errors_q + 1'b1;
  assign link_errors_o  = errors_q;
  assign link_overrun_o = overrun;
endmodule

`default_nettype wire
