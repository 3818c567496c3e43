# Vivado's Tcl commands that scripts like ours use, with every option: the table that build.tcl is checked against.
#
#   command NAME MIN MAX {options with a value} {options without one}
#
# MIN and MAX bound the number of positional arguments (* for any). -quiet and -verbose belong to all of them. Source: AMD,
# Vivado Design Suite Tcl Command Reference (UG835), in the forms common to 2020.1 and later. Commands that are not listed
# here are unknown to the check, whether Vivado has them or not. (Vivado also takes positional arguments by name; of these only
# make_wrapper -files is listed, the usual form.)

# project
command create_project 0 2 {-part} {-force -in_memory -ip -rtl_kernel}
command open_project 1 1 {-part} {-read_only}
command close_project 0 0 {} {-delete}
command save_project_as 1 2 {-exclude_run_results -include_local_ip_cache} {-force -scan_for_includes}
command current_project 0 1 {} {}
command current_fileset 0 1 {} {-constrset -simset -srcset -blockset}
command create_fileset 1 1 {-clone_properties -define_from} {-constrset -simset -srcset -blockset}
command get_filesets 0 * {-filter} {-regexp -nocase}
command get_projects 0 * {-filter} {-regexp -nocase}
command get_parts 0 * {-filter -of_objects} {-regexp -nocase}
command get_boards 0 * {-filter -of_objects} {-regexp -nocase}
command get_board_parts 0 * {-filter -of_objects} {-regexp -nocase -latest_file_version -latest_hw_revision}
command add_files 0 * {-fileset -of_objects -copy_to} {-norecurse -force -scan_for_includes}
command import_files 0 * {-fileset -relative_to -of_objects} {-force -norecurse -flat}
command remove_files 1 * {-fileset} {}
command get_files 0 * {-filter -of_objects -compile_order -used_in} {-regexp -nocase -all -references}
command reorder_files 0 * {-fileset -before -after} {-front -back -auto -disable_unused}
command update_compile_order 0 0 {-fileset} {-force_gui}
command report_compile_order 0 0 {-fileset -file -used_in} {-append -of_objects -missing_instances -sources -constraints}
command set_part 1 1 {} {}
command set_param 2 2 {} {}
command get_param 1 1 {} {}
command list_param 0 0 {} {}
command version 0 0 {} {-short}

# objects and properties
command set_property 1 3 {-dict} {}
command get_property 2 2 {} {-min -max}
command list_property 1 1 {-class} {-regexp}
command report_property 1 2 {-file -class} {-all -append -regexp -return_string}
command reset_property 1 2 {} {}
command filter 0 2 {} {-regexp -nocase}
command current_design 0 1 {} {}
command get_designs 0 * {-filter} {-regexp -nocase}
command close_design 0 0 {} {}

# messages
command set_msg_config 0 0 {-id -string -severity -limit -new_severity -regexp} {-suppress}
command get_msg_config 0 0 {-id -severity -rule} {-limit -count}
command reset_msg_config 0 0 {-id -string -severity -rule} {-suppress -limit -count -default_severity -regexp}
command reset_msg_count 1 1 {} {}
command report_msg 0 0 {} {}
command send_msg_id 3 3 {} {}

