# From the project folder to a bitstream with Vivado alone: run `vivado -mode batch -source build.tcl`, from anywhere.
#
# Reads project.tcl beside this file, rtl/ and mem/; writes only below build/:
#   <name>.bit  <name>.hwh          what PYNQ loads
#   utilization.rpt timing.rpt power.rpt route.rpt  result.txt       what became of it
#   vivado/                         Vivado's own project, to be opened for a closer look
#
#     memory <- ps/HP0 <- memory_bus <- axi_dma_0 -> accelerator_0 -> axi_dma_0      (streams, as wide as a beat)
#               ps/GP0 -> control_bus -> axi_dma_0, accelerator_0                    (registers)
#     where a beat is wider than HP0, the port and its side of memory_bus run at so many times the clock
#
# Everything else runs at one clock, the first one of the processing system. Any version from 2020.1 on is meant to do, without
# Vitis HLS, board files or a paid licence; IP cores are taken in the newest version at hand. The script ends with an error,
# and without a bitstream, when timing is not met, a net is not routed, or a memory image was not read.
# It has been run against a table of Vivado's commands, never on Vivado itself.

set here [file dirname [file normalize [info script]]]
source [file join $here project.tcl]
set build [file join $here build]
set steps 7

proc say {text} { puts "signflow: $text"; flush stdout }
proc step {number text} { global steps; say "step $number of $steps: $text" }
proc fail {text} { puts "ERROR: signflow: $text"; flush stdout; exit 1 }

# ---- what must be there before anything is started

proc check_folder {} {
  global here project
  if {[string first " " $here] >= 0} { fail "the path '$here' contains a space, which Vivado does not take: move the folder" }
  foreach file $project(sources) {
    if {![file exists [file join $here $file]]} { fail "source $file is missing in $here: copy the whole folder" }
  }
  foreach file $project(images) {
    if {![file exists [file join $here $project(mem_dir) $file]]} { fail "memory image $project(mem_dir)/$file is missing in $here: copy the whole folder" }
  }
  if {[package vcompare [lindex [split [version -short] _] 0] 2020.1] < 0} { fail "Vivado [version -short] is too old: 2020.1 or newer is needed" }
  if {[llength [get_parts -quiet $project(part)]] == 0} { fail "this Vivado does not know $project(part): install its device family" }
}

# ---- the block design

# An IP core in the newest version of this Vivado.
proc make_ip {core name} {
  set known [lsort -dictionary [get_ipdefs "xilinx.com:ip:$core:*"]]
  if {[llength $known] == 0} { fail "this Vivado has no IP core $core" }
  create_bd_cell -type ip -vlnv [lindex $known end] $name
  return [get_bd_cells $name]
}

proc wire {from args} {
  foreach to $args { connect_bd_net [get_bd_pins $from] [get_bd_pins $to] }
}

proc join_bus {from to} { connect_bd_intf_net [get_bd_intf_pins $from] [get_bd_intf_pins $to] }

# Zynq-7000: 64-bit port to memory, 32-bit port for registers. PYNQ-Z1 and Z2 have a 50 MHz crystal; PYNQ sets the clock's
# dividers when it loads the bitstream. The DRAM stays as the boot image has configured it.
proc make_ps_xc7 {} {
  global project ps
  set port [expr {min(64, $project(beat_bits))}]
  set times [expr {$project(beat_bits) / $port}]
  set cell [make_ip processing_system7 ps]
  set_property -dict [list \
    CONFIG.PCW_CRYSTAL_PERIPHERAL_FREQMHZ 50 \
    CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $project(clock_mhz) \
    CONFIG.PCW_EN_CLK0_PORT 1 CONFIG.PCW_EN_RST0_PORT 1 \
    CONFIG.PCW_USE_M_AXI_GP0 1 \
    CONFIG.PCW_USE_S_AXI_HP0 1 CONFIG.PCW_S_AXI_HP0_DATA_WIDTH $port \
  ] $cell
  make_bd_intf_pins_external [get_bd_intf_pins ps/DDR]
  make_bd_intf_pins_external [get_bd_intf_pins ps/FIXED_IO]
  array set ps {
    clock ps/FCLK_CLK0  reset ps/FCLK_RESET0_N  clocked {ps/M_AXI_GP0_ACLK ps/S_AXI_HP0_ACLK}
    control ps/M_AXI_GP0  memory ps/S_AXI_HP0  actual CONFIG.PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ
    dma_address 0x40400000  page_address 0x43C00000
  }
  if {$times > 1} {
    set_property CONFIG.PCW_EN_CLK1_PORT 1 $cell
    set_property CONFIG.PCW_FPGA1_PERIPHERAL_FREQMHZ [expr {$times * $project(clock_mhz)}] $cell
    array set ps {clocked ps/M_AXI_GP0_ACLK  faster ps/FCLK_CLK1  fast ps/S_AXI_HP0_ACLK}
  }
}

