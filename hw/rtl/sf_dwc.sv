// Data width converter: one word of the wide side is R of the narrow one, R = ceil(wide / narrow). Element order is
// kept: the first element stays in the least significant bits.
//
//   up    (OUT_WIDTH >= IN_WIDTH)  out = {in[R-1], ..., in[0]}    latency 1 cycle after the last of R words
//   down  (OUT_WIDTH < IN_WIDTH)   out[k] = in[k*OUT_WIDTH +: OUT_WIDTH], k = 0..R-1    latency 1 cycle to the first
//   throughput  one word per cycle on the narrow side, without gaps
//
// Where R narrow words are wider than a wide one, the last is padded with zeros (down), or what it has too much is
// dropped (up): the wide word is a whole vector, whose folds need not divide it.
`default_nettype none

module sf_dwc #(
  parameter int IN_WIDTH  = 8,
  parameter int OUT_WIDTH = 32
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  input  wire  [IN_WIDTH-1:0]  in_data_i,
  input  wire                  in_valid_i,
  output wire                  in_ready_o,
  output wire  [OUT_WIDTH-1:0] out_data_o,
  output wire                  out_valid_o,
  input  wire                  out_ready_i
);
  localparam bit UP = OUT_WIDTH >= IN_WIDTH;
  localparam int R  = UP ? (OUT_WIDTH + IN_WIDTH - 1) / IN_WIDTH : (IN_WIDTH + OUT_WIDTH - 1) / OUT_WIDTH;
  localparam int CW = R > 1 ? $clog2(R) : 1;

  if (IN_WIDTH < 1 || OUT_WIDTH < 1)
    $error("sf_dwc: IN_WIDTH = %0d, OUT_WIDTH = %0d, must be >= 1", IN_WIDTH, OUT_WIDTH);

  logic [CW-1:0] count_q;
  wire last = count_q == CW'(R - 1);

  if (UP) begin : gen_up
    localparam int WORDS = R * IN_WIDTH;
    logic [WORDS-1:0] data_q;
    logic             valid_q;
    assign in_ready_o  = !valid_q || out_ready_i;
    assign out_data_o  = data_q[OUT_WIDTH-1:0];
    assign out_valid_o = valid_q;
    wire take = in_valid_i && in_ready_o;
    if (WORDS > OUT_WIDTH) begin : gen_surplus
      wire unused_bits = &{1'b0, data_q[WORDS-1:OUT_WIDTH]};
    end
    always_ff @(posedge clk_i) begin
      if (take) data_q <= WORDS'({in_data_i, data_q} >> IN_WIDTH);  // after R words the first one is at the bottom
      if (!rst_ni) begin
        count_q <= '0;
        valid_q <= 1'b0;
      end else begin
        if (take) count_q <= last ? '0 : count_q + 1'b1;
        if (in_ready_o) valid_q <= take && last;
      end
    end
  end else begin : gen_down
    logic [IN_WIDTH-1:0] data_q;
    logic                valid_q;
    wire give = valid_q && out_ready_i;
    assign in_ready_o  = !valid_q || (out_ready_i && last);
    assign out_data_o  = data_q[OUT_WIDTH-1:0];
    assign out_valid_o = valid_q;
    always_ff @(posedge clk_i) begin
      if (in_ready_o) data_q <= in_data_i;
      else if (give) data_q <= data_q >> OUT_WIDTH;
      if (!rst_ni) begin
        count_q <= '0;
        valid_q <= 1'b0;
      end else begin
        if (in_ready_o) valid_q <= in_valid_i;
        if (give) count_q <= last ? '0 : count_q + 1'b1;
      end
    end
  end
endmodule

`default_nettype wire
