"""What an exploration is: a TOML file (`experiments/explore/`) that says networks, normalisations, sizes, boards and
rates, whose product is explored, and how the networks are trained.

A training belongs to a network and a seed, and is a run like those of `signflow experiment`: `Exploration.comparison`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from itertools import product
from pathlib import Path

import torch

from signflow.deploy.explore.energy import Energy
from signflow.deploy.explore.front import OBJECTIVES
from signflow.hw.boards import Board, BoardError, boards
from signflow.models.methods import METHODS
from signflow.models.networks import NETWORKS, network
from signflow.models.sizes import can_have, join
from signflow.models.study.compare import Comparison
from signflow.models.study.halving import Halving
from signflow.models.training.recipe import RecipeError, read_table

FASTEST = "fastest"
SIZES = {"width": "width", "depth": "depth", "bits": "stream_bits"}
"""Key of the file -> option of a network's function."""


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
        for key in ("networks", "boards", "targets", "seeds", "objectives"):
            if not getattr(self, key):
                raise ExplorationError(f"{self.name}: {key} is empty: there is nothing to explore")
        for key in fields(self):
            self._check_list(key.name)
        if odd := sorted(set(self.objectives) - set(OBJECTIVES)):
            raise ExplorationError(f"{self.name}: objectives = {odd[0]!r}: must be of {', '.join(OBJECTIVES)}")
        for value in self.targets:
            if value != FASTEST and (type(value) not in (int, float) or not 0 < value < float("inf")):
                raise ExplorationError(f"{self.name}: targets = {value!r}: must be images/s above 0, or {FASTEST!r}")
        self._check_board_names()
        self._check_networks()

    def _check_list(self, key: str) -> None:
        values = getattr(self, key)
        if key in ("networks", "boards", "normalisation", "width", "depth", "bits", "targets", "seeds", "objectives"):
            if not isinstance(values, list):
                raise ExplorationError(f"{self.name}: {key} = {values!r}: must be a list")
            if twice := [v for k, v in enumerate(values) if v in values[:k]]:
                raise ExplorationError(f"{self.name}: {key} has {twice[0]!r} twice")
        if key in SIZES:
            kinds, words = ((int, float), "numbers") if key == "width" else ((int,), "whole numbers")
            for value in values:
                if type(value) not in kinds or not value > 0:
                    raise ExplorationError(f"{self.name}: {key} = {value!r}: must be {words} above 0")

    def _check_board_names(self) -> None:
        try:
            known = boards(Path(self.own_boards) if self.own_boards else None)
        except BoardError as e:
            raise ExplorationError(f"{self.name}: {e}") from e
        if odd := [name for name in self.boards if name not in known]:
            raise ExplorationError(f"{self.name}: unknown board {odd[0]!r}; known boards: {', '.join(known)}")

    def _check_networks(self) -> None:
        for name in self.normalisation:
            if name not in METHODS:
                raise ExplorationError(
                    f"{self.name}: unknown normalisation {name!r}; known normalisations: {', '.join(METHODS)}"
                )
        methods = {one.normalisation for one in self.candidates}
        if odd := sorted(set(self.only) - methods):
            raise ExplorationError(
                f"{self.name}: only.{odd[0]} belongs to no network of the exploration; they have {', '.join(methods)}"
            )
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
            raise ExplorationError(f"{self.name}: unknown key {key}.{odd[0]}; valid keys: {', '.join(known)}")
        try:
            return kind(**table)
        except (TypeError, ValueError) as e:
            raise ExplorationError(f"{self.name}: {key}: {e}") from e

    def on_boards(self) -> Iterator[Board]:
        """The boards."""
        known = boards(Path(self.own_boards) if self.own_boards else None)
        return (known[name] for name in self.boards)


def read_exploration(path: Path) -> Exploration:
    """Read an exploration file; raises ExplorationError, or RecipeError for what is no such TOML file."""
    known = [f.name for f in fields(Exploration) if f.name != "name"]
    table = read_table(path, known, {"title", "networks", "boards", "recipe"})
    if own := table.get("own_boards"):
        table["own_boards"] = str(path.parent / own)
    return Exploration(path.stem, **table)
