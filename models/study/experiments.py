"""The experiments by name: `what-bn-does`, and every comparison in `experiments/compare/`."""

import time
from collections.abc import Callable
from pathlib import Path

import torch

from signflow.models.study import compare, what_bn_does
from signflow.models.study.results import write_section
from signflow.models.study.summary import summarise
from signflow.models.training.recipe import RecipeError
from signflow.models.training.record import ROOT, commit, machine

COMPARISONS = ROOT / "experiments" / "compare"
THEORY = "what-bn-does"


def names() -> list[str]:
    """All experiments; the comparisons come from the source tree."""
    return [THEORY, *sorted(path.stem for path in COMPARISONS.glob("*.toml"))]


def listing() -> str:
    """A line for each experiment."""
    titles = {THEORY: what_bn_does.TITLE}
    for name in names()[1:]:
        titles[name] = compare.read_comparison(COMPARISONS / f"{name}.toml").title
    return "\n".join(f"{name:20} {title}" for name, title in titles.items())


def run(name: str, runs: Path, docs: Path, jobs: int, say: Callable = print) -> None:
    """Do experiment ``name``: runs under ``runs``, pictures and CSV files in ``docs/results``, its section in
    ``docs/results.md``. Raises RecipeError with the known names.
    """
    if name not in names():
        raise RecipeError(f"unknown experiment {name!r}; known experiments: {', '.join(names())}")
    if name == THEORY:
        start, (code, dirty) = time.perf_counter(), commit()
        title, body = what_bn_does.TITLE, what_bn_does.run(docs / "results", say=say)
        body += (
            f"\nCommit {str(code)[:10]}{' (changed files)' if dirty else ''}; seeds as in the tables; "
            f"{machine(torch.device('cpu'))}, {torch.get_num_threads()} thread(s); torch {torch.__version__}; "
            f"{(time.perf_counter() - start) / 60:.0f} minutes.\n"
        )
    else:
        comparison = compare.read_comparison(COMPARISONS / f"{name}.toml")
        compare.run(comparison, runs, jobs)
        table, body = summarise(comparison, compare.collect(comparison, runs), docs / "results")
        title = comparison.title
        say(table.text())
    write_section(docs / "results.md", name, f"## {title}\n\n{body}")
    say(f"section {name} of {docs / 'results.md'} written")
