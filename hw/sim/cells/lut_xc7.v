// Simulation models of look-up tables, LUT1 to LUT6 of the 7 series: O is bit {I5, ..., I0} of INIT. The library's own say the
// same as trees of multiplexers; a netlist of these here compiles and runs several times faster.
//
//   latency 0 cycles; throughput: one look-up per cycle
//
// Delays are not modelled.
`default_nettype none
/* verilator lint_off DECLFILENAME */
/* verilator lint_off MULTITOP */

module LUT1 #(parameter [1:0] INIT = 0) (output wire O, input wire I0);
  assign O = INIT[I0];
endmodule

module LUT2 #(parameter [3:0] INIT = 0) (output wire O, input wire I0, I1);
  assign O = INIT[{I1, I0}];
endmodule

module LUT3 #(parameter [7:0] INIT = 0) (output wire O, input wire I0, I1, I2);
  assign O = INIT[{I2, I1, I0}];
endmodule

module LUT4 #(parameter [15:0] INIT = 0) (output wire O, input wire I0, I1, I2, I3);
  assign O = INIT[{I3, I2, I1, I0}];
endmodule

module LUT5 #(parameter [31:0] INIT = 0) (output wire O, input wire I0, I1, I2, I3, I4);
  assign O = INIT[{I4, I3, I2, I1, I0}];
endmodule

module LUT6 #(parameter [63:0] INIT = 0) (output wire O, input wire I0, I1, I2, I3, I4, I5);
  assign O = INIT[{I5, I4, I3, I2, I1, I0}];
endmodule

/* verilator lint_on MULTITOP */
/* verilator lint_on DECLFILENAME */
`default_nettype wire
