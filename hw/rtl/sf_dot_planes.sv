// Dot products of PLANES bit planes of MW numbers with MH rows of constant binary weights, bits counted, not signs.
//
//   sum[n] = sum over b of 2**b * popcount over i of (act[b][i] XNOR WEIGHTS[n][i])
//   latency     STAGES cycles
//   throughput  MH sums a cycle
//
// Threes of places are counted once for all rows, with every pattern of weights, by one look-up table each
// (sf_lut_pair.sv), and registered, freely; a row adds its counts of all planes (sf_compress.sv). STAGES is what the
// caller expects, and refused where it is not 2 + LEVELS of sf_compress.sv.
`default_nettype none

module sf_dot_planes #(
  parameter int  MW     = 9,
  parameter int  MH     = 4,
  parameter int  PLANES = 2,
  parameter int  STAGES = 3,
  parameter logic [MH-1:0][MW-1:0] WEIGHTS = '0,
  localparam int WIDTH  = $clog2(MW*(2**PLANES - 1) + 1)
) (
  input  wire                         clk_i,
  input  wire  [PLANES-1:0][MW-1:0]   act_i,
  output wire  [MH-1:0][WIDTH-1:0]    sums_o
);
  if (MW < 1 || MH < 1 || PLANES < 1)
    $error("sf_dot_planes: MW = %0d, MH = %0d, PLANES = %0d, must be >= 1", MW, MH, PLANES);

  localparam int THREES = (MW + 2) / 3;

  // ---- threes, with every pattern of weights: how many agree; what is missing does not
  function automatic logic [63:0] tables(input int pattern, input int n);
    logic [1:0] agree;
    for (int k = 0; k < 32; k++) begin
      agree = '0;
      for (int i = 0; i < n; i++) agree += 2'(k[i] == pattern[i]);
      {tables[32 + k], tables[k]} = agree;
    end
  endfunction
  logic [PLANES-1:0][THREES-1:0][7:0][1:0] agree_q;
  for (genvar b = 0; b < PLANES; b++) begin : gen_plane
    wire [3*THREES-1:0] act = (3*THREES)'(act_i[b]);
    for (genvar t = 0; t < THREES; t++) begin : gen_three
      for (genvar q = 0; q < 8; q++) begin : gen_pattern
        wire [1:0] agree;
        sf_lut_pair #(.TABLES(tables(q, 3*t + 3 < MW ? 3 : MW - 3*t))) i_count (
          .in_i({2'b00, act[3*t +: 3]}), .out_o(agree));
        always_ff @(posedge clk_i) agree_q[b][t][q] <= agree;
      end
    end
  end
  wire unused_patterns = &{1'b0, agree_q};

  // ---- columns of a row's counts: column r has the low bits of plane r and the high bits of plane r - 1
  function automatic logic [WIDTH-1:0][15:0] heights();
    for (int r = 0; r < WIDTH; r++) heights[r] = 16'(THREES * (32'(r < PLANES) + 32'(r > 0 && r <= PLANES)));
  endfunction
  function automatic int from(input int r);  // first bit of column r
    return THREES * (r == 0 ? 0 : 2*r - 1);
  endfunction
  localparam int TOTAL = WIDTH > PLANES ? 2*PLANES*THREES : (2*PLANES - 1)*THREES;

  for (genvar n = 0; n < MH; n++) begin : gen_row
    wire [TOTAL-1:0] bits;
    for (genvar b = 0; b < PLANES; b++) begin : gen_plane
      for (genvar t = 0; t < THREES; t++) begin : gen_three
        localparam int PATTERN = 32'((3*THREES)'(WEIGHTS[n]) >> 3*t) % 8;
        assign bits[from(b) + t + (b > 0 ? THREES : 0)] = agree_q[b][t][PATTERN][0];
        if (b + 1 < WIDTH) assign bits[from(b + 1) + t] = agree_q[b][t][PATTERN][1];
      end
    end
    sf_compress #(.WIDTH(WIDTH), .HEIGHTS(heights()), .TOTAL(TOTAL), .LEVELS(STAGES - 2)) i_compress (
      .clk_i, .bits_i(bits), .sum_o(sums_o[n]));
  end
endmodule

`default_nettype wire
