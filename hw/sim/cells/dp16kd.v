// Simulation model of the block RAM of the ECP5, DP16KD, as Yosys' memory mapping uses it (FPGA-TN-02204).
//
//   two ports of 1, 2, 4, 9 or 18 bits, or 36 bits written on A and read on B; modes NORMAL (data stays while writing),
//   WRITETHROUGH, READBEFOREWRITE; byte enables in the lowest address bits at 18 and 36 bits; INITVAL_xx
//   latency     1 cycle from the address to the data, with output registers (REGMODE OUTREG) 2
//   throughput  one access per cycle on each port
//
// What the data sheet leaves undefined is wrong here on purpose: bits that one port reads while the other writes them come
// inverted. Two writes to one row in one cycle stop the simulation. An asynchronous reset must last to a clock edge. A reset
// of an output register, and inverted clocks, are not modelled: asking for them is an error. The register of 36 bits read
// on B lies on both sides, each with the clock and the enable of its own.
`default_nettype none
/* verilator lint_off DECLFILENAME */
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off WIDTH */
/* verilator lint_off MULTITOP */

module DP16KD #(
  parameter [319:0] INITVAL_00 = 0, parameter [319:0] INITVAL_01 = 0, parameter [319:0] INITVAL_02 = 0, parameter [319:0] INITVAL_03 = 0,
  parameter [319:0] INITVAL_04 = 0, parameter [319:0] INITVAL_05 = 0, parameter [319:0] INITVAL_06 = 0, parameter [319:0] INITVAL_07 = 0,
  parameter [319:0] INITVAL_08 = 0, parameter [319:0] INITVAL_09 = 0, parameter [319:0] INITVAL_0A = 0, parameter [319:0] INITVAL_0B = 0,
  parameter [319:0] INITVAL_0C = 0, parameter [319:0] INITVAL_0D = 0, parameter [319:0] INITVAL_0E = 0, parameter [319:0] INITVAL_0F = 0,
  parameter [319:0] INITVAL_10 = 0, parameter [319:0] INITVAL_11 = 0, parameter [319:0] INITVAL_12 = 0, parameter [319:0] INITVAL_13 = 0,
  parameter [319:0] INITVAL_14 = 0, parameter [319:0] INITVAL_15 = 0, parameter [319:0] INITVAL_16 = 0, parameter [319:0] INITVAL_17 = 0,
  parameter [319:0] INITVAL_18 = 0, parameter [319:0] INITVAL_19 = 0, parameter [319:0] INITVAL_1A = 0, parameter [319:0] INITVAL_1B = 0,
  parameter [319:0] INITVAL_1C = 0, parameter [319:0] INITVAL_1D = 0, parameter [319:0] INITVAL_1E = 0, parameter [319:0] INITVAL_1F = 0,
  parameter [319:0] INITVAL_20 = 0, parameter [319:0] INITVAL_21 = 0, parameter [319:0] INITVAL_22 = 0, parameter [319:0] INITVAL_23 = 0,
  parameter [319:0] INITVAL_24 = 0, parameter [319:0] INITVAL_25 = 0, parameter [319:0] INITVAL_26 = 0, parameter [319:0] INITVAL_27 = 0,
  parameter [319:0] INITVAL_28 = 0, parameter [319:0] INITVAL_29 = 0, parameter [319:0] INITVAL_2A = 0, parameter [319:0] INITVAL_2B = 0,
  parameter [319:0] INITVAL_2C = 0, parameter [319:0] INITVAL_2D = 0, parameter [319:0] INITVAL_2E = 0, parameter [319:0] INITVAL_2F = 0,
  parameter [319:0] INITVAL_30 = 0, parameter [319:0] INITVAL_31 = 0, parameter [319:0] INITVAL_32 = 0, parameter [319:0] INITVAL_33 = 0,
  parameter [319:0] INITVAL_34 = 0, parameter [319:0] INITVAL_35 = 0, parameter [319:0] INITVAL_36 = 0, parameter [319:0] INITVAL_37 = 0,
  parameter [319:0] INITVAL_38 = 0, parameter [319:0] INITVAL_39 = 0, parameter [319:0] INITVAL_3A = 0, parameter [319:0] INITVAL_3B = 0,
  parameter [319:0] INITVAL_3C = 0, parameter [319:0] INITVAL_3D = 0, parameter [319:0] INITVAL_3E = 0, parameter [319:0] INITVAL_3F = 0,
  parameter integer DATA_WIDTH_A = 18, DATA_WIDTH_B = 18,
  parameter REGMODE_A = "NOREG", REGMODE_B = "NOREG", RESETMODE = "SYNC", ASYNC_RESET_RELEASE = "SYNC",
  parameter CSDECODE_A = "0b000", CSDECODE_B = "0b000", WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL",
  parameter CLKAMUX = "CLKA", CLKBMUX = "CLKB", GSR = "AUTO"
) (
  input  wire DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
  input  wire ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
  input  wire CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
  output wire DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
  input  wire DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
  input  wire ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
  input  wire CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
  output wire DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
  localparam [20479:0] INIT = {
    INITVAL_3F, INITVAL_3E, INITVAL_3D, INITVAL_3C, INITVAL_3B, INITVAL_3A, INITVAL_39, INITVAL_38,
    INITVAL_37, INITVAL_36, INITVAL_35, INITVAL_34, INITVAL_33, INITVAL_32, INITVAL_31, INITVAL_30,
    INITVAL_2F, INITVAL_2E, INITVAL_2D, INITVAL_2C, INITVAL_2B, INITVAL_2A, INITVAL_29, INITVAL_28,
    INITVAL_27, INITVAL_26, INITVAL_25, INITVAL_24, INITVAL_23, INITVAL_22, INITVAL_21, INITVAL_20,
    INITVAL_1F, INITVAL_1E, INITVAL_1D, INITVAL_1C, INITVAL_1B, INITVAL_1A, INITVAL_19, INITVAL_18,
    INITVAL_17, INITVAL_16, INITVAL_15, INITVAL_14, INITVAL_13, INITVAL_12, INITVAL_11, INITVAL_10,
    INITVAL_0F, INITVAL_0E, INITVAL_0D, INITVAL_0C, INITVAL_0B, INITVAL_0A, INITVAL_09, INITVAL_08,
    INITVAL_07, INITVAL_06, INITVAL_05, INITVAL_04, INITVAL_03, INITVAL_02, INITVAL_01, INITVAL_00
  };  // rows of 18 bits in 20
  localparam bit WIDE_WRITE = DATA_WIDTH_A == 36, WIDE_READ = DATA_WIDTH_B == 36;
  localparam bit LATER_A = REGMODE_A == "OUTREG", LATER_B = REGMODE_B == "OUTREG";
  if (WIDE_READ && LATER_A != LATER_B) $error("DP16KD: one half of 36 bits has an output register");
  localparam bit ASYNC = RESETMODE == "ASYNC";
  if (CLKAMUX != "CLKA" || CLKBMUX != "CLKB") $error("DP16KD: inverted clocks are not modelled");

  wire [17:0] da = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [17:0] db = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  wire [13:0] aa = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] ab = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire ena = CEA && {CSA2, CSA1, CSA0} == 3'd0, enb = CEB && {CSB2, CSB1, CSB0} == 3'd0;

  // rows of 36 bits, four bytes of nine; narrow ports use the lower eight of a byte
  reg [35:0] rows [512];
  initial for (int k = 0; k < 512; k = k + 1) rows[k] = {INIT[40*k+20 +: 18], INIT[40*k +: 18]};

  function automatic [5:0] place(input integer width, input [4:0] address);  // of the lowest bit of a port in its row
    place = width == 36 ? 6'd0 : width == 18 ? 6'd18 * 6'(address[4]) : 6'd9 * 6'(address[4:3]);
    if (width == 4) place = place + 6'd4 * 6'(address[2]);
    if (width == 2) place = place + 6'd2 * 6'(address[2:1]);
    if (width == 1) place = place + 6'(address[2:0]);
  endfunction
  function automatic [35:0] ones(input integer count);
    ones = count >= 36 ? '1 : (36'd1 << count) - 36'd1;
  endfunction
  function automatic [35:0] enables(input integer width, input [3:0] bytes);  // before they are moved to their place
    enables = width < 18 ? ones(width) : {{9{bytes[3]}}, {9{bytes[2]}}, {9{bytes[1]}}, {9{bytes[0]}}} & ones(width);
  endfunction

  // port a
  wire [8:0]  rowa = aa[13:5];
  wire [5:0]  place_a = place(DATA_WIDTH_A, aa[4:0]);
  wire [35:0] mask_a = enables(DATA_WIDTH_A, aa[3:0]) << place_a;
  wire        writes_a = ena && WEA && mask_a != 36'd0;
  wire [35:0] after_a = (rows[rowa] & ~mask_a) | (((WIDE_WRITE ? {db, da} : 36'(da)) << place_a) & mask_a);
  wire [35:0] seen_a = (writes_a && WRITEMODE_A == "WRITETHROUGH" ? after_a : rows[rowa]) ^ lost_a;
  // port b
  wire [8:0]  rowb = ab[13:5];
  wire [5:0]  place_b = place(DATA_WIDTH_B, ab[4:0]);
  wire [35:0] mask_b = enables(DATA_WIDTH_B, ab[3:0]) << place_b;
  wire        writes_b = enb && WEB && mask_b != 36'd0;
  wire [35:0] after_b = (rows[rowb] & ~mask_b) | ((36'(db) << place_b) & mask_b);
  wire [35:0] seen_b = (writes_b && WRITEMODE_B == "WRITETHROUGH" ? after_b : rows[rowb]) ^ lost_b;
  reg [35:0] qa_q = '0, qb_q = '0;
  wire same = rowa == rowb;
  wire [35:0] lost_a = same && writes_b ? mask_b : '0, lost_b = same && writes_a ? mask_a : '0;
  always @(posedge CLKA) begin
    if (writes_a) rows[rowa] <= after_a;
    if (same && writes_a && writes_b) $fatal(1, "two writes to row %0d of a block RAM in one cycle", rowa);
    if (RSTA) qa_q <= '0;
    else if (ena && !(WEA && WRITEMODE_A == "NORMAL")) qa_q <= (seen_a >> place_a) & ones(DATA_WIDTH_A);
  end
  always @(posedge CLKB) begin
    if (writes_b) rows[rowb] <= after_b;
    if (RSTB) qb_q <= '0;
    else if (enb && !(WEB && WRITEMODE_B == "NORMAL")) qb_q <= (seen_b >> place_b) & ones(DATA_WIDTH_B);
  end
  wire [35:0] shown_a = ASYNC && RSTA ? '0 : qa_q, shown_b = ASYNC && RSTB ? '0 : qb_q;
  wire [17:0] now_a = WIDE_READ ? shown_b[17:0] : shown_a[17:0], now_b = WIDE_READ ? shown_b[35:18] : shown_b[17:0];
  reg [17:0] later_a_q = '0, later_b_q = '0;
  always @(posedge CLKA) begin
    if (LATER_A && OCEA) later_a_q <= now_a;
    if (LATER_A && RSTA) $fatal(1, "reset of a block RAM with an output register");
  end
  always @(posedge CLKB) begin
    if (LATER_B && OCEB) later_b_q <= now_b;
    if (LATER_B && RSTB) $fatal(1, "reset of a block RAM with an output register");
  end
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = LATER_A ? later_a_q : now_a;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = LATER_B ? later_b_q : now_b;
endmodule

/* verilator lint_on MULTITOP */
/* verilator lint_on WIDTH */
/* verilator lint_on UNUSEDPARAM */
/* verilator lint_on UNUSEDSIGNAL */
/* verilator lint_on DECLFILENAME */
`default_nettype wire
