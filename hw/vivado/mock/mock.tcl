# Runs a Vivado script without Vivado: tclsh mock.tcl SCRIPT ?key value ...?
#
# Every command of commands.tcl exists, takes the options listed there and nothing else, and keeps a small model of project,
# block design (design.tcl, validate.tcl) and runs. The keys make a scenario: how synthesis and implementation turn out.
# Output: what the script prints; then a line "@problem LINE TEXT" for everything wrong and "@exit STATUS".
#
# This shows that the script is consistent with the tables. It does not show that Vivado does what they say.

set script [file normalize [lindex $argv 0]]
set folder [file dirname $script]
array set scenario {version 2023.1 synthesis 1 implementation 1 images 1 setup 0.412 hold 0.021 pulse 1 unrouted 0
  part 1 cores 1 handoff 1 route 1}
array set scenario [lrange $argv 1 end]
set problems {}
array set options {}    ;# command -> {min max valued flags}
array set ran {}        ;# run -> status
array set props {}      ;# "object property" -> value
set added {}            ;# sources of the project
set state {}            ;# what has happened so far: words

proc command {name min max valued flags} {
  set ::options($name) [list $min $max $valued [concat $flags {-quiet -verbose}]]
  proc ::$name args "return \[vivado $name \$args\]"
}

# The innermost line of the script that is being run.
proc line_now {} {
  for {set level [info frame]} {$level > 0} {incr level -1} {
    set frame [info frame $level]
    if {[dict get $frame type] eq "source" && [dict get $frame file] eq $::script} { return [dict get $frame line] }
  }
  return 0
}

proc problem {text {line ""}} {
  if {$line eq ""} { set line [line_now] }
  lappend ::problems [list $line $text]
}

proc refuse {text} {
  problem $text
  return -code error -errorcode MOCK $text
}

# One call of a Vivado command: options against the table, then the model.
proc vivado {name words} {
  lassign $::options($name) min max valued flags
  set given {}
  set rest {}
  for {set k 0} {$k < [llength $words]} {incr k} {
    set word [lindex $words $k]
    if {![string match -* $word] || [string is double -strict $word]} { lappend rest $word; continue }
    if {$word in $flags} { dict set given $word 1; continue }
    if {$word ni $valued} { refuse "$name has no option $word" }
    incr k
    if {$k >= [llength $words] || [string match {-[a-z]*} [lindex $words $k]]} { refuse "$name $word needs a value" }
    dict set given $word [lindex $words $k]
  }
  set count [llength $rest]
  if {$count < $min || ($max ne "*" && $count > $max)} { refuse "$name takes $min to $max arguments besides its options, got $count: $rest" }
  if {[llength [info procs do_$name]]} { return [do_$name $rest $given] }
  return ""
}

proc option {given name {default ""}} { return [expr {[dict exists $given $name] ? [dict get $given $name] : $default}] }
proc need {words} { foreach word $words { if {$word ni $::state} { refuse "too early: nothing has done '$word' yet" } } }
proc done {word} { lappend ::state $word }

# ---- project

proc do_version {rest given} { return $::scenario(version) }
proc do_get_parts {rest given} { if {!$::scenario(part)} return; return [lsearch -all -inline -regexp $rest {^xc[0-9a-zA-Z]+(-[0-9a-zA-Z]+)+$}] }

proc do_create_project {rest given} {
  lassign $rest name ::project_folder
  if {[option $given -part] eq ""} { refuse "create_project without -part: Vivado takes a part of its own choice" }
  set ::project_name $name
  file mkdir $::project_folder
  done project
}

proc do_current_project {rest given} { need project; return project }
proc do_current_fileset {rest given} { need project; return sources_1 }
proc do_update_compile_order {rest given} { need project }

proc do_add_files {rest given} {
  need project
  foreach file [concat {*}$rest] {
    if {![file exists $file]} { refuse "add_files: $file does not exist" }
    lappend ::added [file normalize $file]
  }
}

proc do_get_files {rest given} {
  need {project block_design}
  foreach file $rest { if {$file ne "system.bd"} { refuse "get_files: no file $file in the project" } }
  return $rest
}

