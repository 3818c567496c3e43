"""build.tcl passes its check, and the check notices when something is wrong with it."""

import re
import subprocess

import pytest

from signflow.deploy.tools.vivado import tcl
from signflow.deploy.tools.vivado.tcl import FAULTS, check_tcl, unknown_commands
from signflow.hw.boards import boards

from .vivado_project import project

BOARDS = sorted(name for name, board in boards().items() if board.toolchain == "vivado")
pytestmark = pytest.mark.skipif(tcl.find_tclsh() is None, reason="needs tclsh")


@pytest.mark.parametrize(("board", "beat"), [*((name, 0) for name in BOARDS), ("pynq-z2", 64), ("pynq-z2", 32)])
def test_the_script_passes_for_every_board_and_beat(tmp_path, board, beat):
    report = check_tcl(project(tmp_path, board, beat))
    assert report.checked and report.problems == () and report.runs > len(FAULTS)
    assert not (tmp_path / "build").exists(), "the folder itself is left alone"


# (text in build.tcl, replacement, what the report must say)
MUTATIONS = {
    # spelling
    "an option misspelt": ("-norecurse", "-norecursive", "line .*: add_files has no option -norecursive"),
    "another option": ("-to_step", "-to_steps", "launch_runs has no option -to_steps"),
    "an option of another command": ("-delay_type min_max", "-hierarchical", "report_timing_summary has no option"),
    "a value missing": ("-range 64K", "-range", "Reg' is no size or address"),
    "a command misspelt": ("save_bd_design", "save_bd_desing", "unknown command save_bd_desing"),
    "a command misspelt in a branch": ("{ wait_on_run $name }", "{ wait_run $name }", "unknown command wait_run"),
    "too many arguments": ("open_run impl_1", "open_run synth_1 impl_1", "open_run takes 1 to 1"),
    "a variable misspelt": ("$ps(memory)", "$ps(memroy)", "line .*no such element"),
    # IP cores and properties
    "an unknown core": ("smartconnect memory_bus", "smart_connect memory_bus", "has no IP core"),
    "an unknown property": ("CONFIG.c_include_sg 0", "CONFIG.c_use_sg 0", "axi_dma has no property CONFIG.c_use_sg"),
    "an illegal value": ("CONFIG.c_sg_length_width 26", "CONFIG.c_sg_length_width 27", "a number in 8..26, not '27'"),
    "an illegal burst": ("CONFIG.c_mm2s_burst_size 16", "CONFIG.c_mm2s_burst_size 24", "is one of 2 4 8 16"),
    "a value that can only be read": ("CONFIG.c_addr_width 32", "CONFIG.c_s_axis_s2mm_tdata_width 64", "only be read"),
    "a port never enabled": ("CONFIG.PCW_USE_S_AXI_HP0 1", "CONFIG.PCW_USE_S_AXI_HP1 1", "there is no .*S_AXI_HP0"),
    "scatter-gather left on": ("CONFIG.c_include_sg 0", "CONFIG.c_include_sg 1", "M_AXI_SG is not connected"),
    "a DMA of another width": (
        "CONFIG.c_m_axi_mm2s_data_width $project(beat_bits) CONFIG.c_m_axis_mm2s_tdata_width $project(beat_bits)",
        "CONFIG.c_m_axi_mm2s_data_width 32 CONFIG.c_m_axis_mm2s_tdata_width 32",
        "M_AXIS_MM2S has 32 bits, accelerator_0/s_axis_in has 128",
    ),
    # connections
    "a stream not connected": ("  join_bus axi_dma_0/M_AXIS_MM2S accelerator_0/s_axis_in\n", "", "s_axis_in is not c"),
    "results not connected": ("  join_bus accelerator_0/m_axis_out axi_dma_0/S_AXIS_S2MM\n", "", "m_axis_out is not c"),
    "registers not connected": ("  join_bus control_bus/M01_AXI accelerator_0/s_axi_ctrl\n", "", "s_axi_ctrl is not c"),
    "memory not connected": ("  join_bus memory_bus/M00_AXI $ps(memory)\n", "", "M_AXI_MM2S reaches no slave"),
    "streams crossed": ("M_AXIS_MM2S accelerator_0/s_axis_in", "M_AXIS_MM2S accelerator_0/m_axis_out", "does not fit"),
    "a clock forgotten": ("axi_dma_0/m_axi_s2mm_aclk", "", "clock axi_dma_0/m_axi_s2mm_aclk is not driven"),
    "the registers' clock forgotten": (" {*}$ps(clocked)", "", "clock ps/M_AXI_GP0_ACLK is not driven"),
    "the port's clock forgotten": ("memory_bus/aclk1 $ps(fast)", "memory_bus/aclk1", "ps/S_AXI_HP0_ACLK is not driven"),
    "the bus' second clock forgotten": ("memory_bus/aclk1 $ps(fast)", "$ps(fast)", "memory_bus/aclk1 is not driven"),
    "one clock for two": ("CONFIG.NUM_CLKS 2", "CONFIG.NUM_CLKS 1", "there is no pin memory_bus/aclk1"),
    "the port too fast": ("$times * $project(clock_mhz)", "3 * $project(clock_mhz)", "a number in 0.1..250, not '300"),
    "the port too slow": ("$times * $project(clock_mhz)", "$project(clock_mhz)", "S_AXI_HP0 takes 64"),
    "a reset forgotten": ("  wire $ps(reset) resets/ext_reset_in\n", "", "reset resets/ext_reset_in is not driven"),
    "a reset to a clock": ("$ps(reset) resets/ext_reset_in", "$ps(reset) axi_dma_0/m_axi_mm2s_aclk", "clock|drive"),
    "a pin that does not exist": ("axi_dma_0/axi_resetn", "axi_dma_0/aresetn", "there is no pin axi_dma_0/aresetn"),
    "a cell that does not exist": ("[get_bd_cells ps]]\n  say", "[get_bd_cells cpu]]\n  say", "there is no cell cpu"),
    "DDR left inside": ("  make_bd_intf_pins_external [get_bd_intf_pins ps/DDR]\n", "", "ps/DDR is not connected"),
    # addresses
    "no addresses for the DMA": ("]\n  assign_bd_address\n", "]\n", "assign_bd_address is missing"),
    "overlapping registers": ("page_address 0x43C00000", "page_address 0x40400000", "overlaps"),
    "an address out of reach": ("dma_address 0x40400000", "dma_address 0x80000000", "outside of the register port"),
    "less than 4 KB": ("-range 4K", "-range 256", "4 KB or more"),
    # files and order
    "a source not added": ("foreach file $project(sources) { a", "foreach file {rtl/toy_axi.v} { a", "never added"),
    "a relative path": ('"[file join $here $project(mem_dir)]/"', '"$project(mem_dir)/"', "must be an absolute folder"),
    "images forgotten": ('set_property CONFIG.MEM_DIR "[file join $here $project(mem_dir)]/"', "#", "absolute folder"),
    "no wrapper": ("add_files -norecurse [make_wrapper -files $design -top]\n", "", "'wrapper'"),
    "not validated": ("  validate_bd_design\n", "", "takes results of 32 bits"),
    "targets not generated": ("generate_target all $design\n", "", "'targets'"),
    "no synthesis": ("check_log [run synth_1]\n", "", "synth_1 is not complete"),
    "reports too early": ("open_run impl_1\n", "", "nothing has done 'design'"),
    "no bitstream": ("write_bitstream -force [file join $build $project(name).bit]\n", "", "without write_bitstream"),
    "no handoff": ("\ncopy_handoff\n", "\n", "should leave one .bit and one .hwh|no .hwh"),
    "the version wanted is too new": ("2020.1] < 0", "2024.1] < 0", "gives up with Vivado 2020.1: .* too old"),
    # checks left out
    "setup slack not looked at": ("if {$setup < 0}", "if {0}", "negative setup slack does not"),
    "hold slack not looked at": ("if {$hold < 0}", "if {0}", "negative hold slack does not"),
    "timing not looked at": ("set slacks [check_timing]", "set slacks {}", "negative setup slack does not make"),
    "pulse width not looked at": ("*constraints are not met*", "*constraints are violated*", "pulse that is too short"),
    "routing not looked at": ("\ncheck_routing\n", "\n", "nets without a route does not make"),
    "log not looked at": ("check_log [run synth_1]", "run synth_1", "memory image that is not read does not make"),
    "out-of-context synthesis": ("set_property synth_checkpoint_mode None $design\n", "", "a memory image that is not"),
    "status not looked at": ('if {![string match "*Complete*" $status]}', "if {0}", "complete|failed"),
    "the handoff not looked for": ("if {[llength $found] == 0}", "if {0}", "line .*error copying"),
    "the part not looked up": ("[llength [get_parts -quiet $project(part)]] == 0", "0", "unknown part does not"),
    "errors that end well": ("exit 1", "exit 0", "does not make the script fail|without write_bitstream"),
}  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_mutation_is_noticed(tmp_path, mutation):
    old, new, expected = MUTATIONS[mutation]
    script = project(tmp_path) / "build.tcl"
    text = script.read_text()
    assert old in text, "the mutation must change something"
    script.write_text(text.replace(old, new))
    report = check_tcl(tmp_path)
    assert report.problems and re.search(expected, "; ".join(report.problems)), report.problems


