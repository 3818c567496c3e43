# The IP cores that block designs like ours use: the properties that may be set, their legal values and defaults, and the
# pins a cell has. build.tcl is checked against it. Sources: the product guides PG021 (AXI DMA), PG247 (SmartConnect), PG059
# (AXI Interconnect), PG164 (processor system reset), PG082 and PG201 (processing systems), and UG994. What a core has
# beyond this is unknown to the check.
#
#   ip CORE {
#     config NAME {legal values, or LOW..HIGH, or * for any} DEFAULT
#     pin    NAME clk|rst|other in|out [if CONDITION] [optional]
#     bus    NAME aximm|axis|pad master|slave [bits PROPERTY] [if CONDITION]
#   }
# A CONDITION is an expression over properties; clock and reset inputs must be driven unless they are optional.

ip processing_system7 {
  config PCW_CRYSTAL_PERIPHERAL_FREQMHZ 30..60 33.333333
  config PCW_FPGA0_PERIPHERAL_FREQMHZ 0.1..250 50
  config PCW_FPGA1_PERIPHERAL_FREQMHZ 0.1..250 50
  config PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ {} 50
  config PCW_EN_CLK0_PORT {0 1} 1
  config PCW_EN_CLK1_PORT {0 1} 0
  config PCW_EN_RST0_PORT {0 1} 1
  config PCW_USE_M_AXI_GP0 {0 1} 1
  config PCW_USE_M_AXI_GP1 {0 1} 0
  config PCW_USE_S_AXI_GP0 {0 1} 0
  config PCW_USE_S_AXI_HP0 {0 1} 0
  config PCW_USE_S_AXI_HP1 {0 1} 0
  config PCW_S_AXI_HP0_DATA_WIDTH {32 64} 64
  config PCW_S_AXI_HP1_DATA_WIDTH {32 64} 64
  config PCW_USE_FABRIC_INTERRUPT {0 1} 0
  config PCW_IRQ_F2P_INTR {0 1} 0
  config PCW_PRESET_BANK0_VOLTAGE * {LVCMOS 3.3V}
  config PCW_PRESET_BANK1_VOLTAGE * {LVCMOS 3.3V}
  config PCW_UIPARAM_DDR_PARTNO * {MT41J256M8 HX-15E}
  bus DDR pad master
  bus FIXED_IO pad master
  bus M_AXI_GP0 aximm master bits 32 if PCW_USE_M_AXI_GP0
  bus M_AXI_GP1 aximm master bits 32 if PCW_USE_M_AXI_GP1
  bus S_AXI_HP0 aximm slave bits PCW_S_AXI_HP0_DATA_WIDTH if PCW_USE_S_AXI_HP0
  bus S_AXI_HP1 aximm slave bits PCW_S_AXI_HP1_DATA_WIDTH if PCW_USE_S_AXI_HP1
  pin M_AXI_GP0_ACLK clk in if PCW_USE_M_AXI_GP0
  pin M_AXI_GP1_ACLK clk in if PCW_USE_M_AXI_GP1
  pin S_AXI_HP0_ACLK clk in if PCW_USE_S_AXI_HP0
  pin S_AXI_HP1_ACLK clk in if PCW_USE_S_AXI_HP1
  pin FCLK_CLK0 clk out if PCW_EN_CLK0_PORT
  pin FCLK_CLK1 clk out if PCW_EN_CLK1_PORT
  pin FCLK_RESET0_N rst out if PCW_EN_RST0_PORT
  pin IRQ_F2P other in if PCW_USE_FABRIC_INTERRUPT&&PCW_IRQ_F2P_INTR
}

