// Simulation model of the look-up table of the 7 series and UltraScale+ with both of its outputs, LUT6_2 (UG953, UG974).
//
//   O6 = INIT[{I5, ..., I0}], O5 = INIT[{0, I4, ..., I0}]
//   latency 0 cycles; throughput: one look-up per cycle
//
// Delays are not modelled.
`default_nettype none
/* verilator lint_off DECLFILENAME */

module LUT6_2 #(parameter [63:0] INIT = 0) (output wire O6, O5, input wire I0, I1, I2, I3, I4, I5);
  assign O6 = INIT[{I5, I4, I3, I2, I1, I0}];
  assign O5 = INIT[{1'b0, I4, I3, I2, I1, I0}];
endmodule

/* verilator lint_on DECLFILENAME */
`default_nettype wire
