"""Comparisons: which runs they have, doing and collecting them, the table against numbers made by hand."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest

from signflow.models.study import experiments, summary
from signflow.models.study.compare import Comparison, collect, read_comparison, run
from signflow.models.study.results import wrapped, write_section
from signflow.models.study.summary import findings, labels, summarise, table, title
from signflow.models.training.recipe import RecipeError

TOML = """
title = "two nets"
nets = ["tfc", "tfc-abn"]
seeds = [1, 2]
[recipe]
epochs = 1
crop = 0
[only.tfc-abn]
lr = 0.001
"""


@pytest.fixture
def small_data(fashion_files):
    """60 training and 20 test images in Fashion-MNIST's format."""
    rng = np.random.default_rng(1)
    fashion_files(*((rng.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n, dtype=np.uint8) % 10) for n in (60, 20)))


def fake_rows(accuracy: dict[str, list[float]]) -> list[dict]:
    facts = {"best_accuracy": 1.0, "epochs": 4, "seconds": 8.0, "commit": "c" * 40, "dirty": False}
    facts |= {"device": "a CPU", "torch": "2", "threads": 1}
    return [
        {"net": net, "seed": seed, "final_accuracy": value, **facts}
        for net, values in accuracy.items()
        for seed, value in enumerate(values, 1)
    ]


def test_recipes_of_a_comparison(tmp_path):
    (tmp_path / "two.toml").write_text(TOML)
    recipes = read_comparison(tmp_path / "two.toml").recipes()
    assert list(recipes) == [("tfc", 1), ("tfc", 2), ("tfc-abn", 1), ("tfc-abn", 2)]
    assert [(r.net, r.seed, r.epochs, r.crop, r.lr) for r in recipes.values()] == [
        ("tfc", 1, 1, 0, 2e-3),
        ("tfc", 2, 1, 0, 2e-3),
        ("tfc-abn", 1, 1, 0, 1e-3),
        ("tfc-abn", 2, 1, 0, 1e-3),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title", "tittle", r"unknown key tittle; valid keys: title, nets, seeds, recipe"),
        ("crop = 0", "crops = 0", "unknown recipe key crops; valid keys: agc"),
        ("crop = 0", "crop = -1", r"tfc: crop = -1"),
        ('"tfc", "tfc-abn"', '"tfc"', "only.tfc-abn belongs to no net"),
        ("epochs = 1", "", "missing 1 required positional argument: 'epochs'"),
        ("seeds = [1, 2]", "", "missing key seeds"),
        ("[only", '[curves.a]\n8 = "sfc"\n[only', "curves name sfc, which is no net of the experiment"),
        ("[only", '[curves]\na = {8 = "tfc"}\nb = {4 = "tfc-abn"}\n[only', "need the same places in the same order"),
    ],
)
def test_bad_experiment_files(tmp_path, old, new, message):
    (tmp_path / "bad.toml").write_text(TOML.replace(old, new))
    with pytest.raises(RecipeError, match=message):
        read_comparison(tmp_path / "bad.toml")


def test_runs_are_done_once_and_collected(small_data, tmp_path):
    comparison = Comparison("two", "two nets", ["tfc", "tfc-abn"], [3], {"epochs": 1, "batch": 20})
    with pytest.raises(RecipeError, match=r"tfc-3/run.json is missing"):
        collect(comparison, tmp_path / "runs")
    run(comparison, tmp_path / "runs", jobs=2)
    rows = collect(comparison, tmp_path / "runs")
    assert [(row["net"], row["seed"], row["threads"]) for row in rows] == [("tfc", 3, 1), ("tfc-abn", 3, 1)]
    assert "epoch 1" in (tmp_path / "runs/two/tfc-3/train.log").read_text()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*.npz")}
    run(comparison, tmp_path / "runs", jobs=2)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "runs").rglob("*.npz")} and len(before) == 4

    other = Comparison("two", "two nets", ["tfc"], [3], {"epochs": 1, "batch": 10})
    with pytest.raises(RecipeError, match="run of another recipe"):
        collect(other, tmp_path / "runs")
    facts = json.loads((tmp_path / "runs/two/tfc-3/run.json").read_text())
    assert facts["recipe"] == json.loads(json.dumps(asdict(comparison.recipes()["tfc", 3])))


PARENT = """
import os, time
from multiprocessing import get_context
from signflow.models.study.compare import end_with_parent

def child():
    end_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(120)

if __name__ == "__main__":
    process = get_context("spawn").Process(target=child)
    process.start()
    process.join()
"""


