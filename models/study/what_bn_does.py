"""Experiment "What BN does for binary training" (theory of Sari, Belbahri and Nia, arXiv 1909.09139, re-derived).

Gradient variance per layer at initialisation, against theory; the sweep over the initialisation's scale; a network that
needs batch normalisation and one that a constant rescues; the variance along training.
"""

from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from signflow.models.study import at_initialisation, trials
from signflow.models.study.training import fashion

TITLE = "What BN does for binary training"


def run(
    out: Path,
    say=print,
    measured: at_initialisation.Effort | None = None,
    trained: trials.Effort | None = None,
) -> str:
    """Run everything (about eight minutes of one core), write ``what-bn-does-*`` pictures and CSV files into ``out``,
    show the tables with ``say``, and return the Markdown of the report's section.
    """
    measured, trained = measured or at_initialisation.Effort(), trained or trials.Effort()
    out.mkdir(parents=True, exist_ok=True)
    data, test = fashion(trained.images)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    sections = []
    with Progress(*columns, refresh_per_second=2) as progress:
        task = progress.add_task("what BN does", total=at_initialisation.ticks(measured) + trained.epochs)

        def tick() -> None:
            progress.advance(task)

        parts = (
            lambda: at_initialisation.section(out, measured, tick),
            lambda: trials.sweep(out, trained, data, test, tick),
            lambda: trials.rescue(out, trained, data, test, tick),
        )
        for part in parts:
            sections.append(part())
            for table in sections[-1].tables:
                say(table.text())
    return "\n".join(section.markdown() for section in sections)
