"""A Dask cluster of two workers, one of which dies in the middle: nothing is lost, nothing counted twice."""

import json
import math
import os
import shutil
import signal
from collections import deque

import numpy as np
import pytest
from click.testing import CliRunner

from signflow.deploy import flow
from signflow.deploy.command.cli import main
from signflow.deploy.verify import spread
from signflow.deploy.verify.images import images_of
from signflow.deploy.verify.ladder import verify
from signflow.models.data import DataError
from signflow.models.study import compare
from signflow.tests.campaigns.soak import Campaign, run, work

pytestmark = pytest.mark.slow
ROW = ("rung", "images", "logits", "mismatches", "accuracy", "first_difference", "against")


@pytest.fixture
def cluster(tmp_path_factory, monkeypatch):
    """(address, what kills one of the two workers, the first time that it is called)."""
    distributed = pytest.importorskip("distributed")
    import dask

    folder = tmp_path_factory.mktemp("cluster")
    monkeypatch.setenv("TMPDIR", str(folder))  # of the workers: who is killed tidies up nothing
    dask.config.set(temporary_directory=str(folder))
    options = {"threads_per_worker": 1, "dashboard_address": None, "local_directory": str(folder)}
    with distributed.LocalCluster(n_workers=2, processes=True, **options) as made:
        killed = []

        def kill(*_) -> None:
            if not killed:
                killed.append(made.workers[0].pid)
                os.kill(killed[0], signal.SIGKILL)

        yield made.scheduler_address, kill
        assert killed, "nobody died"
        with pytest.raises(ProcessLookupError):
            os.kill(killed[0], 0)


def test_verify(cluster, tmp_path, monkeypatch):
    """The same rows as without a cluster, and in the same order what the RTL gave."""
    address, kill = cluster
    monkeypatch.setattr(spread, "SPAN", 8)
    flow.build(flow.Settings("tfc"), tmp_path)
    images, seen = images_of(tmp_path, "sample", 100), []

    def tick(what: str, done: int, total: int | None) -> None:
        seen.append((what, done, total))
        if (what, done) == ("RTL simulation", 16):
            kill()

    alone = verify(tmp_path, images, stall_images=20)
    found = verify(tmp_path, images, stall_images=20, tick=tick, cluster=address)
    found.check()
    rows = [[[row.as_dict()[name] for name in ROW] for row in one.rows] for one in (alone, found)]
    assert rows[0] == rows[1] and found.rows[4].images == 100 and found.rows[5].images == 20
    for stall in (0.0, 0.3):
        here, there = (one.rungs.runs[stall] for one in (alone, found))
        np.testing.assert_array_equal(here.outputs, there.outputs)
    assert found.rungs.runs[0.0].starts == tuple(range(0, 100, 8))
    assert found.cycles["simulated"] == alone.cycles["simulated"] == {
        name: found.cycles["predicted"][name] for name in ("latency", "interval")
    }  # fmt: skip
    steps = [done for what, done, total in seen if what == "RTL simulation" and done]
    assert len(steps) == 13 and steps[-1] == 100 and steps == sorted(set(steps)), "each span once"


def test_a_difference_is_found_there_too(cluster, tmp_path, monkeypatch):
    """One bit of a weight memory: as many logits differ as without a cluster, of the same images."""
    address, kill = cluster
    monkeypatch.setattr(spread, "SPAN", 8)
    flow.build(flow.Settings("tfc"), tmp_path)
    path = next((tmp_path / flow.ACCELERATOR / "mem").glob("*weights.mem"))
    lines = path.read_text().splitlines()
    lines[0] = f"{int(lines[0], 16) ^ 1:0{len(lines[0])}x}"
    path.write_text("\n".join(lines) + "\n")
    images = images_of(tmp_path, "sample", 40)
    alone = verify(tmp_path, images, stall_images=0).rows[-1]
    found = verify(tmp_path, images, stall_images=0, tick=kill, cluster=address).rows[-1]
    assert found.mismatches == alone.mismatches > 0 and found.first_difference == alone.first_difference


@pytest.fixture
def small_data(fashion_files):
    """60 training and 20 test images in Fashion-MNIST's format."""
    rng = np.random.default_rng(1)
    fashion_files(*((rng.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n, dtype=np.uint8) % 10) for n in (60, 20)))


def test_an_experiment(small_data, cluster, tmp_path, monkeypatch):
    """Every training ends once, that of the worker which died, too; and what one raises is raised here."""
    address, kill = cluster
    comparison = compare.Comparison("two", "two nets", ["tfc", "tfc-abn"], [3, 4], {"epochs": 1, "batch": 20})
    real, steps = compare.progress, []

    def progress(*words):
        bar = real(*words)

        class Bar:
            def __enter__(self):
                self.step = bar.__enter__()
                return lambda text: (steps.append(text), kill(), self.step(text))

            def __exit__(self, *error):
                return bar.__exit__(*error)

        return Bar()

    monkeypatch.setattr(compare, "progress", progress)
    compare.run(comparison, tmp_path / "runs", jobs=1, cluster=address)
    assert sorted(steps) == sorted(f"{net}, seed {seed} done" for net in ("tfc", "tfc-abn") for seed in (3, 4))
    assert len(compare.collect(comparison, tmp_path / "runs")) == 4
    shutil.rmtree(tmp_path / "fashion-mnist")
    with pytest.raises(DataError, match="is missing; run `signflow data` once"):
        compare.run(comparison, tmp_path / "others", jobs=1, cluster=address)


def test_a_campaign(cluster, tmp_path):
    """A line for each seed."""
    address, kill = cluster
    campaign = Campaign(range(8), "integer", tmp_path)
    run(campaign, 4, address, 1.0, kill)
    rows = [json.loads(line) for line in campaign.lines.read_text().splitlines()]
    assert sorted(row["seed"] for row in rows) == list(range(8)) and all("covered" in row for row in rows)
    assert campaign.open() == []


def test_a_task_that_kills_every_worker(tmp_path, monkeypatch):
    """It has failed; the others are done."""
    distributed = pytest.importorskip("distributed")
    import dask

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with (
        dask.config.set({"temporary_directory": str(tmp_path), "distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
    ):
        todo = deque([(math.sqrt, 4), (os._exit, 1), (math.sqrt, 9)])
        found = dict(work(todo, 1, cluster.scheduler_address))
    assert found == {(math.sqrt, 4): 2, (os._exit, 1): None, (math.sqrt, 9): 3}


@pytest.mark.parametrize("words", ["verify tfc --out built", "experiment sd-shifts --runs runs --docs ."])
def test_there_is_no_cluster(words, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("signflow.models.study.workers.WAIT", 0.5)
    monkeypatch.chdir(tmp_path)
    flow.build(flow.Settings("tfc"), tmp_path / "built")
    done = CliRunner().invoke(main, [*words.split(), "--cluster", "127.0.0.1:1"])
    assert done.exit_code == 1, done.output
    assert "no Dask scheduler answers at '127.0.0.1:1'" in " ".join(done.output.split())
