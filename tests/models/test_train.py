"""Training: recipes, augmentation, resuming to the bit, packed weights."""

import numpy as np
import pytest
import torch

from signflow.models import networks, train, weights
from signflow.models.data import load
from signflow.models.train import Recipe, RecipeError, augment, read_recipe


@pytest.fixture
def tiny(monkeypatch):
    """A data set of 200 images and a short recipe on the tfc network."""
    rng = torch.Generator().manual_seed(3)
    labels = torch.arange(200) % 10
    images = (torch.randint(0, 60, (200, 1, 28, 28), generator=rng) + labels[:, None, None, None] * 19).to(torch.uint8)
    monkeypatch.setattr(train, "load", lambda *_: (images, labels))
    return Recipe("tfc", epochs=4, batch=50)


def test_a_resumed_run_ends_with_the_same_bytes(tiny, tmp_path, monkeypatch):
    train.train(tiny, tmp_path / "whole", say=lambda _: None)
    real, count = train.train_epoch, 0

    def killed(*args):
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(train, "train_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train.train(tiny, tmp_path / "parts", say=lambda _: None)
    assert not (tmp_path / "parts" / "weights.npz").exists()
    train.train(tiny, tmp_path / "parts", say=lambda _: None)
    assert (tmp_path / "whole/weights.npz").read_bytes() == (tmp_path / "parts/weights.npz").read_bytes()
    losses = [
        [row.split(",")[:3] for row in (tmp_path / d / "log.csv").read_text().splitlines()] for d in ("whole", "parts")
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 5
    assert (tmp_path / "parts/curve.png").read_bytes()[:4] == b"\x89PNG"


def test_training_learns(tmp_path, monkeypatch):
    sample = load("fashion-mnist", "sample", (28, 28))
    monkeypatch.setattr(train, "load", lambda *_: sample)
    net = train.train(Recipe("tfc", epochs=25, batch=50, crop=0, flip=False), tmp_path, say=lambda _: None)
    assert train.accuracy(net, *sample) > 0.6  # chance is 0.1


def test_a_folder_of_another_recipe_is_refused(tiny, tmp_path):
    train.train(tiny, tmp_path, say=lambda _: None)
    with pytest.raises(RecipeError, match="another recipe"):
        train.train(Recipe("tfc", epochs=5, batch=50), tmp_path, say=lambda _: None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('net = "tfc"\nepochs = 1\nlearning_rate = 1', "unknown key learning_rate; valid keys: net, epochs, batch, lr"),
        ('net = "tfc"', "missing key epochs"),
        ('net = "tfc"\nepochs = 0', "epochs = 0: must be an integer >= 1"),
        ('net = "tfc"\nepochs = 1\nlr = 2.0', "lr = 2.0: must lie between 0 and 1"),
        ('net = "vgg"\nepochs = 1', "unknown network 'vgg'"),
        ("net = ", "recipe.toml"),
    ],
)
def test_bad_recipes(tmp_path, text, message):
    (tmp_path / "recipe.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_recipe(tmp_path / "recipe.toml")


def test_augmentation_translates_and_mirrors():
    images = torch.zeros(64, 1, 9, 9, dtype=torch.uint8)
    images[:, 0, 4, 3] = 7
    out = augment(images, 2, True, torch.Generator().manual_seed(0))
    where = out.nonzero()
    assert len(where) == 64 and out.sum(dtype=torch.int64) == 64 * 7
    assert set(where[:, 2].tolist()) == {2, 3, 4, 5, 6}
    assert set(where[:, 3].tolist()) == {1, 2, 3, 4, 5, 6, 7}  # 3 +- 2, mirrored: 5 +- 2
    assert torch.equal(augment(images, 0, False, torch.Generator()), images)


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


@pytest.mark.parametrize("path", sorted((weights.FOLDER).glob("*.npz")), ids=lambda p: p.stem)
def test_shipped_weights_reach_their_logged_accuracy(path):
    spec = networks.network(path.stem)
    images, labels = load(spec.dataset, "sample", spec.input_shape[1:])
    logged = float((path.parent / f"{path.stem}.csv").read_text().splitlines()[-1].split(",")[2])
    assert (
        abs(train.accuracy(weights.trained(path.stem), images, labels) - logged) < 0.03
    )  # 1,000 of the 10,000 images: 3 sigma
