// What sf_memory promises, for any contents: the proofs of modules with constants hold for every constant.
//
//   word_o[l] = lane l of any_q[addr_i[l]]; REGISTERED = 1: a cycle later, kept while read_i = 0
//
// The contents are in any state at first and stay as they are. That the real module holds its file, or what the load
// chain brought, and then stays so, is proven in memory.sv.
`default_nettype none

module sf_memory #(
  parameter int    WIDTH      = 8,
  parameter int    LANES      = 1,
  parameter int    DEPTH      = 16,
  parameter bit    REGISTERED = 1'b0,
  parameter bit    BLOCK      = 1'b0,
  parameter bit    ULTRA      = 1'b0,
  parameter bit    LOAD       = 1'b0,
  parameter FILE = "",
  localparam int   AW         = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
  input  wire                         clk_i,
  input  wire                         rst_ni,
  input  wire                         read_i,
  input  wire  [LANES-1:0]   [AW-1:0] addr_i,
  output wire  [LANES-1:0][WIDTH-1:0] word_o,
  input  wire                  [32:0] load_i,
  output wire                  [32:0] load_o
);
  logic [2**AW-1:0][LANES-1:0][WIDTH-1:0] any_q;
  always_ff @(posedge clk_i) any_q <= any_q;

  wire [LANES-1:0][WIDTH-1:0] found;
  for (genvar l = 0; l < LANES; l++) begin : gen_lane
    assign found[l] = any_q[addr_i[l]][l];
  end
  if (REGISTERED) begin : gen_register
    logic [LANES-1:0][WIDTH-1:0] word_q;
    always_ff @(posedge clk_i) if (read_i) word_q <= found;
    assign word_o = word_q;
  end else begin : gen_straight
    assign word_o = found;
  end
  assign load_o = load_i;
endmodule

`default_nettype wire
