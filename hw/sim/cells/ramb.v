// Simulation models of the block RAMs of the 7 series, RAMB18E1 and RAMB36E1, as Yosys' memory mapping uses them (UG473).
//
//   simple dual port (RAM_MODE "SDP": port A reads, port B writes) or true dual port; every width from 1 to 72; byte write enables;
//   READ_FIRST, WRITE_FIRST, NO_CHANGE; INIT_xx, INITP_xx, INIT_A/B, SRVAL_A/B
//   latency     1 cycle from the address to the data
//   throughput  one access per cycle on each port
//
// What UG473 leaves undefined is wrong here on purpose: bits that one port reads while the other writes them come inverted,
// unless the writer is READ_FIRST. Two writes to one row in one cycle stop the simulation. Output registers, cascades, inverted
// pins and ECC are not modelled: asking for them is an error.
`default_nettype none
/* verilator lint_off DECLFILENAME */
/* verilator lint_off UNUSEDSIGNAL */
/* verilator lint_off UNUSEDPARAM */
/* verilator lint_off WIDTH */
/* verilator lint_off MULTITOP */

// Rows of DATA bits and their parity bits. A port sees WIDTH = 1, 2, 4 data bits, or 9, 18, 36, 72 bits of which every ninth
// is parity; addresses count bits of data.
module ramb_rows #(
  parameter integer DATA = 32,
  parameter [512*DATA-1:0] INIT = 0,
  parameter [64*DATA-1:0]  INITP = 0,
  parameter integer READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
  parameter WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST",
  parameter [71:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0  // parity above data
) (
  input  wire        clka, ena, rsta, clkb, enb, rstb,
  input  wire [14:0] addra, addrb,
  input  wire [7:0]  wea, web,
  input  wire [63:0] da, db,
  input  wire [7:0]  pa, pb,
  output wire [63:0] qa, qb,
  output wire [7:0]  qpa, qpb
);
  localparam integer PARITY = DATA / 8, LOW = $clog2(DATA), ROW = DATA + PARITY;

  function automatic integer bits(input integer width);
    bits = width < 9 ? width : width / 9 * 8;
  endfunction
  function automatic [DATA-1:0] ones(input integer count);  // the lowest bits
    ones = count >= DATA ? {DATA{1'b1}} : (DATA'(1) << count) - 1'b1;
  endfunction
  function automatic [DATA-1:0] bytes(input [7:0] enable);
    for (int k = 0; k < PARITY; k = k + 1) bytes[8*k +: 8] = {8{enable[k]}};
  endfunction

  reg [ROW-1:0] rows [512];
  initial for (int k = 0; k < 512; k = k + 1) rows[k] = {INITP[k*PARITY +: PARITY], INIT[k*DATA +: DATA]};

  // port a
  localparam integer RB_a = bits(READ_WIDTH_A), WB_a = bits(WRITE_WIDTH_A);
  wire [8:0]  rowa = addra[LOW +: 9];
  wire [LOW-1:0] read_at_a = addra[LOW-1:0] & ~LOW'(RB_a == 0 ? 0 : RB_a - 1);
  wire [LOW-1:0] write_at_a = addra[LOW-1:0] & ~LOW'(WB_a == 0 ? 0 : WB_a - 1);
  wire [DATA-1:0] enable_a = (WB_a < 8 ? {DATA{wea[0]}} : bytes(wea)) & ones(WB_a);
  wire [DATA-1:0] data_mask_a = enable_a << write_at_a;
  wire [PARITY-1:0] parity_mask_a = (WB_a < 8 ? '0 : PARITY'(wea) & PARITY'(ones(WB_a / 8))) << write_at_a[LOW-1:3];
  wire [ROW-1:0] mask_a = {parity_mask_a, data_mask_a};
  wire [ROW-1:0] word_a = {PARITY'(pa) << write_at_a[LOW-1:3], DATA'(da) << write_at_a};
  wire           writes_a = ena && mask_a != '0;
  wire [ROW-1:0] after_a = (rows[rowa] & ~mask_a) | (word_a & mask_a);
  wire [ROW-1:0] seen_a = (writes_a && WRITE_MODE_A == "WRITE_FIRST" ? after_a : rows[rowa]) ^ lost_a;
  reg [DATA-1:0]   q_a_q = DATA'(INIT_A) & ones(RB_a);
  reg [PARITY-1:0] p_a_q = PARITY'(INIT_A >> RB_a);
  assign qa = 64'(q_a_q);
  assign qpa = 8'(p_a_q);
  always @(posedge clka) if (ena) begin
    if (writes_a) rows[rowa] <= after_a;
    if (rsta) begin
      q_a_q <= DATA'(SRVAL_A) & ones(RB_a);
      p_a_q <= RB_a < 8 ? '0 : PARITY'(SRVAL_A >> RB_a);
    end else if (RB_a != 0 && !(writes_a && WRITE_MODE_A == "NO_CHANGE")) begin
      q_a_q <= DATA'(seen_a[DATA-1:0] >> read_at_a) & ones(RB_a);
      p_a_q <= RB_a < 8 ? '0 : PARITY'(seen_a[ROW-1:DATA] >> read_at_a[LOW-1:3]) & PARITY'(ones(RB_a / 8));
    end
  end

  // port b
  localparam integer RB_b = bits(READ_WIDTH_B), WB_b = bits(WRITE_WIDTH_B);
  wire [8:0]  rowb = addrb[LOW +: 9];
  wire [LOW-1:0] read_at_b = addrb[LOW-1:0] & ~LOW'(RB_b == 0 ? 0 : RB_b - 1);
  wire [LOW-1:0] write_at_b = addrb[LOW-1:0] & ~LOW'(WB_b == 0 ? 0 : WB_b - 1);
  wire [DATA-1:0] enable_b = (WB_b < 8 ? {DATA{web[0]}} : bytes(web)) & ones(WB_b);
  wire [DATA-1:0] data_mask_b = enable_b << write_at_b;
  wire [PARITY-1:0] parity_mask_b = (WB_b < 8 ? '0 : PARITY'(web) & PARITY'(ones(WB_b / 8))) << write_at_b[LOW-1:3];
  wire [ROW-1:0] mask_b = {parity_mask_b, data_mask_b};
  wire [ROW-1:0] word_b = {PARITY'(pb) << write_at_b[LOW-1:3], DATA'(db) << write_at_b};
  wire           writes_b = enb && mask_b != '0;
  wire [ROW-1:0] after_b = (rows[rowb] & ~mask_b) | (word_b & mask_b);
  wire [ROW-1:0] seen_b = (writes_b && WRITE_MODE_B == "WRITE_FIRST" ? after_b : rows[rowb]) ^ lost_b;
  reg [DATA-1:0]   q_b_q = DATA'(INIT_B) & ones(RB_b);
  reg [PARITY-1:0] p_b_q = PARITY'(INIT_B >> RB_b);
  assign qb = 64'(q_b_q);
  assign qpb = 8'(p_b_q);
  always @(posedge clkb) if (enb) begin
    if (writes_b) rows[rowb] <= after_b;
    if (rstb) begin
      q_b_q <= DATA'(SRVAL_B) & ones(RB_b);
      p_b_q <= RB_b < 8 ? '0 : PARITY'(SRVAL_B >> RB_b);
    end else if (RB_b != 0 && !(writes_b && WRITE_MODE_B == "NO_CHANGE")) begin
      q_b_q <= DATA'(seen_b[DATA-1:0] >> read_at_b) & ones(RB_b);
      p_b_q <= RB_b < 8 ? '0 : PARITY'(seen_b[ROW-1:DATA] >> read_at_b[LOW-1:3]) & PARITY'(ones(RB_b / 8));
    end
  end
  // the other port writes what is read here, in the same cycle
  wire same = rowa == rowb;
  wire [ROW-1:0] lost_a = same && writes_b && WRITE_MODE_B != "READ_FIRST" ? mask_b : '0;
  wire [ROW-1:0] lost_b = same && writes_a && WRITE_MODE_A != "READ_FIRST" ? mask_a : '0;
  always @(posedge clka)
    if (same && writes_a && writes_b) $fatal(1, "two writes to row %0d of a block RAM in one cycle", rowa);
endmodule

module RAMB18E1 #(
  parameter [255:0] INIT_00 = 0, parameter [255:0] INIT_01 = 0, parameter [255:0] INIT_02 = 0, parameter [255:0] INIT_03 = 0,
  parameter [255:0] INIT_04 = 0, parameter [255:0] INIT_05 = 0, parameter [255:0] INIT_06 = 0, parameter [255:0] INIT_07 = 0,
  parameter [255:0] INIT_08 = 0, parameter [255:0] INIT_09 = 0, parameter [255:0] INIT_0A = 0, parameter [255:0] INIT_0B = 0,
  parameter [255:0] INIT_0C = 0, parameter [255:0] INIT_0D = 0, parameter [255:0] INIT_0E = 0, parameter [255:0] INIT_0F = 0,
  parameter [255:0] INIT_10 = 0, parameter [255:0] INIT_11 = 0, parameter [255:0] INIT_12 = 0, parameter [255:0] INIT_13 = 0,
  parameter [255:0] INIT_14 = 0, parameter [255:0] INIT_15 = 0, parameter [255:0] INIT_16 = 0, parameter [255:0] INIT_17 = 0,
  parameter [255:0] INIT_18 = 0, parameter [255:0] INIT_19 = 0, parameter [255:0] INIT_1A = 0, parameter [255:0] INIT_1B = 0,
  parameter [255:0] INIT_1C = 0, parameter [255:0] INIT_1D = 0, parameter [255:0] INIT_1E = 0, parameter [255:0] INIT_1F = 0,
  parameter [255:0] INIT_20 = 0, parameter [255:0] INIT_21 = 0, parameter [255:0] INIT_22 = 0, parameter [255:0] INIT_23 = 0,
  parameter [255:0] INIT_24 = 0, parameter [255:0] INIT_25 = 0, parameter [255:0] INIT_26 = 0, parameter [255:0] INIT_27 = 0,
  parameter [255:0] INIT_28 = 0, parameter [255:0] INIT_29 = 0, parameter [255:0] INIT_2A = 0, parameter [255:0] INIT_2B = 0,
  parameter [255:0] INIT_2C = 0, parameter [255:0] INIT_2D = 0, parameter [255:0] INIT_2E = 0, parameter [255:0] INIT_2F = 0,
  parameter [255:0] INIT_30 = 0, parameter [255:0] INIT_31 = 0, parameter [255:0] INIT_32 = 0, parameter [255:0] INIT_33 = 0,
  parameter [255:0] INIT_34 = 0, parameter [255:0] INIT_35 = 0, parameter [255:0] INIT_36 = 0, parameter [255:0] INIT_37 = 0,
  parameter [255:0] INIT_38 = 0, parameter [255:0] INIT_39 = 0, parameter [255:0] INIT_3A = 0, parameter [255:0] INIT_3B = 0,
  parameter [255:0] INIT_3C = 0, parameter [255:0] INIT_3D = 0, parameter [255:0] INIT_3E = 0, parameter [255:0] INIT_3F = 0,
  parameter [255:0] INITP_00 = 0, parameter [255:0] INITP_01 = 0, parameter [255:0] INITP_02 = 0, parameter [255:0] INITP_03 = 0,
  parameter [255:0] INITP_04 = 0, parameter [255:0] INITP_05 = 0, parameter [255:0] INITP_06 = 0, parameter [255:0] INITP_07 = 0,
  parameter integer DOA_REG = 0, DOB_REG = 0, READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
  parameter RAM_MODE = "TDP", WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST",
  parameter RDADDR_COLLISION_HWCONFIG = "DELAYED_WRITE", SIM_DEVICE = "7SERIES",
  parameter [71:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0
) (
  input  wire        CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
  input  wire        RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input  wire [13:0] ADDRARDADDR, ADDRBWRADDR,
  input  wire [15:0] DIADI, DIBDI,
  input  wire [1:0]  DIPADIP, DIPBDIP,
  input  wire [1:0]  WEA,
  input  wire [3:0]  WEBWE,
  output wire [15:0] DOADO, DOBDO,
  output wire [1:0]  DOPADOP, DOPBDOP
);
  localparam [16383:0] INIT = {
    INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38,
    INIT_37, INIT_36, INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30,
    INIT_2F, INIT_2E, INIT_2D, INIT_2C, INIT_2B, INIT_2A, INIT_29, INIT_28,
    INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22, INIT_21, INIT_20,
    INIT_1F, INIT_1E, INIT_1D, INIT_1C, INIT_1B, INIT_1A, INIT_19, INIT_18,
    INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12, INIT_11, INIT_10,
    INIT_0F, INIT_0E, INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08,
    INIT_07, INIT_06, INIT_05, INIT_04, INIT_03, INIT_02, INIT_01, INIT_00
  };
  localparam [2047:0] INITP = {
    INITP_07, INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00
  };
  localparam bit SDP = RAM_MODE == "SDP", WIDE_READ = SDP && READ_WIDTH_A == 36, WIDE_WRITE = SDP && WRITE_WIDTH_B == 36;
  if (DOA_REG != 0 || DOB_REG != 0) $error("RAMB18E1: output registers are not modelled");

  wire [63:0] qa, qb;
  wire [7:0]  qpa, qpb;
  ramb_rows #(
    .DATA(32), .INIT(INIT), .INITP(INITP), .WRITE_MODE_A(WRITE_MODE_A), .WRITE_MODE_B(WRITE_MODE_B),
    .READ_WIDTH_A(READ_WIDTH_A), .READ_WIDTH_B(READ_WIDTH_B), .WRITE_WIDTH_A(WRITE_WIDTH_A), .WRITE_WIDTH_B(WRITE_WIDTH_B),
    .INIT_A(WIDE_READ ? {INIT_B[17:16], INIT_A[17:16], INIT_B[15:0], INIT_A[15:0]} : INIT_A), .INIT_B(INIT_B),
    .SRVAL_A(WIDE_READ ? {SRVAL_B[17:16], SRVAL_A[17:16], SRVAL_B[15:0], SRVAL_A[15:0]} : SRVAL_A), .SRVAL_B(SRVAL_B)
  ) i_rows (
    .clka(CLKARDCLK), .ena(ENARDEN), .rsta(RSTRAMARSTRAM), .clkb(CLKBWRCLK), .enb(ENBWREN), .rstb(RSTRAMB),
    .addra(15'(ADDRARDADDR)), .addrb(15'(ADDRBWRADDR)), .wea(SDP ? '0 : 8'(WEA)), .web(8'(WEBWE)),
    .da(64'(DIADI)), .pa(8'(DIPADIP)),
    .db(WIDE_WRITE ? 64'({DIBDI, DIADI}) : 64'(DIBDI)), .pb(WIDE_WRITE ? 8'({DIPBDIP, DIPADIP}) : 8'(DIPBDIP)),
    .qa(qa), .qb(qb), .qpa(qpa), .qpb(qpb)
  );
  assign DOADO = qa[15:0];
  assign DOPADOP = qpa[1:0];
  assign DOBDO = WIDE_READ ? qa[31:16] : qb[15:0];
  assign DOPBDOP = WIDE_READ ? qpa[3:2] : qpb[1:0];
endmodule

module RAMB36E1 #(
  parameter [255:0] INIT_00 = 0, parameter [255:0] INIT_01 = 0, parameter [255:0] INIT_02 = 0, parameter [255:0] INIT_03 = 0,
  parameter [255:0] INIT_04 = 0, parameter [255:0] INIT_05 = 0, parameter [255:0] INIT_06 = 0, parameter [255:0] INIT_07 = 0,
  parameter [255:0] INIT_08 = 0, parameter [255:0] INIT_09 = 0, parameter [255:0] INIT_0A = 0, parameter [255:0] INIT_0B = 0,
  parameter [255:0] INIT_0C = 0, parameter [255:0] INIT_0D = 0, parameter [255:0] INIT_0E = 0, parameter [255:0] INIT_0F = 0,
  parameter [255:0] INIT_10 = 0, parameter [255:0] INIT_11 = 0, parameter [255:0] INIT_12 = 0, parameter [255:0] INIT_13 = 0,
  parameter [255:0] INIT_14 = 0, parameter [255:0] INIT_15 = 0, parameter [255:0] INIT_16 = 0, parameter [255:0] INIT_17 = 0,
  parameter [255:0] INIT_18 = 0, parameter [255:0] INIT_19 = 0, parameter [255:0] INIT_1A = 0, parameter [255:0] INIT_1B = 0,
  parameter [255:0] INIT_1C = 0, parameter [255:0] INIT_1D = 0, parameter [255:0] INIT_1E = 0, parameter [255:0] INIT_1F = 0,
  parameter [255:0] INIT_20 = 0, parameter [255:0] INIT_21 = 0, parameter [255:0] INIT_22 = 0, parameter [255:0] INIT_23 = 0,
  parameter [255:0] INIT_24 = 0, parameter [255:0] INIT_25 = 0, parameter [255:0] INIT_26 = 0, parameter [255:0] INIT_27 = 0,
  parameter [255:0] INIT_28 = 0, parameter [255:0] INIT_29 = 0, parameter [255:0] INIT_2A = 0, parameter [255:0] INIT_2B = 0,
  parameter [255:0] INIT_2C = 0, parameter [255:0] INIT_2D = 0, parameter [255:0] INIT_2E = 0, parameter [255:0] INIT_2F = 0,
  parameter [255:0] INIT_30 = 0, parameter [255:0] INIT_31 = 0, parameter [255:0] INIT_32 = 0, parameter [255:0] INIT_33 = 0,
  parameter [255:0] INIT_34 = 0, parameter [255:0] INIT_35 = 0, parameter [255:0] INIT_36 = 0, parameter [255:0] INIT_37 = 0,
  parameter [255:0] INIT_38 = 0, parameter [255:0] INIT_39 = 0, parameter [255:0] INIT_3A = 0, parameter [255:0] INIT_3B = 0,
  parameter [255:0] INIT_3C = 0, parameter [255:0] INIT_3D = 0, parameter [255:0] INIT_3E = 0, parameter [255:0] INIT_3F = 0,
  parameter [255:0] INIT_40 = 0, parameter [255:0] INIT_41 = 0, parameter [255:0] INIT_42 = 0, parameter [255:0] INIT_43 = 0,
  parameter [255:0] INIT_44 = 0, parameter [255:0] INIT_45 = 0, parameter [255:0] INIT_46 = 0, parameter [255:0] INIT_47 = 0,
  parameter [255:0] INIT_48 = 0, parameter [255:0] INIT_49 = 0, parameter [255:0] INIT_4A = 0, parameter [255:0] INIT_4B = 0,
  parameter [255:0] INIT_4C = 0, parameter [255:0] INIT_4D = 0, parameter [255:0] INIT_4E = 0, parameter [255:0] INIT_4F = 0,
  parameter [255:0] INIT_50 = 0, parameter [255:0] INIT_51 = 0, parameter [255:0] INIT_52 = 0, parameter [255:0] INIT_53 = 0,
  parameter [255:0] INIT_54 = 0, parameter [255:0] INIT_55 = 0, parameter [255:0] INIT_56 = 0, parameter [255:0] INIT_57 = 0,
  parameter [255:0] INIT_58 = 0, parameter [255:0] INIT_59 = 0, parameter [255:0] INIT_5A = 0, parameter [255:0] INIT_5B = 0,
  parameter [255:0] INIT_5C = 0, parameter [255:0] INIT_5D = 0, parameter [255:0] INIT_5E = 0, parameter [255:0] INIT_5F = 0,
  parameter [255:0] INIT_60 = 0, parameter [255:0] INIT_61 = 0, parameter [255:0] INIT_62 = 0, parameter [255:0] INIT_63 = 0,
  parameter [255:0] INIT_64 = 0, parameter [255:0] INIT_65 = 0, parameter [255:0] INIT_66 = 0, parameter [255:0] INIT_67 = 0,
  parameter [255:0] INIT_68 = 0, parameter [255:0] INIT_69 = 0, parameter [255:0] INIT_6A = 0, parameter [255:0] INIT_6B = 0,
  parameter [255:0] INIT_6C = 0, parameter [255:0] INIT_6D = 0, parameter [255:0] INIT_6E = 0, parameter [255:0] INIT_6F = 0,
  parameter [255:0] INIT_70 = 0, parameter [255:0] INIT_71 = 0, parameter [255:0] INIT_72 = 0, parameter [255:0] INIT_73 = 0,
  parameter [255:0] INIT_74 = 0, parameter [255:0] INIT_75 = 0, parameter [255:0] INIT_76 = 0, parameter [255:0] INIT_77 = 0,
  parameter [255:0] INIT_78 = 0, parameter [255:0] INIT_79 = 0, parameter [255:0] INIT_7A = 0, parameter [255:0] INIT_7B = 0,
  parameter [255:0] INIT_7C = 0, parameter [255:0] INIT_7D = 0, parameter [255:0] INIT_7E = 0, parameter [255:0] INIT_7F = 0,
  parameter [255:0] INITP_00 = 0, parameter [255:0] INITP_01 = 0, parameter [255:0] INITP_02 = 0, parameter [255:0] INITP_03 = 0,
  parameter [255:0] INITP_04 = 0, parameter [255:0] INITP_05 = 0, parameter [255:0] INITP_06 = 0, parameter [255:0] INITP_07 = 0,
  parameter [255:0] INITP_08 = 0, parameter [255:0] INITP_09 = 0, parameter [255:0] INITP_0A = 0, parameter [255:0] INITP_0B = 0,
  parameter [255:0] INITP_0C = 0, parameter [255:0] INITP_0D = 0, parameter [255:0] INITP_0E = 0, parameter [255:0] INITP_0F = 0,
  parameter integer DOA_REG = 0, DOB_REG = 0, READ_WIDTH_A = 0, READ_WIDTH_B = 0, WRITE_WIDTH_A = 0, WRITE_WIDTH_B = 0,
  parameter RAM_MODE = "TDP", WRITE_MODE_A = "WRITE_FIRST", WRITE_MODE_B = "WRITE_FIRST",
  parameter RDADDR_COLLISION_HWCONFIG = "DELAYED_WRITE", SIM_DEVICE = "7SERIES",
  parameter RAM_EXTENSION_A = "NONE", RAM_EXTENSION_B = "NONE",
  parameter [71:0] INIT_A = 0, INIT_B = 0, SRVAL_A = 0, SRVAL_B = 0
) (
  input  wire        CLKARDCLK, CLKBWRCLK, ENARDEN, ENBWREN, REGCEAREGCE, REGCEB,
  input  wire        RSTRAMARSTRAM, RSTRAMB, RSTREGARSTREG, RSTREGB,
  input  wire [15:0] ADDRARDADDR, ADDRBWRADDR,
  input  wire [31:0] DIADI, DIBDI,
  input  wire [3:0]  DIPADIP, DIPBDIP,
  input  wire [3:0]  WEA,
  input  wire [7:0]  WEBWE,
  input  wire        CASCADEINA, CASCADEINB,
  output wire [31:0] DOADO, DOBDO,
  output wire [3:0]  DOPADOP, DOPBDOP
);
  localparam [32767:0] INIT = {
    INIT_7F, INIT_7E, INIT_7D, INIT_7C, INIT_7B, INIT_7A, INIT_79, INIT_78,
    INIT_77, INIT_76, INIT_75, INIT_74, INIT_73, INIT_72, INIT_71, INIT_70,
    INIT_6F, INIT_6E, INIT_6D, INIT_6C, INIT_6B, INIT_6A, INIT_69, INIT_68,
    INIT_67, INIT_66, INIT_65, INIT_64, INIT_63, INIT_62, INIT_61, INIT_60,
    INIT_5F, INIT_5E, INIT_5D, INIT_5C, INIT_5B, INIT_5A, INIT_59, INIT_58,
    INIT_57, INIT_56, INIT_55, INIT_54, INIT_53, INIT_52, INIT_51, INIT_50,
    INIT_4F, INIT_4E, INIT_4D, INIT_4C, INIT_4B, INIT_4A, INIT_49, INIT_48,
    INIT_47, INIT_46, INIT_45, INIT_44, INIT_43, INIT_42, INIT_41, INIT_40,
    INIT_3F, INIT_3E, INIT_3D, INIT_3C, INIT_3B, INIT_3A, INIT_39, INIT_38,
    INIT_37, INIT_36, INIT_35, INIT_34, INIT_33, INIT_32, INIT_31, INIT_30,
    INIT_2F, INIT_2E, INIT_2D, INIT_2C, INIT_2B, INIT_2A, INIT_29, INIT_28,
    INIT_27, INIT_26, INIT_25, INIT_24, INIT_23, INIT_22, INIT_21, INIT_20,
    INIT_1F, INIT_1E, INIT_1D, INIT_1C, INIT_1B, INIT_1A, INIT_19, INIT_18,
    INIT_17, INIT_16, INIT_15, INIT_14, INIT_13, INIT_12, INIT_11, INIT_10,
    INIT_0F, INIT_0E, INIT_0D, INIT_0C, INIT_0B, INIT_0A, INIT_09, INIT_08,
    INIT_07, INIT_06, INIT_05, INIT_04, INIT_03, INIT_02, INIT_01, INIT_00
  };
  localparam [4095:0] INITP = {
    INITP_0F, INITP_0E, INITP_0D, INITP_0C, INITP_0B, INITP_0A, INITP_09, INITP_08,
    INITP_07, INITP_06, INITP_05, INITP_04, INITP_03, INITP_02, INITP_01, INITP_00
  };
  localparam bit SDP = RAM_MODE == "SDP", WIDE_READ = SDP && READ_WIDTH_A == 72, WIDE_WRITE = SDP && WRITE_WIDTH_B == 72;
  if (DOA_REG != 0 || DOB_REG != 0) $error("RAMB36E1: output registers are not modelled");
  if (RAM_EXTENSION_A != "NONE" || RAM_EXTENSION_B != "NONE") $error("RAMB36E1: cascades are not modelled");

  wire [63:0] qa, qb;
  wire [7:0]  qpa, qpb;
  ramb_rows #(
    .DATA(64), .INIT(INIT), .INITP(INITP), .WRITE_MODE_A(WRITE_MODE_A), .WRITE_MODE_B(WRITE_MODE_B),
    .READ_WIDTH_A(READ_WIDTH_A), .READ_WIDTH_B(READ_WIDTH_B), .WRITE_WIDTH_A(WRITE_WIDTH_A), .WRITE_WIDTH_B(WRITE_WIDTH_B),
    .INIT_A(WIDE_READ ? {INIT_B[35:32], INIT_A[35:32], INIT_B[31:0], INIT_A[31:0]} : INIT_A), .INIT_B(INIT_B),
    .SRVAL_A(WIDE_READ ? {SRVAL_B[35:32], SRVAL_A[35:32], SRVAL_B[31:0], SRVAL_A[31:0]} : SRVAL_A), .SRVAL_B(SRVAL_B)
  ) i_rows (
    .clka(CLKARDCLK), .ena(ENARDEN), .rsta(RSTRAMARSTRAM), .clkb(CLKBWRCLK), .enb(ENBWREN), .rstb(RSTRAMB),
    .addra(15'(ADDRARDADDR)), .addrb(15'(ADDRBWRADDR)), .wea(SDP ? '0 : 8'(WEA)), .web(8'(WEBWE)),
    .da(64'(DIADI)), .pa(8'(DIPADIP)),
    .db(WIDE_WRITE ? 64'({DIBDI, DIADI}) : 64'(DIBDI)), .pb(WIDE_WRITE ? 8'({DIPBDIP, DIPADIP}) : 8'(DIPBDIP)),
    .qa(qa), .qb(qb), .qpa(qpa), .qpb(qpb)
  );
  assign DOADO = qa[31:0];
  assign DOPADOP = qpa[3:0];
  assign DOBDO = WIDE_READ ? qa[63:32] : qb[31:0];
  assign DOPBDOP = WIDE_READ ? qpa[7:4] : qpb[3:0];
endmodule

/* verilator lint_on MULTITOP */
/* verilator lint_on WIDTH */
/* verilator lint_on UNUSEDPARAM */
/* verilator lint_on UNUSEDSIGNAL */
/* verilator lint_on DECLFILENAME */
`default_nettype wire