ip zynq_ultra_ps_e {
  config PSU__PSS_REF_CLK__FREQMHZ 27..60 33.333
  config PSU__FPGA_PL0_ENABLE {0 1} 1
  config PSU__FPGA_PL1_ENABLE {0 1} 0
  config PSU__CRL_APB__PL0_REF_CTRL__SRCSEL {IOPLL RPLL DPLL} RPLL
  config PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ 0.1..400 100
  config PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ {} 100
  config PSU__OVERRIDE__BASIC_CLOCK {0 1} 0
  config PSU__USE__FABRIC__RST {0 1} 1
  config PSU__NUM_FABRIC_RESETS {0 1 2 3 4} 1
  config PSU__USE__M_AXI_GP0 {0 1} 1
  config PSU__USE__M_AXI_GP1 {0 1} 1
  config PSU__USE__M_AXI_GP2 {0 1} 0
  config PSU__MAXIGP0__DATA_WIDTH {32 64 128} 128
  config PSU__MAXIGP1__DATA_WIDTH {32 64 128} 128
  config PSU__MAXIGP2__DATA_WIDTH {32 64 128} 32
  config PSU__USE__S_AXI_GP0 {0 1} 0
  config PSU__USE__S_AXI_GP2 {0 1} 0
  config PSU__USE__S_AXI_GP3 {0 1} 0
  config PSU__SAXIGP0__DATA_WIDTH {32 64 128} 128
  config PSU__SAXIGP2__DATA_WIDTH {32 64 128} 128
  config PSU__SAXIGP3__DATA_WIDTH {32 64 128} 128
  config PSU__USE__IRQ0 {0 1} 1
  config PSU__USE__IRQ1 {0 1} 0
  bus M_AXI_HPM0_FPD aximm master bits PSU__MAXIGP0__DATA_WIDTH if PSU__USE__M_AXI_GP0
  bus M_AXI_HPM1_FPD aximm master bits PSU__MAXIGP1__DATA_WIDTH if PSU__USE__M_AXI_GP1
  bus M_AXI_HPM0_LPD aximm master bits PSU__MAXIGP2__DATA_WIDTH if PSU__USE__M_AXI_GP2
  bus S_AXI_HPC0_FPD aximm slave bits PSU__SAXIGP0__DATA_WIDTH if PSU__USE__S_AXI_GP0
  bus S_AXI_HP0_FPD aximm slave bits PSU__SAXIGP2__DATA_WIDTH if PSU__USE__S_AXI_GP2
  bus S_AXI_HP1_FPD aximm slave bits PSU__SAXIGP3__DATA_WIDTH if PSU__USE__S_AXI_GP3
  pin maxihpm0_fpd_aclk clk in if PSU__USE__M_AXI_GP0
  pin maxihpm1_fpd_aclk clk in if PSU__USE__M_AXI_GP1
  pin maxihpm0_lpd_aclk clk in if PSU__USE__M_AXI_GP2
  pin saxihpc0_fpd_aclk clk in if PSU__USE__S_AXI_GP0
  pin saxihp0_fpd_aclk clk in if PSU__USE__S_AXI_GP2
  pin saxihp1_fpd_aclk clk in if PSU__USE__S_AXI_GP3
  pin pl_clk0 clk out if PSU__FPGA_PL0_ENABLE
  pin pl_clk1 clk out if PSU__FPGA_PL1_ENABLE
  pin pl_resetn0 rst out if PSU__USE__FABRIC__RST
  pin pl_ps_irq0 other in if PSU__USE__IRQ0
}