# Zynq UltraScale+: 128-bit port to memory. The clock must come from the IOPLL, the only source that PYNQ supports.
proc make_ps_xcup {} {
  global project ps
  set cell [make_ip zynq_ultra_ps_e ps]
  set_property -dict [list \
    CONFIG.PSU__PSS_REF_CLK__FREQMHZ 33.333 \
    CONFIG.PSU__FPGA_PL0_ENABLE 1 \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__SRCSEL IOPLL \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $project(clock_mhz) \
    CONFIG.PSU__USE__FABRIC__RST 1 CONFIG.PSU__NUM_FABRIC_RESETS 1 \
    CONFIG.PSU__USE__M_AXI_GP0 1 CONFIG.PSU__MAXIGP0__DATA_WIDTH 32 \
    CONFIG.PSU__USE__M_AXI_GP1 0 CONFIG.PSU__USE__M_AXI_GP2 0 \
    CONFIG.PSU__USE__S_AXI_GP2 1 CONFIG.PSU__SAXIGP2__DATA_WIDTH $project(beat_bits) \
  ] $cell
  array set ps {
    clock ps/pl_clk0  reset ps/pl_resetn0  clocked {ps/maxihpm0_fpd_aclk ps/saxihp0_fpd_aclk}
    control ps/M_AXI_HPM0_FPD  memory ps/S_AXI_HP0_FPD  actual CONFIG.PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ
    dma_address 0xA0000000  page_address 0xA0010000
  }
}

# Simple mode, a packet of up to 2^26 - 1 bytes; addresses of 32 bits (PYNQ's buffers lie in the low memory).
proc make_dma {} {
  global project
  set_property -dict [list \
    CONFIG.c_include_sg 0 CONFIG.c_sg_include_stscntrl_strm 0 CONFIG.c_micro_dma 0 \
    CONFIG.c_sg_length_width 26 CONFIG.c_addr_width 32 \
    CONFIG.c_include_mm2s 1 CONFIG.c_include_mm2s_dre 0 CONFIG.c_mm2s_burst_size 16 \
    CONFIG.c_m_axi_mm2s_data_width $project(beat_bits) CONFIG.c_m_axis_mm2s_tdata_width $project(beat_bits) \
    CONFIG.c_include_s2mm 1 CONFIG.c_include_s2mm_dre 0 CONFIG.c_s2mm_burst_size 16 \
    CONFIG.c_m_axi_s2mm_data_width $project(beat_bits) \
  ] [make_ip axi_dma axi_dma_0]
}

# The accelerator as a module reference. Its memory images are named by absolute path, since synthesis runs elsewhere.
proc make_accelerator {} {
  global here project
  create_bd_cell -type module -reference $project(top) accelerator_0
  set_property CONFIG.MEM_DIR "[file join $here $project(mem_dir)]/" [get_bd_cells accelerator_0]
}

