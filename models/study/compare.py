"""Comparing networks by training each with several seeds: which runs an experiment has, doing them, collecting them.

An experiment is a TOML file in `experiments/compare/`: nets (the first one is the baseline), seeds, what their recipes
have in common, and what only one of them says. Every run is an ordinary, resumable training with a folder of its own,
``<runs>/<experiment>/<net>-<seed>``, so an interrupted experiment goes on where it stopped, and a finished run is never
done again.
"""

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from signflow.models.study.workers import workers
from signflow.models.training.recipe import Recipe, RecipeError, read_table, spelled

FINISHED = "run.json"
"""In the folder of a run that is done."""


def _unique(kind: type, least: object) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, list)
        and value != []
        and all(type(one) is kind and one >= least for one in value)
        and len(set(value)) == len(value)
    )


def _table(holds: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(holds, value.values()))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_TEXT = (_is_text, "a text")
_FORM = {
    "title": _TEXT,
    "nets": (_unique(str, ""), "a list of names, none twice"),
    "seeds": (_unique(int, 0), "a list of whole numbers, 0 or more, none twice"),
    "recipe": (_table(lambda _: True), "a table of keys of a recipe"),
    "question": _TEXT,
    "note": _TEXT,
    "only": (_table(_table(lambda _: True)), "a table of nets, each a table of keys of a recipe"),
    "against": (_table(_is_text), "a table of names of nets"),
    "along": _TEXT,
    "curves": (_table(_table(_is_text)), "a table of curves, each a table of names of nets"),
    "runs": (
        lambda value: _is_text(value) and re.fullmatch(r"(\w[\w.-]*)?", value),
        "letters, digits, '_', '.' and '-'",
    ),
}
"""Key of an experiment file -> (test, rule in words)."""


@dataclass(frozen=True)
class Comparison:
    """What an experiment file may say. Raises RecipeError for impossible recipes."""

    name: str
    """Of the file."""
    title: str
    """What is compared, over its table and picture."""
    nets: list[str]
    """Names in `signflow.models.networks.NETWORKS`; the first is the baseline."""
    seeds: list[int]
    """Every net is trained once with each."""
    recipe: dict
    """Keys of `signflow.models.training.recipe.Recipe` that all runs share."""
    question: str = ""
    """What it answers: heading of its section in the results [the title]."""
    note: str = ""
    """What its numbers do not say: a paragraph behind the answer, Markdown."""
    only: dict[str, dict] = field(default_factory=dict)
    """Keys that only the runs of one net have."""
    against: dict[str, str] = field(default_factory=dict)
    """Net -> another of the nets, where the first is not the one to compare it with."""
    along: str = ""
    """What `curves` run along, the label of their axis."""
    curves: dict[str, dict[str, str]] = field(default_factory=dict)
    """Name of a curve -> place on the axis -> net: the picture shows accuracy along it instead of a box a net."""
    runs: str = ""
    """Folder of the runs; a comparison may share runs with another one [its name]."""

    def __post_init__(self):
        for key, (holds, rule) in _FORM.items():
            if not holds(value := getattr(self, key)):
                raise RecipeError(f"{self.name}: {key} = {value!r}: must be {rule}")

    def recipes(self) -> dict[tuple[str, int], Recipe]:
        """(net, seed) -> recipe, in the order of the tables."""
        if odd := set(self.only) - set(self.nets):
            names = spelled(f"only.{name}" for name in sorted(odd))
            raise RecipeError(f"{self.name}: {names} belongs to no net of the experiment")
        if odd := {*self.against, *self.against.values()} - set(self.nets):
            raise RecipeError(f"{self.name}: against names {spelled(sorted(odd))}, which is no net of the experiment")
        if odd := {net for curve in self.curves.values() for net in curve.values()} - set(self.nets):
            raise RecipeError(f"{self.name}: curves name {spelled(sorted(odd))}, which is no net of the experiment")
        if len({tuple(curve) for curve in self.curves.values()}) > 1:
            raise RecipeError(f"{self.name}: all curves need the same places in the same order")
        return {
            (net, seed): _recipe(self.name, {**self.recipe, **self.only.get(net, {}), "net": net, "seed": seed})
            for net in self.nets
            for seed in self.seeds
        }

    def baseline(self, net: str) -> str:
        """What ``net`` is compared with: as `against` says, else the first of its curve, else the first of all nets."""
        curve = next((list(curve.values()) for curve in self.curves.values() if net in curve.values()), self.nets)
        return self.against.get(net, curve[0])

    def folder(self, runs: Path, net: str, seed: int) -> Path:
        """Where the run of ``net`` with ``seed`` lies under ``runs``."""
        return runs / (self.runs or self.name) / f"{net}-{seed}"


