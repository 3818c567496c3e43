// Table look-up for every element: any function of a narrow integer, for example the quantiser of 8-bit pixels.
//
//   out[e] = table[channel(e)][in[e]]      channel(e) = word * PE + lane, modulo CHANNELS (1: one table for all)
//
//   throughput  one word per cycle
//   latency     1 cycle
//
// Memory: TABLE_FILE, CHANNELS * 2**IN_WIDTH words of OUT_WIDTH bits ($readmemh), channel by channel, addressed by the
// element's bits.
`default_nettype none

module sf_lut #(
  parameter int    IN_WIDTH   = 8,
  parameter int    OUT_WIDTH  = 1,
  parameter int    PE         = 1,
  parameter int    CHANNELS   = 1,
  parameter TABLE_FILE = ""
) (
  input  wire                     clk_i,
  input  wire                     rst_ni,
  input  wire  [PE*IN_WIDTH-1:0]  in_data_i,
  input  wire                     in_valid_i,
  output wire                     in_ready_o,
  output wire  [PE*OUT_WIDTH-1:0] out_data_o,
  output wire                     out_valid_o,
  input  wire                     out_ready_i
);
  if (CHANNELS != 1 && CHANNELS % PE != 0) $error("sf_lut: PE = %0d does not divide CHANNELS = %0d", PE, CHANNELS);

  localparam int FOLDS = CHANNELS == 1 ? 1 : CHANNELS / PE;
  localparam int FW = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int SIZE = 1 << IN_WIDTH;

  logic          out_valid_q;
  logic [FW-1:0] fold_q;
  assign in_ready_o = !out_valid_q || out_ready_i;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      out_valid_q <= 1'b0;
      fold_q      <= '0;
    end else if (in_ready_o) begin
      out_valid_q <= in_valid_i;
      if (in_valid_i) fold_q <= fold_q == FW'(FOLDS - 1) ? '0 : fold_q + 1'b1;
    end
  end

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    (* logic_block *) logic [OUT_WIDTH-1:0] rom [CHANNELS*SIZE];
    initial $readmemh(TABLE_FILE, rom);
    localparam int AW = $clog2(CHANNELS * SIZE);
    wire [AW-1:0] channel = CHANNELS == 1 ? '0 : AW'(32'(fold_q) * PE + p);
    wire [AW-1:0] addr = AW'(32'(channel) * SIZE + 32'(in_data_i[p*IN_WIDTH +: IN_WIDTH]));
    logic [OUT_WIDTH-1:0] out_q;
    always_ff @(posedge clk_i) if (in_ready_o) out_q <= rom[addr];
    assign out_data_o[p*OUT_WIDTH +: OUT_WIDTH] = out_q;
  end
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
