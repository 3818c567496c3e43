# The block design of mock.tcl: cells with pins and buses by IP core, and nets. Addresses and validation: validate.tcl.

array set core_of {}    ;# cell -> IP core or "module"
array set config {}     ;# "cell property" -> value
array set allowed {}    ;# "core property" -> legal values
array set pins {}       ;# core -> {name kind direction condition optional} ...
array set buses {}      ;# core -> {name kind side bits condition} ...
array set net {}        ;# pin -> net
array set peer {}       ;# bus -> the bus at its other end
array set segment {}    ;# "space segment" -> {offset range}
set nets 0

# ---- the table of IP cores

proc ip {core body} {
  set ::defaults($core) {}
  set ::pins($core) {}
  set ::buses($core) {}
  foreach row [split $body "\n"] {
    if {[catch {llength $row} count] || !$count} continue
    switch [lindex $row 0] {
      config { set ::allowed($core\ [lindex $row 1]) [lindex $row 2]; lappend ::defaults($core) [lindex $row 1] [lindex $row 3] }
      pin { lappend ::pins($core) [list {*}[lrange $row 1 3] [after_word $row if 1] [expr {"optional" in $row}]] }
      bus { lappend ::buses($core) [list {*}[lrange $row 1 3] [after_word $row bits 0] [after_word $row if 1]] }
    }
  }
}

proc after_word {row word default} {
  set place [lsearch -exact $row $word]
  return [expr {$place < 0 ? $default : [lindex $row [expr {$place + 1}]]}]
}

# The value of a condition of a cell: property names stand for their values.
proc holds {cell condition} {
  foreach name [lsort -unique -decreasing [regexp -all -inline {[A-Za-z]\w+} $condition]] {
    set condition [string map [list $name $::config($cell\ $name)] $condition]
  }
  return [expr $condition]
}

proc pins_of {cell} {
  set found {}
  foreach pin $::pins($::core_of($cell)) { if {[holds $cell [lindex $pin 3]]} { dict set found $cell/[lindex $pin 0] $pin } }
  return $found
}

proc buses_of {cell} {
  set found {}
  foreach bus $::buses($::core_of($cell)) { if {[holds $cell [lindex $bus 4]]} { dict set found $cell/[lindex $bus 0] $bus } }
  return $found
}

proc bus_bits {name} {
  lassign [dict get [buses_of [cell_of $name]] $name] bus kind side bits
  set cell [cell_of $name]
  return [expr {[info exists ::config($cell\ $bits)] ? $::config($cell\ $bits) : $bits}]
}

proc cell_of {name} { return [lindex [split $name /] 0] }

# ---- cells and their properties

proc do_create_bd_design {rest given} { need project; done block_design }
proc do_save_bd_design {rest given} { need block_design }

proc do_get_ipdefs {rest given} {
  if {!$::scenario(cores)} return
  set known {}
  foreach core [array names ::defaults] { if {![string match module:* $core]} { lappend known xilinx.com:ip:$core:1.0 xilinx.com:ip:$core:2.0 } }
  set found {}
  foreach pattern $rest { lappend found {*}[lsearch -all -inline -glob $known $pattern] }
  return $found
}

proc do_create_bd_cell {rest given} {
  need block_design
  set name [lindex $rest 0]
  if {[info exists ::core_of($name)]} { refuse "a cell $name exists already" }
  if {[option $given -type ip] eq "module"} {
    set core [read_module [option $given -reference]]
  } else {
    lassign [split [option $given -vlnv] :] vendor library core
    if {"$vendor:$library" ne "xilinx.com:ip" || ![info exists ::defaults($core)]} { refuse "create_bd_cell: unknown IP core '[option $given -vlnv]'" }
  }
  set ::core_of($name) $core
  foreach {property value} $::defaults($core) { set ::config($name\ $property) $value }
  return $name
}

