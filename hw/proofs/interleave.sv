// The words of PIXELS vectors leave sf_interleave side by side, or one vector behind the other, each in its order.
//
// Frames of watch.sv are images of VECTORS vectors. Of a short group only the vectors that are there are compared.
//
//   case WIDTH=1 PIXELS=2 WORDS=2 VECTORS=3 JOIN=1
//   case WIDTH=1 PIXELS=2 WORDS=2 VECTORS=3 JOIN=0
//   case WIDTH=1 PIXELS=2 WORDS=1 JOIN=1
//   case WIDTH=1 PIXELS=2 WORDS=1 JOIN=0
//   case WIDTH=1 PIXELS=2 WORDS=2 JOIN=1
//   case WIDTH=1 PIXELS=2 WORDS=3 JOIN=1
//   case WIDTH=1 PIXELS=4 WORDS=1 JOIN=1
//   case WIDTH=1 PIXELS=2 WORDS=2 JOIN=0
//   case WIDTH=1 PIXELS=2 WORDS=3 JOIN=0
//   case WIDTH=1 PIXELS=4 WORDS=1 JOIN=0
//   case WIDTH=1 PIXELS=2 WORDS=1 VECTORS=3 JOIN=1
//   case WIDTH=1 PIXELS=4 WORDS=1 VECTORS=5 JOIN=1
//   case WIDTH=1 PIXELS=2 WORDS=1 VECTORS=3 JOIN=0
//   case WIDTH=1 PIXELS=4 WORDS=1 VECTORS=5 JOIN=0
//
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//   free in_ready of out_ready_i, in_valid_i, in_data_i
//
//   mutant full_q != 2'd2 => full_q != 2'd3
//   mutant vector_q == VW'(VECTORS - 1) => vector_q == VW'(VECTORS - 2)
//   mutant else if (next) vector_q => else vector_q
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
  parameter int WIDTH   = 1,
  parameter int PIXELS  = 2,
  parameter int WORDS   = 2,
  parameter int VECTORS = PIXELS,
  parameter bit JOIN    = 1'b1,
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
  localparam int GROUPS = (VECTORS + PIXELS - 1) / PIXELS;
  localparam int IN = (JOIN ? VECTORS : GROUPS) * WORDS, OUT = (JOIN ? GROUPS : VECTORS) * WORDS;
  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [OUT_WIDTH-1:0] out_data;
  wire  [7:0] in_place, place;
  sf_interleave #(.WIDTH(WIDTH), .PIXELS(PIXELS), .WORDS(WORDS), .VECTORS(VECTORS), .JOIN(JOIN)) i_dut (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  // the words of the image chosen: vector v, word w; a group is known with its last word
  logic [VECTORS-1:0][WORDS-1:0][WIDTH-1:0] image_q;
  logic [GROUPS-1:0] known_q;
  wire [31:0] word = 32'(in_place) % WORDS, line = 32'(in_place) / WORDS;  // of the vector, or of the group
  always_ff @(posedge clk_i)
    if (!rst_n) known_q <= '0;
    else if (take && in_watched) begin
      for (int v = 0; v < VECTORS; v++)
        if (line == (JOIN ? v : v / PIXELS)) image_q[v][word] <= in_data_i[(JOIN ? 0 : v % PIXELS)*WIDTH +: WIDTH];
      for (int g = 0; g < GROUPS; g++)
        if (word == WORDS - 1 && line == (JOIN ? (g == GROUPS - 1 ? VECTORS : (g + 1) * PIXELS) - 1 : g))
          known_q[g] <= 1'b1;
    end

  // the word chosen; what means nothing is 0, there and in the words that come out
  wire [31:0] from = 32'(place) / WORDS;  // group, or vector
  wire [PIXELS-1:0][WIDTH-1:0] side_by_side;
  for (genvar m = 0; m < PIXELS; m++) begin : gen_vector
    wire is = from*PIXELS + m < VECTORS;
    assign side_by_side[m] = is ? image_q[from*PIXELS + m][32'(place) % WORDS] : '0;
  end
  wire [7:0] out_place;
  wire short = JOIN && out_place >= 8'((GROUPS - 1) * WORDS) && VECTORS % PIXELS != 0;
  wire [OUT_WIDTH-1:0] means = short ? '1 >> ((PIXELS - VECTORS % PIXELS) * WIDTH) : '1;
  watch #(.IN(IN), .OUT(OUT), .WIDTH(OUT_WIDTH), .AHEAD(4), .LATENCY(2), .IDLE(0)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data & means),
    .out_valid_i(out_valid), .out_ready_i, .out_place_o(out_place), .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .place_o(place),
    .due_i(known_q[JOIN ? from : from / PIXELS]),
    .want_i(JOIN ? OUT_WIDTH'(side_by_side) : OUT_WIDTH'(image_q[from][32'(place) % WORDS])));
endmodule

`default_nettype wire
