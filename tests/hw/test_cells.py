"""The models of memories and multipliers against the RTL they come from: every shape, as yosys maps it, side by side.

One module holds all shapes, or one of each kind. Yosys makes a netlist of it for each device; Verilator runs RTL and
netlist with the same random addresses, data and enables, and compares every output of every cycle.
"""

import functools
import itertools
import json
import random
import re

import pytest

from signflow.deploy.tools import netlist
from signflow.hw.sim import pins, verilator

ROMS = [(1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512), (72, 512), (20, 1000)]
RAMS = [(1, 16384), (4, 4096), (9, 2048), (18, 1024), (36, 512), (72, 512), (30, 700)]
FEW = {"rom 72x512", "rom 20x1000", "ram 36x512 .srst_i,", "ram 4x4096 .srst_i(1'b0),", "bytes 4", "single new"}
FEW |= {"single keep", "shallow", "times"}
"""What every run of the tests looks at; the slow ones look at all."""
LATER = ["plain", "enable", "own", "start", "reset", "twice", "both", "seen"]
"""What stands behind a ROM: one register; with an enable; or one that the block RAM's own cannot stand for."""
SINGLE = ["old", "new", "keep"]
"""What a single port shows while it writes."""

MODULES = """
module rom #(parameter int W = 8, D = 512, parameter string FILE = "") (
  input wire clk_i, input wire [13:0] raddr_i, input wire ren_i, input wire srst_i, output logic [W-1:0] q_o);
  (* rom_style = "block" *) logic [W-1:0] mem [D];
  initial $readmemh(FILE, mem);
  always_ff @(posedge clk_i) if (ren_i) q_o <= mem[raddr_i % D];
endmodule
module ram #(parameter int W = 8, D = 512) (input wire clk_i, input wire [13:0] raddr_i, waddr_i,
  input wire ren_i, wen_i, srst_i, input wire [71:0] wdata_i, output logic [W-1:0] q_o);
  (* ram_style = "block" *) logic [W-1:0] mem [D];
  always_ff @(posedge clk_i) begin
    if (wen_i) mem[waddr_i % D] <= wdata_i[W-1:0];
    if (srst_i) q_o <= '0; else if (ren_i) q_o <= mem[raddr_i % D];
  end
endmodule
module bytes #(parameter int N = 4) (input wire clk_i, input wire [13:0] raddr_i, waddr_i,
  input wire ren_i, input wire [7:0] be_i, input wire [71:0] wdata_i, output logic [9*N-1:0] q_o);
  (* ram_style = "block" *) logic [9*N-1:0] mem [512];
  always_ff @(posedge clk_i) begin
    for (int k = 0; k < N; k++) if (be_i[k]) mem[waddr_i[8:0]][9*k +: 9] <= wdata_i[9*k +: 9];
    if (ren_i) q_o <= mem[raddr_i[8:0]];
  end
endmodule
module single #(parameter string MODE = "old") (input wire clk_i, input wire [13:0] addr_i, input wire ren_i, wen_i,
  input wire [71:0] wdata_i, output logic [17:0] q_o);
  (* ram_style = "block" *) logic [17:0] mem [1024];
  always_ff @(posedge clk_i) if (ren_i) begin
    if (wen_i) mem[addr_i[9:0]] <= wdata_i[17:0];
    if (MODE == "new" && wen_i) q_o <= wdata_i[17:0];
    else if (MODE != "keep" || !wen_i) q_o <= mem[addr_i[9:0]];
  end
endmodule
module later #(parameter string KIND = "plain", parameter int W = 36, D = 512, parameter string FILE = "") (
  input wire clk_i, input wire [13:0] raddr_i, input wire ren_i, wen_i, srst_i, output logic [71:0] q_o);
  (* rom_style = "block" *) logic [W-1:0] mem [D];
  initial $readmemh(FILE, mem);
  logic [W-1:0] now, later = KIND == "start" ? '1 : '0, other = '0;
  always_ff @(posedge clk_i) begin
    if (ren_i) now <= mem[raddr_i % D];
    for (int k = 0; k < W; k++)
      if (KIND == "enable" ? wen_i : KIND == "own" ? (k % 2 == 0 ? wen_i : srst_i) : 1'b1) later[k] <= now[k];
    if (KIND == "reset" && srst_i) later <= '0;
    if (KIND == "twice" && wen_i) other <= now;
    if (KIND == "both" && wen_i) other[0] <= now[0] ^ now[1];
  end
  assign q_o = {36'(KIND == "seen" ? now : other), 36'(later)};
endmodule
module shallow (input wire clk_i, input wire [13:0] raddr_i, waddr_i, input wire wen_i, input wire [71:0] wdata_i,
  output wire [29:0] q_o);
  (* ram_style = "distributed" *) logic [17:0] a [32];
  (* ram_style = "distributed" *) logic [11:0] b [64];
  always_ff @(posedge clk_i) if (wen_i) begin
    a[waddr_i[4:0]] <= wdata_i[17:0];
    b[waddr_i[5:0]] <= wdata_i[29:18];
  end
  assign q_o = {b[raddr_i[5:0]], a[raddr_i[4:0]]};
endmodule
module times (input wire clk_i, input wire [71:0] wdata_i, output logic [71:0] q_o);
  wire signed [17:0] a = wdata_i[17:0], b = wdata_i[35:18];
  always_ff @(posedge clk_i) q_o <= {wdata_i[53:36] * wdata_i[71:54], a * b};
endmodule
"""
PORTS = """input wire clk_i, input wire [13:0] raddr_i, waddr_i, input wire ren_i, wen_i, srst_i, input wire [7:0] be_i,
  input wire [71:0] wdata_i, output wire [{top}:0] q_o"""
