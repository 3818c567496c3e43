"""The proofs of the RTL hold, a fault is refuted with a trace that shows it, and a proof that says nothing fails."""

from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from signflow.deploy.command.cli import main
from signflow.deploy.pictures.wave import vcd
from signflow.deploy.products import locked
from signflow.deploy.tools import induction, mutants, prove, yosys

JOBS = 2


def test_a_proof_of_each_kind_holds(tmp_path):
    chosen = [prove.Case("sf_fifo", "DEPTH=3 BLOCK=1"), prove.Case("sf_dwc", "IN_WIDTH=1 OUT_WIDTH=3")]
    assert set(chosen) <= set(prove.cases())
    for found in prove.prove(chosen, tmp_path, JOBS):
        assert found.proved and found.how.split()[0] in ("induction", "PDR"), found
        assert {"value", "comes", "stays", "held", "moves", "reach_the_word"} < set(found.properties)


def test_faults_are_refuted_in_a_folder_with_a_relative_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (fault, *_) = mutants.mutants(["sf_add"])
    assert mutants.refute([fault], Path("out/proofs"))[fault]
    same = mutants.Mutant("sf_add", fault.old, fault.old)
    assert mutants.refute([same], Path("out/proofs")) == {same: ""}  # nothing is wrong with it


def test_a_fault_is_refuted_and_its_trace_shows_it(tmp_path):
    """A FIFO that takes words when it is full holds one too many, in the waves as in the assertion."""
    mutant = next(m for m in mutants.mutants(["sf_fifo"]) if m.new == "1'b1;" and "DEPTH" in m.old)
    (found,) = prove.prove([prove.Case("sf_fifo", "DEPTH=3")], tmp_path, rtl=[mutant.write(tmp_path)])
    assert not found.proved and {"held", "value"} <= set(found.refuted)
    waves = vcd(tmp_path / "sf_fifo-DEPTH-3" / "held.vcd")
    inside = waves[next(name for name in waves.signals if name.startswith("prove_fifo.i_watch.inside_q"))]
    assert int(inside[waves.endtime], 2) == 4
    reset = waves["prove_fifo.i_fifo.rst_ni"]
    assert reset[0] == "0" and reset[waves.endtime] == "1"


def test_a_proof_of_nothing_fails(tmp_path):
    """A module that never takes a word keeps every promise but those that something happens."""
    mutant = mutants.Mutant("sf_fifo", "count_q != CW'(DEPTH);", "1'b0;")
    (found,) = prove.prove([prove.Case("sf_fifo", "DEPTH=2")], tmp_path, rtl=[mutant.write(tmp_path)])
    assert set(found.refuted) == {"reach_the_word", "moves"}


def test_a_proof_of_what_never_happens_fails_before_it_is_tried(tmp_path, monkeypatch):
    """Yosys drops assertions that it finds true: of one that must be refuted, that is the failure."""
    text = (prove.PROOFS / "counter.sv").read_text().replace("count != 3'd6", "count != 3'd6 || clk_i || !clk_i")
    for name in ("counter", "wake"):
        (tmp_path / f"{name}.sv").write_text(text if name == "counter" else (prove.PROOFS / "wake.sv").read_text())
    monkeypatch.setattr(prove, "PROOFS", tmp_path)
    (found,) = prove.prove([prove.Case("sf_counter", "SF_LUT6_2")], tmp_path / "work")
    assert set(found.refuted) == {"reach_six"} and "value" in found.properties


def test_a_path_from_ready_to_valid_is_found(tmp_path):
    mutant = mutants.Mutant(
        "sf_fifo", "count_q != CW'(DEPTH);", "count_q != CW'(DEPTH) || (out_ready_i && out_valid_o);"
    )
    (found,) = prove.prove([prove.Case("sf_fifo", "DEPTH=2")], tmp_path, rtl=[mutant.write(tmp_path)])
    assert [name for name in found.refuted if name.startswith("in_ready free of")]
    assert not [name for name in found.refuted if name.startswith("out_valid free of")]


def test_out_of_time_is_undecided(tmp_path):
    case = prove.Case("sf_interleave", "PIXELS=4 WORDS=5 VECTORS=7 JOIN=0")
    (found,) = prove.prove([case], tmp_path, patience=1)
    assert not found.proved and not found.refuted and found.undecided


def test_every_fault_in_a_header_stands_in_its_module(tmp_path):
    """Once, so that it can be built in; three or more a module."""
    found = mutants.mutants()
    for mutant in found:
        assert mutant.write(tmp_path).read_text() != (prove.RTL / f"{mutant.module}.sv").read_text()
    assert min(Counter(mutant.module for mutant in found).values()) >= 3


def test_a_mutant_is_refuted_by_name(tmp_path):
    chosen = mutants.mutants(["sf_dwc"])[:1]
    (how,) = mutants.refute(chosen, tmp_path).values()  # both fail in the same step
    assert how in ("IN_WIDTH=1 OUT_WIDTH=2: value", "IN_WIDTH=1 OUT_WIDTH=2: help_bit")
    equal = mutants.Mutant("sf_duplicate", "ready0 && ready1;", "ready1 && ready0;")
    assert mutants.refute([equal], tmp_path) == {equal: ""}


def test_unknown_modules_and_faults_are_refused():
    with pytest.raises(ValueError, match="'sf_nothing' has no proof"):
        prove.cases(["sf_nothing"])
    with pytest.raises(ValueError, match="stands there 0 times, must be once"):
        mutants.Mutant("sf_fifo", "no such text", "").write(Path("nowhere"))


def test_every_module_has_a_proof():
    assert [p.stem for p in sorted(prove.RTL.glob("sf_*.sv"))] == prove.modules()


def test_every_proof_has_faults_to_find():
    for module in prove.modules():
        assert len(mutants.mutants([module])) >= 3, module


@pytest.mark.slow
def test_every_proof_holds(tmp_path):
    for found in prove.prove(prove.cases(), tmp_path, JOBS):
        assert found.proved, found


@pytest.mark.slow
def test_every_fault_is_refuted(tmp_path):
    survivors = [mutant for mutant, how in mutants.refute(mutants.mutants(), tmp_path, JOBS).items() if not how]
    assert not survivors


def test_a_killed_abc_is_no_undecided_proof(tmp_path, monkeypatch):
    """As by a machine that is out of memory."""
    program = tmp_path / "yosys-abc"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    monkeypatch.setattr("signflow.deploy.tools.induction.yosys.share", lambda: tmp_path / "share")
    (tmp_path / "model.aig").write_bytes(b"aig 0 0 0 0 0 1\n0\n")
    with pytest.raises(yosys.SynthesisError, match="yosys-abc was ended by signal 9"):
        induction.ask(tmp_path, [0], "pdr", 1)


def test_a_folder_has_one_prover_at_a_time(tmp_path):
    with locked(tmp_path):
        done = CliRunner().invoke(main, ["prove", "sf_fifo", "--out", str(tmp_path)])
    assert done.exit_code == 1 and "is in use by process" in done.stderr and not list(tmp_path.iterdir())
