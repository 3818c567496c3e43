// Every element that leaves sf_accpool is the sum of its channel over the POSITIONS of its frame.
//
//   case PE=1 WORDS=1 POSITIONS=1 WIDTH=2 IS_SIGNED=1 OUT_WIDTH=2
//   case PE=1 WORDS=1 POSITIONS=3 WIDTH=2 IS_SIGNED=0 OUT_WIDTH=4
//   case PE=2 WORDS=2 POSITIONS=2 WIDTH=2 IS_SIGNED=1 OUT_WIDTH=3
//   case PE=1 WORDS=3 POSITIONS=2 WIDTH=2 IS_SIGNED=0 OUT_WIDTH=3
//   case PE=1 WORDS=2 POSITIONS=4 WIDTH=1 IS_SIGNED=0 OUT_WIDTH=3
//
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//
//   mutant first ? '0 : held => last ? '0 : held
//   mutant position_q == NW'(POSITIONS - 1) => position_q == NW'(POSITIONS)
//   mutant word_q == AW'(WORDS - 1) => word_q == AW'(WORDS)
//   mutant IS_SIGNED ? OUT_WIDTH'($signed(x)) => IS_SIGNED ? OUT_WIDTH'(x)
//   mutant out_valid_q <= take && last => out_valid_q <= take && first
//   mutant take && last_word) position_q => take) position_q
`default_nettype none

module prove_accpool #(
  parameter int PE        = 1,
  parameter int WORDS     = 1,
  parameter int POSITIONS = 1,
  parameter int WIDTH     = 2,
  parameter bit IS_SIGNED = 1'b0,
  parameter int OUT_WIDTH = 2
) (
  input wire                clk_i,
  input wire                pick_i,
  input wire          [7:0] place_i,
  input wire [PE*WIDTH-1:0] in_data_i,
  input wire                in_valid_i,
  input wire                out_ready_i
);
  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [7:0] in_place, place;
  wire  [PE*OUT_WIDTH-1:0] out_data;
  logic [PE*OUT_WIDTH-1:0] sums_q;
  logic known_q;

  sf_accpool #(.PE(PE), .WORDS(WORDS), .POSITIONS(POSITIONS), .WIDTH(WIDTH), .IS_SIGNED(IS_SIGNED),
               .OUT_WIDTH(OUT_WIDTH)) i_accpool (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  watch #(.IN(WORDS * POSITIONS), .OUT(WORDS), .WIDTH(PE*OUT_WIDTH)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .place_o(place), .due_i(known_q), .want_i(sums_q));

  wire mine = take && in_watched && in_place % 8'(WORDS) == place;
  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [WIDTH-1:0] raw = in_data_i[p*WIDTH +: WIDTH];
    wire [OUT_WIDTH-1:0] x = {{OUT_WIDTH{IS_SIGNED && raw[WIDTH-1]}}, raw};
    always_ff @(posedge clk_i)
      if (!rst_n) sums_q[p*OUT_WIDTH +: OUT_WIDTH] <= '0;
      else if (mine) sums_q[p*OUT_WIDTH +: OUT_WIDTH] <= sums_q[p*OUT_WIDTH +: OUT_WIDTH] + x;
  end
  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (mine) known_q <= in_place >= 8'(WORDS * (POSITIONS - 1));
endmodule

`default_nettype wire