proc make_buses {} {
  global ps
  set_property -dict {CONFIG.NUM_SI 2 CONFIG.NUM_MI 1} [make_ip smartconnect memory_bus]
  if {[info exists ps(faster)]} { set_property CONFIG.NUM_CLKS 2 [get_bd_cells memory_bus] }
  set_property -dict {CONFIG.NUM_SI 1 CONFIG.NUM_MI 2} [make_ip smartconnect control_bus]
  make_ip proc_sys_reset resets
}

proc connect_all {} {
  global ps
  wire $ps(clock) resets/slowest_sync_clk memory_bus/aclk control_bus/aclk accelerator_0/aclk \
    axi_dma_0/s_axi_lite_aclk axi_dma_0/m_axi_mm2s_aclk axi_dma_0/m_axi_s2mm_aclk {*}$ps(clocked)
  if {[info exists ps(faster)]} { wire $ps(faster) memory_bus/aclk1 $ps(fast) }
  wire $ps(reset) resets/ext_reset_in
  wire resets/peripheral_aresetn memory_bus/aresetn control_bus/aresetn accelerator_0/aresetn axi_dma_0/axi_resetn
  join_bus axi_dma_0/M_AXI_MM2S memory_bus/S00_AXI
  join_bus axi_dma_0/M_AXI_S2MM memory_bus/S01_AXI
  join_bus memory_bus/M00_AXI $ps(memory)
  join_bus $ps(control) control_bus/S00_AXI
  join_bus control_bus/M00_AXI axi_dma_0/S_AXI_LITE
  join_bus control_bus/M01_AXI accelerator_0/s_axi_ctrl
  join_bus axi_dma_0/M_AXIS_MM2S accelerator_0/s_axis_in
  join_bus accelerator_0/m_axis_out axi_dma_0/S_AXIS_S2MM
}

