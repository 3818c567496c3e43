// Every element that leaves sf_requantise is the linear function of its channel of the element that came, rounded down
// and clipped, for all constants.
//
//   case IN_WIDTH=2 IN_SIGNED=1 M_WIDTH=2 B_WIDTH=2 SUM_WIDTH=5 SHIFT=1 LOW=-1 HIGH=1 OUT_WIDTH=2 PE=1 FOLDS=1
//   case IN_WIDTH=2 IN_SIGNED=0 M_WIDTH=2 B_WIDTH=3 SUM_WIDTH=6 SHIFT=0 LOW=0 HIGH=5 OUT_WIDTH=3 PE=1 FOLDS=1
//   case IN_WIDTH=1 IN_SIGNED=0 M_WIDTH=2 B_WIDTH=2 SUM_WIDTH=5 SHIFT=1 LOW=-1 HIGH=1 OUT_WIDTH=2 PE=1 FOLDS=2
//   case IN_WIDTH=1 IN_SIGNED=0 M_WIDTH=2 B_WIDTH=2 SUM_WIDTH=5 SHIFT=1 LOW=-1 HIGH=1 OUT_WIDTH=2 PE=1 FOLDS=3
//   case IN_WIDTH=1 IN_SIGNED=1 M_WIDTH=2 B_WIDTH=2 SUM_WIDTH=5 SHIFT=0 LOW=-2 HIGH=1 OUT_WIDTH=2 PE=2 FOLDS=1
//
//   assumes sf_memory
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//
//   mutant sum_q >>> SHIFT => sum_q >>> (SHIFT + 1)
//   mutant code > WIDE'(HIGH) ? => code >= WIDE'(HIGH - 1) ?
//   mutant fold_q == FW'(FOLDS - 1) => fold_q == FW'(FOLDS)
//   mutant SUM_WIDTH'(product_q) + => SUM_WIDTH'(product_q) -
//   mutant {valid_q[2:0], in_valid_i} => {valid_q[2:1], in_valid_i, in_valid_i}
`default_nettype none

module prove_requantise #(
  parameter int IN_WIDTH  = 2,
  parameter bit IN_SIGNED = 1'b1,
  parameter int M_WIDTH   = 2,
  parameter int B_WIDTH   = 2,
  parameter int SUM_WIDTH = 5,
  parameter int SHIFT     = 1,
  parameter int LOW       = -1,
  parameter int HIGH      = 1,
  parameter int OUT_WIDTH = 2,
  parameter int PE        = 1,
  parameter int FOLDS     = 1
) (
  input wire                   clk_i,
  input wire                   pick_i,
  input wire             [7:0] place_i,
  input wire [PE*IN_WIDTH-1:0] in_data_i,
  input wire                   in_valid_i,
  input wire                   out_ready_i
);
  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [7:0] in_place, place;
  wire  [PE*OUT_WIDTH-1:0] out_data;
  logic [PE*IN_WIDTH-1:0]  word_q;
  logic known_q;

  sf_requantise #(.IN_WIDTH(IN_WIDTH), .IN_SIGNED(IN_SIGNED), .M_WIDTH(M_WIDTH), .B_WIDTH(B_WIDTH),
                  .SUM_WIDTH(SUM_WIDTH), .SHIFT(SHIFT), .LOW(LOW), .HIGH(HIGH), .OUT_WIDTH(OUT_WIDTH), .PE(PE),
                  .FOLDS(FOLDS), .CONSTANTS_FILE("any")) i_requantise (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i, .load_i('0), .load_o());

  wire [PE*OUT_WIDTH-1:0] want;
  for (genvar p = 0; p < PE; p++) begin : gen_want
    wire [PE-1:0][M_WIDTH+B_WIDTH-1:0] row = i_requantise.i_constants.any_q[place];
    wire        [IN_WIDTH-1:0] raw = word_q[p*IN_WIDTH +: IN_WIDTH];
    wire signed   [IN_WIDTH:0] x = {IN_SIGNED && raw[IN_WIDTH-1], raw};
    wire signed  [M_WIDTH-1:0] m = row[p][M_WIDTH-1:0];
    wire signed  [B_WIDTH-1:0] b = row[p][M_WIDTH +: B_WIDTH];
    wire signed         [15:0] sum = 16'(x) * 16'(m) + 16'(b);
    wire signed         [15:0] rounded = sum >>> SHIFT;
    assign want[p*OUT_WIDTH +: OUT_WIDTH] =
      OUT_WIDTH'(rounded < 16'(LOW) ? 16'(LOW) : rounded > 16'(HIGH) ? 16'(HIGH) : rounded);
  end
  watch #(.IN(FOLDS), .OUT(FOLDS), .WIDTH(PE*OUT_WIDTH), .AHEAD(5), .LATENCY(4)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .place_o(place), .due_i(known_q), .want_i(want));

  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched && in_place == place) {known_q, word_q} <= {1'b1, in_data_i};
endmodule

`default_nettype wire
