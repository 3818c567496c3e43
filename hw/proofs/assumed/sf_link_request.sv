// Any requests whatever and any payload: the proofs of its user hold for every host. That
// only intact packets become requests is proven in link_request.sv.
`default_nettype none

module sf_link_request (
  input  wire        clk_i,
  input  wire        rst_ni,
  input  wire [7:0]  data_i,
  input  wire        valid_i,
  input  wire        end_i,
  input  wire        bad_i,
  input  wire [7:0]  session_i,
  input  wire [15:0] position_i,
  output wire [8:0]  push_data_o,
  output wire        push_o,
  output wire        commit_o,
  output wire        rollback_o,
  input  wire        full_i,
  output wire        request_o,
  output wire [7:0]  session_o,
  output wire [7:0]  kind_o,
  output wire [7:0]  sequence_o,
  output wire [15:0] ack_o,
  output wire [15:0] position_o,
  output wire [31:0] value_o,
  output wire        dropped_o,
  output wire        overrun_o
);
  logic [102:0] any_q;
  always_ff @(posedge clk_i) any_q <= 'x;  // anything, another in every cycle
  assign {push_data_o, push_o, commit_o, rollback_o, request_o, session_o, kind_o, sequence_o, ack_o, position_o,
          value_o, dropped_o, overrun_o} = any_q;
endmodule

`default_nettype wire
