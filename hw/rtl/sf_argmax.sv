// Index of the largest of LABELS values that arrive one per cycle; the first one wins a tie.
//
//   throughput  one value per cycle: LABELS cycles for a result
//   latency     1 cycle from the last value to the index
`default_nettype none

module sf_argmax #(
  parameter int LABELS   = 10,
  parameter int WIDTH    = 8,
  parameter bit IS_SIGNED = 1'b0,
  parameter int OUT_WIDTH = 4
) (
  input  wire                 clk_i,
  input  wire                 rst_ni,
  input  wire     [WIDTH-1:0] in_data_i,
  input  wire                 in_valid_i,
  output wire                 in_ready_o,
  output wire [OUT_WIDTH-1:0] out_data_o,
  output wire                 out_valid_o,
  input  wire                 out_ready_i
);
  if (LABELS < 1) $error("sf_argmax: LABELS = %0d, must be >= 1", LABELS);
  if (2**OUT_WIDTH < LABELS)
    $error("sf_argmax: OUT_WIDTH = %0d cannot hold the index of %0d labels", OUT_WIDTH, LABELS);

  logic [OUT_WIDTH-1:0] index_q, best_q, out_q;
  logic [WIDTH-1:0]     value_q;
  logic                 out_valid_q;

  assign in_ready_o = !out_valid_q || out_ready_i;
  wire take   = in_valid_i && in_ready_o;
  wire last   = index_q == OUT_WIDTH'(LABELS - 1);
  wire larger = index_q == '0 || (IS_SIGNED ? $signed(in_data_i) > $signed(value_q) : in_data_i > value_q);
  wire [OUT_WIDTH-1:0] best = larger ? index_q : best_q;

  always_ff @(posedge clk_i) begin
    if (take) begin
      if (larger) value_q <= in_data_i;
      best_q <= best;
    end
    if (in_ready_o) out_q <= best;
    if (!rst_ni) begin
      index_q     <= '0;
      out_valid_q <= 1'b0;
    end else begin
      if (take) index_q <= last ? '0 : index_q + 1'b1;
      if (in_ready_o) out_valid_q <= take && last;
    end
  end
  assign out_data_o  = out_q;
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
