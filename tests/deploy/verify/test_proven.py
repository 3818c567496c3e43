"""What is proven of a build: for its own parameters, for smaller ones, or not, and a build that was changed fails."""

import json
import shutil

import pytest
from click.testing import CliRunner

from signflow.deploy import flow, products
from signflow.deploy.board.readme import proofs
from signflow.deploy.command.cli import main
from signflow.deploy.steps import BITSTREAM
from signflow.deploy.tools import own, prove
from signflow.deploy.verify import proven
from signflow.deploy.verify.proven import HERE, NOT, SMALLER

FEW = ["sf_counter", "sf_fifo", "sf_memory"]


@pytest.fixture
def few(monkeypatch):
    """Proofs of three modules, two cases of each; the others have none."""
    cases = prove.cases
    monkeypatch.setattr(prove, "modules", lambda: FEW)
    monkeypatch.setattr(prove, "cases", lambda chosen: cases(chosen)[:2])
    own._proof.cache_clear()
    yield
    own._proof.cache_clear()


@pytest.fixture
def copy(mini, tmp_path):
    """A build that may be changed."""
    return shutil.copytree(mini[1], tmp_path / "build")


def run(*words):
    result = CliRunner().invoke(main, ["prove", *map(str, words)])
    return result.exit_code, " ".join(result.output.split())


def test_modules_stand_for_their_own_parameters_or_for_smaller_ones(copy, few, tmp_path):
    rows = proven.modules(copy, tmp_path, 20, 1)
    found = proven.summary(rows)
    facts = flow.accelerator(copy)
    there = {name.removeprefix("rtl/").removesuffix(".sv") for name in facts["sources"]} - {facts["top"]}
    assert {op["module"] for op in facts["operators"]} <= set(found) <= there
    assert found["sf_fifo"][HERE] == found["sf_fifo"]["parameters"] > 1
    assert found["sf_memory"][SMALLER] == found["sf_memory"]["parameters"]
    assert found["sf_counter"] == {"instances": found["sf_counter"]["instances"], "parameters": 1, HERE: 1, SMALLER: 0,
                                   NOT: 0}  # fmt: skip
    assert all(row[NOT] == row["parameters"] for module, row in found.items() if module not in FEW)
    written = sum(op["module"] == "sf_fifo" for op in facts["operators"])
    inside = sum("sf_fifo" in op["modules"] and op["module"] != "sf_fifo" for op in facts["operators"])
    assert found["sf_fifo"]["instances"] == written + inside
    widths = {dict(row.instance.parameters)["WIDTH"] for row in rows if row.instance.module == "sf_fifo"}
    assert widths >= {str(op["params"]["WIDTH"]) for op in facts["operators"] if op["module"] == "sf_fifo"}
    assert {row.standing for row in proven.modules(copy, tmp_path, 0, 1)} == {SMALLER, NOT}  # none was tried


def test_a_source_that_is_not_the_proven_one_is_not_proven(copy, few, tmp_path):
    source = copy / flow.ACCELERATOR / "rtl" / "sf_fifo.sv"
    source.write_text(source.read_text().replace("// ", "//  ", 1))
    rows = [row for row in proven.modules(copy, tmp_path, 0, 1) if row.instance.module == "sf_fifo"]
    assert {row.standing for row in rows} == {NOT} and "not the one that is proven" in rows[0].how


def test_what_is_refuted_is_told_and_never_known(copy, few, tmp_path, monkeypatch):
    wrong = prove.Result(prove.Case("sf_fifo", "DEPTH=2"), ("held",), {"held": "see held.vcd"})
    monkeypatch.setattr(prove, "prove", lambda *words, **options: [wrong])
    for _ in range(2):
        with pytest.raises(proven.Refuted, match=r"sf_fifo DEPTH=2: held: see held\.vcd"):
            proven._known(prove.cases(["sf_fifo"]), tmp_path, 77, 1)


def test_what_is_not_decided_in_time_is_tried_again(few, tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNFLOW_CACHE", str(tmp_path / "cache"))
    cases, asked = prove.cases(["sf_fifo"]), []

    def late(chosen, *words, **options):
        asked.append(chosen)
        return [prove.Result(case, ("held",), undecided={"held": "late"} if len(asked) == 1 else {}) for case in chosen]

    monkeypatch.setattr(prove, "prove", late)
    decided = [[one.proved for one in proven._known(cases, tmp_path, 78, 1)] for _ in range(3)]
    assert decided == [[False, False], [True, True], [True, True]] and len(asked) == 2


def test_the_whole(copy):
    facts = {fact.what: fact for fact in proven.whole(copy)}
    accel = flow.accelerator(copy)
    assert facts["no deadlock"].found == f"{len(accel['operators'])} operators"
    assert facts["constants"].found.startswith(f"{accel['check']['memory words']:,} ")
    assert "RTL simulation" in facts["results"].found and facts["netlist = RTL"].found == "not compared"
    ladder = [{"logits": 50, "mismatches": 0}, {"logits": 40, "mismatches": 0}]
    (copy / BITSTREAM).write_text(json.dumps({"netlist": {"ladder": ladder}}))
    assert proven.whole(copy)[-1].found == "40 logits, 0 wrong"


def test_the_command_notes_what_it_found(copy, few, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    code, text = run(copy, "--own", 20, "--jobs", 1, "--json", "found.json")
    found = flow.accelerator(copy)["check"]["proofs"]
    assert code == 1  # modules without a proof
    assert "no deadlock" in text and "all of these" in text and "smaller ones" in text and "not proven" in text
    assert found["sf_fifo"][HERE] == found["sf_fifo"]["parameters"]
    written = json.loads((tmp_path / "found.json").read_text())
    assert {row["standing"] for row in written["modules"]} == {HERE, SMALLER, NOT} and len(written["whole"]) == 4
    told = proofs(flow.accelerator(copy)["check"])
    assert f"{found['sf_fifo'][HERE] + 1} of " in told and "stand still" in told
    products.accelerator(copy)


@pytest.mark.parametrize("name, old, new", [
    ("mem/*weights.mem", None, None),
    ("rtl/mini.sv", ".DEPTH(", ".DEPTH(1 + "),
])  # fmt: skip
def test_a_build_that_was_changed_fails(copy, name, old, new):
    (path, *_) = sorted((copy / flow.ACCELERATOR).glob(name))
    text = path.read_text()
    assert old is None or old in text
    path.write_text(text.replace(old, new, 1) if old else ("0" if text[0] != "0" else "1") + text[1:])
    code, text = run(copy)
    assert code == 1 and f"{path.name} changed" in text


def test_wrong_words_are_refused(tmp_path):
    for words, message, exit_code in (
        (["tfd"], "did you mean tfc?", 1),
        (["sf_nothing"], "'sf_nothing' has no proof", 1),
        (["tfc", "--board", "zcu104", "--out", tmp_path / "none"], "holds no build", 1),
        ([tmp_path], "holds no build: run `signflow build NETWORK --out", 1),
        (["sf_fifo", "tfc"], "give modules (sf_...) or one network", 2),
        (["tfc", "--mutants"], "--mutants and --markdown are for modules", 2),
        (["sf_fifo", "--own", "3"], "--board, --own and --json are for a network", 2),
    ):
        code, text = run(*words)
        assert code == exit_code and message in text, (words, text)
    assert run("--help")[0] == 0 and "MODULE... | NETWORK" in run("--help")[1]
