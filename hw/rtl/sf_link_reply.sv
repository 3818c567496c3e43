// Puts replies of the serial link together (packet format: sf_serial_link.sv).
//
//   latency     1 cycle from start_i to the first byte offered
//   throughput  1 byte/cycle
//
// busy_o from the cycle after start_i to the end mark taken. Fields are copied with start_i. The payload is the value
// if with_value_i, else results as long as they wait: at most MOST, none behind the last byte of a packet of frames.
`default_nettype none

module sf_link_reply #(
  parameter int MOST = 240
) (
  input  wire        clk_i,
  input  wire        rst_ni,
  // fields, in the order in which they are sent
  input  wire        start_i,
  input  wire [7:0]  session_i,
  input  wire [7:0]  kind_i,
  input  wire [7:0]  sequence_i,
  input  wire [15:0] accepted_i,
  input  wire [15:0] room_i,
  input  wire [15:0] from_i,
  input  wire [31:0] value_i,
  input  wire        with_value_i,
  output wire        busy_o,
  // results: {last byte of a packet of frames, byte}
  input  wire [8:0]  result_i,
  input  wire        result_valid_i,
  output wire        result_pop_o,
  // to the line
  output logic [7:0] data_o,
  output wire        mark_o,
  output wire        valid_o,
  input  wire        ready_i
);
  if (MOST < 1 || MOST > 255) $error("sf_link_reply: MOST = %0d, must be from 1 to 255", MOST);

  typedef enum logic [2:0] {IDLE, BEGIN, HEAD, VALUE, RESULTS, FLAGS, CHECK, FINISH} state_t;

  state_t      state_q, state_d;
  logic [71:0] head_q;
  logic [31:0] value_q;
  logic        with_value_q, last_q;
  logic [7:0]  count_q;                  // bytes left in this state

  wire taken = valid_o && ready_i;
  wire ends  = taken && count_q == 8'd1;
  wire stop  = state_q == RESULTS && (count_q == '0 || last_q || !result_valid_i);  // nothing (more) to send
  wire [31:0] crc;
  wire unused_right;

  sf_crc32 i_crc (
    .clk_i, .clear_i(state_q == BEGIN), .data_i(data_o), .valid_i(taken && state_q != CHECK),
    .crc_o(crc), .right_o(unused_right)
  );

  assign busy_o  = state_q != IDLE;
  assign mark_o  = state_q == BEGIN || state_q == FINISH;
  assign valid_o = state_q != IDLE && !stop;
  assign result_pop_o = taken && state_q == RESULTS;

  always_comb
    case (state_q)
      HEAD:    data_o = head_q[7:0];
      VALUE:   data_o = value_q[7:0];
      RESULTS: data_o = result_i[7:0];
      FLAGS:   data_o = {7'b0, last_q};
      default: data_o = crc[{2'd0 - count_q[1:0], 3'b0} +: 8];  // CHECK: byte 0 while four are left
    endcase

  always_comb begin
    state_d = state_q;
    unique case (state_q)
      IDLE:    if (start_i) state_d = BEGIN;
      BEGIN:   if (taken) state_d = HEAD;
      HEAD:    if (ends) state_d = with_value_q ? VALUE : RESULTS;
      VALUE:   if (ends) state_d = FLAGS;
      RESULTS: if (stop) state_d = FLAGS;
      FLAGS:   if (taken) state_d = CHECK;
      CHECK:   if (ends) state_d = FINISH;
      default: if (taken) state_d = IDLE;
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (taken) count_q <= count_q - 1'b1;
    if (state_q == IDLE) begin
      head_q <= {from_i, room_i, accepted_i, sequence_i, kind_i, session_i};
      with_value_q <= with_value_i;
      value_q <= value_i;
      last_q <= 1'b0;
    end
    if (state_q == BEGIN) count_q <= 8'd9;
    if (state_q == HEAD && taken) head_q <= {8'b0, head_q[71:8]};
    if (state_q == HEAD && ends) count_q <= with_value_q ? 8'd4 : 8'(MOST);
    if (state_q == VALUE && taken) value_q <= {8'b0, value_q[31:8]};
    if (result_pop_o) last_q <= result_i[8];
    if (state_q == FLAGS) count_q <= 8'd4;
    state_q <= rst_ni ? state_d : IDLE;
  end
endmodule

`default_nettype wire
