// Sum of three numbers, registered.
//
//   sum = a + b + c, modulo 2**WIDTH
//   latency     1 cycle
//   throughput  1 sum a cycle
//
// On Xilinx (SF_LUT6_2) one look-up table a bit: a position adds its three bits, hands their carry to the table of the
// next one, and adds what comes to their sum in the carry chain. Elsewhere plain text.
`default_nettype none

module sf_add3 #(
  parameter int WIDTH = 8
) (
  input  wire              clk_i,
  input  wire  [WIDTH-1:0] a_i,
  input  wire  [WIDTH-1:0] b_i,
  input  wire  [WIDTH-1:0] c_i,
  output logic [WIDTH-1:0] sum_o
);
  if (WIDTH < 1) $error("sf_add3: WIDTH = %0d, must be >= 1", WIDTH);

`ifdef SF_LUT6_2
  // of {carry from below, c, b, a}: whether the position propagates, and its carry
  function automatic logic [63:0] tables();
    for (int k = 0; k < 32; k++) begin
      tables[32 + k] = ^k[3:0];
      tables[k]      = $countones(k[2:0]) >= 2;
    end
  endfunction
  localparam logic [63:0] TABLES = tables();

  wire [WIDTH-1:0] propagate, sum;
  wire [WIDTH:0]   carries;
  wire             unused_carry;
  assign carries[0] = 1'b0;
  for (genvar k = 0; k < WIDTH; k++) begin : gen_bit
    sf_lut_pair #(.TABLES(TABLES)) i_lut (
      .in_i({1'b0, carries[k], c_i[k], b_i[k], a_i[k]}), .out_o({propagate[k], carries[k+1]}));
  end
  sf_carry #(.WIDTH(WIDTH)) i_carry (
    .s_i(propagate), .d_i(carries[WIDTH-1:0]), .carry_i(1'b0), .o_o(sum), .carry_o(unused_carry));
  always_ff @(posedge clk_i) sum_o <= sum;
`else
  always_ff @(posedge clk_i) sum_o <= a_i + b_i + c_i;
`endif
endmodule

`default_nettype wire