@pytest.mark.parametrize("file", ["rtl/toy.sv", "mem/table.mem", "project.tcl", "build.tcl"])
def test_a_missing_file_is_noticed(tmp_path, file):
    (project(tmp_path) / file).unlink()
    assert check_tcl(tmp_path).problems


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[11:0] s_axi_ctrl_araddr", "[7:0] s_axi_ctrl_araddr", "s_axi_ctrl_araddr of toy_axi has 8 bits"),
        ("s_axi_ctrl:s_axis_in:m_axis_out", "s_axi_ctrl:s_axis_in", "m_axis_out of toy_axi is missing"),
        ("[127:0] s_axis_in_tdata", "[63:0] s_axis_in_tdata", "s_axis_in has 64"),
        ("parameter MEM_DIR", "localparam MEM_DIR", "no property CONFIG.MEM_DIR"),
        ("module toy_axi", "module other_axi", "no added source has a module 'toy_axi'"),
    ],
)
def test_a_top_that_does_not_fit_is_noticed(tmp_path, old, new, expected):
    top = project(tmp_path) / "rtl" / "toy_axi.v"
    assert old in top.read_text()
    top.write_text(top.read_text().replace(old, new))
    assert expected in check_tcl(tmp_path).detail


def test_systemverilog_is_no_module_of_a_block_design(tmp_path):
    (project(tmp_path) / "rtl" / "toy_axi.v").rename(tmp_path / "rtl" / "toy_axi.sv")
    settings = tmp_path / "project.tcl"
    settings.write_text(settings.read_text().replace("toy_axi.v", "toy_axi.sv"))
    assert "a block design takes Verilog only" in check_tcl(tmp_path).detail


