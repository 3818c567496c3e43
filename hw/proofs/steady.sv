// A word offered stays until it is taken: assumed of a stream into a module without storage, asserted of a stream out.
`default_nettype none

module steady #(
  parameter int WIDTH   = 1,
  parameter bit ASSUMED = 1'b0
) (
  input wire             clk_i,
  input wire             rst_ni,
  input wire [WIDTH-1:0] data_i,
  input wire             valid_i,
  input wire             ready_i
);
  logic             offered_q;  // a word was offered and not taken
  logic [WIDTH-1:0] word_q;
  always_ff @(posedge clk_i) begin
    offered_q <= rst_ni && valid_i && !ready_i;
    word_q    <= data_i;
  end
  wire kept = !offered_q || (valid_i && data_i == word_q);
  if (ASSUMED) begin : gen_assumed
    always_comb if (rst_ni) assume (kept);
  end else begin : gen_asserted
    always_comb if (rst_ni) stays: assert (kept);
  end
endmodule

`default_nettype wire