# IP cores and block designs
command get_ipdefs 0 * {-filter -of_objects} {-regexp -nocase -all}
command create_ip 0 1 {-vlnv -vendor -library -name -version -module_name -dir -revision} {-force}
command get_ips 0 * {-filter -exclude_bd_ips -of_objects} {-regexp -nocase -all}
command upgrade_ip 0 1 {-srcset -vlnv -log} {}
command report_ip_status 0 0 {-name -file} {-append -return_string -license_status -regenerated_ip_reports -resource_data}
command update_ip_catalog 0 0 {-delete_ip -add_ip -disable_ip -enable_ip -repo_path} {-rebuild -update_module_ref -delete_mult_ip -scan_changes}
command update_module_reference 1 * {} {-force}
command generate_target 2 2 {} {-force}
command reset_target 2 2 {} {}
command export_ip_user_files 0 0 {-of_objects -ip_user_files_dir -ipstatic_source_dir -lib_map_path} {-no_script -sync -reset -force}
command create_bd_design 1 1 {-dir -cell} {}
command open_bd_design 1 1 {} {}
command close_bd_design 1 1 {} {}
command current_bd_design 0 1 {} {}
command current_bd_instance 0 1 {} {}
command get_bd_designs 0 * {-filter} {-regexp -nocase}
command save_bd_design 0 * {} {}
command validate_bd_design 0 1 {} {-force -include_pfm -design}
command regenerate_bd_layout 0 0 {-hierarchy -layout_file -layout_string} {-routing}
command create_bd_cell 1 1 {-vlnv -type -reference -revision} {}
command create_bd_port 1 1 {-from -to -dir -type -freq_hz -intf} {}
command create_bd_intf_port 1 1 {-vlnv -mode} {}
command create_bd_pin 1 1 {-from -to -dir -type -intf} {}
command create_bd_intf_pin 1 1 {-vlnv -mode} {}
command create_bd_net 1 1 {} {}
command create_bd_addr_seg 1 3 {-range -offset} {}
command delete_bd_objs 1 * {} {}
command group_bd_cells 0 * {-prefix} {}
command get_bd_cells 0 * {-filter -of_objects} {-regexp -nocase -hierarchical}
command get_bd_pins 0 * {-filter -of_objects} {-regexp -nocase -hierarchical}
command get_bd_intf_pins 0 * {-filter -of_objects} {-regexp -nocase -hierarchical}
command get_bd_ports 0 * {-filter -of_objects} {-regexp -nocase -hierarchical}
command get_bd_intf_ports 0 * {-filter -of_objects} {-regexp -nocase -hierarchical}
command get_bd_nets 0 * {-filter -of_objects -boundary_type} {-regexp -nocase -hierarchical -segments}
command get_bd_intf_nets 0 * {-filter -of_objects -boundary_type} {-regexp -nocase -hierarchical}
command get_bd_addr_spaces 0 * {-filter -of_objects} {-regexp -nocase -hierarchical}
command get_bd_addr_segs 0 * {-filter -of_objects} {-regexp -nocase -hierarchical -excluded -addressed -unaddressed -addressables -addressing}
command connect_bd_net 1 * {-net} {}
command connect_bd_intf_net 2 3 {-intf_net -boundary_type} {}
command disconnect_bd_net 1 * {} {}
command disconnect_bd_intf_net 1 * {} {}
command make_bd_pins_external 1 * {-name} {}
command make_bd_intf_pins_external 1 * {-name} {}
command apply_bd_automation 0 1 {-rule -dict -config -opts} {}
command assign_bd_address 0 * {-target_address_space -offset -range -dict -import_from_file -export_to_file -export_gui_to_file -base_high} {-boundary -master_boundary -external -force}
command include_bd_addr_seg 1 * {} {}
command exclude_bd_addr_seg 1 * {-target_address_space} {}
command write_bd_tcl 1 1 {-bd_name -check_ips} {-force -no_mig_contents -no_ip_version -ignore_minor_versions -make_local -no_project_wrapper -hier_blks -include_layout}
command make_wrapper 0 1 {-files -fileset} {-top -testbench -inst_template -import -force}
command write_hw_platform 0 1 {-platform_version -hw_emu} {-fixed -force -include_bit -include_sim_content -minimal -hw}

# runs
command create_run 1 1 {-constrset -parent_run -part -flow -strategy -report_strategy -pr_config -dfx_mode} {-none}
command current_run 0 1 {} {-synthesis -implementation}
command get_runs 0 * {-filter} {-regexp -nocase}
command launch_runs 1 * {-jobs -lsf -sge -cluster_configuration -dir -to_step -host -remote_cmd -email_to -pre_launch_script -post_launch_script -custom_script} {-scripts_only -next_step -email_all -force}
command wait_on_run 1 1 {-timeout} {}
command wait_on_runs 1 * {-timeout -exit_condition} {}
command reset_runs 1 * {-prev_step -from_step} {-noclean_dir}
command reset_run 1 1 {-from_step} {-prev_step -noclean_dir}
command delete_runs 1 * {} {-noclean_dir}
command open_run 1 1 {-name} {-pr_config}

