"""Successive halving against decisions made by hand; what was decided stays decided; one real training in parts."""

import csv
import sys
from concurrent.futures import Executor, Future

import numpy as np
import pytest

pytest.importorskip("optuna")

from signflow.models.study import halving
from signflow.models.study.compare import Comparison
from signflow.models.study.halving import Halving, Stopped, halve
from signflow.models.study.workers import WorkersError, optional
from signflow.models.training import train
from signflow.models.training.record import read_log

NETS = ["tfc", "tfc-abn", "tfc-sd", "tfc-bnfree"]
CURVES = {
    "tfc": [0.50, 0.51, 0.52, 0.53],
    "tfc-abn": [0.60, 0.70, 0.71, 0.72],
    "tfc-sd": [0.40, 0.90, 0.90, 0.90],
    "tfc-bnfree": [0.55, 0.60, 0.80, 0.85],
}


class AtOnce(Executor):
    """Does a task when it is submitted."""

    def submit(self, task, *args):
        future = Future()
        try:
            future.set_result(task(*args))
        except RuntimeError as e:
            future.set_exception(e)
        return future


@pytest.fixture
def trainings(monkeypatch):
    """(net, epoch) of the parts of trainings that were done; each reaches the accuracy in `CURVES`."""
    done = []

    def part(recipe, out, jobs, until):
        out.mkdir(parents=True, exist_ok=True)
        done.append((recipe.net, until))
        with open(out / "log.csv", "w", newline="") as file:
            csv.writer(file).writerows([["test_accuracy"], *([value] for value in CURVES[recipe.net][:until])])

    monkeypatch.setattr(halving, "train_one", part)
    return done


def four(nets=NETS) -> Comparison:
    return Comparison("four", "four", nets, [7, 8], {"epochs": 4})


def test_the_better_half_goes_on(trainings, tmp_path):
    ticked = []
    stopped = halve(four(), {"tfc": NETS}, Halving(1), tmp_path, AtOnce(), 1, ticked.append)
    # after one epoch, in the order of arrival: 0.50 is the best of one; 0.60 of two; 0.40 is not among the best 1 of 3,
    # 0.55 is among the best 2 of 4; after two: 0.51 is the best of one, 0.70 of two, 0.60 is not among the best 1 of 3
    assert stopped == {"tfc-sd": Stopped(1, 0.40), "tfc-bnfree": Stopped(2, 0.60)}
    assert trainings == [
        ("tfc", 1), ("tfc-abn", 1), ("tfc-sd", 1), ("tfc-bnfree", 1),
        ("tfc", 2), ("tfc-abn", 2), ("tfc-bnfree", 2), ("tfc", 4), ("tfc-abn", 4),
    ]  # fmt: skip
    assert sorted(ticked) == sorted(NETS)
    assert (tmp_path / "four/tfc-sd-7/log.csv").exists() and not (tmp_path / "four/tfc-sd-8").exists()


def test_what_was_decided_stays(trainings, tmp_path):
    first = halve(four(), {"tfc": NETS}, Halving(1), tmp_path, AtOnce(), 1)
    done = len(trainings)
    assert halve(four(), {"tfc": NETS}, Halving(1), tmp_path, AtOnce(), 1) == first and len(trainings) == done


def test_an_interrupted_race_goes_on(trainings, tmp_path, monkeypatch):
    whole = halving.train_one

    def breaks(recipe, out, jobs, until):
        if until == 2:
            raise RuntimeError("power cut")
        whole(recipe, out, jobs, until)

    monkeypatch.setattr(halving, "train_one", breaks)
    with pytest.raises(RuntimeError, match="power cut"):
        halve(four(), {"tfc": NETS}, Halving(1), tmp_path, AtOnce(), 1)
    monkeypatch.setattr(halving, "train_one", whole)
    before = len(trainings)
    stopped = halve(four(), {"tfc": NETS}, Halving(1), tmp_path, AtOnce(), 1)
    assert stopped == {"tfc-sd": Stopped(1, 0.40), "tfc-bnfree": Stopped(2, 0.60)}
    assert ("tfc", 1) not in trainings[before:], "what had been reported was not trained again"


def test_only_networks_of_one_size_are_compared(trainings, tmp_path):
    groups = {"small": NETS[:2], "large": NETS[2:]}
    stopped = halve(four(), groups, Halving(2), tmp_path, AtOnce(), 1)
    # small: 0.51 first, then 0.70 beats it; large: 0.90 first, 0.60 does not
    assert stopped == {"tfc-bnfree": Stopped(2, 0.60)}


@pytest.mark.parametrize(
    ("epochs", "factor", "whole", "rungs"), [(1, 2, 8, [1, 2, 4, 8]), (2, 3, 10, [2, 6, 10]), (3, 2, 3, [3])]
)
def test_rungs(epochs, factor, whole, rungs):
    assert Halving(epochs, factor).rungs(whole) == rungs


@pytest.mark.parametrize("keys", [{"epochs": 0}, {"epochs": 1.5}, {"epochs": 1, "factor": 1}, {"epochs": True}])
def test_halving_that_cannot_be(keys):
    with pytest.raises(ValueError, match="must be a whole number, at least"):
        Halving(**keys)


def test_a_missing_package_is_one_message(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(WorkersError, match=r"\[halving\] needs the package optuna: pip install 'signflow\[explore\]'"):
        optional("optuna", "[halving]")


def test_a_training_in_parts_is_the_training(fashion_files, tmp_path):
    rng = np.random.default_rng(1)
    fashion_files(*((rng.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n, dtype=np.uint8) % 10) for n in (60, 20)))
    keys = {"epochs": 3, "batch": 20, "say": lambda *_: None}
    for until in (1, 2, None):
        train("tfc-width8", out=tmp_path / "parts", until=until, **keys)
        assert (tmp_path / "parts/run.json").exists() == (until is None)
    train("tfc-width8", out=tmp_path / "whole", **keys)
    parts, whole = (np.load(tmp_path / name / "weights.npz") for name in ("parts", "whole"))
    assert all((parts[key] == whole[key]).all() for key in whole) and len(read_log(tmp_path / "parts")) == 3
