"""Experiment "What BN does for binary training" (theory of Sari, Belbahri and Nia, arXiv 1909.09139, re-derived).

Gradient variance per layer at initialisation, against theory; the sweep over the initialisation's scale; a network that
needs batch normalisation and one that a constant rescues; the variance along training.
"""

from pathlib import Path

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from signflow.models.study import at_initialisation, rescue, sweep
from signflow.models.study.tables import read_csv, write_csv
from signflow.models.training.record import commit, machine

TITLE = "What does BN do for binary training?"
PARTS = {"initialisation": at_initialisation, "sweep": sweep, "rescue": rescue}
RUNS = "what-bn-does-runs.csv"
"""Which code and hardware made the numbers of each part."""


def _efforts(efforts: dict) -> dict:
    return {name: efforts.get(name) or part.Effort() for name, part in PARTS.items()}


def record(out: Path, efforts: dict | None = None) -> None:
    """Measure everything (about eight minutes of one core) and write ``what-bn-does-*.csv`` into ``out``; ``efforts``
    has other than the usual efforts of `PARTS`.
    """
    out.mkdir(parents=True, exist_ok=True)
    efforts = _efforts(efforts or {})
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, refresh_per_second=2) as progress:
        task = progress.add_task("what BN does", total=sum(effort.ticks for effort in efforts.values()))
        for name, part in PARTS.items():
            part.record(out, efforts[name], lambda: progress.advance(task))
    code, dirty = commit()
    made = [code, dirty, machine(torch.device("cpu")), torch.get_num_threads(), torch.__version__]
    columns = ["part", "commit", "dirty", "device", "threads", "torch"]
    write_csv(out / RUNS, columns, [[name, *made] for name in PARTS])


def section(out: Path, say=print, efforts: dict | None = None) -> str:
    """The Markdown of the report's section from the CSV files in ``out``, which also gets the pictures; shows the
    tables with ``say``.
    """
    efforts = _efforts(efforts or {})
    sections = [part.section(out, efforts[name]) for name, part in PARTS.items()]
    for part in sections:
        for table in part.tables:
            say(table.text())
    origin = [
        f"{row['part']}: commit {row['commit'][:10]}{' (changed files)' if row['dirty'] == 'True' else ''}, "
        f"{row['device']}, {row['threads']} thread(s), torch {row['torch']}"
        for row in read_csv(out / RUNS)
    ]
    files = [path.name for path in sorted(out.glob("what-bn-does-*.csv"))]
    links = ", ".join(f"[results/{name}](results/{name})" for name in files)
    body = "\n".join(part.markdown() for part in sections)
    return f"{body}\nSeeds as in the tables. {'; '.join(origin)}. Every run: {links}.\n"