# The registers at fixed places; the DMA reaches whatever the memory port offers below 4 GB.
proc assign_addresses {} {
  global ps
  set registers [get_bd_addr_spaces ps/Data]
  assign_bd_address -target_address_space $registers -offset $ps(dma_address) -range 64K [get_bd_addr_segs axi_dma_0/S_AXI_LITE/*]
  assign_bd_address -target_address_space $registers -offset $ps(page_address) -range 4K [get_bd_addr_segs accelerator_0/s_axi_ctrl/*]
  assign_bd_address
}

proc check_design {} {
  global project ps
  validate_bd_design
  set bits [get_property CONFIG.c_s_axis_s2mm_tdata_width [get_bd_cells axi_dma_0]]
  if {$bits != $project(beat_bits)} { fail "the DMA takes results of $bits bits, the accelerator gives $project(beat_bits)" }
  set actual [get_property $ps(actual) [get_bd_cells ps]]
  say "clock: $project(clock_mhz) MHz asked for, the processing system makes $actual MHz"
  if {abs($actual - $project(clock_mhz)) > 0.005 * $project(clock_mhz)} { say "WARNING: the accelerator was planned for another clock: its status page says $project(clock_mhz) MHz" }
  return $actual
}

# ---- synthesis and implementation

proc run {name {to ""}} {
  if {$to eq ""} { launch_runs $name } else { launch_runs $name -to_step $to }
  catch { if {[llength [info commands wait_on_runs]]} { wait_on_runs $name } else { wait_on_run $name } }
  set status [get_property STATUS [get_runs $name]]
  set log [file join [get_property DIRECTORY [get_runs $name]] runme.log]
  if {![string match "*Complete*" $status]} { fail "$name ended with '$status': see $log" }
  return $log
}

# A memory image that is not found is only a warning to Vivado: the accelerator would compute nonsense.
proc check_log {log} {
  set channel [open $log]
  set lines [split [read $channel] "\n"]
  close $channel
  foreach line $lines {
    if {[regexp {^(CRITICAL WARNING|WARNING|ERROR):.*\$?readmem} $line]} { fail "a memory image was not read: $line" }
  }
  say "[llength [lsearch -all -glob $lines {CRITICAL WARNING:*}]] critical warnings in $log"
}

proc check_routing {} {
  set report [report_route_status -return_string]
  foreach {key pattern} {routable {routable nets[ .]*: *(\d+)} routed {fully routed nets[ .]*: *(\d+)} errors {nets with routing errors[ .]*: *(\d+)}} {
    if {![regexp $pattern $report all $key]} { fail "the routing report has no number of $key nets: see build/route.rpt" }
  }
  if {$routed != $routable || $errors != 0} { fail "[expr {$routable - $routed}] of $routable nets are not routed, $errors have errors: see build/route.rpt" }
}

proc worst_slack {check type} {
  set path [get_timing_paths -delay_type $type -max_paths 1]
  set slack [expr {[llength $path] ? [get_property SLACK $path] : ""}]
  if {![string is double -strict $slack]} { fail "no path has a $check slack: is the clock missing?" }
  say "worst $check slack: $slack ns"
  return $slack
}

proc check_timing {} {
  set setup [worst_slack setup max]
  set hold [worst_slack hold min]
  if {$setup < 0} { fail "setup slack is $setup ns: the design is too slow for this clock. Build it with a lower clock or less folding; see build/timing.rpt" }
  if {$hold < 0} { fail "hold slack is $hold ns: see build/timing.rpt" }
  if {[string match "*constraints are not met*" [report_timing_summary -return_string]]} { fail "timing constraints are not met: see build/timing.rpt" }
  return [list setup_slack_ns $setup hold_slack_ns $hold]
}

proc copy_handoff {} {
  global build project
  set found [glob -nocomplain [file join $build vivado *.gen sources_1 bd system hw_handoff system.hwh] \
    [file join $build vivado *.srcs sources_1 bd system hw_handoff system.hwh]]
  if {[llength $found] == 0} { fail "Vivado has written no system.hwh below $build/vivado" }
  file copy -force [lindex $found 0] [file join $build $project(name).hwh]
}

proc write_result {facts} {
  global build
  set channel [open [file join $build result.txt] w]
  foreach {key value} $facts { puts $channel "$key $value" }
  close $channel
}

# ---- from here on, step by step

check_folder
file mkdir $build
foreach product [list $project(name).bit $project(name).hwh result.txt] { file delete [file join $build $product] }
say "$project(name) for $project(board) ($project(part)) with Vivado [version -short]"

step 1 "project and sources"
create_project -force -part $project(part) $project(name) [file join $build vivado]
set_property target_language Verilog [current_project]
foreach file $project(sources) { add_files -norecurse [file join $here $file] }
set_property verilog_define $project(defines) [current_fileset]
update_compile_order -fileset sources_1

step 2 "block design"
create_bd_design system
make_ps_$project(device)
make_dma
make_accelerator
make_buses
connect_all
assign_addresses
set clock_mhz [check_design]
save_bd_design

# One global synthesis for all: one log to look through for memory images that were not found.
step 3 "wrapper and IP cores"
set design [get_files system.bd]
set_property synth_checkpoint_mode None $design
generate_target all $design
add_files -norecurse [make_wrapper -files $design -top]
set_property top system_wrapper [current_fileset]
update_compile_order -fileset sources_1

step 4 "synthesis (minutes to an hour; log in build/vivado/$project(name).runs/synth_1/runme.log)"
check_log [run synth_1]

step 5 "placement and routing (the longest step; log in build/vivado/$project(name).runs/impl_1/runme.log)"
check_log [run impl_1 route_design]

step 6 "reports and checks"
open_run impl_1
report_utilization -file [file join $build utilization.rpt]
report_timing_summary -delay_type min_max -max_paths 10 -file [file join $build timing.rpt]
report_power -file [file join $build power.rpt]
report_route_status -file [file join $build route.rpt]
check_routing
set slacks [check_timing]

step 7 "bitstream"
copy_handoff
write_bitstream -force [file join $build $project(name).bit]
write_result [concat [list vivado [version -short] part $project(part) clock_mhz $clock_mhz] $slacks]
say "done: build/$project(name).bit and build/$project(name).hwh"
