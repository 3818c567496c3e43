// Every word of sf_add is the sum of one word of either input, both taken together, in order, and whenever no sum is
// offered (fills): it does not wait for the output to be ready.
//
//   case PE=1 WIDTH0=1 SIGNED0=0 WIDTH1=1 SIGNED1=0 OUT_WIDTH=2
//   case PE=2 WIDTH0=2 SIGNED0=1 WIDTH1=2 SIGNED1=1 OUT_WIDTH=3
//   case PE=1 WIDTH0=2 SIGNED0=0 SHIFT0=2 WIDTH1=3 SIGNED1=1 OUT_WIDTH=6
//   case PE=1 WIDTH0=3 SIGNED0=1 WIDTH1=2 SIGNED1=0 SHIFT1=1 OUT_WIDTH=5
//
//   any
//
//   free out_valid of out_ready_i, in0_valid_i, in1_valid_i
//
//   mutant advance && in1_valid_i => advance
//   mutant (wide_a << SHIFT0) + => (wide_a << SHIFT0) |
//   mutant wide_b << SHIFT1 => wide_b << SHIFT0
//   mutant SIGNED1 ? OUT_WIDTH => SIGNED0 ? OUT_WIDTH
//   mutant in0_valid_i && in1_valid_i => in0_valid_i || in1_valid_i
//   mutant !out_valid_q || out_ready_i => 1'b1
`default_nettype none

module prove_add #(
  parameter int PE        = 1,
  parameter int WIDTH0    = 1,
  parameter bit SIGNED0   = 1'b0,
  parameter int SHIFT0    = 0,
  parameter int WIDTH1    = 1,
  parameter bit SIGNED1   = 1'b0,
  parameter int SHIFT1    = 0,
  parameter int OUT_WIDTH = 2
) (
  input wire                 clk_i,
  input wire                 pick_i,
  input wire           [7:0] place_i,
  input wire [PE*WIDTH0-1:0] in0_data_i,
  input wire                 in0_valid_i,
  input wire [PE*WIDTH1-1:0] in1_data_i,
  input wire                 in1_valid_i,
  input wire                 out_ready_i
);
  if (OUT_WIDTH > 32) begin : gen_refuse
    $error("prove_add: OUT_WIDTH = %0d, must be <= 32", OUT_WIDTH);
  end
  wire rst_n, in0_ready, in1_ready, out_valid, take, in_watched;
  wire [PE*OUT_WIDTH-1:0] out_data, sums;
  logic known_q;
  logic [PE*OUT_WIDTH-1:0] want_q;

  sf_add #(.PE(PE), .WIDTH0(WIDTH0), .SIGNED0(SIGNED0), .SHIFT0(SHIFT0), .WIDTH1(WIDTH1), .SIGNED1(SIGNED1),
           .SHIFT1(SHIFT1), .OUT_WIDTH(OUT_WIDTH)) i_add (
    .clk_i, .rst_ni(rst_n), .in0_data_i, .in0_valid_i, .in0_ready_o(in0_ready), .in1_data_i, .in1_valid_i,
    .in1_ready_o(in1_ready), .out_data_o(out_data), .out_valid_o(out_valid), .out_ready_i);

  watch #(.WIDTH(PE*OUT_WIDTH)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i(in0_valid_i && in1_valid_i), .in_ready_i(in0_ready),
    .out_data_i(out_data), .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_watched_o(in_watched),
    .due_i(known_q), .want_i(want_q));

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [WIDTH0-1:0] a = in0_data_i[p*WIDTH0 +: WIDTH0];
    wire [WIDTH1-1:0] b = in1_data_i[p*WIDTH1 +: WIDTH1];
    wire signed [31:0] x = {{32 - WIDTH0{SIGNED0 && a[WIDTH0-1]}}, a};
    wire signed [31:0] y = {{32 - WIDTH1{SIGNED1 && b[WIDTH1-1]}}, b};
    assign sums[p*OUT_WIDTH +: OUT_WIDTH] = OUT_WIDTH'(x * 2**SHIFT0 + y * 2**SHIFT1);
  end
  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched) {known_q, want_q} <= {1'b1, sums};

  always_comb if (rst_n) fills: assert (out_valid || !(in0_valid_i && in1_valid_i) || take);
  always_comb if (rst_n) together: assert ((in0_valid_i && in0_ready) == take && (in1_valid_i && in1_ready) == take);
endmodule

`default_nettype wire
