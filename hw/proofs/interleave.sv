// The words of PIXELS vectors leave sf_interleave side by side, or one vector behind the other, each in its order.
//
// Frames of watch.sv are groups of PIXELS vectors.
//
//   case WIDTH=1 PIXELS=2 WORDS=1 JOIN=1
//   case WIDTH=1 PIXELS=2 WORDS=1 JOIN=0
//   case WIDTH=1 PIXELS=2 WORDS=2 JOIN=1
//   case WIDTH=1 PIXELS=2 WORDS=3 JOIN=1
//   case WIDTH=1 PIXELS=4 WORDS=1 JOIN=1
//   case WIDTH=1 PIXELS=2 WORDS=2 JOIN=0
//   case WIDTH=1 PIXELS=2 WORDS=3 JOIN=0
//   case WIDTH=1 PIXELS=4 WORDS=1 JOIN=0
//
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//   free in_ready of out_ready_i, in_valid_i, in_data_i
//
//   mutant full_q != 2'd2 => full_q != 2'd3
//   mutant put && put_word && (!JOIN || pixel) => put && put_word
//   mutant get && get_word && (JOIN || pixel) => get && get_word
//   mutant {put_half_q, put_word_q}] <= => {get_half_q, put_word_q}] <=
//   mutant get_half_q ^ get_last => get_half_q
//   mutant OUT_WIDTH'(words[pixel_q]) => OUT_WIDTH'(words[0])
//   mutant put && (!JOIN || pixel_q == PW'(m)) => put
//   mutant full_q + 2'(put_last) - 2'(get_last) => full_q + 2'(put_last)
//   mutant if (!valid_q || out_ready_i) data_q <= => if (out_ready_i) data_q <=
`default_nettype none

module prove_interleave #(
  parameter int WIDTH  = 1,
  parameter int PIXELS = 2,
  parameter int WORDS  = 2,
  parameter bit JOIN   = 1'b1,
  localparam int IN_WIDTH  = JOIN ? WIDTH : PIXELS * WIDTH,
  localparam int OUT_WIDTH = JOIN ? PIXELS * WIDTH : WIDTH
) (
  input wire                clk_i,
  input wire                pick_i,
  input wire          [7:0] place_i,
  input wire [IN_WIDTH-1:0] in_data_i,
  input wire                in_valid_i,
  input wire                out_ready_i
);
  localparam int IN = JOIN ? PIXELS * WORDS : WORDS, OUT = JOIN ? WORDS : PIXELS * WORDS;
  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [OUT_WIDTH-1:0] out_data;
  wire  [7:0] in_place, place;
  sf_interleave #(.WIDTH(WIDTH), .PIXELS(PIXELS), .WORDS(WORDS), .JOIN(JOIN)) i_dut (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  // the words of the group chosen: vector m, word w
  logic [PIXELS-1:0][WORDS-1:0][WIDTH-1:0] group_q;
  logic known_q;
  wire [31:0] word = 32'(in_place) % WORDS;
  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= 1'b0;
    else if (take && in_watched) begin
      for (int m = 0; m < PIXELS; m++)
        if (!JOIN || 32'(in_place) / WORDS == m) group_q[m][word] <= in_data_i[(JOIN ? 0 : m)*WIDTH +: WIDTH];
      known_q <= in_place == 8'(IN - 1);
    end

  wire [PIXELS-1:0][WIDTH-1:0] side_by_side;
  for (genvar m = 0; m < PIXELS; m++) begin : gen_vector
    assign side_by_side[m] = group_q[m][32'(place) % WORDS];
  end
  watch #(.IN(IN), .OUT(OUT), .WIDTH(OUT_WIDTH), .AHEAD(4), .LATENCY(2), .IDLE(0)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .place_o(place), .due_i(known_q),
    .want_i(JOIN ? OUT_WIDTH'(side_by_side) : OUT_WIDTH'(side_by_side[32'(place) / WORDS])));
endmodule

`default_nettype wire
