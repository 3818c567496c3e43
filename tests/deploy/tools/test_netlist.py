"""Synthesised projects: the gates compute what the RTL does, to the cycle; a wrong gate is noticed; errors; caching."""

import json
import re
import shutil

import numpy as np
import pytest

from signflow.deploy import flow
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.generate.project import write_project
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.tools import netlist
from signflow.deploy.tools.estimate import SynthesisError
from signflow.hw.boards import board
from signflow.hw.ops.base import RTL_DIR
from signflow.hw.sim import pack, unpack, verilator
from signflow.hw.sim.soc import SocModel

from ...hw import toy  # noqa: TID252 - the tests are no package that could be named

FRAMES = 20


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """The toy accelerator for the PYNQ-Z2."""
    folder = toy.accelerator(tmp_path_factory.mktemp("toy"), RTL_DIR / "sf_fifo.sv")
    return write_project(folder, board("pynq-z2"), tmp_path_factory.mktemp("project") / "8-project")


def stream(soc: SocModel, frames: np.ndarray, out_bytes: int) -> np.ndarray:
    """Frames in one packet through a board top, uint8 [n, bytes of a frame in memory] -> [n, out_bytes]."""
    found = np.zeros((len(frames), out_bytes), np.uint8)
    soc.receive(found.reshape(-1))
    soc.send(np.ascontiguousarray(frames).reshape(-1))
    for _ in range(100):
        soc.step(10_000, until_event=True)
        if soc.received:
            return found
    raise AssertionError(f"{soc.received_bytes} of {found.size} bytes came")


def toy_run(folder, **options) -> tuple[np.ndarray, int, int]:
    """(results, cycles, latency) of random frames; the beats are those of the toy, 28 bytes of 32 and 40 of 40."""
    frames = np.random.default_rng(5).integers(0, 256, (FRAMES, toy.IN_BYTES), dtype=np.uint8)
    with SocModel(folder, **options) as soc:
        results = stream(soc, np.pad(frames, ((0, 0), (0, 4))), toy.OUT_BYTES)
        np.testing.assert_array_equal(results, toy.results(frames))
        return results, soc.read(0x2C), soc.read(0x3C)


def test_gates_and_rtl_agree_to_the_cycle(project, tmp_path):
    gates = netlist.synthesize(project).project(tmp_path / "gates")
    assert not list(gates.rglob("*.mem"))
    rtl, made = toy_run(project), toy_run(gates, variant="check")
    assert made[1:] == rtl[1:]
    toy_run(gates, variant="check", in_stall=0.3, out_stall=0.4, seed=3)


@pytest.mark.slow
def test_a_wrong_look_up_table_is_noticed(project, tmp_path):
    """The table before one bit of the input, upside down: the results differ."""
    gates = netlist.synthesize(project).project(tmp_path / "gates")
    path = gates / "rtl" / netlist.VERILOG
    text = path.read_text()
    table = r"(^  LUT\d #\(\s+\.INIT\()(.*\)\s+\) \S+ \([^;]*i_in\.gen_down\.data_q\[40\] )"
    broken, count = re.subn(table, r"\1~\2", text, count=1, flags=re.MULTILINE)
    assert count == 1
    path.write_text(broken)
    with pytest.raises(AssertionError):
        toy_run(gates, variant="check")


def test_one_run_of_yosys_for_the_same_content(project, tmp_path, monkeypatch):
    first = netlist.synthesize(project)
    copy = shutil.copytree(project, tmp_path / "copy")
    shutil.rmtree(copy / "build")
    monkeypatch.setattr(netlist.yosys, "run", None)
    again = netlist.synthesize(copy)
    assert again.verilog.read_bytes() == first.verilog.read_bytes() and again.verilog.parent == copy / "build"
    (copy / "mem" / "key.mem").write_text("5b\n")
    with pytest.raises(TypeError):
        netlist.synthesize(copy)


