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
  input wire [IN_WIDTH-1:0] in_data_i,
  input wire                in_valid_i,
  input wire                out_ready_i
);
  localparam bit UP   = OUT_WIDTH > IN_WIDTH;
  localparam int WIDE = UP ? OUT_WIDTH : IN_WIDTH, NARROW = UP ? IN_WIDTH : OUT_WIDTH;
  localparam int R    = (WIDE + NARROW - 1) / NARROW;

  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [OUT_WIDTH-1:0] out_data;
  wire  [7:0] in_place, place;
  logic [R*NARROW-1:0] wide_q;
  logic                known_q;

  sf_dwc #(.IN_WIDTH(IN_WIDTH), .OUT_WIDTH(OUT_WIDTH)) i_dwc (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  watch #(.IN(UP ? R : 1), .OUT(UP ? 1 : R), .WIDTH(OUT_WIDTH)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .place_o(place), .due_i(known_q), .want_i(OUT_WIDTH'(wide_q >> (32'(place) * OUT_WIDTH))));

  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched) begin
      if (UP) wide_q[32'(in_place)*IN_WIDTH +: IN_WIDTH] <= in_data_i;
      else wide_q <= (R*NARROW)'(in_data_i);
      known_q <= !UP || in_place == 8'(R - 1);
    end
endmodule

`default_nettype wire
