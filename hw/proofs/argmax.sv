// Every result of sf_argmax is the first place of the largest of its LABELS values.
//
//   case LABELS=1 WIDTH=1 OUT_WIDTH=1
//   case LABELS=2 WIDTH=2 OUT_WIDTH=1
//   case LABELS=3 WIDTH=2 IS_SIGNED=1 OUT_WIDTH=2
//   case LABELS=4 WIDTH=2 OUT_WIDTH=2
//   case LABELS=5 WIDTH=2 IS_SIGNED=1 OUT_WIDTH=4
//
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//
//   mutant in_data_i > value_q => in_data_i >= value_q
//   mutant IS_SIGNED ? => 1'b0 ?
//   mutant index_q == '0 || => 1'b0 ||
//   mutant index_q == OUT_WIDTH'(LABELS - 1) => index_q == OUT_WIDTH'(LABELS)
//   mutant larger ? index_q : best_q => larger ? best_q : index_q
//   mutant out_valid_q <= take && last => out_valid_q <= take
`default_nettype none

module prove_argmax #(
  parameter int LABELS    = 2,
  parameter int WIDTH     = 2,
  parameter bit IS_SIGNED = 1'b0,
  parameter int OUT_WIDTH = 1
) (
  input wire             clk_i,
  input wire             pick_i,
  input wire       [7:0] place_i,
  input wire [WIDTH-1:0] in_data_i,
  input wire             in_valid_i,
  input wire             out_ready_i
);
  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [7:0] in_place;
  wire [OUT_WIDTH-1:0] out_data;

  sf_argmax #(.LABELS(LABELS), .WIDTH(WIDTH), .IS_SIGNED(IS_SIGNED), .OUT_WIDTH(OUT_WIDTH)) i_argmax (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  logic known_q;
  logic [LABELS-1:0][WIDTH:0] values_q;  // of the frame chosen, as signed integers
  logic [OUT_WIDTH-1:0] want;
  always_comb begin
    want = '0;
    for (int i = LABELS - 1; i >= 0; i--) begin
      logic largest;
      largest = 1'b1;
      for (int j = 0; j < LABELS; j++) if ($signed(values_q[j]) > $signed(values_q[i])) largest = 1'b0;
      if (largest) want = OUT_WIDTH'(i);
    end
  end
  watch #(.IN(LABELS), .OUT(1), .WIDTH(OUT_WIDTH)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .due_i(known_q), .want_i(want));

  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched) begin
      values_q[in_place] <= {IS_SIGNED && in_data_i[WIDTH-1], in_data_i};
      known_q <= in_place == 8'(LABELS - 1);
    end
endmodule

`default_nettype wire
