"""Boards, recipes, experiments and explorations as TOML; the first line, a comment, says which."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from random import Random

from signflow.deploy.explore.spec import ExplorationError, read_exploration
from signflow.hw.boards import Board, BoardError, boards
from signflow.models.study.compare import read_comparison
from signflow.models.training.recipe import RecipeError, read_recipe

from .door import Door
from .trees import changed, tomled

WORDS = {
    "# boards": (
        ("device", "toolchain", "link", "part", "lut", "ff", "bram18", "dsp", "uram", "stream_bits", "clock_mhz",
         "lut_share", "pynq-z2", "ulx3s", "mine"),
        ("xc7", "xcup", "ecp5", "vivado", "pynq", "serial", 8, 64, 1024, 1e-9, 250),
    ),
    "# recipe": (
        ("net", "epochs", "dataset", "crop", "flip", "seed", "batch", "lr", "optimiser", "schedule", "loss", "teacher",
         "momentum", "resized_crop", "lighting", "agc", "teacher_weights", "weight_decay"),
        ("tfc", "sfc-width64", "mlp-depth3", "sd-resnet20", "cifar10", "sgd", "linear-epochs", [0.08, 1.0]),
    ),
    "# experiment": (
        ("title", "nets", "seeds", "recipe", "question", "note", "only", "against", "along", "curves", "runs"),
        ("sfc", "sfc-abn", "tfc", {"0": "sfc"}, "a/b", ".."),
    ),
    "# exploration": (
        ("title", "networks", "normalisation", "width", "depth", "bits", "boards", "targets", "seeds", "recipe", "only",
         "objectives", "halving", "energy", "own_boards", "epochs", "eta"),
        ("sfc", "cnv", "sd-resnet20", "bn", "abn", "bnfree", "pynq-z2", "ulx3s", "fastest", "accuracy", "images/s",
         "LUT", 1e9, 10**6, "energy"),
    ),
}  # fmt: skip
"""First line -> keys and values that mean something there."""


def _boards(path: Path) -> str:
    """Every board is what `accel.json` will say of it."""
    sides = {"stream_bits": 72, "words": 49}
    for board in boards(path).values():
        assert Board.of(json.loads(json.dumps(board.facts()))) == board
        facts = {"input": sides, "output": sides, "predicted": {"interval": 100}}
        beats, cycles = board.beats(facts), board.link_cycles(facts)
        assert beats["in_beats"] * beats["beat_bits"] >= 49 * 72 and cycles > 0
    return "boards"


def _recipe(path: Path) -> str:
    recipe = read_recipe(path)
    return f"recipe {recipe.data and recipe.augment and str(recipe) and ''}"


def _experiment(path: Path) -> str:
    """All runs have folders of their own under the folder of runs."""
    found = read_comparison(path)
    runs = path.parent / "runs"
    folders = {found.folder(runs, net, seed).resolve() for net, seed in found.recipes()}
    assert all(folder.is_relative_to(runs.resolve() / "") and folder != runs.resolve() for folder in folders)
    assert len(folders) == len(found.nets) * len(found.seeds), "two runs in one folder"
    assert all(found.baseline(net) in found.nets for net in found.nets)
    return "experiment"


def _exploration(path: Path) -> str:
    found = read_exploration(path)
    assert found.candidates and list(found.on_boards()) and found.groups
    return f"exploration {'halved' if found.halves else ''}"


KINDS: dict[str, Callable[[Path], str]] = {
    "# boards": _boards, "# recipe": _recipe, "# experiment": _experiment, "# exploration": _exploration,
}  # fmt: skip


def seeds() -> dict[str, bytes]:
    """One small file of each kind."""
    board = {"device": "xc7", "toolchain": "vivado", "link": "pynq", "part": "xc7z020clg400-1", "lut": 53200, "ff": 1,
             "bram18": 280, "dsp": 220, "stream_bits": 128, "clock_mhz": 100, "lut_share": 0.7}  # fmt: skip
    recipe = {"epochs": 2, "crop": 0, "flip": False}
    experiment = {"title": "t", "nets": ["sfc", "sfc-abn"], "seeds": [1, 2], "recipe": recipe,
                  "only": {"sfc-abn": {"seed": 3}}, "against": {"sfc-abn": "sfc"}, "along": "a",
                  "curves": {"c": {"0": "sfc"}}, "runs": "r", "note": "n", "question": "q"}  # fmt: skip
    exploration = {"title": "t", "networks": ["sfc"], "normalisation": ["bn", "abn"], "width": [64, 32], "depth": [2],
                   "boards": ["pynq-z2"], "targets": [200, "fastest"], "seeds": [1], "objectives": ["accuracy", "LUT"],
                   "recipe": recipe, "only": {"abn": {"seed": 1}}, "halving": {"epochs": 1}, "energy": {}}  # fmt: skip
    resnet = {"title": "t", "networks": ["sd-resnet20"], "bits": [4], "boards": ["pynq-z2"], "recipe": recipe}
    tables = {"boards": {"mine": board, "pynq-z2": {"lut": 9}}, "recipe": {"net": "tfc", "lr": 0.01} | recipe,
              "experiment": experiment, "exploration": exploration}  # fmt: skip
    found = {f"{name}-good.toml": b"# " + name.encode() + b"\n" + tomled(table) for name, table in tables.items()}
    return found | {"exploration-good-bits.toml": b"# exploration\n" + tomled(resnet)}


def enter(path: Path) -> str:
    """The file as its first line says; a recipe where that says nothing."""
    first = path.read_bytes().split(b"\n")[0].decode("latin-1")
    return KINDS.get(first, _recipe)(path)


def change(data: bytes, rng: Random) -> bytes:
    """The same TOML with a changed tree; a good file in the place of one that is none."""
    try:
        tree = tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        data = rng.choice(sorted(seeds().values()))
        tree = tomllib.loads(data.decode())
    first = data.split(b"\n")[0]
    keys, values = WORDS.get(first.decode("latin-1"), WORDS["# recipe"])
    return first + b"\n" + tomled(changed(tree, rng, keys, values))


DOOR = Door("toml", ".toml", enter, (BoardError, RecipeError, ExplorationError), seeds, change, seconds=60)
