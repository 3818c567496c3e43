// Only what came whole leaves sf_link_request: whatever the bytes on the line, a payload is committed at most at the
// end of a packet whose CRC is right, whose length fits its kind, which is for this session and position and found
// room; every other end takes its payload back. Nothing of a packet is left behind its end. A request has the fields
// that came, and a payload the bytes between them and the CRC.
//
//   case
//
//   mutant end_i && crc_right && size_right && !bad_q && !bad_i => end_i && crc_right && size_right && !bad_q
//   mutant end_i && !commit_o => end_i && commit_o
//   mutant is_data && session_o == session_i && => is_data &&
//   mutant session_i != '0 && => 1'b1 &&
//   mutant !full_q && !full_i => !full_i
//   mutant count_q > SHORT && (valid_i => (valid_i
`default_nettype none

module prove_link_request (
  input wire        clk_i,
  input wire  [7:0] data_i,
  input wire        valid_i,
  input wire        end_i,
  input wire        bad_i,
  input wire  [7:0] session_i,
  input wire [15:0] position_i,
  input wire        full_i
);
  wire rst_n, push, commit, rollback, request, dropped, overrun;
  wire [8:0] push_data;
  wire [7:0] session, kind, number;
  wire [15:0] ack, position;
  wire [31:0] value;
  wake i_wake (.clk_i, .rst_no(rst_n));
  always_comb assume (!(valid_i && end_i));  // sf_slip_rx: a byte or an end mark
  sf_link_request i_dut (
    .clk_i, .rst_ni(rst_n), .data_i, .valid_i, .end_i, .bad_i, .session_i, .position_i, .push_data_o(push_data),
    .push_o(push), .commit_o(commit), .rollback_o(rollback), .full_i, .request_o(request), .session_o(session),
    .kind_o(kind), .sequence_o(number), .ack_o(ack), .position_o(position), .value_o(value), .dropped_o(dropped),
    .overrun_o(overrun));

  // of the packet that comes: how many bytes (16: or more); the fields; whether anything was wrong or found no room
  logic [4:0]  bytes_q;
  logic [7:0]  session_q, kind_q, number_q;
  logic [15:0] ack_q, position_q;
  logic [31:0] value_q;
  logic [4:0][7:0] late_q;  // the last five bytes; the lowest came first
  logic        wrong_q, refused_q, intact_q;
  wire [2:0] what = kind_q[2:0];
  wire fits   = what == 3'd4 ? bytes_q > 5'd11 : bytes_q == (what == 3'd3 ? 5'd15 : 5'd11);
  wire intact = end_i && i_dut.crc_right && fits && !wrong_q && !bad_i;
  wire ours   = what == 3'd4 && session_q == session_i && session_i != 8'd0 && position_q == position_i;
  always_ff @(posedge clk_i) begin
    intact_q <= rst_n && intact;
    if (valid_i) late_q <= {data_i, late_q[4:1]};
    if (valid_i)
      case (bytes_q)
        5'd0:  session_q         <= data_i;
        5'd1:  kind_q            <= data_i;
        5'd2:  number_q          <= data_i;
        5'd3:  ack_q[7:0]        <= data_i;
        5'd4:  ack_q[15:8]       <= data_i;
        5'd5:  position_q[7:0]   <= data_i;
        5'd6:  position_q[15:8]  <= data_i;
        5'd7:  value_q[7:0]      <= data_i;
        5'd8:  value_q[15:8]     <= data_i;
        5'd9:  value_q[23:16]    <= data_i;
        5'd10: value_q[31:24]    <= data_i;
        default: ;
      endcase
    if (!rst_n || end_i) {bytes_q, wrong_q, refused_q} <= '0;
    else begin
      if (valid_i && bytes_q != 5'd16) bytes_q <= bytes_q + 1'b1;
      wrong_q   <= wrong_q || bad_i;
      refused_q <= refused_q || (push && full_i);
    end
  end

  always_comb
    if (rst_n) begin
      commits: assert (commit == (intact && ours && !refused_q && !full_i));
      takes_back: assert (rollback == (end_i && !commit));
      pushes: assert (push == (bytes_q > 5'd11 && ours && (valid_i || (intact && !refused_q && !full_i))));
      payload: assert (!push || push_data[7:0] == late_q[0]);
      last_pushed: assert (!commit || (push && push_data[8] == kind_q[3]));
      requests: assert (request == intact_q);
      fields: assert (!request || {session, kind, number, ack} == {session_q, kind_q, number_q, ack_q});
      more_fields: assert (!request || (position == position_q && (what != 3'd3 || value == value_q)));
      drops: assert (dropped == (end_i && !intact && (bytes_q != '0 || wrong_q || bad_i)));
      overruns: assert (overrun == (intact && ours && (refused_q || full_i)));
      reach_an_end: assert (!(bytes_q == 5'd13 && what == 3'd4 && end_i && fits));
      help_same: assert (i_dut.count_q == bytes_q && i_dut.bad_q == wrong_q && i_dut.full_q == refused_q
                         && (bytes_q < 5'd1 || session == session_q) && (bytes_q < 5'd2 || kind == kind_q)
                         && (bytes_q < 5'd7 || position == position_q)
                         && (40'(late_q) ^ i_dut.recent_q) >> 8*(bytes_q < 5'd5 ? 5'd5 - bytes_q : 5'd0) == '0
                         && (bytes_q < 5'd3 || number == number_q) && (bytes_q < 5'd5 || ack == ack_q)
                         && (bytes_q < 5'd11 || value == value_q));
      help_half: assert ((bytes_q != 5'd6 || position[15:8] == position_q[7:0])
                         && (bytes_q != 5'd4 || ack[15:8] == ack_q[7:0])
                         && (bytes_q != 5'd8 || value[31:24] == value_q[7:0])
                         && (bytes_q != 5'd9 || value[31:16] == value_q[15:0])
                         && (bytes_q != 5'd10 || value[31:8] == value_q[23:0]));
      help_request: assert (!request || ({session, kind, number, ack, position} == {session_q, kind_q, number_q, ack_q,
                            position_q} && value == value_q));
    end
endmodule

`default_nettype wire
