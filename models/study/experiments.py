"""The experiments by name: the claims of the papers, `what-bn-does`, and every comparison in `experiments/compare/`.

Doing one and rendering its section are two things: what was measured goes into CSV files in `docs/results/`, and the
section is made of these alone.
"""

from collections.abc import Callable
from pathlib import Path

from signflow.models.study import claims, compare, what_bn_does
from signflow.models.study.results import head, write_section
from signflow.models.study.summary import record, summarise
from signflow.models.training.recipe import RecipeError
from signflow.models.training.record import ROOT

COMPARISONS = ROOT / "experiments" / "compare"
CLAIMS, THEORY = "claims", "what-bn-does"


def names() -> list[str]:
    """All experiments; the comparisons come from the source tree."""
    return [CLAIMS, THEORY, *sorted(path.stem for path in COMPARISONS.glob("*.toml"))]


def _comparison(name: str) -> compare.Comparison:
    return compare.read_comparison(COMPARISONS / f"{name}.toml")


def listing() -> str:
    """A line for each experiment."""
    titles = {CLAIMS: claims.TITLE, THEORY: what_bn_does.TITLE}
    return "\n".join(f"{name:20} {titles.get(name) or _comparison(name).title}" for name in names())


def run(name: str, runs: Path, docs: Path, jobs: int, cluster: str = "", say: Callable = print) -> None:
    """Do experiment ``name``: runs under ``runs``, CSV files in ``docs/results``; then `render` it. Trainings
    are done as `compare.run` has it. Raises RecipeError with the known names.
    """
    known(name)
    if name == THEORY:
        what_bn_does.record(docs / "results")
    elif name != CLAIMS:
        comparison = _comparison(name)
        compare.run(comparison, runs, jobs, cluster)
        record(comparison, compare.collect(comparison, runs), docs / "results")
    render(name, docs, say)


def render(name: str, docs: Path, say: Callable = print) -> None:
    """Draw the pictures of ``name`` and write its section of ``docs/results.md``, from the CSV files in
    ``docs/results`` alone. Raises RecipeError with the known names, and for a file that is missing or of other runs.
    """
    known(name)
    if name == CLAIMS:
        title, body = claims.TITLE, claims.section(docs / "results")
    elif name == THEORY:
        title, body = what_bn_does.TITLE, what_bn_does.section(docs / "results", say)
    else:
        comparison = _comparison(name)
        table, body = summarise(comparison, docs / "results")
        title = comparison.question or comparison.title
        say(table.text())
    write_section(docs / "results.md", name, f"{head(name, title)}\n\n{body}")
    say(f"section {name} of {docs / 'results.md'} written")


def known(name: str) -> None:
    """Raise RecipeError with the known names unless ``name`` is one."""
    if name not in names():
        raise RecipeError(f"unknown experiment {name!r}; known experiments: {', '.join(names())}")
