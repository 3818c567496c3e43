"""Designs in one run of Yosys do not know of each other: names, numbers and all, alone or in any company."""

import os
import subprocess
import sys
import time

import pytest

from signflow.deploy.tools import yosys

NAMES = ("one", "two", "three", "four", "five")
TEXT = """module {name} (input wire clk_i, input wire [{width}:0] a_i, b_i, output logic [{width}:0] sum_o);
  always_ff @(posedge clk_i) if (a_i[0]) sum_o <= a_i + b_i; else sum_o <= a_i ^ sum_o; endmodule"""


def gates(folder, names, jobs=2) -> dict[str, str]:
    """The gates of each design, with all the names and numbers that Yosys gives."""
    folder.mkdir()
    designs = []
    for name in names:
        (folder / f"{name}.sv").write_text(TEXT.format(name=name, width=3 + len(name)))
        lines = [f"read_slang {name}.sv --top {name}", "proc", "opt", "techmap", "opt", f"write_rtlil {name}.il"]
        designs.append((name, lines))
    ended = []
    yosys.run(["read_verilog -lib +/xilinx/cells_sim.v"], designs, folder, jobs, ended.append)
    assert sorted(ended) == list(range(len(names)))
    return {name: (folder / f"{name}.il").read_text() for name in names}


def test_the_same_gates_alone_and_in_any_company(tmp_path):
    alone = {name: gates(tmp_path / name, [name])[name] for name in NAMES[:2]}
    for k, (order, jobs) in enumerate([(NAMES[:2], 1), (NAMES[1::-1], 1), (NAMES, 1), (NAMES[::-1], 2), (NAMES, 5)]):
        found = gates(tmp_path / str(k), order, jobs)
        assert {name: found[name] for name in alone} == alone
    assert "$auto$" in alone["one"]  # numbers that grow with all that Yosys did before


def test_a_refused_design_is_named_with_the_first_error(tmp_path):
    designs = [("the good one", ["log all is well"]), ("the bad one", ["log so far", "no_such_command"])]
    with pytest.raises(yosys.SynthesisError, match=r"(?s)Yosys refuses the bad one:\n  ERROR: No such command"):
        yosys.run((), designs, tmp_path, 1)
    with pytest.raises(yosys.SynthesisError, match="Yosys refuses the cell library"):
        yosys.run(["read_verilog missing.v"], designs[:1], tmp_path, 1)


PARENT = """
from pathlib import Path
from signflow.deploy.tools import yosys
yosys.run((), [("long", ["exec -- sh long.sh"])], Path("."), 1)
"""


@pytest.mark.parametrize("command", ["write_json model.json", "write_rtlil model.il", "write_verilog model.v"])
def test_a_file_that_the_disk_cut_short_is_no_result(tmp_path, command):
    """Yosys does not notice a full disk; what it left may look whole to who reads it."""
    name, source = command.split()[1], tmp_path / "one.v"
    source.write_text("module one(input a, output b); assign b = !a; endmodule\n")
    lines = [f"read_verilog {source.name}", command]
    yosys.run((), [("one", lines)], tmp_path, 1)
    whole = (tmp_path / name).stat().st_size
    for part in (0, whole // 2, whole - 3):
        with pytest.raises(yosys.SynthesisError, match=rf"{name} is cut short: is the disk full"):
            yosys.run((), [("one", [*lines, f"exec -- truncate -s {part} {name}"])], tmp_path, 1)


def test_a_killed_run_leaves_no_process(tmp_path):
    """Nor what Yosys itself has started, as it does with ABC."""
    (tmp_path / "long.sh").write_text("echo $$ > pid; exec sleep 60")
    environment = os.environ | {"TMPDIR": str(tmp_path)}  # what is left there goes with the next run
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=tmp_path, env=environment) as parent:
        while not (pid := tmp_path / "pid").exists() or not pid.read_text().strip():
            assert parent.poll() is None
            time.sleep(0.05)
        os.kill(design := int(pid.read_text()), 0)
        parent.kill()
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(design, 0)
            time.sleep(0.1)
