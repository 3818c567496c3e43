// The places of the words that sf_swg.sv gives, [oh][ow][kh][kw][cf], one after the other.
//
//   cf_o            the place in its pixel of the first word after a reset, of the next one a cycle after each step_i
//   end_row_o       it is the last word of its row of windows
//   end_frame_o     of its frame
//   outside_o       its pixel lies outside the frame of H x W: row oh*SH + kh*DH - TOP, column ow*SW + kw*DW - LEFT
//   next_lasts_o    the word behind it is the last one of its pixel, line of a window, window, row of windows, frame
//   next_outside_o  its pixel lies outside the frame
//
//   throughput  a place a cycle
//   latency     1 cycle from step_i
`default_nettype none

module sf_swg_places #(
  parameter int CF   = 1,
  parameter int H    = 8, W = 8,
  parameter int KH   = 3, KW = 3, OH = 6, OW = 6,
  parameter int SH   = 1, SW = 1, DH = 1, DW = 1,
  parameter int TOP  = 0, LEFT = 0, BOTTOM = 0, RIGHT = 0,
  localparam int CF_W = CF > 1 ? $clog2(CF) : 1,
  localparam logic [4:0] LASTS = {OH*OW*KH*KW*CF == 1, OW*KH*KW*CF == 1, KH*KW*CF == 1, KW*CF == 1, CF == 1}
) (
  input  wire            clk_i,
  input  wire            rst_ni,
  input  wire            step_i,
  // the word
  output wire [CF_W-1:0] cf_o,
  output wire            end_row_o,
  output wire            end_frame_o,
  output wire            outside_o,
  // the word behind it
  output wire      [4:0] next_lasts_o,
  output wire            next_outside_o
);
  localparam int X_W = $clog2((LEFT > W + RIGHT ? LEFT : W + RIGHT) + 1) + 1;
  localparam int Y_W = $clog2((TOP > H + BOTTOM ? TOP : H + BOTTOM) + 1) + 1;
  if (CF < 1 || KH < 1 || KW < 1 || OH < 1 || OW < 1)
    $error("sf_swg_places: %0d words, %0dx%0d pixels, %0dx%0d windows must be >= 1", CF, KH, KW, OH, OW);

  // ---- the word behind: counters of cf, kw, kh, ow, oh, and whether they are at their ends
  localparam int SIZES [5] = '{CF, KW, KH, OW, OH};
  localparam logic [4:0] MOVED = {LASTS[3:0], 1'b1};  // from the first word to the second
  logic [4:0] ends_q;
  wire  [4:0] lasts = {&ends_q, &ends_q[3:0], &ends_q[2:0], &ends_q[1:0], ends_q[0]};
  wire  [4:0] moves = {lasts[3:0], 1'b1};
  for (genvar k = 0; k < 5; k++) begin : gen_counter
    localparam int SIZE  = SIZES[k];
    localparam int WIDTH = SIZE > 1 ? $clog2(SIZE) : 1;
    logic [WIDTH-1:0] count_q;
    always_ff @(posedge clk_i)
      if (!rst_ni) {ends_q[k], count_q} <= {SIZE == 1 || (SIZE == 2 && MOVED[k]), WIDTH'(SIZE > 1 && MOVED[k])};
      else if (step_i && moves[k])
        {ends_q[k], count_q} <= {SIZE == 1 || 32'(count_q) == SIZE - 2, lasts[k] ? WIDTH'(0) : count_q + 1'b1};
  end

  // ---- its column and row
  logic signed [X_W-1:0] x_q;
  logic signed [Y_W-1:0] y_q;
  function automatic logic signed [X_W-1:0] column(input logic signed [X_W-1:0] x, input logic [3:0] last);
    return last[3] ? X_W'(-LEFT) : !last[0] ? x
         : x + (last[2] ? X_W'(SW - (KW - 1) * DW) : last[1] ? X_W'(-(KW - 1) * DW) : X_W'(DW));
  endfunction
  function automatic logic signed [Y_W-1:0] row(input logic signed [Y_W-1:0] y, input logic [4:1] last);
    return last[4] ? Y_W'(-TOP) : !last[1] ? y
         : y + (last[3] ? Y_W'(SH - (KH - 1) * DH) : last[2] ? Y_W'(-(KH - 1) * DH) : Y_W'(DH));
  endfunction
  always_ff @(posedge clk_i)
    if (!rst_ni) {x_q, y_q} <= {column(X_W'(-LEFT), LASTS[3:0]), row(Y_W'(-TOP), LASTS[4:1])};
    else if (step_i) {x_q, y_q} <= {column(x_q, lasts[3:0]), row(y_q, lasts[4:1])};
  wire outside = (LEFT + RIGHT > 0 && unsigned'(x_q) >= X_W'(W))  // numbers below 0 are large without their sign
              || (TOP + BOTTOM > 0 && unsigned'(y_q) >= Y_W'(H));
  assign {next_lasts_o, next_outside_o} = {lasts, outside};

  // ---- the word
  logic [CF_W-1:0] cf_q;
  logic end_frame_q, end_row_q, outside_q;
  always_ff @(posedge clk_i)
    if (!rst_ni) {cf_q, end_frame_q, end_row_q, outside_q} <= {CF_W'(0), LASTS[4:3], TOP > 0 || LEFT > 0};
    else if (step_i) {cf_q, end_frame_q, end_row_q, outside_q} <= {gen_counter[0].count_q, lasts[4:3], outside};
  assign {cf_o, end_frame_o, end_row_o, outside_o} = {cf_q, end_frame_q, end_row_q, outside_q};
endmodule

`default_nettype wire
