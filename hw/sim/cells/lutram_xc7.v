// Simulation models of the look-up tables used as memory that Yosys maps RAMs to: RAM32M, RAM64M of the 7 series (UG474).
// The library's own say the same, but derive a clock in every cell, which makes a netlist many times slower.
//
//   four columns, each with a read address of its own; D's is the write address of all; written at the clock's rise
//   latency     0 cycles from an address to the data, 1 cycle from a write to what is read
//   throughput  one write and four reads per cycle
//
// Delays and inverted clocks are not modelled: asking for an inverted clock is an error.
`default_nettype none
/* verilator lint_off DECLFILENAME */
/* verilator lint_off MULTITOP */

module RAM32M #(
  parameter [63:0] INIT_A = 0, INIT_B = 0, INIT_C = 0, INIT_D = 0,
  parameter [0:0]  IS_WCLK_INVERTED = 0
) (
  output wire [1:0] DOA, DOB, DOC, DOD,
  input  wire [4:0] ADDRA, ADDRB, ADDRC, ADDRD,
  input  wire [1:0] DIA, DIB, DIC, DID,
  input  wire       WCLK, WE
);
  if (IS_WCLK_INVERTED != 0) $error("RAM32M: an inverted clock is not modelled");
  reg [1:0] a [32], b [32], c [32], d [32];
  initial for (int k = 0; k < 32; k = k + 1) begin
    a[k] = INIT_A[2*k +: 2];
    b[k] = INIT_B[2*k +: 2];
    c[k] = INIT_C[2*k +: 2];
    d[k] = INIT_D[2*k +: 2];
  end
  assign DOA = a[ADDRA], DOB = b[ADDRB], DOC = c[ADDRC], DOD = d[ADDRD];
  always @(posedge WCLK) if (WE) begin
    a[ADDRD] <= DIA;
    b[ADDRD] <= DIB;
    c[ADDRD] <= DIC;
    d[ADDRD] <= DID;
  end
endmodule

module RAM64M #(
  parameter [63:0] INIT_A = 0, INIT_B = 0, INIT_C = 0, INIT_D = 0,
  parameter [0:0]  IS_WCLK_INVERTED = 0
) (
  output wire       DOA, DOB, DOC, DOD,
  input  wire [5:0] ADDRA, ADDRB, ADDRC, ADDRD,
  input  wire       DIA, DIB, DIC, DID,
  input  wire       WCLK, WE
);
  if (IS_WCLK_INVERTED != 0) $error("RAM64M: an inverted clock is not modelled");
  reg [63:0] a = INIT_A, b = INIT_B, c = INIT_C, d = INIT_D;
  assign DOA = a[ADDRA], DOB = b[ADDRB], DOC = c[ADDRC], DOD = d[ADDRD];
  always @(posedge WCLK) if (WE) begin
    a[ADDRD] <= DIA;
    b[ADDRD] <= DIB;
    c[ADDRD] <= DIC;
    d[ADDRD] <= DID;
  end
endmodule

/* verilator lint_on MULTITOP */
/* verilator lint_on DECLFILENAME */
`default_nettype wire
