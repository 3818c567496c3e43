"""Recipes: every shipped one is valid, every wrong one is refused by key and value; schedules and parameter groups."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from signflow.models import networks
from signflow.models.data import Augment
from signflow.models.training import optimise, recipe
from signflow.models.training.agc import AdaptiveGradientClipping
from signflow.models.training.recipe import Recipe, RecipeError, read_recipe, recipe_of

EXPERIMENTS = Path(recipe.__file__).parents[2] / "experiments"


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.toml")), ids=lambda p: p.stem)
def test_every_shipped_recipe_is_valid_and_describes_itself(path):
    read = read_recipe(path)
    assert read.data in path.stem or path.stem.startswith("fashion")
    assert path.stem.startswith("fashion") or path.read_text().startswith("# ")
    assert path.stem.startswith("fashion") or not read.clip_latent  # none of the papers clips latent weights
    if read.init:
        assert (EXPERIMENTS / f"{Path(read.init).parent.name}.toml").exists()
        first = read_recipe(EXPERIMENTS / f"{Path(read.init).parent.name}.toml")
        assert (first.net, first.binarise, read.binarise) == (read.net, "activations", "both")


def test_every_network_of_the_papers_has_a_recipe():
    nets = {read_recipe(path).net for path in EXPERIMENTS.glob("*.toml")}
    assert set(networks.PAPERS) - nets == {"abn-binarynet-w1"}  # ours: as wide as FINN's CNV


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate = 1", "unknown key learning_rate; valid keys: net, epochs, batch, lr"),
        ("epochs = 0", "epochs = 0: must be an integer >= 1"),
        ('epochs = "3"', "epochs = '3': must be an integer"),
        ("epochs = 3.0", "epochs = 3.0: must be an integer"),
        ("batch = true", "batch = True: must be an integer"),
        ("batch = 1", "batch = 1: must be an integer >= 2"),
        ("flip = 1", "flip = 1: must be true or false"),
        ('lr = "1e-3"', "lr = '1e-3': must be a number"),
        ("lr = true", "lr = True: must be a number"),
        ("lr = 2.0", "lr = 2.0: must be between 0 and 1"),
        ("lr = 0", "lr = 0.0: must be between 0 and 1"),
        ("lr = nan", "lr = nan: must be between 0 and 1"),
        ("agc = -0.1", r"agc = -0.1: must be in \[0, 1\)"),
        ("warmup = -1", "warmup = -1.0: must be >= 0"),
        ("crop = -1", "crop = -1: must be an integer >= 0"),
        ('net = "vgg"', "net = 'vgg': unknown network 'vgg'"),
        ("net = 3", "net = 3: must be a string"),
        ('dataset = "svhn"', "dataset = 'svhn': must be one of mnist, fashion-mnist"),
        ('optimiser = "lion"', "optimiser = 'lion': must be one of adam, sgd"),
        ('schedule = "step"', "schedule = 'step': must be one of cosine, linear, linear-epochs, constant"),
        ('binarise = "weights"', "binarise = 'weights': must be one of both, activations"),
        ('loss = "mse"', "loss = 'mse': must be one of cross-entropy, distillation, distillation\\+labels"),
        ("resized_crop = 0.5", r"resized_crop = 0.5: must be two numbers \[low, high\]"),
        ("resized_crop = [0.1, true]", r"resized_crop = \[0.1, True\]: must be two numbers"),
        ("resized_crop = [0.5, 0.1]", r"resized_crop = \(0.5, 0.1\)"),
        ("momentum = 0.9", "momentum = 0.9 belongs to optimiser = \"sgd\", not to 'adam'"),
        ('teacher = "lfc"', "teacher = 'lfc' and loss = 'cross-entropy' contradict each other"),
        ('loss = "distillation"', "teacher = '' and loss = 'distillation' contradict each other"),
        ('teacher_weights = "a.npz"', "teacher_weights = 'a.npz' without a teacher"),
        ('schedule = "linear-epochs"', "learning rate 0 in the last epoch: epochs must be >= 2"),
        ("seed = ", "recipe.toml"),
    ],
)
def test_bad_recipes_are_named_by_file_key_and_value(tmp_path, text, message):
    key = text.split(" ")[0]
    rest = [line for line in ('net = "tfc"', "epochs = 1") if not line.startswith(f"{key} ")]
    (tmp_path / "recipe.toml").write_text("\n".join([text, *rest]))
    with pytest.raises(RecipeError, match=message) as e:
        read_recipe(tmp_path / "recipe.toml")
    assert "recipe.toml" in str(e.value)


def test_a_recipe_comes_from_a_name_a_file_or_a_recipe(tmp_path):
    (tmp_path / "recipe.toml").write_text('net = "tfc"\nepochs = 1\nseed = 4')
    want = Recipe("tfc", 3, seed=4)
    for source in (str(tmp_path / "recipe.toml"), tmp_path / "recipe.toml", Recipe("tfc", 1, seed=4)):
        assert recipe_of(source, epochs=3) == want
    assert recipe_of("tfc", epochs=3, seed=4) == want
    for source, keys, message in (
        ("tfc", {}, "tfc: missing key epochs"),
        ("tfc", {"epochs": 1, "rate": 1}, "unknown key rate; valid keys: net, epochs, batch"),
        ("vgg", {"epochs": 1}, "net = 'vgg': unknown network"),
        (want, {"batch": 1}, "batch = 1: must be an integer >= 2"),
        (tmp_path / "nowhere", {}, "nowhere"),
    ):
        with pytest.raises(RecipeError, match=message):
            recipe_of(source, **keys)


def test_missing_keys_and_files(tmp_path):
    (tmp_path / "recipe.toml").write_text('net = "tfc"')
    with pytest.raises(RecipeError, match="missing key epochs"):
        read_recipe(tmp_path / "recipe.toml")
    with pytest.raises(RecipeError, match=r"nowhere\.toml"):
        read_recipe(tmp_path / "nowhere.toml")


def test_integers_become_reals_and_lists_pairs():
    read = Recipe("tfc", 3, warmup=1, resized_crop=[0.25, 1], lighting=0)
    assert isinstance(read.warmup, float) and read.resized_crop == (0.25, 1.0)
    assert read.augment == Augment(2, True, (0.25, 1.0), 0.0)
    assert read.data == "fashion-mnist" and Recipe("tfc", 3, dataset="mnist").data == "mnist"


def test_a_recipe_in_words():
    assert str(Recipe("tfc", 3, lr=0.1, flip=False)) == "net tfc, epochs 3, lr 0.1, flip False"


def test_every_key_is_documented():
    text = Path(recipe.__file__).read_text()
    for field in fields(Recipe):
        after = text.split(f"    {field.name}: ", 1)[1].split("\n", 2)
        assert after[1].startswith('    """'), field.name


