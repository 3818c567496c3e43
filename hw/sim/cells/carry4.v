// Simulation model of the carry chain of the 7 series, CARRY4 (UG474). The library's own says the same with a vector that feeds
// itself, which makes a netlist many times slower.
//
//   carry k+1 = S[k] ? carry k : DI[k], O[k] = S[k] ^ carry k, CO[k] = carry k+1, carry 0 = CI or CYINIT
//   latency 0 cycles; throughput: one addition per cycle
//
// Delays are not modelled.
`default_nettype none
/* verilator lint_off DECLFILENAME */

module CARRY4 (
  output wire [3:0] CO,
  output wire [3:0] O,
  input  wire       CI, CYINIT,
  input  wire [3:0] DI, S
);
  wire c0 = CI | CYINIT;
  wire c1 = S[0] ? c0 : DI[0];
  wire c2 = S[1] ? c1 : DI[1];
  wire c3 = S[2] ? c2 : DI[2];
  wire c4 = S[3] ? c3 : DI[3];
  assign CO = {c4, c3, c2, c1};
  assign O  = S ^ {c3, c2, c1, c0};
endmodule

/* verilator lint_on DECLFILENAME */
`default_nettype wire
