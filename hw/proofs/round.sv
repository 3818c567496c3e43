// Every element that leaves sf_round is the element that came, divided by 2^SHIFT, rounded to the nearest integer,
// halves to even, and clipped.
//
//   case IN_WIDTH=4 IN_SIGNED=1 SHIFT=1 LOW=-2 HIGH=1 OUT_WIDTH=2 PE=1
//   case IN_WIDTH=4 IN_SIGNED=0 SHIFT=2 LOW=0 HIGH=3 OUT_WIDTH=2 PE=2
//   case IN_WIDTH=6 IN_SIGNED=1 SHIFT=2 LOW=-7 HIGH=6 OUT_WIDTH=4 PE=1
//   case IN_WIDTH=3 IN_SIGNED=1 SHIFT=3 LOW=-1 HIGH=1 OUT_WIDTH=2 PE=1
//   case IN_WIDTH=3 IN_SIGNED=0 SHIFT=4 LOW=0 HIGH=1 OUT_WIDTH=1 PE=1
//
//   any
//
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//
//   mutant + SUM'(x[SHIFT]) => + 0
//   mutant 2**(SHIFT-1) - 1 => 2**(SHIFT-1)
//   mutant code > WIDE'(HIGH) ? => code >= WIDE'(HIGH - 1) ?
//   mutant code < WIDE'(LOW) ? => code < WIDE'(LOW - 1) ?
//   mutant {valid_q[0], in_valid_i} => {in_valid_i, in_valid_i}
`default_nettype none

module prove_round #(
  parameter int IN_WIDTH  = 4,
  parameter bit IN_SIGNED = 1'b1,
  parameter int SHIFT     = 1,
  parameter int LOW       = -2,
  parameter int HIGH      = 1,
  parameter int OUT_WIDTH = 2,
  parameter int PE        = 1
) (
  input wire                   clk_i,
  input wire                   pick_i,
  input wire             [7:0] place_i,
  input wire [PE*IN_WIDTH-1:0] in_data_i,
  input wire                   in_valid_i,
  input wire                   out_ready_i
);
  if (IN_WIDTH > 15 || SHIFT > 13 || OUT_WIDTH > 15) begin : gen_refuse
    $error("prove_round: sums of 16 bits are too small for IN_WIDTH = %0d, SHIFT = %0d", IN_WIDTH, SHIFT);
  end
  wire rst_n, in_ready, out_valid, take, in_watched;
  wire  [PE*OUT_WIDTH-1:0] out_data, want;
  logic [PE*IN_WIDTH-1:0]  word_q;
  logic known_q;

  sf_round #(.IN_WIDTH(IN_WIDTH), .IN_SIGNED(IN_SIGNED), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH), .OUT_WIDTH(OUT_WIDTH),
             .PE(PE)) i_round (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  // below a code is a distance of less than a half, or of a half to an odd one
  for (genvar p = 0; p < PE; p++) begin : gen_want
    wire [IN_WIDTH-1:0] raw = word_q[p*IN_WIDTH +: IN_WIDTH];
    wire signed [15:0] x = {{16 - IN_WIDTH{IN_SIGNED && raw[IN_WIDTH-1]}}, raw};
    wire signed [15:0] below = x >>> SHIFT;
    wire        [15:0] rest = x - (below <<< SHIFT);
    wire up = 2 * rest > 16'(2**SHIFT) || (2 * rest == 16'(2**SHIFT) && below[0]);
    wire signed [15:0] nearest = up ? below + 16'sd1 : below;
    assign want[p*OUT_WIDTH +: OUT_WIDTH] =
      OUT_WIDTH'(nearest < 16'(LOW) ? 16'(LOW) : nearest > 16'(HIGH) ? 16'(HIGH) : nearest);
  end
  watch #(.WIDTH(PE*OUT_WIDTH), .AHEAD(3), .LATENCY(2)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_watched_o(in_watched), .due_i(known_q), .want_i(want));

  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched) {known_q, word_q} <= {1'b1, in_data_i};
endmodule

`default_nettype wire