def _recipe(name: str, keys: dict) -> Recipe:
    known = {f.name for f in fields(Recipe)}
    if unknown := sorted(set(keys) - known):
        raise RecipeError(f"{name}: unknown recipe key {spelled(unknown)}; valid keys: {', '.join(sorted(known))}")
    if "epochs" not in keys:
        raise RecipeError(f"{name}: recipe key epochs is missing")
    try:
        return Recipe(**keys)
    except RecipeError as e:
        raise RecipeError(f"{name}: {spelled([keys['net']])}: {e}") from e


def read_comparison(path: Path) -> Comparison:
    """Read an experiment file; raises RecipeError that names the file, the key, and what is valid."""
    known = [f.name for f in fields(Comparison) if f.name != "name"]
    table = read_table(path, known, {"title", "nets", "seeds", "recipe"})
    comparison = Comparison(path.stem, **table)
    comparison.recipes()
    return comparison


def train_one(recipe: Recipe, out: Path, jobs: int, until: int | None = None) -> None:
    """One run, to its end or to epoch ``until``, in a process of its own on its share of the cores that this process
    may use; what it prints goes to `train.log`.
    """
    import torch

    from signflow.models.training import train

    torch.set_num_threads(max(1, torch.get_num_threads() // jobs))
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "train.log", "a") as log, contextlib.redirect_stdout(log):
        train(recipe, out, say=lambda text: print(text, flush=True), until=until)


def run(comparison: Comparison, runs: Path, jobs: int, cluster: str = "") -> None:
    """Do all runs that are not finished, ``jobs`` at a time; the cores are divided among them. ``cluster``: on the
    workers of the Dask cluster at that address instead.

    Raises what a run raises, after the others that had begun have ended.
    """
    recipes = comparison.recipes()
    places = {key: comparison.folder(runs, *key).absolute() for key in recipes}
    todo = [key for key in recipes if not (places[key] / FINISHED).exists()]
    with progress(comparison.name, len(recipes), len(recipes) - len(todo)) as step, workers(jobs, cluster) as pool:
        futures = {pool.submit(train_one, recipes[key], places[key], jobs): key for key in todo}
        for done in as_completed(futures):
            done.result()
            net, seed = futures[done]
            step(f"{net}, seed {seed} done")


@contextmanager
def progress(name: str, total: int, completed: int = 0) -> Iterator[Callable[[str], None]]:
    """A bar of runs; what it gives moves it by one."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, refresh_per_second=1) as bar:
        task = bar.add_task(name, total=total, completed=completed)
        yield lambda text: bar.update(task, advance=1, description=f"{name}: {text}")


def collect(comparison: Comparison, runs: Path) -> list[dict]:
    """The finished runs as rows: net, seed, and the facts of `run.json`.

    Raises RecipeError for a missing run, or one of another recipe.
    """
    rows = []
    for (net, seed), recipe in comparison.recipes().items():
        path = comparison.folder(runs, net, seed) / FINISHED
        if not path.exists():
            raise RecipeError(f"{path} is missing: the run of {net} with seed {seed} is not finished")
        facts = json.loads(path.read_text())
        if facts["recipe"] != json.loads(json.dumps(asdict(recipe))):
            raise RecipeError(f"{path.parent} holds a run of another recipe; delete it, or choose other runs")
        rows.append({"net": net, **{key: value for key, value in facts.items() if key != "recipe"}})
    return rows
