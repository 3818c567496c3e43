"""A small exploration: its costs are those of the builds, what is kept, what is printed; a whole one with trainings."""

import csv
import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from signflow.deploy import flow
from signflow.deploy.command.cli import main
from signflow.deploy.explore import cost as costing
from signflow.deploy.explore.run import DiffersError, Explorer, explore
from signflow.deploy.explore.spec import read_exploration
from signflow.deploy.generate.accelerator import operators
from signflow.deploy.plan import fit, timing
from signflow.models.training import train
from signflow.models.training.record import read_log

TOML = """
title = "small"
networks = ["tfc"]
normalisation = ["bn", "abn"]
width = [8]
depth = [1]
boards = ["pynq-z2", "tiny"]
own_boards = "boards.toml"
targets = [2_000_000, "fastest"]
[recipe]
epochs = 1
batch = 20
"""
BOARDS = """
[tiny]
device = "xc7"
toolchain = "vivado"
link = "pynq"
part = "xc7z007sclg225-1"
lut = 380
ff = 28800
bram18 = 100
dsp = 66
stream_bits = 128
clock_mhz = 100
"""


@pytest.fixture
def here(fashion_files, tmp_path, monkeypatch):
    """A folder with the exploration `small.toml` and 60 training and 20 test images."""
    rng = np.random.default_rng(1)
    fashion_files(*((rng.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n, dtype=np.uint8) % 10) for n in (60, 20)))
    (tmp_path / "small.toml").write_text(TOML)
    (tmp_path / "boards.toml").write_text(BOARDS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def trained(here):
    """The same with its trainings, which are those of an experiment; the spec."""
    spec = read_exploration(Path("small.toml"))
    for (net, seed), recipe in spec.comparison.recipes().items():
        train(recipe, out=spec.comparison.folder(Path("runs"), net, seed), say=lambda *_: None)
    return spec


def ran(*words: str):
    return CliRunner().invoke(main, ["explore", *words], catch_exceptions=False)


def test_costs_are_those_of_the_builds(trained, tmp_path, monkeypatch):
    explorer = Explorer(trained, Path("runs"), Path("out"))
    found = explore(explorer, explorer.train(), simulated=False)
    assert len(found.points) == 2 * 2 + 2 and {p.board for p in found.points} == {"pynq-z2", "tiny"}
    for number, point in enumerate(found.points[::2]):
        work = tmp_path / f"built-{number}"
        for step in ("export", "streamline", "lower", "fold"):
            work.mkdir(exist_ok=True)
            flow.run(step, explorer.settings(point), work)
        ops = operators(model := flow.read(work, flow.FOLDED))
        predicted, needed = timing.predict(ops), fit.estimate(model)
        assert (point.interval, point.latency) == (predicted.interval, predicted.latency)
        assert (point.lut, 2 * point.bram36, point.dsp) == (needed["LUT"], needed["BRAM18"], needed["DSP"])
        assert point.core_fps == 100e6 / predicted.interval
    facts = json.loads((tmp_path / "runs/small" / f"{found.points[0].network}-1" / "run.json").read_text())
    assert found.points[0].accuracies == (facts["final_accuracy"],)
    reasons = {(net, cost.board): cost.reason for net, cost in found.misfits}
    assert len(reasons) == 2 and all("it does not fit tiny" in reason for reason in reasons.values())

    def refuse(*_):
        raise AssertionError("costed again")

    monkeypatch.setattr(costing, "cost", refuse)
    assert explore(explorer, {}, simulated=False) == found, "what was found is kept"
    path = explorer.weights(found.points[0].network)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(AssertionError, match="costed again"):
        explore(explorer, {}, simulated=False)


def test_the_command(trained):
    done = ran("small.toml", "--no-simulate", "--jobs", "1", "--docs", "docs", "--json", "small.json")
    assert done.exit_code == 0, done.output
    points = json.loads(Path("small.json").read_text())["points"]
    assert (
        f"pynq-z2: {sum(p['front'] and p['board'] == 'pynq-z2' for p in points)} of 4 are on the front" in done.output
    )
    with open("out/explore/small/points.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["network"], float(row["fps"]), row["front"]) for row in rows] == [
        (p["network"], p["fps"], str(int(p["front"]))) for p in points
    ]
    page = Path("docs/explore.md").read_text()
    assert page.startswith("# Explore\n") and "written by `signflow explore small.toml`" in page
    assert "![small](explore/small.png)" in page and Path("docs/explore/small.png").stat().st_size > 10_000
    assert Path("out/explore/small/page.html").exists()

    top = max((p for p in points if p["board"] == "pynq-z2" and p["fps"] >= 2e6), key=lambda p: p["accuracy"])
    done = ran("small.toml", "--no-simulate", "--jobs", "1", "--board", "pynq-z2", "--rate", "2e6")
    last = done.output.splitlines()[-1].strip()
    assert f"best for pynq-z2, 2,000,000 images/s: {top['network']}, " in done.output
    build, bitstream = last.split(" && ")
    assert shlex.split(bitstream)[:3] == ["signflow", "bitstream", top["network"]]
    assert Path(re.search(r"--weights (\S+)", build)[1]).exists()
    done = ran("small.toml", "--no-simulate", "--jobs", "1", "--board", "tiny", "--rate", "9e9")
    assert done.exit_code == 1 and "tiny, 9,000,000,000 images/s: no point of small does that" in done.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rate", "5"], "give --board, too"),
        (["--board", "zcu104"], "zcu104 is no board of small; it has pynq-z2, tiny"),
        (["--cluster", "127.0.0.1:1"], "no Dask scheduler answers at '127.0.0.1:1'"),
    ],
)
def test_what_the_command_refuses(here, words, message, monkeypatch):
    if "--cluster" in words:
        pytest.importorskip("distributed")
        monkeypatch.setattr("signflow.models.study.workers.WAIT", 0.5)
    done = ran("small.toml", "--jobs", "1", *words)
    assert done.exit_code in (1, 2) and message in " ".join(done.output.split()), done.output
    assert "Traceback" not in done.output


