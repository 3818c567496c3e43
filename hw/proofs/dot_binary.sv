// sf_dot_binary counts the places where bits and weights agree; a group whose flag is 1 counts as half of its places.
//
// By induction over the places that agree, for any weights: with none the count is 0, and where one bit changes, at any
// place, the count changes by 1, up if bit and weight agree now, down if not; not at all in a group whose flag is 1.
//
//   case SIMD=1
//   case SIMD=7
//   case SIMD=16
//   case SIMD=31
//   case SIMD=12 GROUP=4
//   case SIMD=18 GROUP=18
//
//   mutant act_i[u*LANES*UNIT/SIMD +: UNIT] ~^ => act_i[u*LANES*UNIT/SIMD +: UNIT] ^
//   mutant {a[1], b[1], c[1], d[1], e[1], f[1], g[1], g[0]} => {a[1], b[1], c[1], d[1], e[1], e[1], g[1], g[0]}
//   mutant 4'(LAST/2 - 15*i/2) => 4'(LAST/2 - 15*i)
//   mutant 15*i + 15 < UNIT ? 15*i + 15 => 15*i + 15 < UNIT ? 15*i + 14
`default_nettype none

module prove_dot_binary #(
  parameter int SIMD  = 16,
  parameter int GROUP = 0,
  localparam int UNIT   = GROUP > 0 ? GROUP : SIMD,
  localparam int UNITS  = SIMD / UNIT,
  localparam int LANES  = GROUP > 0 ? SIMD + UNITS : SIMD,
  localparam int STAGES = 2 + $clog2(UNITS * ((UNIT + 14) / 15)),
  localparam int WIDTH  = STAGES + 2
) (
  input wire             clk_i,
  input wire  [SIMD-1:0] act_i,
  input wire [UNITS-1:0] flags_i,
  input wire  [SIMD-1:0] weights_i,
  input wire       [9:0] place_i
);
  wire rst_n;
  wake i_wake (.clk_i, .rst_no(rst_n));

  wire [9:0] place = place_i < 10'(SIMD) ? place_i : '0;
  wire [SIMD-1:0] changed = act_i ^ (SIMD'(1) << place), none = ~weights_i;
  wire [2:0][LANES-1:0] lanes;
  for (genvar u = 0; u < UNITS; u++) begin : gen_unit
    assign lanes[0][u*LANES/UNITS +: UNIT] = act_i[u*UNIT +: UNIT];
    assign lanes[1][u*LANES/UNITS +: UNIT] = changed[u*UNIT +: UNIT];
    assign lanes[2][u*LANES/UNITS +: UNIT] = none[u*UNIT +: UNIT];
    if (GROUP > 0) begin : gen_flag
      assign lanes[0][u*(GROUP+1) + GROUP] = flags_i[u];
      assign lanes[1][u*(GROUP+1) + GROUP] = flags_i[u];
      assign lanes[2][u*(GROUP+1) + GROUP] = flags_i[u];
    end
  end
  wire [2:0][WIDTH-1:0] count;
  for (genvar k = 0; k < 3; k++) begin : gen_dot
    sf_dot_binary #(.SIMD(SIMD), .GROUP(GROUP)) i_dot (
      .clk_i, .act_i(lanes[k]), .weights_i, .count_o(count[k]));
  end

  // the expectations of the cycle whose counts come now
  logic [STAGES-1:0] known_q, up_q, same_q;
  logic [STAGES-1:0][WIDTH-1:0] flagged_q;
  logic [WIDTH-1:0] flagged;
  always_comb begin
    flagged = '0;
    if (GROUP > 0) for (int u = 0; u < UNITS; u++) flagged += flags_i[u] ? WIDTH'(GROUP / 2) : '0;
  end
  always_ff @(posedge clk_i) begin
    known_q   <= rst_n ? STAGES'({known_q, 1'b1}) : '0;
    up_q      <= STAGES'({up_q, act_i[place] != weights_i[place]});
    same_q    <= STAGES'({same_q, GROUP > 0 && flags_i[32'(place) / UNIT]});
    flagged_q <= (STAGES * WIDTH)'({flagged_q, flagged});
  end
  always_comb
    if (rst_n && known_q[STAGES-1]) begin
      none_agrees: assert (count[2] == flagged_q[STAGES-1]);
      one_changes: assert (count[1] == count[0] + (same_q[STAGES-1] ? '0 : up_q[STAGES-1] ? WIDTH'(1) : '1));
    end
  always_comb if (rst_n) reach_a_count: assert (!known_q[STAGES-1]);
endmodule

`default_nettype wire