# implementation in this process
command read_verilog 1 * {-library} {-sv}
command read_vhdl 1 * {-library} {-vhdl2008 -vhdl2019}
command read_xdc 1 * {-cells -ref -mode} {-unmanaged -no_add}
command read_bd 1 * {} {}
command read_mem 1 * {} {}
command link_design 0 0 {-name -part -constrset -top -mode -pr_config -reconfig_partitions -partitions} {}
command synth_design 0 0 {-name -part -constrset -top -include_dirs -generic -verilog_define -flatten_hierarchy -gated_clock_conversion -directive -rtl_skip_ip -bufg -fanout_limit -mode -fsm_extraction -resource_sharing -cascade_dsp -control_set_opt_threshold -incremental -max_bram -max_uram -max_dsp -max_bram_cascade_height -max_uram_cascade_height -shreg_min_size -incremental_mode} {-rtl -no_lc -keep_equivalent_registers -retiming -no_retiming -no_srlextract -assert -no_timing_driven -sfcu -debug_log}
command opt_design 0 0 {-directive} {-retarget -propconst -sweep -bram_power_opt -remap -aggressive_remap -resynth_area -resynth_seq_area -muxf_remap -hier_fanout_limit -bufg_opt -mbufg_opt -shift_register_opt -control_set_merge -merge_equivalent_drivers -carry_remap -debug_log}
command place_design 0 0 {-directive -subdirective -cells} {-no_timing_driven -timing_summary -unplace -post_place_opt -ultrathreads -no_psip -no_bufg_opt -net_delay_weight}
command phys_opt_design 0 0 {-directive -fanout_opt_limit} {-fanout_opt -placement_opt -routing_opt -rewire -critical_cell_opt -dsp_register_opt -bram_register_opt -hold_fix -aggressive_hold_fix -retime -critical_pin_opt -clock_opt}
command route_design 0 0 {-directive -nets -pin -max_delay -min_delay -physical_nets} {-unroute -release_memory -re_entrant -delay -preserve -auto_delay -timing_summary -tns_cleanup -no_timing_driven -finalize -ultrathreads -eco}
command write_checkpoint 1 1 {-cell} {-force -incremental_synth -logic_function_stripped -encrypt}
command open_checkpoint 1 1 {-part} {}
command write_bitstream 1 1 {-reference_bitfile -cell} {-force -raw_bitfile -no_binary_bitfile -mask_file -readback_file -logic_location_file -bin_file -no_partial_bitfile}
command write_debug_probes 1 1 {-cell} {-no_partial_ltxfile -force}
command create_clock 0 1 {-period -name -waveform} {-add}
command set_false_path 0 0 {-from -rise_from -fall_from -to -rise_to -fall_to -through -rise_through -fall_through} {-setup -hold -rise -fall -reset_path}

# reports
command get_clocks 0 * {-filter -of_objects -match_style} {-regexp -nocase -include_generated_clocks}
command get_cells 0 * {-hsc -filter -of_objects -match_style} {-hierarchical -regexp -nocase -include_replicated_objects}
command get_nets 0 * {-hsc -filter -of_objects -match_style -boundary_type} {-hierarchical -regexp -nocase -segments -top_net_of_hierarchical_group}
command get_timing_paths 0 0 {-from -rise_from -fall_from -to -rise_to -fall_to -through -rise_through -fall_through -delay_type -max_paths -nworst -slack_lesser_than -slack_greater_than -group -sort_by -filter -cell -inter_slr} {-setup -hold -unique_pins -no_report_unconstrained -user_ignored -routable_nets -regexp -nocase}
command report_timing 0 0 {-from -rise_from -fall_from -to -rise_to -fall_to -through -rise_through -fall_through -delay_type -max_paths -nworst -path_type -slack_lesser_than -slack_greater_than -group -sort_by -of_objects -significant_digits -column_style -file -name -cells -rpx -inter_slr} {-setup -hold -unique_pins -input_pins -no_header -no_reused_label -no_report_unconstrained -user_ignored -append -no_pr_attribute -no_pblock -routable_nets -return_string -warn_on_violation}
command report_timing_summary 0 0 {-delay_type -max_paths -nworst -path_type -slack_lesser_than -significant_digits -file -name -cells -rpx} {-check_timing_verbose -no_detailed_paths -setup -hold -unique_pins -no_reused_label -input_pins -no_pr_attribute -routable_nets -report_unconstrained -no_header -append -return_string -warn_on_violation -datasheet}
command check_timing 0 0 {-file -name -override_defaults -include_signal -exclude -cells} {-append -return_string -verbose -no_header}
command report_utilization 0 0 {-file -pblocks -cells -name -slr -spreadsheet_file -spreadsheet_table -spreadsheet_depth -hierarchical_depth -hierarchical_min_primitive_count} {-append -evaluate_pblock -exclude_child_pblocks -exclude_non_assigned -return_string -packthru -no_primitives -omit_locs -hierarchical -hierarchical_percentages}
command report_power 0 0 {-hierarchical_depth -file -name -format -xpe -l -rpx} {-no_propagation -vid -advisory -return_string -append}
command report_route_status 0 0 {-file -of_objects -route_type -boolean_check -to_load} {-return_nets -return_string -append -list_all_nets -show_all -has_routing -ignore_cache -dump_routes}
command report_drc 0 0 {-name -upgrade_cw -checks -ruledecks -file -rpx} {-no_waivers -append -waived -return_string}
command report_methodology 0 0 {-name -checks -file -rpx -cells} {-no_waivers -append -waived -return_string}
command report_clock_utilization 0 0 {-file -name} {-append -write_xdc -clock_roots_only -return_string}
command report_clocks 0 * {-file} {-append -return_string}
command report_pulse_width 0 * {-file -name -cells -rpx -clocks -limit} {-append -return_string -warn_on_violation -all_violators -significant_digits -no_header -min_period -max_period -low_pulse -high_pulse -max_skew}
command report_io 0 0 {-file -name -format} {-append -return_string}