@pytest.mark.slow
def test_a_whole_exploration(here, monkeypatch):
    """Trained, costed, its front simulated; the printed command builds on what is there; nothing is done twice."""
    done = ran("small.toml", "--jobs", "1", "--board", "tiny", "--json", "small.json")
    assert done.exit_code == 0, done.output
    points = json.loads(Path("small.json").read_text())["points"]
    assert all(p["simulated"] == p["front"] for p in points) and any(p["front"] for p in points)
    command = shlex.split(done.output.splitlines()[-1].strip())
    assert command[:2] == ["signflow", "bitstream"] and "&&" not in command
    made = CliRunner().invoke(main, [*command[1:], "--images", "2"], catch_exceptions=False)
    assert made.exit_code == 3, made.output  # all but the vendor's step

    def refuse(*_, **__):
        raise AssertionError("built again")

    monkeypatch.setattr(flow, "build", refuse)
    again = ran("small.toml", "--jobs", "1", "--board", "tiny", "--json", "again.json")
    assert again.exit_code == 0 and Path("again.json").read_text() == Path("small.json").read_text()
    monkeypatch.undo()
    monkeypatch.chdir(here)
    explorer = Explorer(read_exploration(Path("small.toml")), Path("runs"), Path("out/explore"))
    right = explore(explorer, {}, simulated=False).front[0]
    with pytest.raises(DiffersError, match="cycles in simulation"):
        explorer.simulate([replace(right, latency=right.latency + 1)], lambda *_: None)


@pytest.mark.slow
def test_halving_stops_trainings_for_good(here):
    """Two trainings in processes of their own: one may go on for three epochs; the other seed is trained only of it."""
    pytest.importorskip("optuna")
    text = TOML.replace("epochs = 1", "epochs = 3").replace(
        "[recipe]", "seeds = [1, 2]\n[halving]\nepochs = 1\n[recipe]"
    )
    Path("small.toml").write_text(text)
    for _ in range(2):
        done = ran("small.toml", "--no-simulate", "--jobs", "1", "--json", "small.json")
        assert done.exit_code == 0, done.output
        facts = json.loads(Path("small.json").read_text())
        whole = {p["network"] for p in facts["points"]}
        assert whole | set(facts["stopped"]) == {"tfc-width8-depth1", "tfc-abn-width8-depth1"}
        finished = {path.parent.name for path in Path("runs/small").glob("*/run.json")}
        assert finished == {f"{net}-{seed}" for net in whole for seed in (1, 2)}
        for net, how in facts["stopped"].items():
            assert len(read_log(Path(f"runs/small/{net}-1"))) == how["epochs"] < 3
            assert f"halving stopped {net} after epoch {how['epochs']}" in done.output


@pytest.mark.slow
def test_trainings_on_a_cluster(here):
    """A scheduler and a worker of one thread, as processes of their own."""
    distributed = pytest.importorskip("distributed")
    import dask

    options = {"n_workers": 1, "dashboard_address": None, "local_directory": str(here)}
    dask.config.set(temporary_directory=str(here))
    with distributed.LocalCluster(threads_per_worker=1, processes=True, **options) as cluster:
        done = ran("small.toml", "--no-simulate", "--cluster", cluster.scheduler_address)
    assert done.exit_code == 0, done.output
    assert len(list(Path("runs/small").glob("*/run.json"))) == 2
    with distributed.LocalCluster(threads_per_worker=2, processes=False, **options) as cluster:
        done = ran("small.toml", "--no-simulate", "--cluster", cluster.scheduler_address)
    assert done.exit_code == 1 and "start it with --nthreads 1" in done.output
