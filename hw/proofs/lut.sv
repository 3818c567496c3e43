// Every element that leaves sf_lut is the table's word for its channel and the element that came, for every table.
//
//   case IN_WIDTH=2 OUT_WIDTH=1 PE=1 FOLDS=1
//   case IN_WIDTH=1 OUT_WIDTH=2 PE=2 FOLDS=2
//   case IN_WIDTH=1 OUT_WIDTH=1 PE=1 FOLDS=3
//   case IN_WIDTH=3 OUT_WIDTH=1 PE=2 FOLDS=1
//
//   assumes sf_memory
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//
//   mutant fold_q == FW'(FOLDS - 1) => fold_q == FW'(FOLDS)
//   mutant .read_i(in_ready_o) => .read_i(1'b1)
//   mutant out_valid_q <= in_valid_i; => out_valid_q <= 1'b1;
//   mutant if (in_valid_i) fold_q => fold_q
`default_nettype none

module prove_lut #(
  parameter int IN_WIDTH  = 2,
  parameter int OUT_WIDTH = 1,
  parameter int PE        = 1,
  parameter int FOLDS     = 1,
  parameter bit BLOCK     = 1'b0,
  parameter bit LOAD      = 1'b0
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

  sf_lut #(.IN_WIDTH(IN_WIDTH), .OUT_WIDTH(OUT_WIDTH), .PE(PE), .FOLDS(FOLDS), .BLOCK(BLOCK), .LOAD(LOAD),
           .TABLE_FILE("any")) i_lut (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i, .load_i('0), .load_o());

  wire [PE*OUT_WIDTH-1:0] want;
  for (genvar p = 0; p < PE; p++) begin : gen_lane
    assign want[p*OUT_WIDTH +: OUT_WIDTH] =
      i_lut.i_table.any_q[32'(place) * 2**IN_WIDTH + 32'(word_q[p*IN_WIDTH +: IN_WIDTH])][p];
  end
  watch #(.IN(FOLDS), .OUT(FOLDS), .WIDTH(PE*OUT_WIDTH), .AHEAD(2)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .place_o(place), .due_i(known_q), .want_i(want));

  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched && in_place == place) {known_q, word_q} <= {1'b1, in_data_i};

  always_comb if (rst_n) reach_a_table: assert (i_lut.i_table.any_q[0] != '0 || i_lut.i_table.any_q[1] == '0);
endmodule

`default_nettype wire