# property -> legal values, by kind of object
array set legal {
  {project target_language} {Verilog VHDL}  {project source_mgmt_mode} {All DisplayOnly None}  {project simulator_language} {Verilog VHDL Mixed}
  {sources_1 top} *  {sources_1 verilog_define} *  {system.bd synth_checkpoint_mode} {None Singular Hierarchical}
  {run strategy} *  {run STEPS.SYNTH_DESIGN.ARGS.RETIMING} {true false 0 1}
}

proc do_set_property {rest given} {
  set pairs [option $given -dict]
  if {$pairs eq ""} { set pairs [lrange $rest 0 1]; set rest [lrange $rest 2 end] }
  set objects [concat {*}$rest]
  if {[llength $objects] == 0} { refuse "set_property: no object to set $pairs on" }
  foreach object $objects {
    foreach {name value} $pairs {
      if {[string match -nocase CONFIG.* $name]} { set_config $object [string range $name 7 end] $value; continue }
      set kind [expr {$object in {synth_1 impl_1} ? "run" : $object}]
      if {![info exists ::legal($kind\ $name)]} { refuse "set_property: unknown property $name of $object" }
      set values $::legal($kind\ $name)
      if {$values ne "*" && $value ni $values} { refuse "set_property: $name is one of $values, not $value" }
      set ::props($object\ $name) $value
    }
  }
}

proc do_get_property {rest given} {
  lassign $rest name object
  if {$object eq ""} { refuse "get_property $name: no such object" }
  if {[string match -nocase CONFIG.* $name]} { return [get_config $object [string range $name 7 end]] }
  if {$object in {synth_1 impl_1}} {
    switch $name {
      STATUS { return [expr {[info exists ::ran($object)] ? $::ran($object) : "Not started"}] }
      PROGRESS { return [expr {[info exists ::ran($object)] && [string match *Complete* $::ran($object)] ? "100%" : "0%"}] }
      DIRECTORY { return [run_folder $object] }
    }
  }
  if {$name eq "SLACK" && $object in {path_max path_min}} { return $::scenario([expr {$object eq "path_max" ? "setup" : "hold"}]) }
  if {[info exists ::props($object\ $name)]} { return $::props($object\ $name) }
  refuse "get_property: unknown property $name of $object"
}

# ---- runs

proc run_folder {run} { return [file join $::project_folder $::project_name.runs $run] }
proc do_get_runs {rest given} {
  need project
  foreach run $rest { if {$run ni {synth_1 impl_1}} { refuse "get_runs: no run $run" } }
  return $rest
}

set run_steps {init_design opt_design power_opt_design place_design phys_opt_design route_design post_route_phys_opt_design write_bitstream}
proc do_launch_runs {rest given} {
  do_get_runs $rest {}
  set to [option $given -to_step]
  foreach run $rest {
    if {$run eq "impl_1" && $to ne "" && $to ni $::run_steps} { refuse "launch_runs: impl_1 has no step $to" }
    set ::launched($run) $to
    file mkdir [run_folder $run]
    if {$run eq "synth_1"} { launch_synthesis } else { launch_implementation }
  }
}

proc launch_synthesis {} {
  need {project block_design targets wrapper}
  if {![info exists ::props(sources_1\ top)] || $::props(sources_1\ top) ne "system_wrapper"} { refuse "synthesis without the wrapper system_wrapper as top of sources_1" }
  foreach file [glob -nocomplain [file join $::folder rtl *.v] [file join $::folder rtl *.sv]] {
    if {[file normalize $file] ni $::added} { refuse "rtl/[file tail $file] is in the folder but was never added to the project" }
  }
  check_images
  set global [expr {[info exists ::props(system.bd\ synth_checkpoint_mode)] && $::props(system.bd\ synth_checkpoint_mode) eq "None"}]
  set text "INFO: \[Synth 8-6157\] synthesizing module 'system_wrapper'\n"
  if {!$::scenario(images) && $global} { append text "CRITICAL WARNING: \[Synth 8-4445\] could not open \$readmem data file 'w.mem'; please make sure the file is added to project and has read permission, ignoring\n" }
  write_text [file join [run_folder synth_1] runme.log] $text
  set ::ran(synth_1) [expr {$::scenario(synthesis) ? "synth_design Complete!" : "synth_design ERROR"}]
}

