// What the user of sf_link_reply needs to know of it: a reply begins with start_i, lasts as long as it likes, and takes
// results while it lasts. What it sends, and that it ends, is proven in link_reply.sv.
`default_nettype none

module sf_link_reply #(
  parameter int MOST = 240
) (
  input  wire        clk_i,
  input  wire        rst_ni,
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
  input  wire [8:0]  result_i,
  input  wire        result_valid_i,
  output wire        result_pop_o,
  output logic [7:0] data_o,
  output logic       mark_o,
  output logic       valid_o,
  input  wire        ready_i
);
  logic pops_q, ends_q;
  always_ff @(posedge clk_i) {pops_q, ends_q, data_o, mark_o, valid_o} <= 'x;  // anything, another in every cycle
  logic busy_q;
  always_ff @(posedge clk_i) busy_q <= rst_ni && (busy_q ? !ends_q : start_i);
  assign busy_o       = busy_q;
  assign result_pop_o = busy_q && result_valid_i && pops_q;
endmodule

`default_nettype wire
