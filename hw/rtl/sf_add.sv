// Join: the sum of two streams, element by element.
//
//   out[e] = (in0[e] << SHIFT0) + (in1[e] << SHIFT1)      exact: OUT_WIDTH must hold every sum
//
//   throughput  one word per cycle
//   latency     1 cycle from the later of the two words; both are taken in the same cycle
//
// in0_ready_o depends combinationally on in1_valid_i and the other way round.
`default_nettype none

module sf_add #(
  parameter int PE        = 1,
  parameter int WIDTH0    = 5,
  parameter bit SIGNED0   = 1'b1,
  parameter int SHIFT0    = 0,
  parameter int WIDTH1    = 5,
  parameter bit SIGNED1   = 1'b1,
  parameter int SHIFT1    = 0,
  parameter int OUT_WIDTH = 6
) (
  input  wire                     clk_i,
  input  wire                     rst_ni,
  input  wire  [PE*WIDTH0-1:0]    in0_data_i,
  input  wire                     in0_valid_i,
  output wire                     in0_ready_o,
  input  wire  [PE*WIDTH1-1:0]    in1_data_i,
  input  wire                     in1_valid_i,
  output wire                     in1_ready_o,
  output wire  [PE*OUT_WIDTH-1:0] out_data_o,
  output wire                     out_valid_o,
  input  wire                     out_ready_i
);
  if (PE < 1) $error("sf_add: PE = %0d, must be >= 1", PE);
  if (SHIFT0 < 0 || SHIFT1 < 0) $error("sf_add: SHIFT0 = %0d and SHIFT1 = %0d, must be >= 0", SHIFT0, SHIFT1);
  if (OUT_WIDTH < WIDTH0 + SHIFT0 || OUT_WIDTH < WIDTH1 + SHIFT1)
    $error("sf_add: OUT_WIDTH = %0d is less than WIDTH0 + SHIFT0 = %0d or WIDTH1 + SHIFT1 = %0d", OUT_WIDTH,
           WIDTH0 + SHIFT0, WIDTH1 + SHIFT1);

  logic out_valid_q;
  wire  advance = !out_valid_q || out_ready_i;
  assign in0_ready_o = advance && in1_valid_i;
  assign in1_ready_o = advance && in0_valid_i;
  always_ff @(posedge clk_i)
    if (!rst_ni) out_valid_q <= 1'b0;
    else if (advance) out_valid_q <= in0_valid_i && in1_valid_i;

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [WIDTH0-1:0] a = in0_data_i[p*WIDTH0 +: WIDTH0];
    wire [WIDTH1-1:0] b = in1_data_i[p*WIDTH1 +: WIDTH1];
    wire [OUT_WIDTH-1:0] wide_a = SIGNED0 ? OUT_WIDTH'($signed(a)) : OUT_WIDTH'(a);
    wire [OUT_WIDTH-1:0] wide_b = SIGNED1 ? OUT_WIDTH'($signed(b)) : OUT_WIDTH'(b);
    logic [OUT_WIDTH-1:0] sum_q;
    always_ff @(posedge clk_i) if (advance) sum_q <= (wide_a << SHIFT0) + (wide_b << SHIFT1);
    assign out_data_o[p*OUT_WIDTH +: OUT_WIDTH] = sum_q;
  end
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