@pytest.mark.slow
def test_ecp5_gives_one_netlist_for_nextpnr_and_for_simulation(tmp_path):
    folder = toy.accelerator(tmp_path / "toy", RTL_DIR / "sf_fifo.sv")
    made = netlist.synthesize(write_project(folder, board("ulx3s"), tmp_path / "project"))
    text = (made.folder / netlist.JSON).read_text()
    cells = json.loads(text)["modules"]["toy_ulx3s"]["cells"]
    pll = next(cell for cell in cells.values() if cell["type"] == "EHXPLLL")
    assert pll["attributes"]["FREQUENCY_PIN_CLKI"] == "25" and pll["parameters"]["FEEDBK_PATH"] == "CLKOP"
    count = len(re.findall(r"^  LUT4 #", made.verilog.read_text(), re.MULTILINE))
    assert count == sum(cell["type"] == "LUT4" for cell in cells.values()) > 100
    assert str(tmp_path) not in text and str(netlist.CELLS) not in text and str(netlist.yosys.share()) not in text


def test_lines_that_verilator_takes(tmp_path):
    """A concatenation of 20,000 wires on one line, as Yosys writes behind a wide memory: refused, and then taken."""
    names = [f"\\a.w[{k}] " for k in range(20_000)]
    wires, both = "".join(f"  wire {name};\n" for name in names), "{ " + ", ".join(names) + " }"
    head = "module top(input wire [19999:0] x, output wire [19999:0] y);\n"
    text = f"{head}{wires}  assign {both} = x;\n  assign y = {both};\nendmodule\n"
    path = tmp_path / "top.v"
    path.write_text(text)
    with pytest.raises(verilator.RtlError, match="tokens"):
        verilator.lint("top", [path])
    netlist.break_lines(path)
    assert path.read_text().replace(",\n", ", ") == text
    verilator.lint("top", [path])


def test_errors(project, tmp_path, monkeypatch):
    with pytest.raises(SynthesisError, match=r"accel\.json does not exist"):
        netlist.synthesize(tmp_path)
    with pytest.raises(SynthesisError, match="device 'ice40' has no synthesis"):
        netlist.synthesize(project, "ice40")
    copy = shutil.copytree(project, tmp_path / "copy")
    (copy / "rtl" / "toy.sv").write_text("module toy; endmodul\n")
    with pytest.raises(SynthesisError, match=r"(?s)Yosys refuses toy_axi.*endmodul"):
        netlist.synthesize(copy)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SynthesisError, match=r"pip install pyosys==0\.70"):
        netlist.synthesize(project)


@pytest.mark.slow
def test_gates_of_a_network(mini, tmp_path, images):
    """The CNV at 1/8 width as gates, with block RAMs full of weights: every result of 20 images."""
    made = write_project(mini[1] / flow.ACCELERATOR, board("pynq-z2"), tmp_path / "project")
    gates = netlist.synthesize(made).project(tmp_path / "gates")
    facts = json.loads((gates / "accel.json").read_text())
    side, s = facts["input"], facts["shell"]
    data = ImageInput.of(flow.read(mini[1], flow.FOLDED)).stream(images[:FRAMES])
    words = pack(data.reshape(-1, side["word_elems"]), side["elem_bits"], s["in_word_bits"]).reshape(FRAMES, -1)
    beat, side = s["beat_bits"] // 8, facts["output"]
    with SocModel(gates, variant="check") as soc:
        frames = np.pad(words, ((0, 0), (0, s["in_beats"] * beat - words.shape[1])))
        raw = stream(soc, frames, s["out_beats"] * beat)
    size = s["out_word_bits"] // 8
    rows = raw[:, : side["words"] * size].reshape(-1, size)
    results = unpack(rows, side["elem_bits"], side["word_elems"], side["dtype"].startswith("INT"))
    expected = IntGraph(flow.read(mini[1], flow.INTEGER))(images[:FRAMES])
    np.testing.assert_array_equal(results.reshape(FRAMES, -1), expected.reshape(FRAMES, -1))
