// Every count of sf_dot_count is the number of places where the bits of STAGES cycles ago and the weights of the cycle
// before agree, a flagged group being half of its places; it stays while not enabled.
//
//   case SIMD=1 PE=1 STAGES=2
//   case SIMD=3 PE=2 STAGES=2
//   case SIMD=5 PE=2 STAGES=2
//   case SIMD=4 PE=1 STAGES=4
//   case SIMD=4 PE=1 GROUP=2 STAGES=3
//   case SIMD=1 PE=1 STAGES=5
//
//   mutant if (enable_i) count_q => count_q
//   mutant UNIT] ^ weights_i => UNIT] ~^ weights_i
//   mutant away_q <= ~act_i => away_q <= act_i
//   mutant !away_q[u*(GROUP+1) + GROUP] => away_q[u*(GROUP+1) + GROUP]
//   mutant WIDTH'(GROUP / 2) => WIDTH'(GROUP)
//   mutant at_q - AW'(DELAY) => at_q - 1'b1
`default_nettype none

module prove_dot_count #(
  parameter int SIMD   = 5,
  parameter int PE     = 1,
  parameter int GROUP  = 0,
  parameter int STAGES = 2,
  localparam int UNIT  = GROUP > 0 ? GROUP : SIMD,
  localparam int LANES = GROUP > 0 ? SIMD + SIMD / GROUP : SIMD,
  localparam int WIDTH = $clog2(SIMD + 1)
) (
  input wire               clk_i,
  input wire   [LANES-1:0] act_i,
  input wire [PE*SIMD-1:0] weights_i,
  input wire               enable_i
);
  wire rst_n;
  wire [PE-1:0][WIDTH-1:0] count;
  wake i_wake (.clk_i, .rst_no(rst_n));
  sf_dot_count #(.SIMD(SIMD), .PE(PE), .GROUP(GROUP), .STAGES(STAGES)) i_dot (
    .clk_i, .act_i, .weights_i, .enable_i, .count_o(count));

  logic [STAGES-2:0]            come_q;  // how far the bits since the reset are
  logic [STAGES-2:0][LANES-1:0] bits_q;
  logic                         known_q;
  always_ff @(posedge clk_i) begin
    come_q <= rst_n ? (STAGES - 1)'({come_q, 1'b1}) : '0;
    bits_q <= ((STAGES - 1) * LANES)'({bits_q, act_i});
    if (!rst_n) known_q <= 1'b0;
    else if (enable_i) known_q <= come_q[STAGES-2];
  end
  wire [LANES-1:0] bits = bits_q[STAGES-2];
  for (genvar p = 0; p < PE; p++) begin : gen_row
    logic [WIDTH-1:0] want, want_q;
    always_comb begin
      want = '0;
      for (int i = 0; i < SIMD; i++)
        if (GROUP == 0 || !bits[i / UNIT * (UNIT + 1) + UNIT])
          want += WIDTH'(bits[GROUP > 0 ? i / UNIT * (UNIT + 1) + i % UNIT : i] == weights_i[p*SIMD + i]);
        else if (i % UNIT < UNIT / 2) want += WIDTH'(1);
    end
    always_ff @(posedge clk_i) if (enable_i) want_q <= want;
    always_comb if (rst_n && known_q) value: assert (count[p] == want_q);
  end
  always_comb if (rst_n) reach_a_count: assert (!known_q || count == '0);
endmodule

`default_nettype wire
