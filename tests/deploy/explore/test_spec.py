"""What an exploration's file may say: the product it means, and one clear message for what cannot be."""

import re
from pathlib import Path

import pytest

from signflow.deploy.explore.spec import ExplorationError, read_exploration
from signflow.hw.boards import boards
from signflow.models.networks import network
from signflow.models.training.recipe import RecipeError

ROOT = Path(__file__).parents[3]
TOML = """
title = "small"
networks = ["tfc", "sfc-abn"]
normalisation = ["bn", "sd"]
width = [8, 16]
depth = [1]
boards = ["pynq-z2", "ulx3s"]
targets = [1000, "fastest"]
seeds = [1, 2]
[recipe]
epochs = 4
[only.sd]
agc = 0.02
"""
RESIDUAL = """
title = "streams"
networks = ["abn-resnet18-fashion"]
width = [0.1]
bits = [3, 4]
boards = ["zcu104"]
[recipe]
epochs = 1
"""


def read(tmp_path, text: str):
    (tmp_path / "small.toml").write_text(text)
    return read_exploration(tmp_path / "small.toml")


def test_the_product(tmp_path):
    text = TOML.replace('"sfc-abn"', '"sfc"')
    spec = read(tmp_path, text)
    assert [one.name for one in spec.candidates] == [
        f"{base}{norm}-width{width}-depth1" for base in ("tfc", "sfc") for norm in ("", "-sd") for width in (8, 16)
    ]
    recipes = spec.comparison.recipes()
    assert len(recipes) == 16 and {seed for _, seed in recipes} == {1, 2}
    assert all(recipe.agc == (0.02 if "-sd-" in net else 0) for (net, _), recipe in recipes.items())
    assert spec.groups["tfc-width8-depth1"] == ["tfc-width8-depth1", "tfc-sd-width8-depth1"]
    assert [board.name for board in spec.on_boards()] == ["pynq-z2", "ulx3s"] and spec.halves is None


def test_residual_streams(tmp_path):
    names = [one.name for one in read(tmp_path, RESIDUAL).candidates]
    assert names == ["abn-resnet18-fashion-width0.1-3bit", "abn-resnet18-fashion-width0.1-4bit"]
    assert [network(name).option("stream_bits") for name in names] == [3, 4]