def test_lines_are_those_of_the_script(tmp_path):
    script = project(tmp_path) / "build.tcl"
    lines = script.read_text().splitlines()
    number = next(k for k, line in enumerate(lines) if line.startswith("save_bd_design"))
    lines[number] = "save_bd_design -all"
    script.write_text("\n".join(lines))
    assert f"line {number + 1}: save_bd_design has no option -all" in check_tcl(tmp_path).problems


def test_a_script_that_does_not_end(tmp_path, monkeypatch):
    monkeypatch.setattr(tcl, "LIMIT", 2)
    script = project(tmp_path) / "build.tcl"
    script.write_text(script.read_text().replace("save_bd_design", "while {1} {}"))
    assert check_tcl(tmp_path).detail == "the script does not end: stopped after 2 s"


def test_the_script_refuses_a_path_with_a_space(tmp_path):
    script = project(tmp_path / "my project") / "build.tcl"
    command = [tcl.find_tclsh(), tcl.MOCK, script]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "contains a space, which Vivado does not take" in done.stdout and "@exit 1" in done.stdout


def test_without_tclsh_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tcl, "TCLSH", ("no-such-tclsh",))
    report = check_tcl(project(tmp_path))
    assert not report.checked and report.detail == "not checked: tclsh missing (apt install tcl)"


def test_unknown_commands_are_found_where_no_run_comes_by():
    text = 'proc get_mine {} {}\nif {0} { get_mine; open_rum x }\n# get_nothing\nputs "get_lost"\n'
    assert unknown_commands(text) == ["line 2: unknown command open_rum"]