proc set_config {cell name value} {
  if {![info exists ::core_of($cell)]} { refuse "set_property: no cell $cell" }
  set core $::core_of($cell)
  if {![info exists ::allowed($core\ $name)]} { refuse "$core has no property CONFIG.$name" }
  set values $::allowed($core\ $name)
  if {$values eq {}} { refuse "CONFIG.$name of $core can only be read" }
  if {[regexp {^([\d.]+)\.\.([\d.]+)$} $values all low high]} {
    if {![string is double -strict $value] || $value < $low || $value > $high} { refuse "CONFIG.$name of $core is a number in $values, not '$value'" }
  } elseif {$values ne "*" && $value ni $values} { refuse "CONFIG.$name of $core is one of $values, not '$value'" }
  set ::config($cell\ $name) $value
  # the clock that the dividers of the PLL allow: 1000 MHz on Zynq-7000, 1500 MHz on UltraScale+
  if {$name eq "PCW_FPGA0_PERIPHERAL_FREQMHZ"} { set ::config($cell\ PCW_ACT_FPGA0_PERIPHERAL_FREQMHZ) [expr {1000.0 / ceil(1000.0 / $value)}] }
  if {$name eq "PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ"} { set ::config($cell\ PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ) [expr {1500.0 / ceil(1500.0 / $value)}] }
}

proc get_config {cell name} {
  if {![info exists ::config($cell\ $name)]} { refuse "get_property: $cell has no property CONFIG.$name" }
  return $::config($cell\ $name)
}

