"""Two processes, started by torchrun, train as one does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from signflow.models.data import MemorySource
from signflow.models.training import loop
from signflow.models.training.parallel import ALONE, Workers
from signflow.models.training.recipe import Recipe, RecipeError

SCRIPT = """
import os, sys, torch
sys.path.insert(0, os.path.dirname(__file__))
import together
from signflow.models.training.parallel import workers
with workers():
    together.every_run(os.path.dirname(__file__), "-" + os.environ["RANK"])
"""


def source(_name, _split, _size, augment):
    """60 images in ten classes."""
    rng = torch.Generator().manual_seed(7)
    labels = torch.arange(60) % 10
    images = (torch.randint(0, 60, (60, 1, 28, 28), generator=rng) + labels[:, None, None, None] * 19).to(torch.uint8)
    return MemorySource(images, labels, 10, augment)


ONE_STEP = Recipe(
    "tfc-scale", 1, batch=60, lr=0.5, optimiser="sgd", schedule="constant", warmup=0, crop=0, flip=False, amp=False
)
LONG = Recipe("tfc", 3, batch=20)


def every_run(folder: str, suffix: str) -> None:
    """All trainings, in this process' part; leaves the networks' states behind."""
    loop.source = source
    states = {
        "one step": loop.train(ONE_STEP, Path(folder, "one"), say=print).net.state_dict(),
        "long": loop.train(LONG, Path(folder, "long"), say=print).net.state_dict(),
    }
    whole, calls = loop.train_epoch, []

    def killed(*args):
        calls.append(None)
        if len(calls) == 2:
            torch.distributed.barrier()  # the first process has written what the others will read
            raise KeyboardInterrupt
        return whole(*args)

    loop.train_epoch = killed
    try:
        loop.train(LONG, Path(folder, "parts"), say=print)
    except KeyboardInterrupt:
        states["parts"] = loop.train(LONG, Path(folder, "parts"), say=print).net.state_dict()
    finally:
        loop.train_epoch = whole
    torch.save(states, Path(folder, f"states{suffix}.pt"))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """(folder, states of process 0, states of process 1)."""
    folder = tmp_path_factory.mktemp("parallel")
    (folder / "together.py").write_text(Path(__file__).read_text())
    (folder / "script.py").write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    torchrun += ["--log-dir", str(folder / "log")]  # else in the temporary folder, where it stays
    env = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*torchrun, folder / "script.py"], env=env, cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("weights in") == 3  # only the first process speaks
    return folder, *(torch.load(folder / f"states-{rank}.pt", weights_only=True) for rank in (0, 1))


def test_all_processes_hold_the_same_network(both):
    _, first, second = both
    for run, state in first.items():
        assert state.keys() == second[run].keys()
        assert all(torch.equal(value, second[run][name]) for name, value in state.items()), run


def test_without_batch_statistics_a_step_is_that_of_one_process(both, tmp_path, monkeypatch):
    folder, first, _ = both
    monkeypatch.setattr(loop, "source", source)
    torch.manual_seed(ONE_STEP.seed)
    before = loop.network("tfc-scale").build().state_dict()
    alone = loop.train(ONE_STEP, tmp_path, say=lambda _: None).net.state_dict()
    for name, value in alone.items():
        step = (value - before[name]).abs().max()
        assert step > 1e-4 and (value - first["one step"][name]).abs().max() < 1e-4 * step, name
    rows = [(d / "log.csv").read_text().splitlines()[1].split(",") for d in (tmp_path, folder / "one")]
    assert rows[0][2] == rows[1][2] and abs(float(rows[0][1]) - float(rows[1][1])) < 2e-5


def test_two_processes_resume_to_the_bit(both):
    folder, first, _ = both
    assert all(torch.equal(value, first["parts"][name]) for name, value in first["long"].items())
    assert (folder / "long/weights.npz").read_bytes() == (folder / "parts/weights.npz").read_bytes()
    assert '"world_size": 2' in (folder / "long/run.json").read_text()


def test_shares_are_a_partition():
    items = torch.arange(12)
    shares = [Workers(rank, 3, ALONE.device).share(items) for rank in range(3)]
    assert [len(s) for s in shares] == [4, 4, 4] and torch.equal(torch.cat(shares), items)
    assert torch.equal(ALONE.share(items), items)
    uneven = [Workers(rank, 3, ALONE.device).share(torch.arange(10)) for rank in range(3)]
    assert torch.equal(torch.cat(uneven), torch.arange(10))


def test_shares_of_a_batch_are_augmented_apart_and_in_a_common_order():
    images = torch.arange(40, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 6, 6) + 1
    data = MemorySource(images, torch.arange(40), 40, Recipe("tfc", 1).augment)
    recipe = Recipe("tfc", 1, batch=8)
    whole = list(loop.batches(recipe, data, 0))
    parts = [list(loop.batches(recipe, data, 0, Workers(rank, 2, ALONE.device))) for rank in (0, 1)]
    for step, (_, labels) in enumerate(whole):
        assert torch.equal(labels, torch.cat([p[step][1] for p in parts]))
    masks = [torch.cat([(x > 0) for x, _ in p]) for p in parts]
    assert not torch.equal(*masks)  # other translations in the other process


@pytest.mark.parametrize("batch", [2, 9])
def test_a_batch_that_cannot_be_shared(batch, monkeypatch):
    monkeypatch.setattr(loop, "source", source)
    with pytest.raises(RecipeError, match=f"batch = {batch}: must be a multiple of the 2 process"):
        loop._data(Recipe("tfc", 1, batch=batch), loop.network("tfc"), Workers(0, 2, ALONE.device))


def test_one_process_is_not_wrapped():
    net = nn.Linear(2, 2)
    assert ALONE.wrap(net) is net and ALONE.first and not Workers(1, 2, ALONE.device).first
    assert ALONE.total(torch.tensor(3)) == 3
