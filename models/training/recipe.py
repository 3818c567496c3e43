"""What a training does, as a small TOML file: one table `Recipe`, every key documented, every value checked."""

import math
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from signflow.models.data import DATASETS, Augment
from signflow.models.networks import network

CHOICES = {
    "optimiser": ("adam", "sgd"),
    "decay": ("all", "conv"),
    "schedule": ("cosine", "linear", "linear-epochs", "constant"),
    "binarise": ("both", "activations"),
    "loss": ("cross-entropy", "distillation", "distillation+labels"),
}
SMALLEST = {"epochs": 1, "batch": 2, "seed": 0, "crop": 0}
"""Lower bounds of the integers."""
RANGES = {
    "lr": (lambda v: 0 < v < 1, "between 0 and 1"),
    "warmup": (lambda v: 0 <= v < math.inf, ">= 0"),
    "momentum": (lambda v: 0 <= v < 1, "in [0, 1)"),
    "weight_decay": (lambda v: 0 <= v < 1, "in [0, 1)"),
    "agc": (lambda v: 0 <= v < 1, "in [0, 1)"),
    "lighting": (lambda v: 0 <= v < math.inf, ">= 0"),
}
"""Bounds of the real numbers, as test and in words."""


class RecipeError(ValueError):
    """A training recipe has an unknown key or an impossible value, or asks for what is not there."""


@dataclass(frozen=True)
class Recipe:
    """What a recipe file may say. Raises RecipeError when a value has the wrong type or is impossible, or when two
    contradict each other.
    """

    net: str
    """Name in `signflow.models.networks.NETWORKS`."""
    epochs: int
    """Passes over the training set."""
    batch: int = 128
    """Images a step, over all processes together; what remains of an epoch after the last full batch is left out."""
    lr: float = 2e-3
    """Peak learning rate."""
    seed: int = 1
    """Where initial weights, order and augmentation come from."""
    crop: int = 2
    """Random translation by up to this many pixels (zeros enter at the border); 0: none."""
    flip: bool = True
    """Mirror half of the images."""
    amp: bool = True
    """bfloat16 autocast in the forward pass."""
    agc: float = 0.0
    """Adaptive gradient clipping (`signflow.models.training.agc`) of all but the classifier: its lambda; 0: none."""
    clip_latent: bool = True
    """Clamp the latent weights of plain binary layers to [-1, 1] after every step."""
    dataset: str = ""
    """Name in `signflow.models.data.DATASETS`; empty: the one that the network is made for."""
    resized_crop: tuple[float, float] | None = None
    """[low, high]: random part of this share of the area, scaled to the input size; left out: none."""
    lighting: float = 0.0
    """Standard deviation of AlexNet's colour noise; 0: none."""
    optimiser: str = "adam"
    """"adam" or "sgd"."""
    momentum: float = 0.0
    """Of SGD (plain, not Nesterov's)."""
    weight_decay: float = 0.0
    """Added to the gradient times the parameter (L2). Pulls latent weights to the sign change: mostly 0 here."""
    decay: str = "all"
    """Which parameters decay: "all", or "conv": those with four dimensions or with "conv" in their name."""
    schedule: str = "cosine"
    """Learning rate over training, x = steps done / all steps: "cosine" (1 + cos(pi x)) / 2, "linear" 1 - x,
    "constant", or "linear-epochs" 1 - (epoch + 1) / epochs: constant within an epoch, 0 in the last (the BN-free
    authors' code).
    """
    warmup: float = 0.5
    """Epochs over which the learning rate also rises linearly from 0; 0: none."""
    reset_moments: bool = False
    """Begin every epoch with a fresh optimiser (a quirk of the ABN authors' code)."""
    binarise: str = "both"
    """"both", or "activations": binary layers compute with their real weights (step one of two-step training)."""
    init: str = ""
    """Begin with the parameters in this file, by name: `checkpoint.pt`, `best.pt` or `weights.pt` of an earlier run."""
    loss: str = "cross-entropy"
    """"cross-entropy" to the labels; "distillation": to the teacher's softmax; "distillation+labels": mean of both."""
    teacher: str = ""
    """A name in `NETWORKS`, or a TorchScript file (.pt) that maps the student's images to logits."""
    teacher_weights: str = ""
    """Packed weights (.npz) of a teacher in `NETWORKS`; empty: those that ship."""

    def __post_init__(self):
        self._check_types()
        self._check_values()
        self._check_together()

    def _check_types(self) -> None:
        for field in fields(self):
            value, kind = getattr(self, field.name), field.type
            if field.name == "resized_crop":
                object.__setattr__(self, field.name, _pair(value))
            elif kind is float and type(value) is int:
                object.__setattr__(self, field.name, _real(value))
            elif type(value) is not kind:
                raise RecipeError(f"{field.name} = {value!r}: must be {_KINDS[kind]}")

    def _check_values(self) -> None:
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise RecipeError(f"{name} = {getattr(self, name)!r}: must be one of {', '.join(allowed)}")
        for name, low in SMALLEST.items():
            if getattr(self, name) < low:
                raise RecipeError(f"{name} = {getattr(self, name)}: must be an integer >= {low}")
        for name, (holds, words) in RANGES.items():
            if not holds(getattr(self, name)):
                raise RecipeError(f"{name} = {getattr(self, name)}: must be {words}")
        try:
            network(self.net)
        except ValueError as e:
            raise RecipeError(f"net = {self.net!r}: {e}") from e
        try:
            _ = self.augment
        except ValueError as e:
            raise RecipeError(str(e)) from e
        if self.dataset and self.dataset not in DATASETS:
            raise RecipeError(f"dataset = {self.dataset!r}: must be one of {', '.join(DATASETS)}")

    def _check_together(self) -> None:
        if self.momentum and self.optimiser != "sgd":
            raise RecipeError(f'momentum = {self.momentum} belongs to optimiser = "sgd", not to {self.optimiser!r}')
        if self.schedule == "linear-epochs" and self.epochs < 2:
            raise RecipeError('schedule = "linear-epochs" has learning rate 0 in the last epoch: epochs must be >= 2')
        if bool(self.teacher) != (self.loss != "cross-entropy"):
            raise RecipeError(
                f"teacher = {self.teacher!r} and loss = {self.loss!r} contradict each other: distillation needs a "
                "teacher, and a teacher a loss with distillation"
            )
        if self.teacher_weights and not self.teacher:
            raise RecipeError(f"teacher_weights = {self.teacher_weights!r} without a teacher")

    def __str__(self) -> str:
        """What was said and what differs from the defaults."""
        return ", ".join(f"{f.name} {v}" for f in fields(self) if (v := getattr(self, f.name)) != f.default)

    @property
    def augment(self) -> Augment:
        """Its part about augmentation."""
        return Augment(self.crop, self.flip, self.resized_crop, self.lighting)

    @property
    def data(self) -> str:
        """The data set's name."""
        return self.dataset or network(self.net).dataset


_KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "a string"}


def _pair(value) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or [type(v) in (int, float) for v in value] != [True, True]:
        raise RecipeError(f"resized_crop = {value!r}: must be two numbers [low, high]")
    return _real(value[0]), _real(value[1])


def _real(value: float) -> float:
    """Infinite where an integer is too large for a float."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def read_table(path: Path, known: list[str], required: set[str]) -> dict:
    """Read a TOML file that holds no other keys than ``known``, and all of ``required``; raises RecipeError."""
    try:
        table = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as e:
        raise RecipeError(f"{path}: {e}") from e
    if unknown := sorted(set(table) - set(known)):
        raise RecipeError(f"{path}: unknown key {spelled(unknown)}; valid keys: {', '.join(known)}")
    if missing := sorted(required - set(table)):
        raise RecipeError(f"{path}: missing key {', '.join(missing)}")
    return table


def spelled(names: Iterable[str]) -> str:
    """Names of a file in a message: in TOML they may be anything, line breaks included."""
    return ", ".join(name if name.isprintable() else repr(name) for name in names)


def read_recipe(path: Path) -> Recipe:
    """Read a TOML recipe; raises RecipeError that names the file, the key, the value, and what is valid."""
    table = read_table(path, [f.name for f in fields(Recipe)], {"net", "epochs"})
    try:
        return Recipe(**table)
    except RecipeError as e:
        raise RecipeError(f"{path}: {e}") from e


def recipe_of(source: Recipe | Path | str, **keys) -> Recipe:
    """The recipe in a TOML file (a Path, or a name that ends in .toml), a `Recipe`, or one for a network's name, with
    ``keys`` in place of its own. Raises RecipeError as `read_recipe`.
    """
    known = [f.name for f in fields(Recipe)]
    if unknown := sorted(set(keys) - set(known)):
        raise RecipeError(f"unknown key {spelled(unknown)}; valid keys: {', '.join(known)}")
    if isinstance(source, Recipe):
        return replace(source, **keys)
    if isinstance(source, Path) or source.endswith(".toml"):
        return replace(read_recipe(Path(source)), **keys)
    if "epochs" not in keys:
        raise RecipeError(f"{source}: missing key epochs; a name that does not end in .toml is that of a network")
    return Recipe(**{"net": source} | keys)
