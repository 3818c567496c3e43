// Position by position sf_pad_channels gives words of the constant, those of the input, words of the constant.
//
//   case PE=1 WORDS=1 BEFORE=1 AFTER=0 WIDTH=1 OUT_WIDTH=1
//   case PE=2 WORDS=2 BEFORE=1 AFTER=1 WIDTH=2 SIGNED=1 OUT_WIDTH=3 VALUE=-1
//   case PE=1 WORDS=3 BEFORE=0 AFTER=2 WIDTH=3 OUT_WIDTH=3 VALUE=5
//   case PE=2 WORDS=1 BEFORE=3 AFTER=1 WIDTH=2 OUT_WIDTH=3 VALUE=1
//
//   any
//
//   free out_valid of out_ready_i
//
//   mutant word_q) >= BEFORE + WORDS => word_q) > BEFORE + WORDS
//   mutant word_q == AW'(ALL - 1) => word_q == AW'(ALL - 2)
//   mutant in_valid_i || behind => in_valid_i
//   mutant out_ready_i && own => out_ready_i && !behind
//   mutant own ? wide : => behind ? wide :
`default_nettype none

module prove_pad_channels #(
  parameter int PE        = 1,
  parameter int WORDS     = 1,
  parameter int BEFORE    = 1,
  parameter int AFTER     = 0,
  parameter int WIDTH     = 1,
  parameter bit SIGNED    = 1'b0,
  parameter int OUT_WIDTH = 1,
  parameter int VALUE     = 0
) (
  input wire                clk_i,
  input wire [PE*WIDTH-1:0] in_data_i,
  input wire                in_valid_i,
  input wire                out_ready_i
);
  wire rst_n, in_ready, out_valid;
  wire [PE-1:0][OUT_WIDTH-1:0] out_data;
  wake i_wake (.clk_i, .rst_no(rst_n));
  steady #(.WIDTH(PE*WIDTH), .ASSUMED(1'b1)) i_in (
    .clk_i, .rst_ni(rst_n), .data_i(in_data_i), .valid_i(in_valid_i), .ready_i(in_ready));
  steady #(.WIDTH(PE*OUT_WIDTH)) i_out (
    .clk_i, .rst_ni(rst_n), .data_i(out_data), .valid_i(out_valid), .ready_i(out_ready_i));

  sf_pad_channels #(.PE(PE), .WORDS(WORDS), .BEFORE(BEFORE), .AFTER(AFTER), .WIDTH(WIDTH), .SIGNED(SIGNED),
                    .OUT_WIDTH(OUT_WIDTH), .VALUE(VALUE)) i_pad (
    .clk_i, .rst_ni(rst_n), .in_data_i, .in_valid_i, .in_ready_o(in_ready), .out_data_o(out_data),
    .out_valid_o(out_valid), .out_ready_i);

  logic [15:0] word_q;  // of the output, in its position
  wire front = 32'(word_q) < BEFORE;
  wire own   = !front && 32'(word_q) < BEFORE + WORDS;
  wire last  = 32'(word_q) == BEFORE + WORDS + AFTER - 1;
  wire give  = out_valid && out_ready_i;
  always_ff @(posedge clk_i)
    if (!rst_n) word_q <= '0;
    else if (give) word_q <= last ? '0 : word_q + 1'b1;

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [WIDTH-1:0] a = in_data_i[p*WIDTH +: WIDTH];
    wire signed [OUT_WIDTH:0] x = {{OUT_WIDTH + 1 - WIDTH{SIGNED && a[WIDTH-1]}}, a};
    always_comb if (rst_n && out_valid) value: assert (out_data[p] == (own ? OUT_WIDTH'(x) : OUT_WIDTH'(VALUE)));
  end
  always_comb
    if (rst_n) begin
      comes: assert (out_valid == (in_valid_i || !(front || own)));
      taken: assert ((in_valid_i && in_ready) == (give && own));
      reach_the_last: assert (!(give && last));
    end
endmodule

`default_nettype wire
