// What sf_link_reply sends is a packet of the serial link: a mark, the nine bytes of its fields as they were when it
// began, the value or results, flags, the CRC-32 of these bytes, a mark; whatever results wait, and however slow the
// line is. It ends: in every cycle in which the line is ready something moves, but for one at the end of the results.
//
// The CRC is that of an sf_crc32 that is cleared with the first mark and gets all bytes before the CRC, as they leave
// (crc_of); what it makes of them is proven in crc32.sv.
//
// With ANY it is not reset, but wakes up in any state in which the module is where the proof is (same): the last bytes
// of a packet are far from a reset, and a fault there would leave no short trace.
//
//   case MOST=1
//   case MOST=240
//   case MOST=240 ANY=1
//
//   assumes sf_crc32
//   free valid of ready_i
//
//   mutant count_q == '0 || last_q || => count_q == '0 ||
//   mutant valid_i(taken && state_q != CHECK) => valid_i(taken)
//   mutant with_value_q ? 8'd4 : 8'(MOST) => with_value_q ? 8'd4 : 8'(MOST + 1)
//   mutant {from_i, room_i, accepted_i => {from_i, accepted_i, room_i
//   mutant count_q <= 8'd9 => count_q <= 8'd8
//   mutant {7'b0, last_q} => 8'b0
//   mutant 2'd0 - count_q[1:0] => count_q[1:0]
//   mutant .clear_i(state_q == BEGIN) => .clear_i(1'b0)
//   mutant state_q != IDLE && !stop => state_q != IDLE
`default_nettype none

module prove_link_reply #(
  parameter int MOST = 2,
  parameter bit ANY  = 1'b0
) (
  input wire        clk_i,
  input wire        start_i,
  input wire [71:0] fields_i,
  input wire [31:0] value_i,
  input wire        with_value_i,
  input wire  [8:0] result_i,
  input wire        result_valid_i,
  input wire        ready_i
);
  wire rst_n, busy, pop, mark, valid;
  wire reset_n = ANY || rst_n;
  wire [7:0] data;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_link_reply #(.MOST(MOST)) i_reply (
    .clk_i, .rst_ni(reset_n), .start_i,
    .session_i(fields_i[7:0]), .kind_i(fields_i[15:8]), .sequence_i(fields_i[23:16]),
    .accepted_i(fields_i[39:24]), .room_i(fields_i[55:40]), .from_i(fields_i[71:56]), .value_i, .with_value_i,
    .busy_o(busy), .result_i, .result_valid_i, .result_pop_o(pop), .data_o(data), .mark_o(mark), .valid_o(valid),
    .ready_i);
  // where the packet is: 0 no packet, 1 begins, 2 fields, 3 value, 4 results, 5 flags, 6 CRC, 7 ends; bytes of it sent
  logic [2:0]  part_q;
  logic [7:0]  sent_q;
  logic [71:0] fields_q;  // what is still to be sent of them, the next byte at the bottom
  logic [31:0] value_q;
  logic        with_value_q, last_q;
  wire taken = valid && ready_i;
  // results wait at the input: they stay as long as they do there
  steady #(.WIDTH(9)) i_line (
    .clk_i, .rst_ni(rst_n), .data_i({mark, mark ? 8'd0 : data}), .valid_i(valid && part_q != 3'd4), .ready_i);
  wire over = sent_q == 8'(MOST) || last_q || !result_valid_i;  // the results of this packet
  always_ff @(posedge clk_i)
    if (!reset_n) {part_q, sent_q} <= '0;
    else begin
      if (taken) sent_q <= sent_q + 1'b1;
      if (pop) last_q <= result_i[8];
      if (taken && part_q == 3'd2) fields_q <= fields_q >> 8;
      if (taken && part_q == 3'd3) value_q <= value_q >> 8;
      case (part_q)
        3'd0: begin
          {fields_q, value_q, with_value_q, last_q} <= {fields_i, value_i, with_value_i, 1'b0};
          if (start_i) {part_q, sent_q} <= {3'd1, 8'd0};
        end
        3'd1: if (taken) {part_q, sent_q} <= {3'd2, 8'd0};
        3'd2: if (taken && sent_q == 8'd8) {part_q, sent_q} <= {with_value_q ? 3'd3 : 3'd4, 8'd0};
        3'd3: if (taken && sent_q == 8'd3) {part_q, sent_q} <= {3'd5, 8'd0};
        3'd4: if (over) {part_q, sent_q} <= {3'd5, 8'd0};
        3'd5: if (taken) {part_q, sent_q} <= {3'd6, 8'd0};
        3'd6: if (taken && sent_q == 8'd3) {part_q, sent_q} <= {3'd7, 8'd0};
        default: if (taken) part_q <= 3'd0;
      endcase
    end

  logic [7:0] want;
  always_comb
    case (part_q)
      3'd2:    want = fields_q[7:0];
      3'd3:    want = value_q[7:0];
      3'd4:    want = result_i[7:0];
      3'd5:    want = 8'(last_q);
      default: want = 8'(i_reply.crc >> 8*sent_q);
    endcase

  wire [7:0] most = part_q == 3'd2 ? 8'd9 : part_q == 3'd4 ? 8'(MOST) : 8'd4;  // bytes in this part
  wire same = 3'(i_reply.state_q) == part_q
              && (!busy || {i_reply.head_q, i_reply.value_q, i_reply.with_value_q, i_reply.last_q}
                           == {fields_q, value_q, with_value_q, last_q})
              && (!(part_q inside {[3'd2:3'd4], 3'd6})
                  || (sent_q <= most - 8'(part_q != 3'd4) && i_reply.count_q == most - sent_q));
  always_comb if (ANY && !rst_n) assume (same);
  always_comb
    if (rst_n) begin
      waits: assert (busy == (part_q != 3'd0));
      moves: assert (valid == (part_q != 3'd0 && !(part_q == 3'd4 && over)));
      marks: assert (!valid || mark == (part_q inside {3'd1, 3'd7}));
      value: assert (!valid || mark || data == want);
      crc_of: assert (i_reply.i_crc.clear_i == (part_q == 3'd1)
                      && (!(part_q inside {[3'd2:3'd6]}) || i_reply.i_crc.valid_i == (taken && part_q != 3'd6))
                      && i_reply.i_crc.data_i == data);
      takes: assert (pop == (taken && part_q == 3'd4));
      reach_an_end: assert (!(part_q == 3'd7 && taken && last_q));
      help_same: assert (same);
    end
endmodule

`default_nettype wire
