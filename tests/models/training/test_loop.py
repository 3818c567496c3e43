"""Training: it learns, resumes to the bit, keeps the best, says what it did; packed weights."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from signflow.models import data, networks, weights
from signflow.models.data import Augment, MemorySource
from signflow.models.files import InUseError, locked
from signflow.models.training import loop, record, train
from signflow.models.training.recipe import Recipe, RecipeError


def silent(_):
    """Say nothing."""


draw_curve = record.draw_curve


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """(folder, epochs) of every curve that is asked for; to draw it takes longer than an epoch here."""
    asked = []
    monkeypatch.setattr(record, "draw_curve", lambda out, log: asked.append((out.name, len(log))))
    return asked


@pytest.fixture
def tiny(monkeypatch):
    """A data set of 200 images and a short recipe on the tfc network."""
    rng = torch.Generator().manual_seed(3)
    labels = torch.arange(200) % 10
    images = (torch.randint(0, 60, (200, 1, 28, 28), generator=rng) + labels[:, None, None, None] * 19).to(torch.uint8)
    monkeypatch.setattr(loop, "source", lambda _name, _split, _size, augment: MemorySource(images, labels, 10, augment))
    return Recipe("tfc", epochs=4, batch=50)


CHANGES = {
    "adam": {},
    "sgd, momentum, agc, ede": {"net": "tfc-sd", "optimiser": "sgd", "momentum": 0.9, "agc": 0.04, "warmup": 0.0},
    "standardised": {"net": "tfc-bnfree", "agc": 0.02, "weight_decay": 1e-4, "decay": "conv", "schedule": "linear"},
    "fresh moments": {"net": "tfc-abn", "reset_moments": True, "schedule": "constant", "clip_latent": False},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_a_resumed_run_ends_with_the_same_bytes(tiny, tmp_path, monkeypatch, drawn, changes):
    recipe = replace(tiny, **changes)
    loop.train(recipe, tmp_path / "whole", say=silent)
    real, count = loop.train_epoch, 0

    def killed(*args):
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(loop, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        loop.train(recipe, tmp_path / "parts", say=silent)
    assert not (tmp_path / "parts" / "weights.npz").exists()
    loop.train(recipe, tmp_path / "parts", say=silent)
    for name in ("weights.npz", "best.npz"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "parts" / name).read_bytes()
    whole, parts = (torch.load(tmp_path / d / "checkpoint.pt", weights_only=True) for d in ("whole", "parts"))
    assert all(torch.equal(value, parts["net"][name]) for name, value in whole["net"].items())
    assert repr(whole["optimiser"]) == repr(parts["optimiser"])
    losses = [
        [row.split(",")[:3] for row in (tmp_path / d / "log.csv").read_text().splitlines()] for d in ("whole", "parts")
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 5
    assert drawn == [(folder, epochs) for folder in ("whole", "parts") for epochs in (1, 2, 3, 4)]


def test_the_curve_is_a_picture(tmp_path):
    draw_curve(tmp_path, [[1, 0.5, 0.1, 1.0], [2, 0.4, 0.2, 1.0]])
    assert (tmp_path / "curve.png").read_bytes()[:4] == b"\x89PNG"


def test_a_kill_while_writing_leaves_the_previous_checkpoint(tiny, tmp_path, monkeypatch):
    loop.train(replace(tiny, epochs=1), tmp_path, say=silent)
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def half(path, data):
        with open(path, "wb") as f:
            f.write(data[:4])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(KeyboardInterrupt):
        record.save({}, tmp_path / "checkpoint.pt")
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_a_training_that_is_told_finished_has_its_weights(tiny, tmp_path, monkeypatch):
    """`run.json` makes an experiment take it for done."""

    def killed(net, path):
        if path.name == "weights.npz":
            raise KeyboardInterrupt
        weights.save(net, path)

    monkeypatch.setattr(loop, "_store", killed)
    with pytest.raises(KeyboardInterrupt):
        loop.train(replace(tiny, epochs=1), tmp_path, say=silent)
    assert (tmp_path / "checkpoint.pt").exists() and not (tmp_path / "run.json").exists()


def test_two_trainings_in_one_folder(tiny, tmp_path):
    loop.train(replace(tiny, epochs=1), tmp_path, say=silent)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with locked(tmp_path), pytest.raises(InUseError, match=f"{tmp_path} is in use by process {os.getpid()}"):
        loop.train(replace(tiny, epochs=1), tmp_path, say=silent)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_best_is_the_epoch_of_highest_test_accuracy_and_final_the_last(tiny, tmp_path, monkeypatch):
    scores = iter([0.3, 0.9, 0.9, 0.5])
    monkeypatch.setattr(loop, "accuracy", lambda *_: next(scores))
    seen = []
    real = weights.save
    monkeypatch.setattr(weights, "save", lambda net, path: (seen.append(path.name), real(net, path)))
    loop.train(tiny, tmp_path, say=silent)
    assert seen == ["best.npz", "best.npz", "weights.npz"]
    facts = json.loads((tmp_path / "run.json").read_text())
    assert (facts["final_accuracy"], facts["best_accuracy"], facts["epochs"]) == (0.5, 0.9, 4)
    assert facts["recipe"]["net"] == "tfc" and facts["world_size"] == 1 and facts["torch"] == torch.__version__
    assert list(facts) == sorted(facts) and facts["device"] and len(facts["commit"] or "0" * 40) == 40


def test_fresh_moments_forget_and_momentum_remembers(tiny, tmp_path):
    loop.train(replace(tiny, reset_moments=True), tmp_path / "fresh", say=silent)
    loop.train(tiny, tmp_path / "kept", say=silent)
    steps = [
        torch.load(tmp_path / d / "checkpoint.pt", weights_only=True)["optimiser"]["state"][0]["step"].item()
        for d in ("fresh", "kept")
    ]
    assert steps == [4, 16]  # 4 steps an epoch


def test_only_plain_latent_weights_are_clipped():
    names = ("tfc", "tfc-sd-asd", "tfc-sd", "tfc-bnfree")  # the last two: all but the classifier behind a function
    assert [len(loop.latent_weights(networks.network(name).build())) for name in names] == [4, 4, 1, 1]
    net = networks.network("tfc").build()
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(-3)
    loop.clip_latent_weights(loop.latent_weights(net))
    assert all(p.unique().item() == (-1 if p.ndim == 2 else -3) for p in net.parameters())


def test_every_module_with_a_schedule_is_told_the_progress(tiny, tmp_path, monkeypatch):
    told = []
    build = networks.mlp

    class Listener(torch.nn.Module):
        def set_progress(self, progress):
            told.append(progress)

        def forward(self, x):
            return x

    net = networks.Network(lambda: torch.nn.Sequential(build(64), Listener()), (1, 28, 28), "fashion-mnist")
    monkeypatch.setitem(networks.NETWORKS, "listening", net)
    loop.train(replace(tiny, net="listening"), tmp_path, say=silent)
    assert told == [0.0, 0.25, 0.5, 0.75]


def test_batches_are_a_shuffled_partition_and_differ_from_epoch_to_epoch(tiny):
    images = torch.arange(200, dtype=torch.uint8)[:, None, None, None].repeat(1, 1, 4, 4)
    source = MemorySource(images, torch.arange(200), 200, Augment(crop=1))
    orders = []
    for epoch in (0, 1):
        parts = list(loop.batches(replace(tiny, batch=60), source, epoch))
        assert [len(x) for x, _ in parts] == [60, 60, 60]  # the short rest is dropped
        assert all(torch.equal(x.amax((1, 2, 3)), y.to(torch.uint8)) for x, y in parts)
        orders.append(torch.cat([y for _, y in parts]))
        assert orders[-1].unique().numel() == 180
        again = list(loop.batches(replace(tiny, batch=60), source, epoch))
        assert all(torch.equal(a[0], b[0]) for a, b in zip(parts, again, strict=True))
    assert not torch.equal(*orders)
    assert len({loop.seed_of(*n) for n in [(1, 2), (1, 2, 0), (1, 2, 0, 0), (2, 1), (1, 2, 1, 0)]}) == 5


def test_training_learns(tmp_path, monkeypatch):
    sample = data.source("fashion-mnist", "sample", (28, 28), Augment())
    monkeypatch.setattr(loop, "source", lambda *_: sample)
    net = loop.train(Recipe("tfc", epochs=10, batch=20, crop=0, flip=False), tmp_path, say=silent).net
    assert loop.accuracy(net, sample) > 0.6  # chance is 0.1
    again = weights.load_into(networks.network("tfc").build(), tmp_path / "weights.npz")
    assert loop.accuracy(again, sample) == loop.accuracy(net, sample)


def test_a_training_by_name_and_one_by_file_tell_what_came_out(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.toml").write_text('net = "tfc"\nepochs = 9\nbatch = 50\n')
    by_name = train("tfc", epochs=2, batch=50, say=silent)
    by_file = train("short.toml", epochs=2, say=silent)
    by_recipe = train(replace(tiny, epochs=1), "there", epochs=2, say=silent)
    places = {by_name: "runs/tfc", by_file: "runs/short", by_recipe: "there"}
    for trained, folder in places.items():
        assert str(trained.weights) == f"{folder}/weights.npz" and trained.recipe == replace(tiny, epochs=2)
        assert trained.accuracy == json.loads((tmp_path / folder / "run.json").read_text())["final_accuracy"]
        assert trained.weights.read_bytes() == by_name.weights.read_bytes()
    again = weights.load_into(networks.network("tfc").build(), by_name.weights)
    assert all(torch.equal(value, again.state_dict()[key].cpu()) for key, value in _signs(by_name.net).items())
    assert not by_name.net.training


def _signs(net):
    """The state of a baked network with its binary weights as they are packed."""
    state, binary = net.state_dict(), weights.binary_parameters(net)
    return {k: torch.where(v >= 0, 1.0, -1.0) if k in binary else v for k, v in state.items()}


def test_a_folder_of_another_recipe_is_refused(tiny, tmp_path):
    loop.train(tiny, tmp_path, say=silent)
    with pytest.raises(RecipeError, match="another recipe"):
        loop.train(Recipe("tfc", epochs=5, batch=50), tmp_path, say=silent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 300}, "batch = 300: .* at most the 200 training images"),
        ({"init": "no.pt"}, "init = 'no.pt': no such file; train the step before first"),
        ({"net": "cnv"}, r"fashion-mnist has images \(1, 28, 28\), cnv reads \(1, 32, 32\)"),
    ],
)
def test_what_is_asked_and_is_not_there(tiny, tmp_path, changes, message):
    with pytest.raises(RecipeError, match=message):
        loop.train(replace(tiny, **changes), tmp_path, say=silent)


def test_a_data_set_with_other_classes_is_refused(tiny, tmp_path, monkeypatch):
    images = torch.zeros(200, 1, 28, 28, dtype=torch.uint8)
    monkeypatch.setattr(loop, "source", lambda *_: MemorySource(images, torch.zeros(200).long(), 7, Augment()))
    with pytest.raises(RecipeError, match="fashion-mnist has 7 classes, tfc tells 10 apart"):
        loop.train(tiny, tmp_path, say=silent)


def test_weights_survive_packing(tmp_path):
    torch.manual_seed(1)
    net = networks.mlp(64).eval()
    net[4].running_mean.uniform_(-9, 9)
    images = torch.randint(0, 256, (50, 1, 28, 28), dtype=torch.uint8)
    weights.save(net, tmp_path / "w.npz")
    again = weights.load_into(networks.mlp(64), tmp_path / "w.npz")
    assert torch.equal(networks.predict(net, images), networks.predict(again, images))
    assert set(np.unique(again[3].weight.detach())) == {-1.0, 1.0}
    assert (tmp_path / "w.npz").stat().st_size < 12_000


def test_wrong_weight_files(tmp_path):
    weights.save(networks.mlp(64), tmp_path / "tfc.npz")
    with pytest.raises(weights.WeightsError, match="does not fit"):
        weights.load_into(networks.cnv(1), tmp_path / "tfc.npz")
    with pytest.raises(weights.WeightsError, match="bytes, the network needs"):
        weights.load_into(networks.mlp(256), tmp_path / "tfc.npz")
    (tmp_path / "bad.npz").write_bytes(b"PK not a zip")
    with pytest.raises(weights.WeightsError, match="not a readable weight file"):
        weights.load_into(networks.mlp(64), tmp_path / "bad.npz")
    with pytest.raises(weights.WeightsError, match="no trained weights ship"):
        weights.trained("cnv-cifar")


SHIPPED = sorted(weights.FOLDER.glob("*.npz"))


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[pytest.mark.slow] * p.stem.startswith(("cnv-", "sd-", "react", "abn-"))) for p in SHIPPED],
    ids=[p.stem for p in SHIPPED],
)
def test_shipped_weights_reach_their_logged_accuracy(path):
    spec = networks.network(path.stem)
    sample = data.source(spec.dataset, "sample", spec.input_shape[1:], Augment())
    logged = float((path.parent / f"{path.stem}.csv").read_text().splitlines()[-1].split(",")[2])
    assert abs(loop.accuracy(weights.trained(path.stem), sample) - logged) < 0.03  # 1,000 of the 10,000 images: 3 sigma
