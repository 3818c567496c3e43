"""The faults of the RTL are faults, their judges judge, and what is called equivalent is one of them."""

from types import SimpleNamespace

import pytest
from pyslang.syntax import SyntaxTree

from signflow.deploy.tools import prove
from signflow.deploy.tools.mutants import Mutant

from . import rtl_faults, rtl_judges, rtl_mutants
from .rtl_equal import equal

CASE = prove.Case("sf_fifo", "DEPTH=3")
SAME = Mutant("sf_fifo", "localparam int CW = $clog2(DEPTH + 1);", "localparam int CW = $clog2(DEPTH + 2);")
WRONG = Mutant("sf_fifo", "assign out_valid_o = count_q != '0;", "assign out_valid_o = (count_q == '0);")


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a module sf_x with these lines; gives what its faults make of them, line by line."""
    monkeypatch.setattr(prove, "RTL", tmp_path)

    def write(*lines: str) -> list[tuple[str, str]]:
        (tmp_path / "sf_x.sv").write_text("\n".join(("module sf_x;", *lines, "endmodule\n")))
        return [(fault.old, fault.new) for fault in rtl_faults.faults("sf_x")]

    return write


@pytest.mark.parametrize(
    ("line", "become"),
    [
        ("assign x = a + b;", {"assign x = (a - b);"}),
        ("assign x = ~a;", {"assign x = a;"}),
        ("assign x = a && b;", {"assign x = (a || b);", "assign x = a;", "assign x = b;"}),
        ("assign x = a << b;", {"assign x = (a >> b);"}),
        ("assign x = a < b;", {"assign x = (a <= b);"}),
        ("assign x = a ? b : c;", {"assign x = (a ? (c) : (b));"}),
        ("assign x = !a ? b : c;", {"assign x = a ? b : c;"}),
        ("assign x = 4'hf;", {"assign x = 4'd0;", "assign x = 4'd14;"}),
        ("assign x = y[i];", {"assign x = y[(i) + 1];"}),
        ("assign x = 8'(a);", set()),
        ("wire [1:0] a;", set()),
        ("if (A < 1) $error(0);", set()),
        ("always_ff @(posedge c) a <= '0;", {"always_ff @(posedge c) ;", "always_ff @(posedge c) a <= '1;"}),
        ("always_comb if (a) b = c;", {"always_comb if (!(a)) b = c;"}),
    ],
)
def test_what_becomes_of_a_line(written, line, become):
    assert written(line) == [(line, new) for _, new in written(line)]
    assert {new for _, new in written(line)} == become


def test_a_line_that_stands_twice_is_told_by_those_above(written):
    assert written("wire a = b;", "assign x = !a;", "wire c = d;", "assign x = !a;") == [
        ("wire a = b;\nassign x = !a;", "wire a = b;\nassign x = a;"),
        ("wire c = d;\nassign x = !a;", "wire c = d;\nassign x = a;"),
    ]


def test_every_fault_of_every_module_is_another_text_that_parses():
    for module in prove.modules():
        source, faults = (prove.RTL / f"{module}.sv").read_text(), rtl_faults.faults(module)
        texts = {source.replace(fault.old, fault.new) for fault in faults}
        assert len(texts) == len(faults) >= rtl_mutants.LEAST and source not in texts, module
        assert all(source.count(fault.old) == 1 for fault in faults), module
        for text in texts:
            assert not [d for d in SyntaxTree.fromText(text).diagnostics if d.isError()], text


def test_a_fault_is_killed_by_a_proof_and_an_equivalent_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(prove, "cases", lambda chosen: [CASE])
    assert rtl_judges.JUDGES["proof"].kills(WRONG, tmp_path) == "sf_fifo DEPTH=3: held"
    assert rtl_judges.JUDGES["proof"].kills(SAME, tmp_path) == ""
    assert [equal(mutant, CASE, tmp_path) for mutant in (SAME, WRONG)] == [True, False]


def test_what_does_not_elaborate_is_no_mutant(tmp_path):
    judge = rtl_judges.JUDGES["elaborates"].kills
    assert judge(WRONG, tmp_path) == ""
    for wrong in ("assign out_valid_o = ;", "assign out_valid_o = nothing_q;", "assign out_valid_o = count_q[CW+1];"):
        assert judge(Mutant("sf_fifo", WRONG.old, wrong), tmp_path)


def test_users_are_the_modules_whose_proofs_contain_it():
    assert rtl_judges.users("sf_counter")[0] == "sf_compress" and "sf_dot_binary" in rtl_judges.users("sf_counter")
    assert "sf_mvau" not in rtl_judges.users("sf_memory")  # its proof assumes any memory
    assert all((rtl_judges.ROOT / file).exists() for m in prove.modules() for file in rtl_judges.files(m))


def test_the_sample_has_some_of_every_module_and_hangs_on_the_seed(tmp_path):
    asked = SimpleNamespace(of=lambda judge, mutant, work: "no mutant" if "!" in mutant.new else "")
    one, same, other = (rtl_mutants.sample(seed, asked, tmp_path, prove.modules()) for seed in (1, 1, 2))
    assert one == same and set(one) != set(other) and len(set(one)) == len(one) >= 600
    assert not [mutant for mutant in one if "!" in mutant.new]
    some = [mutant for mutant in one if mutant.module == "sf_dwc"]
    assert len(some) >= rtl_mutants.LEAST and rtl_mutants.sample(1, asked, tmp_path, ["sf_dwc"]) == some


@pytest.mark.parametrize(("how", "module", "proof", "times"), [("value", "1121", "1211", 2), ("", "1111", "1121", 2)])
def test_a_kill_holds_while_the_module_is_the_same_and_a_survival_while_all_is(
    tmp_path, monkeypatch, how, module, proof, times
):
    asked, files = [], [tmp_path / "module", tmp_path / "proof"]
    judge = rtl_judges.Judge(lambda mutant, work: asked.append(mutant) or how, lambda module: files)
    monkeypatch.setitem(rtl_mutants.JUDGES, "proof", judge)
    monkeypatch.setattr(rtl_judges, "sources", lambda module: files[:1])
    for texts in zip(module, proof, strict=True):
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        assert rtl_mutants.Verdicts(tmp_path / "rtl.jsonl").of("proof", WRONG, tmp_path) == how
    assert asked == [WRONG] * times


def test_what_is_called_equivalent_is_a_fault_and_has_a_reason():
    for mutant, why in rtl_mutants.equivalents().items():
        assert mutant in rtl_faults.faults(mutant.module), mutant
        assert len(why) > 20, mutant


@pytest.mark.slow
def test_a_fault_is_killed_by_a_simulation(tmp_path):
    assert rtl_judges.JUDGES["tests"].kills(WRONG, tmp_path).startswith("test_fifo.py::")
    assert rtl_judges.JUDGES["tests"].kills(SAME, tmp_path) == ""
