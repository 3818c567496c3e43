"""What an exploration is: a TOML file (`experiments/explore/`) that says networks, normalisations, sizes, boards and
rates, whose product is explored, and how the networks are trained.

A training belongs to a network and a seed, and is a run like those of `signflow experiment`: `Exploration.comparison`.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields
from itertools import product
from pathlib import Path

import torch

from signflow.deploy.explore.energy import Energy
from signflow.deploy.explore.front import OBJECTIVES
from signflow.hw.boards import Board, BoardError, boards
from signflow.models.methods import METHODS
from signflow.models.networks import NETWORKS, network
from signflow.models.sizes import can_have, join, split
from signflow.models.study.compare import Comparison
from signflow.models.study.halving import Halving
from signflow.models.training.recipe import RecipeError, read_table, spelled

FASTEST = "fastest"
SIZES = {"width": "width", "depth": "depth", "bits": "stream_bits"}
"""Key of the file -> option of a network's function."""


TABLES = {"title": str, "own_boards": str, "recipe": dict, "only": dict, "halving": dict, "energy": dict}
WORDS = {str: "a text", dict: "a table"}
REQUIRED = ("networks", "boards", "targets", "seeds", "objectives")


def _number(kinds: tuple[type, ...]) -> Callable[[object], bool]:
    return lambda value: type(value) in kinds and 0 < value <= sys.float_info.max


def _size(option: str, *kinds: type) -> Callable[[object], bool]:
    """Whether a name can have it."""
    return lambda value: _number(kinds)(value) and split(join("x", {option: value})) == ("x", {option: value})


_TEXT = (lambda value: isinstance(value, str), "a name")
LISTS = {
    "networks": _TEXT,
    "boards": _TEXT,
    "normalisation": (lambda value: value in list(METHODS), f"of {', '.join(METHODS)}"),
    "width": (_size("width", int, float), "a number above 0 and below 100,000, without an exponent"),
    "depth": (_size("depth", int), "a whole number from 1 to 99"),
    "bits": (_size("stream_bits", int), "a whole number from 1 to 99"),
    "targets": (
        lambda value: value == FASTEST or _number((int, float))(value),
        f"a number of images/s above 0, or {FASTEST!r}",
    ),
    "seeds": (lambda value: type(value) is int and value >= 0, "a whole number, 0 or more"),
    "objectives": (lambda value: value in list(OBJECTIVES), f"of {', '.join(OBJECTIVES)}"),
}
"""Key that is a list -> what each of its values must be, as a test and in words."""


class ExplorationError(ValueError):
    """An exploration cannot be; the message holds the file, the key, the value, and what is valid."""


@dataclass(frozen=True)
class Candidate:
    """One network of the product."""

    name: str
    """As every command takes it."""
    normalisation: str
    size: str
    """The name without the normalisation: what is compared where halving compares."""