def test_a_killed_experiment_leaves_no_training(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    with subprocess.Popen([sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
        parent.communicate(timeout=60)  # until the last process that holds the pipe has ended
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(child, 0)
            time.sleep(0.1)


def test_table_and_findings_against_numbers_made_by_hand():
    comparison = Comparison("two", "two nets", ["tfc", "tfc-abn"], [1, 2, 3], {"epochs": 4})
    rows = fake_rows({"tfc": [0.80, 0.82, 0.84], "tfc-abn": [0.90, 0.91, 0.92]})
    cells = table(comparison, rows).rows
    assert cells[0] == ["tfc", "BN", "3", "82.00", "2.00", "84.00", "", "2.0"]
    assert cells[1] == ["tfc-abn", "ABN", "3", "91.00", "1.00", "92.00", "+9.00", "2.0"]
    (sentence,) = findings(comparison, rows)
    # Welch: t = 9 / sqrt((4 + 1) / 3) = 6.97 at 2.94 degrees of freedom
    assert "9.00 points above BN (Welch p = 0.006: a difference)" in sentence
    assert "standard deviation 1.00 against 2.00" in sentence and "no evidence" in sentence


def test_curves_show_the_mean_at_every_place_and_begin_with_their_baseline(tmp_path, monkeypatch):
    curves = {"plain": {"8": "tfc", "4": "tfc-none"}, "attention": {"8": "tfc-abn", "4": "sfc-abn"}}
    nets = [net for curve in curves.values() for net in curve.values()]
    comparison = Comparison("bits", "bits", nets, [1, 2], {"epochs": 4}, along="bits", curves=curves)
    assert [comparison.baseline(net) for net in nets] == ["tfc", "tfc", "tfc-abn", "tfc-abn"]
    figures = []
    monkeypatch.setattr(summary, "save_picture", lambda figure, path: figures.append(figure))
    rows = fake_rows({"tfc": [0.8, 0.9], "tfc-none": [0.5, 0.52], "tfc-abn": [0.7, 0.8], "sfc-abn": [0.6, 0.8]})
    summary.summarise(comparison, rows, tmp_path)
    (axes,) = figures[0].axes
    drawn = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert {name: [round(y, 6) for y in line.get_ydata()] for name, line in drawn.items()} == {
        "plain": [85, 51],
        "attention": [75, 70],
    }
    assert axes.get_xlabel() == "bits" and [len(line.get_ydata()) for line in axes.lines] == [2] * 6


def test_a_single_seed_has_no_spread():
    comparison = Comparison("one", "one seed", ["tfc", "tfc-none"], [1], {"epochs": 4})
    rows = fake_rows({"tfc": [0.8], "tfc-none": [0.5]})
    assert table(comparison, rows).rows[1][4] == "-"
    assert findings(comparison, rows) == ["none (tfc-none) ends 30.00 points below BN."]


def test_titles_name_the_method():
    nets = ("cnv-s", "cnv-s-abn", "sfc-abn-gamma-beta", "tfc-sd-asd", "abn-resnet18-fashion", "reactnet18-fashion")
    assert [title(n) for n in nets] == ["BN", "ABN", "ABN: gamma*gate+beta", "SD: ASD", "ABN", "BN-free"]


def test_other_networks_are_called_by_their_names_and_have_baselines_of_their_own():
    nets = ["bn-resnet18-fashion", "reactnet18-fashion", "reactnet18-bn-fashion"]
    comparison = Comparison("many", "many", nets, [1], {"epochs": 4}, against={nets[1]: nets[2]})
    rows = fake_rows({nets[0]: [0.7], nets[1]: [0.8], nets[2]: [0.9]})
    assert [row[-2] for row in table(comparison, rows).rows] == ["", "-10.00", "+20.00"]
    assert findings(comparison, rows)[0] == (
        "reactnet18-fashion (BN-free) ends 10.00 points below reactnet18-bn-fashion."
    )
    assert set(labels(nets)) == set(labels(nets).values())
    with pytest.raises(RecipeError, match="against names cnv, which is no net"):
        Comparison("odd", "odd", nets, [1], {}, against={nets[1]: "cnv"}).recipes()


def test_summary_writes_the_same_bytes_again(tmp_path):
    comparison = Comparison("two", "two nets", ["tfc", "tfc-abn"], [1, 2], {"epochs": 4})
    rows = fake_rows({"tfc": [0.80, 0.82], "tfc-abn": [0.90, 0.91]})
    _, text = summarise(comparison, rows, tmp_path)
    files = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert set(files) == {"two.csv", "two.png"} and files["two.png"][:4] == b"\x89PNG"
    assert summarise(comparison, rows, tmp_path)[1] == text
    assert files == {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert "Commit cccccccccc; seeds 1, 2; a CPU, 1 thread(s) a run; torch 2" in text


def test_sections_are_replaced_and_the_rest_is_kept(tmp_path):
    page = tmp_path / "results.md"
    write_section(page, "a", "first")
    write_section(page, "b", "second")
    page.write_text(page.read_text().replace("# Results", "# Results\n\nby hand"))
    write_section(page, "a", "third")
    text = page.read_text()
    assert "first" not in text and text.index("by hand") < text.index("third") < text.index("second")
    page.write_text(text.replace("<!-- end of a -->", ""))
    with pytest.raises(ValueError, match=r"end of a.*is missing"):
        write_section(page, "a", "fourth")


def test_every_experiment_file_is_valid_and_listed():
    for path in experiments.COMPARISONS.glob("*.toml"):
        assert read_comparison(path).name in experiments.listing()
    with pytest.raises(RecipeError, match=r"unknown experiment 'x'; known experiments: what-bn-does"):
        experiments.run("x", None, None, 1)


def test_paragraphs_are_wrapped_and_tables_are_not():
    long = "word " * 60
    body = f"## head\n- {long}\n| {long} |\n![x]({'y' * 150})\n\n{long}"
    lines = wrapped(body).splitlines()
    assert all(len(line) <= 120 for line in lines if line[:1] not in "|!")
    assert lines[1].startswith("- word") and lines[2].startswith("  word")
    assert " ".join(wrapped(body).split()) == " ".join(body.split())
