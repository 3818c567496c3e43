// Table look-up for every element: any function of a narrow integer, for example the quantiser of 8-bit pixels.
//
//   out[e] = table[channel(e)][in[e]]      channel(e) = word * PE + lane, modulo FOLDS * PE; with FOLDS = 1 all words
//                                          share one table for each lane
//
//   throughput  one word per cycle
//   latency     1 cycle
//
// Memory (sf_memory.sv): TABLE_FILE, FOLDS * 2**IN_WIDTH words of PE * OUT_WIDTH bits, lane 0 in the low bits, fold by
// fold, addressed by the element's bits. BLOCK = 1: in block RAM, else in logic. Every lane has a read port of its own.
// An input that cannot occur still has a word, whatever it is.
`default_nettype none

module sf_lut #(
  parameter int    IN_WIDTH   = 8,
  parameter int    OUT_WIDTH  = 1,
  parameter int    PE         = 1,
  parameter int    FOLDS      = 1,
  parameter bit    BLOCK      = 1'b0,
  parameter bit    LOAD       = 1'b0,
  parameter TABLE_FILE = ""
) (
  input  wire                     clk_i,
  input  wire                     rst_ni,
  input  wire  [PE*IN_WIDTH-1:0]  in_data_i,
  input  wire                     in_valid_i,
  output wire                     in_ready_o,
  output wire  [PE*OUT_WIDTH-1:0] out_data_o,
  output wire                     out_valid_o,
  input  wire                     out_ready_i,
  // load chain
  input  wire               [32:0] load_i,
  output wire               [32:0] load_o
);
  if (PE < 1)           $error("sf_lut: PE = %0d, must be >= 1", PE);
  if (FOLDS < 1)        $error("sf_lut: FOLDS = %0d, must be >= 1", FOLDS);
  if (TABLE_FILE == "") $error("sf_lut: TABLE_FILE is empty");

  localparam int FW    = FOLDS > 1 ? $clog2(FOLDS) : 1;
  localparam int DEPTH = FOLDS << IN_WIDTH;
  localparam int AW    = $clog2(DEPTH);

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

  wire [PE-1:0][AW-1:0] addr;
  for (genvar p = 0; p < PE; p++) begin : gen_address
    assign addr[p] = AW'({fold_q, in_data_i[p*IN_WIDTH +: IN_WIDTH]});
  end
  sf_memory #(.WIDTH(OUT_WIDTH), .LANES(PE), .DEPTH(DEPTH), .REGISTERED(1'b1), .BLOCK(BLOCK), .LOAD(LOAD),
              .FILE(TABLE_FILE)) i_table (
    .clk_i, .rst_ni, .read_i(in_ready_o), .addr_i(addr), .word_o(out_data_o), .load_i, .load_o);
  assign out_valid_o = out_valid_q;
endmodule

`default_nettype wire