proc launch_implementation {} {
  if {![info exists ::ran(synth_1)] || ![string match *Complete* $::ran(synth_1)]} { refuse "impl_1 is launched, but synth_1 is not complete" }
  write_text [file join [run_folder impl_1] runme.log] "INFO: \[Common 17-206\] Exiting Vivado\n"
  set ::ran(impl_1) [expr {$::scenario(implementation) ? "route_design Complete!" : "place_design ERROR"}]
}

proc do_wait_on_runs {rest given} { foreach run $rest { if {![info exists ::launched($run)]} { refuse "wait on $run, which was never launched" } } }
proc do_wait_on_run {rest given} { do_wait_on_runs $rest $given }

proc do_open_run {rest given} {
  set run [lindex $rest 0]
  if {![info exists ::ran($run)] || ![string match *Complete* $::ran($run)]} { refuse "open_run: $run is not complete" }
  if {$run eq "impl_1"} { done routed }
  done design
}

# ---- reports and bitstream

proc write_text {file text} {
  if {![file isdirectory [file dirname $file]]} { refuse "cannot write $file: there is no such folder" }
  set channel [open $file w]
  puts -nonewline $channel $text
  close $channel
}

proc report {name text given} {
  need design
  if {[option $given -file] ne ""} { write_text [option $given -file] $text }
  return [expr {[dict exists $given -return_string] ? $text : ""}]
}

proc do_report_utilization {rest given} { report utilization "| Slice LUTs |\n" $given }
proc do_report_power {rest given} { report power "| Total On-Chip Power (W) |\n" $given }
# Vivado's text tells of setup and hold as well; here it does not, so that every check of the script must stand alone.
proc do_report_timing_summary {rest given} {
  report timing [expr {$::scenario(pulse) ? "All user specified timing constraints are met.\n" : "Timing constraints are not met.\n"}] $given
}
proc do_report_route_status {rest given} {
  if {!$::scenario(route)} { return [report route "nothing to see\n" $given] }
  set missing $::scenario(unrouted)
  set text "Design Route Status\n                                               :      # nets :\n"
  append text "   # of logical nets.......................... :        2000 :\n       # of routable nets..................... :        1000 :\n"
  append text "           # of fully routed nets............. :        [expr {1000 - $missing}] :\n       # of nets with routing errors.......... :           $missing :\n"
  report route $text $given
}
proc do_get_timing_paths {rest given} {
  need design
  set type [expr {[dict exists $given -hold] ? "min" : [option $given -delay_type max]}]
  if {$type ni {max min}} { refuse "get_timing_paths: the slack of -delay_type $type is neither setup nor hold" }
  return path_$type
}

proc do_write_bitstream {rest given} {
  need {design routed}
  write_text [lindex $rest 0] "a bitstream\n"
  done bitstream
}

# ---- the script

proc finish {status} {
  if {$status == 0 && "bitstream" ni $::state} { problem "the script ends without write_bitstream" 0 }
  if {$status == 0 && "validated" ni $::state} { problem "the script ends without validate_bd_design" 0 }
  if {$status == 0 && "handoff" in $::state && ![llength [glob -nocomplain [file join $::folder build *.hwh]]]} { problem "no .hwh was copied to build/" 0 }
  foreach found $::problems { puts "@problem [lindex $found 0] [string map {\n { }} [lindex $found 1]]" }
  puts "@exit $status"
  flush stdout
  ::tcl_exit 0
}

rename exit tcl_exit
proc exit {{status 0}} { finish $status }
proc unknown {name args} { refuse "unknown command $name" }

source [file join [file dirname [info script]] commands.tcl]
source [file join [file dirname [info script]] design.tcl]
source [file join [file dirname [info script]] validate.tcl]
if {[catch {source $script} message choices]} {
  if {[dict get $choices -errorcode] ne "MOCK"} {
    set line 0
    regexp {\(file "[^"]*" line (\d+)\)} [dict get $choices -errorinfo] all line
    problem $message $line
  }
  finish 1
}
finish 0