def rates(**keys):
    """Learning rates of 3 epochs with 4 steps each."""
    r = Recipe("tfc", 3, lr=0.5, **keys)
    return np.array([optimise.learning_rate(r, step, 4) for step in range(12)])


def test_schedules():
    x = np.arange(12) / 12
    np.testing.assert_allclose(rates(schedule="cosine", warmup=0), 0.25 * (1 + np.cos(np.pi * x)), rtol=1e-15)
    np.testing.assert_allclose(rates(schedule="linear", warmup=0), 0.5 * (1 - x), rtol=1e-15)
    assert np.array_equal(rates(schedule="constant", warmup=0), np.full(12, 0.5))
    want = np.repeat([0.5 * 2 / 3, 0.5 / 3, 0], 4)
    np.testing.assert_allclose(rates(schedule="linear-epochs", warmup=0), want, rtol=1e-15)


def test_warm_up_rises_to_the_schedule():
    warm = np.minimum(1, (np.arange(12) + 1) / 6)
    np.testing.assert_allclose(rates(schedule="constant", warmup=1.5), 0.5 * warm, rtol=1e-15)
    np.testing.assert_allclose(rates(warmup=1.5), rates(warmup=0) * warm, rtol=1e-15)


def toy() -> nn.Module:
    """A convolution with a real and a "conv"-named vector, and others."""
    net = nn.Sequential()
    net.add_module("first", nn.Conv2d(1, 2, 3, bias=True))
    net.add_module("conv_gain", nn.PReLU(2))
    net.add_module("fc", nn.Linear(2, 2))
    return net


def names(net, groups):
    """Names instead of parameters, and the decay, of each group."""
    by_id = {id(p): n for n, p in net.named_parameters()}
    return [([by_id[id(p)] for p in g["params"]], g["weight_decay"]) for g in groups]


def test_who_decays():
    net = toy()
    everyone = [n for n, _ in net.named_parameters()]
    assert names(net, optimise.groups(net, Recipe("tfc", 3, weight_decay=1e-4))) == [(everyone, 1e-4)]
    some = optimise.groups(net, Recipe("tfc", 3, weight_decay=1e-4, decay="conv"))
    assert names(net, some) == [
        (["first.weight", "conv_gain.weight"], 1e-4),
        (["first.bias", "fc.weight", "fc.bias"], 0.0),
    ]


def test_the_optimiser_is_the_one_asked_for():
    net = toy()
    sgd = optimise.optimiser(net, Recipe("tfc", 3, optimiser="sgd", momentum=0.9, lr=0.1, weight_decay=1e-4))
    assert isinstance(sgd, torch.optim.SGD)
    group = sgd.param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"], group["nesterov"]) == (0.1, 0.9, 1e-4, False)
    adam = optimise.optimiser(net, Recipe("tfc", 3))
    assert isinstance(adam, torch.optim.Adam) and adam.param_groups[0]["weight_decay"] == 0
    clipping = optimise.optimiser(net, Recipe("tfc", 3, agc=0.02))
    assert isinstance(clipping, AdaptiveGradientClipping) and clipping.clip == 0.02
    assert len(clipping.parameters) == len(list(net.parameters())) - 2  # but the classifier's two


def test_unknown_network_says_where_the_known_ones_stand():
    with pytest.raises(RecipeError, match=r"unknown network 'vgg'.*`signflow networks` lists them"):
        Recipe("vgg", 3)
    assert "vgg" not in networks.NETWORKS
