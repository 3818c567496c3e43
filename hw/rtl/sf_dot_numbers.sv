// Numbers of PLANES bits added with MH rows of constant signs, as sf_dot_planes counts them, for simulators.
//
//   sum[n] = sum over i of (WEIGHTS[n][i] ? number[i] : 2**PLANES - 1 - number[i])
//   latency     STAGES cycles
//   throughput  MH sums a cycle
//
// A place where a plane and a weight agree is a 1 in that bit of the number, or of the number inverted. Threes are
// added once for all rows, with every pattern of signs. Not for synthesis.
`default_nettype none

module sf_dot_numbers #(
  parameter int  MW     = 9,
  parameter int  MH     = 4,
  parameter int  PLANES = 2,
  parameter int  STAGES = 3,
  parameter logic [MH-1:0][MW-1:0] WEIGHTS = '0,
  localparam int WIDTH  = $clog2(MW*(2**PLANES - 1) + 1)
) (
  input  wire                        clk_i,
  input  wire [MW-1:0][PLANES-1:0]   number_i,
  output wire [MH-1:0][WIDTH-1:0]    sums_o
);
  if (MW < 1 || MH < 1 || PLANES < 1)
    $error("sf_dot_numbers: MW = %0d, MH = %0d, PLANES = %0d, must be >= 1", MW, MH, PLANES);
  if (STAGES < 2) $error("sf_dot_numbers: STAGES = %0d, must be >= 2", STAGES);

  logic [STAGES-2:0][MW-1:0][PLANES-1:0] delay_q;  // the numbers of earlier cycles
  always_ff @(posedge clk_i) delay_q <= ((STAGES - 1) * MW * PLANES)'({delay_q, number_i});
  wire [MW-1:0][PLANES-1:0] number = delay_q[STAGES-2];

  // ---- threes with every pattern of signs, then of every row those of its pattern
  localparam int THREES = (MW + 2) / 3;
  logic [THREES-1:0][7:0][WIDTH-1:0] three  /*verilator split_var*/;
  for (genvar t = 0; t < THREES; t++) begin : gen_three
    for (genvar q = 0; q < 8; q++) begin : gen_pattern
      wire [2:0][PLANES-1:0] signed_numbers;
      for (genvar i = 0; i < 3; i++) begin : gen_place
        if (3*t + i < MW) assign signed_numbers[i] = q / 2**i % 2 == 1 ? number[3*t + i] : ~number[3*t + i];
        else assign signed_numbers[i] = '0;
      end
      assign three[t][q] = WIDTH'(signed_numbers[0]) + WIDTH'(signed_numbers[1]) + WIDTH'(signed_numbers[2]);
    end
  end
  for (genvar n = 0; n < MH; n++) begin : gen_row
    logic [THREES:0][WIDTH-1:0] sum  /*verilator split_var*/;
    assign sum[0] = '0;
    for (genvar t = 0; t < THREES; t++) begin : gen_sum
      assign sum[t+1] = sum[t] + three[t][32'((3*THREES)'(WEIGHTS[n]) >> 3*t) % 8];
    end
    logic [WIDTH-1:0] sum_q;
    always_ff @(posedge clk_i) sum_q <= sum[THREES];
    assign sums_o[n] = sum_q;
  end
endmodule

`default_nettype wire