BENCH = """
module bench (input wire clk_i, input wire [13:0] raddr_i, waddr_i, input wire ren_i, wen_i, srst_i,
  input wire [7:0] be_i, input wire [71:0] wdata_i, output wire [{n}-1:0] differs_o);
  wire [72*{n}-1:0] rtl, gates;
  shapes i_rtl (.clk_i, .raddr_i, .waddr_i, .ren_i, .wen_i, .srst_i, .be_i, .wdata_i, .q_o(rtl));
  gates i_gates (.clk_i, .raddr_i, .waddr_i, .ren_i, .wen_i, .srst_i, .be_i, .wdata_i, .q_o(gates));
  for (genvar k = 0; k < {n}; k++) assign differs_o[k] = rtl[72*k +: 72] != gates[72*k +: 72];
endmodule
"""


def instances(few: bool) -> list[tuple[str, int, str]]:
    """(name, bits, instance without its output) of every shape, or of `FEW`."""
    read, write = ".clk_i, .raddr_i, .ren_i, ", ".waddr_i, .wdata_i, "
    shapes = [
        (f"rom {w}x{d}", w, f'rom #(.W({w}), .D({d}), .FILE({{MEM_DIR, "rom{w}.mem"}})) i ({read}.srst_i,')
        for w, d in ROMS
    ]
    for reset in (".srst_i(1'b0),", ".srst_i,"):
        shapes += [(f"ram {w}x{d} {reset}", w, f"ram #({w}, {d}) i ({read}{write}.wen_i, {reset}") for w, d in RAMS]
    shapes += [(f"bytes {n}", 9 * n, f"bytes #({n}) i ({read}{write}.be_i,") for n in (2, 4, 8)]
    ports = f"{read}.wen_i, .srst_i,"
    shapes += [
        (f"later {kind} {w}x{d}", 72, f'later #("{kind}", {w}, {d}, {{MEM_DIR, "rom{w}.mem"}}) i ({ports}')
        for kind, (w, d) in itertools.product(LATER, [(36, 512), (9, 2048)])
    ]
    parts = ".clk_i, .addr_i(raddr_i), .ren_i, .wen_i, .wdata_i,"
    shapes += [(f"single {mode}", 18, f'single #("{mode}") i ({parts}') for mode in SINGLE]
    shapes += [
        ("shallow", 30, f"shallow i (.clk_i, .raddr_i, {write}.wen_i,"),
        ("times", 72, "times i (.clk_i, .wdata_i,"),
    ]
    return [shape for shape in shapes if shape[0] in FEW or not few]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Function (few) -> a project folder whose board top is the module with the shapes."""
    return functools.cache(lambda few: write_shapes(tmp_path_factory.mktemp("shapes"), instances(few)))


def write_shapes(folder, shapes):
    """Fill the project folder."""
    dice = random.Random(1)
    (folder / "rtl").mkdir()
    (folder / "mem").mkdir()
    for w, d in ROMS:
        (folder / "mem" / f"rom{w}.mem").write_text("".join(f"{dice.getrandbits(w):x}\n" for _ in range(d)))
    text = MODULES + 'module shapes #(parameter string MEM_DIR = "mem/") (' + PORTS.format(top=72 * len(shapes) - 1)
    text += ");\n"
    for k, (_, bits, instance) in enumerate(shapes):
        pad = f"  assign q_o[{72 * k + 71}:{72 * k + bits}] = '0;\n" if bits < 72 else ""
        text += f"  if (1) begin : gen_{k} {instance} .q_o(q_o[{72 * k} +: {bits}])); end\n{pad}"
    (folder / "rtl" / "shapes.sv").write_text(text + "endmodule\n")
    facts = {"top": "shapes", "sources": ["rtl/shapes.sv"], "mem_dir": "mem"}
    (folder / "accel.json").write_text(json.dumps(facts))
    return folder


def differing(project, few: bool, made: netlist.Netlist, text: str, cycles: int) -> list[str]:
    """Names of the shapes that differ in a random run of RTL and netlist side by side."""
    shapes, (gates, top) = instances(few), (project / "build" / name for name in ("gates.v", "bench.sv"))
    gates.write_text(re.sub(r"^module shapes\(", "module gates(", text, flags=re.MULTILINE))
    top.write_text(BENCH.format(n=len(shapes)))
    files = [top, project / "rtl" / "shapes.sv", *made.sources[:-1], gates]
    options = {"include_dirs": made.include_dirs, "harness": pins.harness()}
    dut = pins.Pins(verilator.compile("bench", files, variant="check", **options), project, seed=2)
    found = run(dut, cycles)
    return [name for k, (name, _, _) in enumerate(shapes) if found >> k & 1]


def run(dut: pins.Pins, cycles: int) -> int:
    """A third of the accesses within few addresses, so that they collide; a bit for every shape that differs."""
    dice, found = random.Random(3), 0
    for address in range(16384):  # memories without contents start alike
        dut.cycle(waddr_i=address, raddr_i=address, wdata_i=dice.getrandbits(72), wen_i=1, ren_i=1, be_i=255, srst_i=0)
    for k in range(cycles + 2):
        bits = 3 if k // 8 % 3 == 0 else 14
        drive = {"raddr_i": dice.getrandbits(bits), "waddr_i": dice.getrandbits(bits), "wdata_i": dice.getrandbits(72)}
        drive |= {"ren_i": int(dice.random() < 0.8), "wen_i": dice.getrandbits(1), "be_i": dice.getrandbits(8)}
        seen = dut.cycle(**drive, srst_i=int(dice.random() < 0.1))["differs_o"]
        found |= seen if k > 1 else 0
    return found


EXPECTED = {"xc7": ("RAMB18E1", "RAMB36E1", "RAM32M", "RAM64M", "DSP48E1"), "ecp5": ("DP16KD", "MULT18X18D", "LUT4")}


def synthesized(project, few: bool, device: str):
    """(folder, netlist, its text) for a device."""
    folder = project(few)
    made = netlist.synthesize(folder, device)
    return folder, made, made.verilog.read_text()


ALL = [pytest.param(False, device, marks=pytest.mark.slow, id=f"all-{device}") for device in ("xc7", "ecp5")]


@pytest.mark.parametrize(("few", "device"), [pytest.param(True, "xc7", id="few-xc7"), *ALL])
def test_gates_compute_what_the_rtl_does(project, few, device):
    folder, made, text = synthesized(project, few, device)
    assert not [cell for cell in EXPECTED[device] if not re.search(rf"^  {cell} ", text, re.MULTILINE)]
    assert not differing(folder, few, made, text, 30_000)


@pytest.mark.slow
def test_block_rams_of_an_ecp5_take_in_the_registers_behind_them(project):
    """Those that are one register with one enable; the run above compares all of them with the RTL."""
    path = synthesized(project, False, "ecp5")[1].folder / netlist.JSON
    cells = json.loads(path.read_text())["modules"]["shapes"]["cells"]
    for k, (name, _, _) in enumerate(instances(False)):
        rams = [c["parameters"] for at, c in cells.items() if at.startswith(f"gen_{k}.") and c["type"] == "DP16KD"]
        taken = {"OUTREG" in (words["REGMODE_A"], words["REGMODE_B"]) for words in rams}
        assert taken <= {name.startswith(("later plain", "later enable"))}, name


@pytest.mark.slow
@pytest.mark.parametrize(("device", "cell", "name"), [("xc7", "RAMB18E1", "INIT_"), ("ecp5", "DP16KD", "INITVAL_")])
def test_one_flipped_bit_of_a_block_ram_is_seen(project, device, cell, name):
    """One bit of one row of the first ROM in the netlist: that ROM alone differs."""
    folder, made, text = synthesized(project, False, device)
    at = re.search(rf"^  {cell} #\((?:.(?!^  \w))*?\.{name}05\(\d+'h(\w+)\)", text, re.MULTILINE | re.DOTALL)
    digit = at.end() - 2
    broken = text[:digit] + f"{int(text[digit], 16) ^ 1:x}" + text[digit + 1 :]
    assert len(differing(folder, False, made, broken, 60_000)) == 1
