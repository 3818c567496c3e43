// Rounding: x / 2^SHIFT to the nearest integer, halves to even, clipped. The quantiser whose step is a power of two.
//
//   out[e] = min(max((in[e] + 2^(SHIFT-1) - 1 + in[e][SHIFT]) >> SHIFT, LOW), HIGH)        >> rounds down
//
// What is added reaches the next integer from more than a half on, and from a half where bit SHIFT says that the
// integer below is odd.
//
//   throughput  one word per cycle
//   latency     2 cycles: sum, clipped
`default_nettype none

module sf_round #(
  parameter int IN_WIDTH  = 16,
  parameter bit IN_SIGNED = 1'b1,
  parameter int SHIFT     = 7,
  parameter int LOW       = -128,
  parameter int HIGH      = 127,
  parameter int OUT_WIDTH = 8,
  parameter int PE        = 1
) (
  input  wire                     clk_i,
  input  wire                     rst_ni,
  input  wire  [PE*IN_WIDTH-1:0]  in_data_i,
  input  wire                     in_valid_i,
  output wire                     in_ready_o,
  output wire [PE*OUT_WIDTH-1:0]  out_data_o,
  output wire                     out_valid_o,
  input  wire                     out_ready_i
);
  if (PE < 1)     $error("sf_round: PE = %0d, must be >= 1", PE);
  if (SHIFT < 1)  $error("sf_round: SHIFT = %0d, must be >= 1", SHIFT);
  if (LOW > HIGH) $error("sf_round: LOW = %0d is more than HIGH = %0d", LOW, HIGH);

  localparam int SUM  = (IN_WIDTH > SHIFT ? IN_WIDTH : SHIFT) + 2;      // signed
  localparam int CODE = SUM - SHIFT;                                    // rounded, not yet clipped
  localparam int WIDE = CODE > OUT_WIDTH + 1 ? CODE : OUT_WIDTH + 1;    // holds both, signed

  logic [1:0] valid_q;
  wire advance = !out_valid_o || out_ready_i;
  assign out_valid_o = valid_q[1];
  assign in_ready_o  = advance;
  always_ff @(posedge clk_i)
    if (!rst_ni) valid_q <= '0;
    else if (advance) valid_q <= {valid_q[0], in_valid_i};

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [IN_WIDTH-1:0] raw = in_data_i[p*IN_WIDTH +: IN_WIDTH];
    wire signed [SUM-1:0] x = IN_SIGNED ? SUM'($signed(raw)) : SUM'(raw);
    logic signed [CODE-1:0] code_q;
    logic   [OUT_WIDTH-1:0] out_q;
    wire signed [WIDE-1:0] code = WIDE'(code_q);
    always_ff @(posedge clk_i) if (advance) begin
      code_q <= CODE'((x + SUM'(2**(SHIFT-1) - 1) + SUM'(x[SHIFT])) >>> SHIFT);
      out_q <= code < WIDE'(LOW) ? OUT_WIDTH'(LOW) : code > WIDE'(HIGH) ? OUT_WIDTH'(HIGH) : OUT_WIDTH'(code);
    end
    assign out_data_o[p*OUT_WIDTH +: OUT_WIDTH] = out_q;
  end
endmodule

`default_nettype wire
