// A circuit wakes up in any state whatever, is in reset for one cycle, and works from then on. So what is proven holds
// after every reset, from every state.
`default_nettype none

module wake (
  input  wire clk_i,
  output wire rst_no
);
  logic awake_q = 1'b0;
  always_ff @(posedge clk_i) awake_q <= 1'b1;
  assign rst_no = awake_q;
endmodule

`default_nettype wire