ip axi_dma {
  config c_include_sg {0 1} 1
  config c_sg_include_stscntrl_strm {0 1} 1
  config c_sg_length_width 8..26 14
  config c_micro_dma {0 1} 0
  config c_enable_multi_channel {0 1} 0
  config c_addr_width 32..64 32
  config c_prmry_is_aclk_async {0 1} 0
  config c_include_mm2s {0 1} 1
  config c_include_mm2s_dre {0 1} 0
  config c_include_mm2s_sf {0 1} 1
  config c_mm2s_burst_size {2 4 8 16 32 64 128 256} 16
  config c_m_axi_mm2s_data_width {32 64 128 256 512 1024} 32
  config c_m_axis_mm2s_tdata_width {8 16 32 64 128 256 512 1024} 32
  config c_include_s2mm {0 1} 1
  config c_include_s2mm_dre {0 1} 0
  config c_include_s2mm_sf {0 1} 1
  config c_s2mm_burst_size {2 4 8 16 32 64 128 256} 16
  config c_m_axi_s2mm_data_width {32 64 128 256 512 1024} 32
  config c_s_axis_s2mm_tdata_width {} 32
  bus S_AXI_LITE aximm slave bits 32
  bus M_AXI_SG aximm master bits 32 if c_include_sg
  bus M_AXI_MM2S aximm master bits c_m_axi_mm2s_data_width if c_include_mm2s
  bus M_AXI_S2MM aximm master bits c_m_axi_s2mm_data_width if c_include_s2mm
  bus M_AXIS_MM2S axis master bits c_m_axis_mm2s_tdata_width if c_include_mm2s
  bus S_AXIS_S2MM axis slave bits 0 if c_include_s2mm
  pin s_axi_lite_aclk clk in
  pin m_axi_sg_aclk clk in if c_include_sg
  pin m_axi_mm2s_aclk clk in if c_include_mm2s
  pin m_axi_s2mm_aclk clk in if c_include_s2mm
  pin axi_resetn rst in
  pin mm2s_prmry_reset_out_n rst out if c_include_mm2s
  pin s2mm_prmry_reset_out_n rst out if c_include_s2mm
  pin mm2s_introut other out if c_include_mm2s
  pin s2mm_introut other out if c_include_s2mm
}

ip smartconnect {
  config NUM_SI 1..16 2
  config NUM_MI 1..16 1
  config NUM_CLKS 1..16 1
  config HAS_ARESETN {0 1} 1
  pin aclk clk in
  pin aclk1 clk in if NUM_CLKS>1
  pin aresetn rst in if HAS_ARESETN
  bus S00_AXI aximm slave bits 0
  bus S01_AXI aximm slave bits 0 if NUM_SI>1
  bus S02_AXI aximm slave bits 0 if NUM_SI>2
  bus S03_AXI aximm slave bits 0 if NUM_SI>3
  bus M00_AXI aximm master bits 0
  bus M01_AXI aximm master bits 0 if NUM_MI>1
  bus M02_AXI aximm master bits 0 if NUM_MI>2
  bus M03_AXI aximm master bits 0 if NUM_MI>3
}

ip axi_interconnect {
  config NUM_SI 1..16 1
  config NUM_MI 1..64 2
  config STRATEGY {0 1 2} 0
  config SYNCHRONIZATION_STAGES 2..8 2
  pin ACLK clk in
  pin ARESETN rst in
  pin S00_ACLK clk in
  pin S00_ARESETN rst in
  pin S01_ACLK clk in if NUM_SI>1
  pin S01_ARESETN rst in if NUM_SI>1
  pin M00_ACLK clk in
  pin M00_ARESETN rst in
  pin M01_ACLK clk in if NUM_MI>1
  pin M01_ARESETN rst in if NUM_MI>1
  bus S00_AXI aximm slave bits 0
  bus S01_AXI aximm slave bits 0 if NUM_SI>1
  bus M00_AXI aximm master bits 0
  bus M01_AXI aximm master bits 0 if NUM_MI>1
}

ip proc_sys_reset {
  config C_EXT_RST_WIDTH 1..16 4
  config C_AUX_RST_WIDTH 1..16 4
  config C_EXT_RESET_HIGH {0 1} 0
  config C_AUX_RESET_HIGH {0 1} 0
  config C_NUM_BUS_RST 1..8 1
  config C_NUM_PERP_RST 1..16 1
  config C_NUM_INTERCONNECT_ARESETN 1..8 1
  config C_NUM_PERP_ARESETN 1..16 1
  pin slowest_sync_clk clk in
  pin ext_reset_in rst in
  pin aux_reset_in rst in optional
  pin mb_debug_sys_rst rst in optional
  pin dcm_locked other in optional
  pin mb_reset rst out
  pin bus_struct_reset rst out
  pin peripheral_reset rst out
  pin interconnect_aresetn rst out
  pin peripheral_aresetn rst out
}
