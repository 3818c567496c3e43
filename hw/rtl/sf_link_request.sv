// Takes requests of the serial link apart (packet format: sf_serial_link.sv) and decides which are intact.
//
//   latency     request_o is 1 cycle after end_i; a payload byte is pushed 5 bytes after it came, the last one at end_i
//   throughput  1 byte/cycle
//
// The payload of a DATA packet of this session (not 0), for this very position, is pushed while it comes in; commit_o
// or rollback_o decides at its end. An intact request of any kind and session gives request_o, with its fields until
// the next packet begins. Everything else but an empty packet gives dropped_o. It executes nothing.
`default_nettype none

module sf_link_request (
  input  wire         clk_i,
  input  wire         rst_ni,
  // from the line
  input  wire  [7:0]  data_i,
  input  wire         valid_i,
  input  wire         end_i,
  input  wire         bad_i,
  // what DATA must be for
  input  wire  [7:0]  session_i,
  input  wire  [15:0] position_i,
  // payload
  output wire  [8:0]  push_data_o,        // {last byte of its packet of frames, byte}
  output wire         push_o,
  output wire         commit_o,
  output wire         rollback_o,
  input  wire         full_i,
  // an intact request
  output wire         request_o,
  output logic [7:0]  session_o,
  output logic [7:0]  kind_o,
  output logic [7:0]  sequence_o,
  output logic [15:0] ack_o,
  output logic [15:0] position_o,
  output logic [31:0] value_o,
  // what went wrong
  output wire         dropped_o,
  output wire         overrun_o
);
  localparam logic [2:0] WRITE = 3'd3, DATA = 3'd4;      // POLL, READ, SYNC have neither value nor payload
  localparam logic [4:0] SHORT = 5'd11, LONG = 5'd15;    // bytes of a packet without and with a value
  localparam logic [4:0] MANY = 5'd16;                   // the count stops here

  logic [4:0]  count_q;
  logic [39:0] recent_q;                         // the last five bytes: at the end, the last of the payload and the CRC
  logic        bad_q, full_q, request_q;

  wire crc_right;
  wire [31:0] unused_crc;
  sf_crc32 i_crc (.clk_i, .clear_i(!rst_ni || end_i), .data_i, .valid_i, .crc_o(unused_crc), .right_o(crc_right));

  wire is_data = kind_o[2:0] == DATA;
  wire size_right = is_data ? count_q > SHORT : count_q == (kind_o[2:0] == WRITE ? LONG : SHORT);
  wire intact = end_i && crc_right && size_right && !bad_q && !bad_i;
  wire wanted = is_data && session_o == session_i && session_i != '0 && position_o == position_i;
  wire room   = !full_q && !full_i;

  assign push_data_o = {end_i && kind_o[3], recent_q[7:0]};
  assign push_o     = wanted && count_q > SHORT && (valid_i || (intact && room));
  assign commit_o   = intact && wanted && room;
  assign rollback_o = end_i && !commit_o;
  assign request_o  = request_q;
  assign dropped_o  = end_i && !intact && (count_q != '0 || bad_q || bad_i);
  assign overrun_o  = intact && wanted && !room;

  always_ff @(posedge clk_i) begin
    request_q <= rst_ni && intact;
    if (valid_i) begin
      recent_q <= {data_i, recent_q[39:8]};
      case (count_q)
        5'd0: session_o <= data_i;
        5'd1: kind_o <= data_i;
        5'd2: sequence_o <= data_i;
        5'd3, 5'd4: ack_o <= {data_i, ack_o[15:8]};
        5'd5, 5'd6: position_o <= {data_i, position_o[15:8]};
        5'd7, 5'd8, 5'd9, 5'd10: value_o <= {data_i, value_o[31:8]};
        default: ;
      endcase
    end
    if (!rst_ni || end_i) begin
      count_q <= '0;
      bad_q   <= 1'b0;
      full_q  <= 1'b0;
    end else begin
      if (valid_i && count_q != MANY) count_q <= count_q + 1'b1;
      if (bad_i) bad_q <= 1'b1;
      if (push_o && full_i) full_q <= 1'b1;
    end
  end
endmodule

`default_nettype wire