# A module reference: Verilog, not SystemVerilog; clock, reset and buses as its X_INTERFACE attributes say.
proc read_module {top} {
  foreach file $::added {
    set channel [open $file]
    set text [regsub -all {//[^\n]*} [read $channel] ""]
    close $channel
    if {[regexp "module\\s+$top\\M" $text]} { return [module_core $file $top [lindex [regexp -inline "module\\s+$top\\M.*?\\)\\s*;" $text] 0]] }
  }
  refuse "create_bd_cell: no added source has a module '$top'"
}

proc module_core {file top text} {
  if {[file extension $file] ne ".v"} { refuse "module reference $top is in [file tail $file]: a block design takes Verilog only, no SystemVerilog" }
  set body ""
  foreach {all name value} [regexp -all -inline {parameter\s+(\w+)\s*=\s*("[^"]*"|[^,\s\)]+)} $text] { append body "config $name * [list [string trim $value \"]]\n" }
  set clock ""
  set seen {}
  set start 0
  while {[regexp -start $start -indices {(input|output|inout)\s+(?:wire|reg)?\s*(?:\[\s*(\d+)\s*:\s*0\s*\])?\s*(\w+)} $text all direction high name]} {
    set attributes [string range $text $start [lindex $all 0]]
    foreach part {direction high name} { set $part [string range $text {*}[set $part]] }
    set start [expr {[lindex $all 1] + 1}]
    set side [expr {$direction eq "output" ? "out" : "in"}]
    if {[string match *signal:clock* $attributes]} { append body "pin $name clk $side\n"; set clock $attributes; continue }
    if {[string match *signal:reset* $attributes]} { append body "pin $name rst $side\n"; continue }
    if {![regexp {interface:(aximm|axis):1.0 (\w+) (\w+)"} $attributes all kind bus port]} { refuse "port $name of $top belongs to no interface (X_INTERFACE_INFO)" }
    if {$port in {AWADDR ARADDR} && $high + 1 < 12} { refuse "$name of $top has [expr {$high + 1}] bits: a block design gives an AXI slave 4 KB or more, that is 12 bits" }
    if {$port in {AWVALID TVALID}} { dict set seen $bus [list $kind [expr {$side eq "out" ? "master" : "slave"}]] }
    if {$port in {WDATA TDATA}} { dict set width $bus [expr {$high + 1}] }
  }
  if {![regexp {ASSOCIATED_BUSIF ([\w:]+)} $clock all associated]} { refuse "the clock of $top has no ASSOCIATED_BUSIF: its buses would have no clock" }
  foreach {bus what} $seen {
    if {$bus ni [split $associated :]} { refuse "bus $bus of $top is missing in the clock's ASSOCIATED_BUSIF" }
    append body "bus $bus $what bits [dict get $width $bus]\n"
  }
  ip module:$top $body
  return module:$top
}

# The accelerator must be told where its memory images are.
proc check_images {} {
  foreach {cell core} [array get ::core_of] {
    if {![string match module:* $core]} continue
    set path [expr {[info exists ::config($cell\ MEM_DIR)] ? $::config($cell\ MEM_DIR) : ""}]
    if {[file pathtype $path] ne "absolute" || ![string match */ $path] || ![file isdirectory $path]} { refuse "MEM_DIR of $cell is '$path': synthesis runs elsewhere, it must be an absolute folder with a slash at its end" }
  }
}

# ---- wires and buses

proc named {kind names pool} {
  set found {}
  foreach name $names {
    set name [string trimleft $name /]
    set match [lsearch -all -inline -glob $pool $name]
    if {[llength $match] == 0} { refuse "there is no $kind $name" }
    lappend found {*}$match
  }
  return $found
}

proc all_of {what} {
  set found {}
  foreach cell [array names ::core_of] { lappend found {*}[dict keys [$what $cell]] }
  return $found
}

proc do_get_bd_cells {rest given} { return [named cell $rest [array names ::core_of]] }
proc do_get_bd_pins {rest given} { return [named pin $rest [all_of pins_of]] }
proc do_get_bd_intf_pins {rest given} { return [named "bus" $rest [all_of buses_of]] }

proc do_connect_bd_net {rest given} {
  set ends [named pin [concat {*}$rest] [all_of pins_of]]
  if {[llength $ends] < 2} { refuse "connect_bd_net: two pins are needed, got '$ends'" }
  set new [incr ::nets]
  set joined $ends
  foreach end $ends { if {[info exists ::net($end)]} { foreach {pin old} [array get ::net] { if {$old == $::net($end)} { lappend joined $pin } } } }
  foreach pin [lsort -unique $joined] {
    set ::net($pin) $new
    lassign [dict get [pins_of [cell_of $pin]] $pin] name kind side
    lappend kinds $kind
    if {$side eq "out"} { lappend drivers $pin }
  }
  if {[info exists drivers] && [llength $drivers] > 1} { refuse "[join $drivers { and }] drive the same net" }
  if {"clk" in $kinds && [llength [lsort -unique $kinds]] > 1} { refuse "a clock is connected to something that is none: $joined" }
}

proc do_connect_bd_intf_net {rest given} {
  if {[llength $rest] != 2} { refuse "connect_bd_intf_net connects two buses, got '$rest'" }
  lassign $rest a b
  foreach bus $rest { if {[info exists ::peer($bus)]} { refuse "$bus is connected to $::peer($bus) already" } }
  lassign [dict get [buses_of [cell_of $a]] $a] name kind_a side_a
  lassign [dict get [buses_of [cell_of $b]] $b] name kind_b side_b
  if {$kind_a ne $kind_b || $side_a eq $side_b} { refuse "$a ($kind_a $side_a) does not fit $b ($kind_b $side_b)" }
  set ::peer($a) $b
  set ::peer($b) $a
}

proc do_make_bd_intf_pins_external {rest given} { foreach bus [named bus $rest [all_of buses_of]] { set ::peer($bus) external } }

# ---- products

proc do_generate_target {rest given} {
  need validated
  set folder [file join $::project_folder $::project_name.gen sources_1 bd system hw_handoff]
  file mkdir $folder
  if {$::scenario(handoff)} { write_text [file join $folder system.hwh] "<EDKSYSTEM/>\n" }
  done targets
  done handoff
}

proc do_make_wrapper {rest given} {
  need targets
  do_get_files [concat {*}[option $given -files $rest]] {}
  if {![dict exists $given -top]} { refuse "make_wrapper without -top makes no wrapper to synthesise" }
  set file [file join $::project_folder system_wrapper.v]
  write_text $file "module system_wrapper; endmodule\n"
  done wrapper
  return $file
}

source [file join [file dirname [info script]] ips.tcl]
