// The bits of sf_dwc leave as they came, in words of another width; where the narrow words are wider together than the
// wide one, zeros behind it, or without what they have too much.
//
//   case IN_WIDTH=2 OUT_WIDTH=2
//   case IN_WIDTH=1 OUT_WIDTH=2
//   case IN_WIDTH=1 OUT_WIDTH=3
//   case IN_WIDTH=2 OUT_WIDTH=8
//   case IN_WIDTH=2 OUT_WIDTH=1
//   case IN_WIDTH=3 OUT_WIDTH=1
//   case IN_WIDTH=8 OUT_WIDTH=2
//   case IN_WIDTH=5 OUT_WIDTH=1
//   case IN_WIDTH=2 OUT_WIDTH=3
//   case IN_WIDTH=3 OUT_WIDTH=7
//   case IN_WIDTH=3 OUT_WIDTH=2
//   case IN_WIDTH=7 OUT_WIDTH=3
//
//   any
//
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//
//   mutant {in_data_i, data_q} >> IN_WIDTH => {data_q, in_data_i}
//   mutant valid_q <= take && last => valid_q <= take
//   mutant !valid_q || (out_ready_i && last) => !valid_q || out_ready_i
//   mutant (IN_WIDTH + OUT_WIDTH - 1) / OUT_WIDTH; => IN_WIDTH / OUT_WIDTH;
//   mutant data_q >> OUT_WIDTH => data_q >> 1
//   mutant valid_q <= in_valid_i => valid_q <= 1'b1
//   mutant count_q == CW'(R - 1) => count_q == CW'(R - 2)
`default_nettype none

module prove_dwc #(
  parameter int IN_WIDTH  = 1,
  parameter int OUT_WIDTH = 2
) (
  input wire                clk_i,
  input wire                pick_i,
  input wire          [7:0] place_i,
  input wire          [7:0] word_i,
  input wire         [15:0] bit_i,
  input wire [IN_WIDTH-1:0] in_data_i,
  input wire                in_valid_i,
  input wire                out_ready_i
);
  localparam bit UP   = OUT_WIDTH >= IN_WIDTH;
  localparam int WIDE = UP ? OUT_WIDTH : IN_WIDTH, NARROW = UP ? IN_WIDTH : OUT_WIDTH;
  localparam int R    = (WIDE + NARROW - 1) / NARROW;

  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [OUT_WIDTH-1:0] out_data;
  wire  [7:0] in_place, place;

  // the prover chooses a bit of a narrow word, too; where it lies in the wide one
  logic  [7:0] word_q;
  logic [15:0] bit_q;
  always_ff @(posedge clk_i)
    if (!rst_n) begin
      word_q <= UP && 32'(word_i) * NARROW + 32'(bit_i) < OUT_WIDTH ? word_i : '0;
      bit_q  <= UP && 32'(word_i) * NARROW + 32'(bit_i) >= OUT_WIDTH || 32'(bit_i) >= NARROW ? '0 : bit_i;
    end
  wire [31:0] word = 32'(UP ? word_q : place), at = word * NARROW + 32'(bit_q);

  sf_dwc #(.IN_WIDTH(IN_WIDTH), .OUT_WIDTH(OUT_WIDTH)) i_dwc (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  logic known_q, want_q;
  watch #(.IN(UP ? R : 1), .OUT(UP ? 1 : R)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready),
    .out_data_i(out_data[UP ? at : 32'(bit_q)]), .out_valid_i(out_valid), .out_ready_i, .take_o(take),
    .in_place_o(in_place), .in_watched_o(in_watched), .place_o(place), .due_i(known_q), .want_i(want_q));

  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched) begin
      if (!UP) want_q <= at < IN_WIDTH ? in_data_i[at] : 1'b0;
      else if (32'(in_place) == word) want_q <= in_data_i[bit_q];
      known_q <= !UP || in_place == 8'(R - 1);
    end

  // ---- what helps the prover: the bit chosen, while it is inside
  wire here = i_watch.chosen_q && !i_watch.gone_q;
  wire [31:0] given = 32'(i_watch.out_q), come = 32'(in_place);
  if (UP) begin : gen_up
    wire [31:0] spot = i_watch.coming_q ? at + (R - come) * NARROW : at;
    always_comb
      if (rst_n) begin
        help_place: assert (32'(i_dwc.count_q) == come && 32'(i_watch.inside_q) == 32'(out_valid) + 32'(come != '0));
        help_known: assert (known_q == (i_watch.chosen_q && !i_watch.coming_q) && at < OUT_WIDTH
                            && 32'(bit_q) < NARROW);
        help_bit: assert (!here || (i_watch.coming_q && word >= come) || i_dwc.gen_up.data_q[spot] == want_q);
      end
  end else begin : gen_down
    wire [31:0] spot = (word - given) * NARROW + 32'(bit_q);
    always_comb
      if (rst_n) begin
        help_place: assert (32'(i_dwc.count_q) == given && i_watch.inside_q == out_valid
                            && (out_valid || given == '0));
        help_known: assert (known_q == i_watch.chosen_q && 32'(bit_q) < NARROW);
        help_bit: assert (!here || word < given || (spot < IN_WIDTH ? i_dwc.gen_down.data_q[spot] : 1'b0) == want_q);
      end
  end
endmodule

`default_nettype wire
