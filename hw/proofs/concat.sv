// Position by position sf_concat passes on the words of one stream, then those of the other.
//
//   case PE=1 WORDS0=1 WORDS1=1 WIDTH0=1 WIDTH1=1 OUT_WIDTH=1
//   case PE=2 WORDS0=2 WORDS1=3 WIDTH0=2 WIDTH1=3 SIGNED0=1 OUT_WIDTH=4
//   case PE=1 WORDS0=3 WORDS1=1 WIDTH0=3 WIDTH1=2 SIGNED1=1 OUT_WIDTH=3
//   case PE=2 WORDS0=1 WORDS1=4 WIDTH0=2 WIDTH1=2 SIGNED0=1 SIGNED1=1 OUT_WIDTH=3
//
//   any
//
//   free out_valid of out_ready_i
//
//   mutant word_q) >= WORDS0 => word_q) > WORDS0
//   mutant word_q == AW'(WORDS - 1) => word_q == AW'(WORDS0)
//   mutant out_ready_i && !second => out_ready_i
//   mutant SIGNED0 ? OUT_WIDTH => SIGNED1 ? OUT_WIDTH
//   mutant out_valid_o && out_ready_i => out_ready_i
`default_nettype none

module prove_concat #(
  parameter int PE        = 1,
  parameter int WORDS0    = 1,
  parameter int WIDTH0    = 1,
  parameter bit SIGNED0   = 1'b0,
  parameter int WORDS1    = 1,
  parameter int WIDTH1    = 1,
  parameter bit SIGNED1   = 1'b0,
  parameter int OUT_WIDTH = 1
) (
  input wire                 clk_i,
  input wire [PE*WIDTH0-1:0] in0_data_i,
  input wire                 in0_valid_i,
  input wire [PE*WIDTH1-1:0] in1_data_i,
  input wire                 in1_valid_i,
  input wire                 out_ready_i
);
  wire rst_n, in0_ready, in1_ready, out_valid;
  wire [PE-1:0][OUT_WIDTH-1:0] out_data;
  wake i_wake (.clk_i, .rst_no(rst_n));
  steady #(.WIDTH(PE*WIDTH0), .ASSUMED(1'b1)) i_in0 (
    .clk_i, .rst_ni(rst_n), .data_i(in0_data_i), .valid_i(in0_valid_i), .ready_i(in0_ready));
  steady #(.WIDTH(PE*WIDTH1), .ASSUMED(1'b1)) i_in1 (
    .clk_i, .rst_ni(rst_n), .data_i(in1_data_i), .valid_i(in1_valid_i), .ready_i(in1_ready));
  steady #(.WIDTH(PE*OUT_WIDTH)) i_out (
    .clk_i, .rst_ni(rst_n), .data_i(out_data), .valid_i(out_valid), .ready_i(out_ready_i));

  sf_concat #(.PE(PE), .WORDS0(WORDS0), .WIDTH0(WIDTH0), .SIGNED0(SIGNED0), .WORDS1(WORDS1), .WIDTH1(WIDTH1),
              .SIGNED1(SIGNED1), .OUT_WIDTH(OUT_WIDTH)) i_concat (
    .clk_i, .rst_ni(rst_n), .in0_data_i, .in0_valid_i, .in0_ready_o(in0_ready), .in1_data_i, .in1_valid_i,
    .in1_ready_o(in1_ready), .out_data_o(out_data), .out_valid_o(out_valid), .out_ready_i);

  logic [15:0] word_q;  // of the output, in its position
  wire second = word_q >= 16'(WORDS0);
  wire give   = out_valid && out_ready_i;
  wire last   = word_q == 16'(WORDS0 + WORDS1 - 1);
  always_ff @(posedge clk_i)
    if (!rst_n) word_q <= '0;
    else if (give) word_q <= last ? '0 : word_q + 1'b1;

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    wire [WIDTH0-1:0] a = in0_data_i[p*WIDTH0 +: WIDTH0];
    wire [WIDTH1-1:0] b = in1_data_i[p*WIDTH1 +: WIDTH1];
    wire signed [OUT_WIDTH:0] x = {{OUT_WIDTH + 1 - WIDTH0{SIGNED0 && a[WIDTH0-1]}}, a};
    wire signed [OUT_WIDTH:0] y = {{OUT_WIDTH + 1 - WIDTH1{SIGNED1 && b[WIDTH1-1]}}, b};
    always_comb if (rst_n && out_valid) value: assert (out_data[p] == OUT_WIDTH'(second ? y : x));
  end
  always_comb
    if (rst_n) begin
      comes:  assert (out_valid == (second ? in1_valid_i : in0_valid_i));
      taken0: assert ((in0_valid_i && in0_ready) == (give && !second));
      taken1: assert ((in1_valid_i && in1_ready) == (give && second));
      reach_the_last: assert (!(give && last));
    end
endmodule

`default_nettype wire
