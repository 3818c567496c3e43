// A pipeline without control: what comes out is what was to be expected STAGES cycles ago.
`default_nettype none

module delayed #(
  parameter int STAGES = 1,
  parameter int WIDTH  = 1
) (
  input wire             clk_i,
  input wire             rst_ni,
  input wire [WIDTH-1:0] want_i,
  input wire [WIDTH-1:0] got_i
);
  logic [STAGES-1:0]            known_q;
  logic [STAGES-1:0][WIDTH-1:0] want_q;
  always_ff @(posedge clk_i) begin
    known_q <= rst_ni ? STAGES'({known_q, 1'b1}) : '0;
    want_q  <= (STAGES * WIDTH)'({want_q, want_i});
  end
  always_comb
    if (rst_ni) begin
      value: assert (!known_q[STAGES-1] || got_i == want_q[STAGES-1]);
      reach_a_value: assert (!known_q[STAGES-1] || got_i == '0);
    end
endmodule

`default_nettype wire
