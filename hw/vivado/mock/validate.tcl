# Addresses of the block design of mock.tcl, and what validation looks at.

# ---- addresses

proc do_get_bd_addr_spaces {rest given} {
  set pool {}
  foreach cell [array names ::core_of] {
    if {$::core_of($cell) in {processing_system7 zynq_ultra_ps_e}} { lappend pool $cell/Data }
    if {$::core_of($cell) eq "axi_dma"} { lappend pool $cell/Data_MM2S $cell/Data_S2MM }
  }
  return [named "address space" $rest $pool]
}

proc do_get_bd_addr_segs {rest given} {
  set pool {}
  foreach bus [all_of buses_of] {
    lassign [dict get [buses_of [cell_of $bus]] $bus] name kind side
    if {$kind eq "aximm" && $side eq "slave" && $::core_of([cell_of $bus]) ni {smartconnect axi_interconnect}} { lappend pool $bus/Reg }
  }
  return [named "address segment" $rest $pool]
}

proc bytes {text} {
  if {![regexp {^(0x[0-9A-Fa-f]+|\d+)([KMG]?)$} $text all number unit]} { refuse "'$text' is no size or address" }
  return [expr {$number * [dict get {"" 1 K 1024 M 1048576 G 1073741824} $unit]}]
}

proc do_assign_bd_address {rest given} {
  need block_design
  if {[llength $rest] == 0 && [dict size $given] == 0} { done addressed; return }
  set space [option $given -target_address_space]
  set offset [bytes [option $given -offset]]
  set range [bytes [option $given -range]]
  if {[llength $rest] == 0} { refuse "assign_bd_address: no segment to assign" }
  if {$range < 4096 || $range & ($range - 1) || $offset % $range} { refuse "assign_bd_address: range $range at $offset: a range is a power of two of 4 KB or more, and aligned" }
  set zynq [expr {$::core_of([cell_of $space]) eq "processing_system7"}]
  lassign [expr {$zynq ? {0x40000000 0x7FFFFFFF} : {0xA0000000 0xAFFFFFFF}}] low high
  if {$offset < $low || $offset + $range - 1 > $high} { refuse "assign_bd_address: [option $given -offset] is outside of the register port's window $low to $high" }
  foreach {key place} [array get ::segment] {
    if {$offset < [lindex $place 0] + [lindex $place 1] && [lindex $place 0] < $offset + $range} { refuse "assign_bd_address: $rest overlaps $key" }
  }
  foreach one $rest { set ::segment([file dirname $one]) [list $offset $range] }
}

# ---- validation

# The slaves that a master bus reaches, through interconnects.
proc reached {bus} {
  if {![info exists ::peer($bus)] || $::peer($bus) eq "external"} { return {} }
  set cell [cell_of $::peer($bus)]
  if {$::core_of($cell) ni {smartconnect axi_interconnect}} { return [list $::peer($bus)] }
  set found {}
  dict for {name facts} [buses_of $cell] { if {[lindex $facts 2] eq "master"} { lappend found {*}[reached $name] } }
  return $found
}

proc do_validate_bd_design {rest given} {
  need block_design
  set before [llength $::problems]
  foreach cell [lsort [array names ::core_of]] { validate_cell $cell }
  foreach bus [all_of buses_of] { validate_bus $bus }
  if {[llength $::problems] > $before} { return -code error -errorcode MOCK "validation failed" }
  done validated
}

proc validate_cell {cell} {
  dict for {pin facts} [pins_of $cell] {
    lassign $facts name kind side condition optional
    if {$side eq "out" || $optional || $kind eq "other"} continue
    if {[driver_of $pin] eq ""} { problem "[expr {$kind eq "clk" ? "clock" : "reset"}] $pin is not driven" }
  }
}

# The pin that drives a pin, or nothing.
proc driver_of {pin} {
  if {![info exists ::net($pin)]} { return "" }
  foreach {other id} [array get ::net] {
    if {$id == $::net($pin) && [lindex [dict get [pins_of [cell_of $other]] $other] 2] eq "out"} { return $other }
  }
  return ""
}

# Bits of a memory port, or of so many as it moves in a cycle of the first clock: a SmartConnect converts.
proc port_bits {port} {
  set bits [bus_bits $port]
  if {[driver_of ${port}_ACLK] ne "ps/FCLK_CLK1"} { return $bits }
  return [expr {int($bits * $::config(ps\ PCW_FPGA1_PERIPHERAL_FREQMHZ) / $::config(ps\ PCW_FPGA0_PERIPHERAL_FREQMHZ))}]
}

proc validate_bus {bus} {
  lassign [dict get [buses_of [cell_of $bus]] $bus] name kind side
  if {![info exists ::peer($bus)]} { problem "$bus is not connected"; return }
  if {$kind eq "axis" && $side eq "master"} {
    if {[bus_bits $::peer($bus)] == 0} { set ::config([cell_of $::peer($bus)]\ c_s_axis_s2mm_tdata_width) [bus_bits $bus]; return }
    if {[bus_bits $bus] != [bus_bits $::peer($bus)]} { problem "$bus has [bus_bits $bus] bits, $::peer($bus) has [bus_bits $::peer($bus)]" }
  }
  if {$kind ne "aximm" || $side ne "master" || $::core_of([cell_of $bus]) in {smartconnect axi_interconnect}} return
  set slaves [reached $bus]
  if {[llength $slaves] == 0} { problem "$bus reaches no slave" }
  foreach slave $slaves {
    if {$::core_of([cell_of $bus]) eq "axi_dma"} {
      if {"addressed" ni $::state} { problem "$slave has no address in the space of $bus: assign_bd_address is missing" }
      if {[port_bits $slave] != [bus_bits $bus]} { problem "$bus has [bus_bits $bus] bits, the memory port $slave takes [port_bits $slave]" }
    } elseif {![info exists ::segment($slave)] && "addressed" ni $::state} { problem "$slave has no address in the space of $bus" }
  }
}
