// Every word that leaves sf_maxpool is the maximum of its window of its frame, element by element. A word
// comes in whenever none is offered (fills): it does not wait for the output to be ready.
//
//   case C=1 PE=1 H=2 W=2 KH=2 KW=2 WIDTH=1
//   case C=1 PE=1 H=2 W=4 KH=2 KW=2 WIDTH=2 SIGNED=1
//   case C=2 PE=1 H=2 W=3 KH=2 KW=2 WIDTH=1
//   case C=1 PE=1 H=5 W=3 KH=2 KW=2 WIDTH=1
//   case C=2 PE=2 H=3 W=2 KH=3 KW=1 WIDTH=2
//   case C=2 PE=1 H=2 W=2 KH=2 KW=1 WIDTH=1
//   case C=1 PE=1 H=3 W=2 KH=1 KW=1 WIDTH=1
//
//   free out_valid of out_ready_i, in_valid_i, in_data_i
//
//   mutant (a ^ BIAS) > (b ^ BIAS) => a > b
//   mutant in_data_i | (first ? '0 : kept) => in_data_i | kept
//   mutant 32'(place_q) < DEPTH && => 1'b1 &&
//   mutant kx_q == KXW'(KW - 1) => kx_q == KXW'(KW)
//   mutant last_x || last_kx ? '0 : kx_q => last_kx ? '0 : kx_q
//   mutant last_y || last_ky ? '0 : ky_q => last_ky ? '0 : ky_q
//   mutant last_c && !last_kx ? PW'(1 - CF) => last_c && !last_kx ? PW'(0)
//   mutant 32'(y_q) == H - 1 => 32'(y_q) == H
//   mutant !out_valid_q || out_ready_i => out_ready_i
`default_nettype none

module prove_maxpool #(
  parameter int C      = 1,
  parameter int PE     = 1,
  parameter int H      = 2,
  parameter int W      = 2,
  parameter int KH     = 2,
  parameter int KW     = 2,
  parameter int WIDTH  = 1,
  parameter bit SIGNED = 1'b0
) (
  input wire                clk_i,
  input wire                pick_i,
  input wire          [7:0] place_i,
  input wire [PE*WIDTH-1:0] in_data_i,
  input wire                in_valid_i,
  input wire                out_ready_i
);
  localparam int CF = C / PE, OH = H / KH, OW = W / KW;

  wire rst_n, in_ready, out_valid, take, in_watched;
  wire [7:0] in_place, place;
  wire  [PE*WIDTH-1:0] out_data;
  logic [PE*WIDTH-1:0] largest_q;
  logic begun_q, known_q;

  sf_maxpool #(.C(C), .PE(PE), .H(H), .W(W), .KH(KH), .KW(KW), .WIDTH(WIDTH), .SIGNED(SIGNED)) i_maxpool (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  watch #(.IN(H * W * CF), .OUT(OH * OW * CF), .WIDTH(PE*WIDTH), .AHEAD(2)) i_watch (
    .clk_i, .rst_no(rst_n), .pick_i, .place_i, .in_valid_i, .in_ready_i(in_ready), .out_data_i(out_data),
    .out_valid_i(out_valid), .out_ready_i, .take_o(take), .in_place_o(in_place), .in_watched_o(in_watched),
    .place_o(place), .due_i(known_q), .want_i(largest_q));

  // the word of row y, column x and channel word c belongs to the window of the place chosen
  logic mine, last;
  always_comb begin
    {mine, last} = '0;
    for (int y = 0; y < OH * KH; y++)
      for (int x = 0; x < OW * KW; x++)
        for (int c = 0; c < CF; c++)
          if (in_place == 8'((y * W + x) * CF + c) && place == 8'((y / KH * OW + x / KW) * CF + c)) begin
            mine = take && in_watched;
            last = y % KH == KH - 1 && x % KW == KW - 1;
          end
  end
  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [WIDTH-1:0] new_raw = in_data_i[p*WIDTH +: WIDTH], old_raw = largest_q[p*WIDTH +: WIDTH];
    wire signed [WIDTH:0] x = {SIGNED && new_raw[WIDTH-1], new_raw}, y = {SIGNED && old_raw[WIDTH-1], old_raw};
    always_ff @(posedge clk_i) if (mine && (!begun_q || x > y)) largest_q[p*WIDTH +: WIDTH] <= new_raw;
  end
  always_ff @(posedge clk_i)
    if (!rst_n) {begun_q, known_q} <= '0;
    else if (mine) {begun_q, known_q} <= {1'b1, last};
  always_comb if (rst_n) fills: assert (out_valid || in_ready);
endmodule

`default_nettype wire
