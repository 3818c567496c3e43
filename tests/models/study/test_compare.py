"""Comparisons: which runs they have, doing and collecting them, the table against numbers made by hand."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest

from signflow.models.study import experiments, pictures
from signflow.models.study.answers import answer, labels, title
from signflow.models.study.compare import Comparison, collect, read_comparison, run
from signflow.models.study.results import LIST, head, wrapped, write_section
from signflow.models.study.summary import record, recorded, summarise, table
from signflow.models.study.workers import WorkersError, workers
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
    facts |= {"device": "a CPU", "torch": "2", "threads": "1"}
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
        ("epochs = 1", "", "recipe key epochs is missing"),
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
from signflow.models.study.workers import end_with_parent

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


def test_a_training_that_was_killed_is_said_to_be():
    """As by a machine that is out of memory."""
    with pytest.raises(WorkersError, match="a process that trains was killed: too little memory"), workers(1) as pool:
        pool.submit(os.getpid).result()
        pool.submit(os._exit, 9).result()


def test_who_is_interrupted_does_not_wait_for_trainings():
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), workers(1) as pool:
        pool.submit(os.getpid).result()
        pool.submit(time.sleep, 600)
        raise KeyboardInterrupt
    assert time.monotonic() - begun < 60


def test_table_and_answer_against_numbers_made_by_hand():
    comparison = Comparison("two", "two nets", ["tfc", "tfc-abn", "tfc-sd"], [1, 2, 3], {"epochs": 4})
    rows = fake_rows({"tfc": [0.80, 0.82, 0.84], "tfc-abn": [0.90, 0.91, 0.92], "tfc-sd": [0.79, 0.82, 0.85]})
    cells = table(comparison, rows).rows
    # t = 4.303 at 2 degrees of freedom: 82 +- 4.303 * 2 / sqrt(3)
    assert cells[0] == ["tfc", "BN", "3", "82.00 [77.03, 86.97]", "2.00", "", "2.0"]
    # Welch: t = 9 / sqrt((4 + 1) / 3) = 6.97 at 2.94 degrees of freedom, where 3.218 cuts off 2.5 %
    assert cells[1] == ["tfc-abn", "ABN", "3", "91.00 [88.52, 93.48]", "1.00", "+9.00 [+4.84, +13.16]", "2.0"]
    # and for SD: se = sqrt((4 + 9) / 3) at 3.49 degrees of freedom, t = 2.945
    assert answer(comparison, rows) == (
        "After 4 epochs, 3 seeds a net. Against BN: ABN ends 9.00 points above (+4.84 to +13.16). "
        "Not to be told from BN by these seeds: SD (ASD + WSD) (-6.13 to +6.13)."
    )
    two = answer(comparison, [row for row in rows if row["seed"] < 3])
    assert "2 seeds a net" in two and two.endswith("a real difference can well be among those not told apart.")


def drawn(monkeypatch) -> list:
    """Figures that are drawn from now on, in place of their files."""
    figures = []
    monkeypatch.setattr(pictures, "save_picture", lambda figure, path: figures.append(figure))
    return figures


def test_curves_show_the_mean_at_every_place_and_begin_with_their_baseline(tmp_path, monkeypatch):
    curves = {"plain": {"8": "tfc", "4": "tfc-none"}, "attention": {"8": "tfc-abn", "4": "sfc-abn"}}
    nets = [net for curve in curves.values() for net in curve.values()]
    comparison = Comparison("bits", "bits", nets, [1, 2], {"epochs": 4}, along="bits", curves=curves)
    assert [comparison.baseline(net) for net in nets] == ["tfc", "tfc", "tfc-abn", "tfc-abn"]
    figures = drawn(monkeypatch)
    rows = fake_rows({"tfc": [0.8, 0.9], "tfc-none": [0.5, 0.52], "tfc-abn": [0.7, 0.8], "sfc-abn": [0.6, 0.8]})
    pictures.draw_curves(comparison, rows, tmp_path / "bits.png")
    (axes,) = figures[0].axes
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    assert {name: [round(y, 6) for y in line.get_ydata()] for name, line in lines.items()} == {
        "plain": [85, 51],
        "attention": [75, 70],
    }
    assert axes.get_xlabel() == "bits" and [label.get_text() for label in axes.get_xticklabels()] == ["8", "4"]
    # at one degree of freedom +- 12.706 |a - b| / 2: only 50 and 52 stay in the frame of 39.95 to 100.05
    ends = [sorted(line.get_ydata()) for line in axes.lines if line.get_linewidth() == 1]
    assert [51 - 12.706, 51 + 12.706] in [pytest.approx(end, abs=1e-2) for end in ends]
    arrows = [(line.get_marker(), line.get_ydata()[0]) for line in axes.lines if line.get_marker() in ("v", "^")]
    low, high = axes.get_ylim()
    assert sorted(arrows) == sorted([("v", low), ("^", high)] * 3 + [("v", low)])


def test_rows_show_runs_mean_and_interval_and_frame_the_near_ones_once_more(tmp_path, monkeypatch):
    comparison = Comparison("two", "two nets", ["tfc", "tfc-abn", "tfc-none"], [1, 2, 3], {"epochs": 4})
    rows = fake_rows({"tfc": [0.80, 0.82, 0.84], "tfc-abn": [0.81, 0.82, 0.83], "tfc-none": [0.3, 0.31, 0.32]})
    figures = drawn(monkeypatch)
    pictures.draw(comparison, rows, tmp_path / "two.png")
    whole, close = figures[0].axes
    assert [label.get_text() for label in whole.get_yticklabels()] == ["BN", "ABN", "none"]
    assert close.get_xlim() == pytest.approx((80 - 1.05, 84 + 1.05)) and whole.get_xlim()[0] < 30
    for axes, arrows in ((whole, 0), (close, 2)):
        means = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "|"]
        assert means == pytest.approx([82, 82, 31])
        assert sum(line.get_marker() in ("<", ">") for line in axes.lines) == arrows


def test_a_single_seed_has_no_interval():
    comparison = Comparison("one", "one seed", ["tfc", "tfc-none"], [1], {"epochs": 4})
    rows = fake_rows({"tfc": [0.8], "tfc-none": [0.5]})
    assert table(comparison, rows).rows[1][3:6] == ["50.00", "-", "-30.00"]
    assert answer(comparison, rows) == (
        "After 4 epochs, 1 seed a net. Against BN: none ends 30.00 points below. One seed gives no interval, and so "
        "decides nothing."
    )


def test_titles_name_the_method():
    nets = ("cnv-s", "cnv-s-abn", "sfc-abn-gamma-beta", "tfc-sd-asd", "abn-resnet18-fashion", "reactnet18-fashion")
    assert [title(n) for n in nets] == ["BN", "ABN", "ABN: gamma*gate+beta", "SD: ASD", "ABN", "BN-free"]


def test_other_networks_are_called_by_their_names_and_have_baselines_of_their_own():
    nets = ["bn-resnet18-fashion", "reactnet18-fashion", "reactnet18-bn-fashion"]
    comparison = Comparison("many", "many", nets, [1], {"epochs": 4}, against={nets[1]: nets[2]})
    rows = fake_rows({nets[0]: [0.7], nets[1]: [0.8], nets[2]: [0.9]})
    assert [row[-2] for row in table(comparison, rows).rows] == ["", "-10.00", "+20.00"]
    assert "Against reactnet18-bn-fashion: reactnet18-fashion ends 10.00 points below." in answer(comparison, rows)
    assert set(labels(nets)) == set(labels(nets).values())
    with pytest.raises(RecipeError, match="against names cnv, which is no net"):
        Comparison("odd", "odd", nets, [1], {}, against={nets[1]: "cnv"}).recipes()


def test_summary_is_made_of_the_file_alone_and_of_the_same_bytes_again(tmp_path):
    comparison = Comparison("two", "two nets", ["tfc", "tfc-abn"], [1, 2], {"epochs": 4}, note="A note.")
    rows = fake_rows({"tfc": [0.80, 0.82], "tfc-abn": [0.90, 0.91]})
    rows[3]["threads"] = ""  # as in files that are older than the column
    record(comparison, rows, tmp_path)
    assert recorded(comparison, tmp_path) == rows
    _, text = summarise(comparison, tmp_path)
    files = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert set(files) == {"two.csv", "two.png"} and files["two.png"][:4] == b"\x89PNG"
    assert summarise(comparison, tmp_path)[1] == text
    assert files == {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    assert "Commit cccccccccc; seeds 1, 2; a CPU, 1 thread(s) a run or threads not recorded; torch 2" in text
    assert text.startswith("**Answer.** After 4 epochs, 2 seeds a net.") and "\n\nA note.\n\n**two nets" in text


def test_a_file_of_other_runs_is_refused(tmp_path):
    comparison = Comparison("two", "two nets", ["tfc", "tfc-abn"], [1, 2], {"epochs": 4})
    with pytest.raises(RecipeError, match=r"two.csv is missing: `signflow experiment two` does the runs"):
        summarise(comparison, tmp_path)
    record(comparison, fake_rows({"tfc": [0.80, 0.82], "tfc-abn": [0.90]}), tmp_path)
    with pytest.raises(RecipeError, match=r"two.csv does not hold the runs of two: \[\('tfc-abn', 2\)\] differ"):
        summarise(comparison, tmp_path)


def test_sections_are_replaced_and_listed_and_the_rest_is_kept(tmp_path):
    page = tmp_path / "results.md"
    page.write_text("# Results\n\nby hand\n\n" + "\n".join(LIST) + "\n")
    write_section(page, "a", head("a", "first?"))
    write_section(page, "second", head("second", "Second"))
    write_section(page, "a", head("a", "third?") + "\n\n### no section")
    text = page.read_text()
    assert "first" not in text and text.index("by hand") < text.index("## third?") < text.index("## Second")
    assert '<a id="a"></a>\n\n## third?' in text and "<a id" not in text[text.index("## Second") - 9 :]
    assert f"{LIST[0]}\n- [third?](#a)\n- [Second](#second)\n{LIST[1]}" in text
    page.write_text(text.replace("<!-- end of a -->", ""))
    with pytest.raises(ValueError, match=r"end of a.*is missing"):
        write_section(page, "a", "fourth")


@pytest.mark.parametrize("name", [name for name in experiments.names() if name != "what-bn-does"])
def test_the_shipped_page_is_what_the_recorded_runs_say(name, tmp_path, monkeypatch):
    """Rendered once more, without the pictures: no byte changes."""
    page = experiments.ROOT / "docs" / "results.md"
    if f"written by `signflow experiment {name}`" not in page.read_text():
        pytest.skip("no run of it is recorded")
    (tmp_path / "results.md").write_bytes(page.read_bytes())
    (tmp_path / "results").mkdir()
    for path in (page.parent / "results").glob("*.csv"):
        (tmp_path / "results" / path.name).symlink_to(path)
    drawn(monkeypatch)
    experiments.render(name, tmp_path, say=lambda text: None)
    assert (tmp_path / "results.md").read_bytes() == page.read_bytes()


def test_paragraphs_are_wrapped_and_tables_are_not():
    long = "word " * 60
    body = f"## head\n- {long}\n| {long} |\n![x]({'y' * 150})\n\n{long}"
    lines = wrapped(body).splitlines()
    assert all(len(line) <= 120 for line in lines if line[:1] not in "|!")
    assert lines[1].startswith("- word") and lines[2].startswith("  word")
    assert " ".join(wrapped(body).split()) == " ".join(body.split())
