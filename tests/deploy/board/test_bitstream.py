"""From an accelerator to a bitstream: project, checks, netlist, exit codes."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from signflow.deploy import flow
from signflow.deploy.board import bitstream
from signflow.deploy.command.cli import main
from signflow.deploy.command.group import VENDOR_STEP
from signflow.deploy.generate.accelerator import hashes
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.steps import BITSTREAM, PROJECT
from signflow.deploy.tools.vivado import run as vivado
from signflow.deploy.tools.vivado.run import VendorStepMissing


@pytest.fixture(scope="module")
def network(chain, tmp_path_factory):
    """A QONNX file: two small layers of signs behind pixels."""
    rng = np.random.default_rng(4)
    weights = [rng.choice([-1.0, 1.0], size=shape) for shape in ((4, 1, 3, 3), (3, 64))]
    c = chain((1, 6, 6)).conv(weights[0]).scalar("Sub", rng.integers(-300, 300, 4)).sign().flatten()
    return str(c.dense(weights[1]).save(tmp_path_factory.mktemp("network") / "small.onnx"))


@pytest.fixture(scope="module")
def work(network, tmp_path_factory):
    """Its build."""
    folder = tmp_path_factory.mktemp("bitstream") / "small"
    flow.build(flow.Settings(network, input="uint8"), folder)
    return folder


@pytest.fixture
def no_vivado(monkeypatch):
    monkeypatch.delenv("VIVADO", raising=False)
    monkeypatch.setattr(vivado, "find_vivado", lambda: None)


def test_everything_but_vivado(network, work, no_vivado):
    done = CliRunner().invoke(main, ["bitstream", network, "--out", str(work), "--images", "0"])
    assert done.exit_code == VENDOR_STEP == VendorStepMissing.exit_code == 3, done.output
    found = json.loads((work / BITSTREAM).read_text())
    assert {row["check"]: row["result"] for row in found["checks"]} == dict.fromkeys(
        ["build.tcl", "Vivado's SystemVerilog", "slang", "Verilator -Wall", "yosys synth_xilinx"], "passed"
    )
    assert "bitstream" not in found and "make -C" in done.stderr


def test_a_moved_project_passes_its_checks(work, tmp_path):
    moved = tmp_path / "elsewhere" / "project"
    shutil.copytree(bitstream.make_project(work), moved, ignore=shutil.ignore_patterns("build"))
    assert {result for _, result, _ in vivado.check(moved)} == {"passed"}
    text = b"".join(path.read_bytes() for path in moved.rglob("*") if path.is_file())
    assert str(work).encode() not in text, "nothing in the folder knows where it was made"


def test_a_broken_project_stops_before_vivado(network, work, no_vivado, tmp_path):
    broken = tmp_path / "small"
    shutil.copytree(work, broken)
    name = f"rtl/{flow.accelerator(broken)['top']}.sv"
    top = broken / flow.ACCELERATOR / name
    top.write_text(top.read_text().replace("endmodule", "  assign nowhere = 1'b1;\nendmodule"))
    done = CliRunner().invoke(main, ["bitstream", network, "--out", str(broken), "--images", "0"])
    assert done.exit_code == 1 and f"changed since its check ({name})" in done.stderr
    facts = flow.accelerator(broken) | {"files": hashes(broken / flow.ACCELERATOR)}  # as if it had been generated so
    flow.write_json(facts, broken / flow.ACCELERATOR / "accel.json")
    done = CliRunner().invoke(main, ["bitstream", network, "--out", str(broken), "--images", "0"])
    assert done.exit_code == 1 and "nowhere" in done.stderr
    assert not (broken / PROJECT / "build").exists()


@pytest.mark.slow
@pytest.mark.parametrize("board", ["pynq-z2", "ulx3s"])
def test_gates_equal_pytorch_on_a_hundred_images(tmp_path, board):
    work = tmp_path / board
    flow.build(flow.Settings("tfc", board), work)
    project = bitstream.make_project(work)
    gates = bitstream.NetlistModel(project, bitstream.project_facts(project))
    from signflow.models.data import load

    images = load("fashion-mnist", "sample", (28, 28))[0][:100].numpy()
    expected = IntGraph(flow.read(work, flow.INTEGER))(images)
    np.testing.assert_array_equal(gates(images), expected)