@dataclass(frozen=True)
class Exploration:
    """What an exploration file may say. Raises ExplorationError for what cannot be."""

    name: str
    """Of the file."""
    title: str
    """Heading of page and picture."""
    networks: list[str]
    """Names in `signflow.models.networks.NETWORKS`."""
    boards: list[str]
    """Names in `hw/boards.toml`, or of `own_boards`."""
    recipe: dict
    """Keys of `signflow.models.training.recipe.Recipe` that all trainings share."""
    normalisation: list[str] = field(default_factory=list)
    """Names of `signflow.models.methods.METHODS`; left out: what the networks have."""
    width: list[float] = field(default_factory=list)
    """Values of the option ``width`` of the networks' functions; left out: what they have. So are the next two."""
    depth: list[int] = field(default_factory=list)
    bits: list[int] = field(default_factory=list)
    """Of residual streams."""
    targets: list = field(default_factory=lambda: [FASTEST])
    """Images a second to fold for; "fastest": the fastest folding that fits the board."""
    seeds: list[int] = field(default_factory=lambda: [1])
    """Every network is trained once with each; what is built has the first."""
    only: dict[str, dict] = field(default_factory=dict)
    """Normalisation -> keys that only the recipes of its networks have."""
    objectives: list[str] = field(default_factory=lambda: ["accuracy", "images/s", "LUT"])
    """What the front trades, names of `signflow.deploy.explore.front.OBJECTIVES`."""
    halving: dict = field(default_factory=dict)
    """`signflow.models.study.halving.Halving`; left out: all trainings run to their end."""
    energy: dict = field(default_factory=dict)
    """`signflow.deploy.explore.energy.Energy`, where its assumptions are not to be used."""
    own_boards: str = ""
    """A TOML file of boards in the form of `hw/boards.toml`, beside the exploration's."""

    def __post_init__(self):
        for key, kind in TABLES.items():
            if not isinstance(getattr(self, key), kind):
                raise ExplorationError(f"{self.name}: {key} = {getattr(self, key)!r}: must be {WORDS[kind]}")
        for key, (holds, rule) in LISTS.items():
            self._check_list(key, holds, rule)
        self._check_board_names()
        self._check_networks()

    def _check_list(self, key: str, holds: Callable, rule: str) -> None:
        values = getattr(self, key)
        if not isinstance(values, list):
            raise ExplorationError(f"{self.name}: {key} = {values!r}: must be a list")
        if not values and key in REQUIRED:
            raise ExplorationError(f"{self.name}: {key} is empty: there is nothing to explore")
        for k, value in enumerate(values):
            if not holds(value):
                raise ExplorationError(f"{self.name}: {key} = {value!r}: must be {rule}")
            if value in values[:k]:
                raise ExplorationError(f"{self.name}: {key} has {value!r} twice")

    def _check_board_names(self) -> None:
        try:
            known = boards(Path(self.own_boards) if self.own_boards else None)
        except BoardError as e:
            raise ExplorationError(f"{self.name}: {e}") from e
        if odd := [name for name in self.boards if name not in known]:
            raise ExplorationError(f"{self.name}: unknown board {odd[0]!r}; known boards: {', '.join(known)}")

    def _check_networks(self) -> None:
        if odd := [key for key, keys in self.only.items() if not isinstance(keys, dict)]:
            raise ExplorationError(f"{self.name}: only.{spelled(odd[:1])} must be a table of keys of a recipe")
        methods = list(dict.fromkeys(one.normalisation for one in self.candidates))
        if odd := sorted(set(self.only) - set(methods)):
            rule = f"belongs to no network of the exploration; they have {', '.join(methods)}"
            raise ExplorationError(f"{self.name}: only.{spelled(odd[:1])} {rule}")
        try:
            self.comparison.recipes()
        except RecipeError as e:
            raise ExplorationError(str(e)) from e
        for one in self.candidates:
            self._check_size(one.name)
        _ = self.halves, self.joules

    def _check_size(self, name: str) -> None:
        """Refuse a network in which nothing is left: shapes suffice to know."""
        try:
            with torch.device("meta"):
                shapes = [tuple(p.shape) for p in network(name).build().parameters()]
        except (ValueError, RuntimeError, IndexError, ZeroDivisionError) as e:
            raise ExplorationError(f"{self.name}: {name} cannot be built in this size: {e}") from e
        if any(0 in shape for shape in shapes):
            raise ExplorationError(f"{self.name}: {name} cannot be built in this size: a layer has no channel left")

    @property
    def candidates(self) -> list[Candidate]:
        """All networks of the product, in its order."""
        sizes = [[(SIZES[key], value) for value in getattr(self, key)] for key in SIZES if getattr(self, key)]
        return [
            self._candidate(base, norm, dict(size))
            for base in self.networks
            for norm in self.normalisation or [""]
            for size in product(*sizes)
        ]

    def _candidate(self, base: str, norm: str, size: dict) -> Candidate:
        try:
            row = network(base)
        except ValueError as e:
            raise ExplorationError(f"{self.name}: {e}") from e
        has = row.sizes
        for key, option in SIZES.items():
            if option in size and not can_have({option: size[option]}, has):
                others = ", ".join(k for k, o in SIZES.items() if o in has) or "nothing"
                rule = f"{key} must be whole numbers there" if option in has else f"a spec can vary {others} of it"
                raise ExplorationError(f"{self.name}: {base} has no {key} of {size[option]}: {rule}")
        norm = norm or row.method
        named = base if norm == row.method else f"{base}-{norm}"
        if named not in NETWORKS:
            raise ExplorationError(f"{self.name}: {base} does not come with the normalisation {norm!r}")
        return Candidate(join(named, size), norm, join(base, size))

    @property
    def comparison(self) -> Comparison:
        """Its trainings."""
        only = {one.name: self.only[one.normalisation] for one in self.candidates if one.normalisation in self.only}
        names = [one.name for one in self.candidates]
        return Comparison(self.name, self.title, names, self.seeds, self.recipe, only=only)

    @property
    def groups(self) -> dict[str, list[str]]:
        """Size -> networks of that size: those which halving compares with each other."""
        found: dict[str, list[str]] = {}
        for one in self.candidates:
            found.setdefault(one.size, []).append(one.name)
        return found

    @property
    def halves(self) -> Halving | None:
        """How trainings are stopped early, if they are."""
        if not self.halving:
            return None
        halving = self._of(Halving, "halving")
        epochs = self.recipe["epochs"]
        if halving.epochs >= epochs:
            rule = f"must be less than the {epochs} of the recipe, or nothing is ever stopped"
            raise ExplorationError(f"{self.name}: halving.epochs = {halving.epochs}: {rule}")
        if max(map(len, self.groups.values())) < 2:
            raise ExplorationError(f"{self.name}: halving compares normalisations at one size: give two at least")
        return halving

    @property
    def joules(self) -> Energy:
        """The assumptions of the energy estimate."""
        return self._of(Energy, "energy")

    def _of(self, kind: type, key: str):
        known, table = [f.name for f in fields(kind)], getattr(self, key)
        if odd := sorted(set(table) - set(known)):
            raise ExplorationError(f"{self.name}: unknown key {key}.{spelled(odd[:1])}; valid keys: {', '.join(known)}")
        if missing := [f.name for f in fields(kind) if f.default is MISSING and f.name not in table]:
            raise ExplorationError(f"{self.name}: {key}.{missing[0]} is missing")
        try:
            return kind(**table)
        except ValueError as e:
            raise ExplorationError(f"{self.name}: {key}: {e}") from e

    def on_boards(self) -> Iterator[Board]:
        """The boards."""
        known = boards(Path(self.own_boards) if self.own_boards else None)
        return (known[name] for name in self.boards)


def read_exploration(path: Path) -> Exploration:
    """Read an exploration file; raises ExplorationError, or RecipeError for what is no such TOML file."""
    known = [f.name for f in fields(Exploration) if f.name != "name"]
    table = read_table(path, known, {"title", "networks", "boards", "recipe"})
    if isinstance(own := table.get("own_boards", ""), str) and own:
        table["own_boards"] = str(path.parent / own)
    return Exploration(path.stem, **table)