GOOD = TOML.replace('"sfc-abn"', '"sfc"')


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title", "tittle", r"unknown key tittle; valid keys: title, networks, boards, recipe, normalisation"),
        ('title = "small"', "", "missing key title"),
        ('"tfc", "sfc"', "", "networks is empty: there is nothing to explore"),
        ('"tfc", "sfc"', '"tfd"', r"unknown network 'tfd' \(did you mean tfc\?\)"),
        ('"tfc", "sfc"', '"tfc", "tfc"', "networks has 'tfc' twice"),
        ('"tfc", "sfc"', '"sfc-abn"', "sfc-abn does not come with the normalisation 'bn'"),
        ('"tfc", "sfc"', '"cnv"', r"cnv has no depth of 1: a spec can vary width of it"),
        ('"bn", "sd"', '"bm"', "normalisation = 'bm': must be of bn, abn"),
        ('"bn", "sd"', '"bn"', "only.sd belongs to no network of the exploration; they have bn"),
        ("[8, 16]", "[0]", "width = 0: must be a number above 0"),
        ("[8, 16]", "[-3]", "width = -3: must be a number above 0"),
        ("[8, 16]", "[0.5]", "tfc has no width of 0.5: width must be whole numbers there"),
        ("[8, 16]", "[inf]", "width = inf: must be a number above 0 and below 100,000, without"),
        ("[8, 16]", "[1e-9]", "width = 1e-09: must be a number above 0 and below 100,000, without"),
        ('"tfc", "sfc"', "3", "networks = 3: must be a name"),
        ("[1, 2]", "[-1]", "seeds = -1: must be a whole number, 0 or more"),
        ('"bn", "sd"', '["bn"]', r"normalisation = \['bn'\]: must be of bn"),
        ("[only.sd]\nagc = 0.02", "[only]\nsd = 3", "only.sd must be a table of keys of a recipe"),
        ('"small"', "3", "title = 3: must be a text"),
        ("[8, 16]", "8", "width = 8: must be a list"),
        ("depth = [1]", "depth = [true]", "depth = True: must be a whole number from 1 to 99"),
        ("depth = [1]", "bits = [4]", "tfc has no bits of 4: a spec can vary width, depth of it"),
        ('"pynq-z2", "ulx3s"', '"pynq-z3"', "unknown board 'pynq-z3'; known boards: pynq-z1"),
        ('"pynq-z2", "ulx3s"', "", "boards is empty"),
        ('1000, "fastest"', "0", "targets = 0: must be a number of images/s above 0, or 'fastest'"),
        ('1000, "fastest"', '"fast"', "targets = 'fast': must be a number of images/s"),
        ("[1, 2]", "[]", "seeds is empty"),
        ("epochs = 4", "epoch = 4", "unknown recipe key epoch; valid keys: agc"),
        ("epochs = 4", "epochs = 0", "epochs = 0: must be an integer >= 1"),
        ("[recipe]", 'objectives = ["speed"]\n[recipe]', "objectives = 'speed': must be of accuracy, images/s, LUT"),
        ("[recipe]", "[halving]\nepochs = 4\n[recipe]", "halving.epochs = 4: must be less than the 4 of the recipe"),
        ("[recipe]", "[halving]\nfactor = 2\n[recipe]", "halving.epochs is missing"),
        ("[recipe]", "[halving]\nepoch = 1\n[recipe]", "unknown key halving.epoch; valid keys: epochs, factor"),
        ("[recipe]", "[energy]\nlut_pj = -1\n[recipe]", "energy: lut_pj = -1: must be a number, 0 or more"),
    ],
)
def test_bad_files(tmp_path, old, new, message):
    assert old in GOOD
    with pytest.raises((ExplorationError, RecipeError), match=message) as found:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert "small" in str(found.value) and len(str(found.value).splitlines()) == 1


def test_a_network_without_channels(tmp_path):
    with pytest.raises(ExplorationError, match=r"width0.001-3bit cannot be built in this size: "):
        read(tmp_path, RESIDUAL.replace("0.1", "0.001"))


def test_a_chain_without_channels(tmp_path):
    text = RESIDUAL.replace("abn-resnet18-fashion", "cnv").replace("bits = [3, 4]", "").replace("0.1", "0.001")
    with pytest.raises(ExplorationError, match=r"cnv-width0.001 cannot be built in this size: "):
        read(tmp_path, text)


def test_halving_needs_something_to_compare(tmp_path):
    with pytest.raises(ExplorationError, match="halving compares normalisations at one size: give two at least"):
        read(tmp_path, RESIDUAL.replace("epochs = 1", "epochs = 4\n[halving]\nepochs = 1"))


def test_boards_of_the_users_own(tmp_path):
    (tmp_path / "mine.toml").write_text("[pynq-z2]\nlut = 1000\n")
    text = GOOD.replace("[recipe]", 'own_boards = "mine.toml"\n[recipe]')
    assert [board.lut for board in read(tmp_path, text).on_boards()] == [1000, boards()["ulx3s"].lut]
    with pytest.raises(ExplorationError, match=r"none\.toml"):
        read(tmp_path, text.replace("mine", "none"))


def test_the_file_of_the_manual(tmp_path):
    (text,) = re.findall(r"^```toml\n(.*?)^```", (ROOT / "docs/explore.md").read_text(), re.M | re.S)
    spec = read(tmp_path, text)
    assert len(spec.candidates) == 6 and spec.halves.rungs(20) == [3, 6, 12, 20]


@pytest.mark.parametrize("path", sorted((ROOT / "experiments/explore").glob("*.toml")), ids=lambda path: path.stem)
def test_the_explorations_that_ship(path):
    spec = read_exploration(path)
    assert len(spec.comparison.recipes()) == len(spec.candidates) * len(spec.seeds)
