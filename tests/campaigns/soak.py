"""A campaign: random networks up the ladder, one for each seed; failing ones shrunk to ready test files.

    python -m signflow.tests.campaigns.soak --seeds 0..999 --until rtl --hours 8

    out/soak/rtl.jsonl            a line for each seed: what it covered, or its fault
    out/soak/rtl/test_seed_7.py   the smallest network that fails as seed 7 does, a test that runs alone

Seeds that have passed are not done again, so a campaign that was killed goes on where it was; seeds that failed are
tried again. Of faults that are probably one, the first is shrunk. Exit code 1 while a seed fails.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from signflow.models.study.compare import progress
from signflow.models.study.workers import KilledError, workers
from signflow.tests.campaigns import cases, shrink

RUNGS = {"integer": "integer graph", "hardware": "accelerator", "rtl": "RTL"}
DIED = "the process died"
SEEDS_OF_A_PROCESS = 50
"""Then a fresh one is started: torch and the compiled programs only grow."""
GROUPS = {
    "operators": lambda name: name.endswith("_sf"),
    "boards": lambda name: name.startswith("board "),
    "foldings": lambda name: name.startswith(("folding: ", "weights in ", "several pixels", "loadable")),
    "images and ends": lambda name: name.startswith(("images ", "end: ")),
    "features": lambda name: True,
}


@dataclass(frozen=True)
class Campaign:
    """Seeds, how far up the ladder, and where the lines lie."""

    seeds: range
    until: str
    """A key of `RUNGS`."""
    out: Path

    @property
    def lines(self) -> Path:
        """A line of JSON for each seed that was done; the last one of a seed counts."""
        return self.out / f"{self.until}.jsonl"

    @property
    def tests(self) -> Path:
        """Folder of the test files."""
        return self.out / self.until

    def done(self) -> dict[int, dict]:
        """Seed -> its line; a last line that was cut by a kill is none."""
        found = {}
        for line in self.lines.read_text().splitlines() if self.lines.exists() else []:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if row["seed"] in self.seeds:
                found[row["seed"]] = row
        return found

    def open(self) -> list[int]:
        """Seeds that are to be done: not done yet, or failed."""
        passed = {seed for seed, row in self.done().items() if "covered" in row}
        return [seed for seed in self.seeds if seed not in passed]

    def note(self, row: dict) -> None:
        """Append a line, a whole one also where the last was cut."""
        self.lines.parent.mkdir(parents=True, exist_ok=True)
        cut = self.lines.exists() and self.lines.read_bytes()[-1:] not in (b"", b"\n")
        with self.lines.open("a") as file:
            file.write("\n" * cut + json.dumps(row) + "\n")


def work(todo: deque, jobs: int, cluster: str) -> Iterator[tuple[tuple, object]]:
    """(task, result) of all tasks (function, *arguments) of ``todo`` as they end, ``jobs`` at a time; tasks may be
    added and removed meanwhile. None for one that kills its process: to find it, what was open is done again, each
    alone.
    """
    while todo:
        running: dict[Future, tuple] = {}
        try:
            with workers(jobs, cluster, SEEDS_OF_A_PROCESS) as pool:
                while todo or running:
                    while todo and len(running) < jobs:
                        future = pool.submit(*todo[0])
                        running[future] = todo.popleft()
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        result = None if _killed(future) else future.result()
                        yield running.pop(future), result
        except KilledError:
            if len(running) == 1:
                yield next(iter(running.values())), None
            else:
                for task in running.values():
                    yield from work(deque([task]), 1, cluster)


def _killed(future: Future) -> bool:
    """Whether a Dask cluster gave a task up, because every worker that had it died."""
    return type(future.exception()).__name__ == "KilledWorker"


def run(
    campaign: Campaign, jobs: int, cluster: str, hours: float, step: Callable[[str], None], seconds: float = 0
) -> None:
    """Do the seeds that are not done or failed; no more are begun after so many ``hours``. A fault that is the first of
    its kind is shrunk for ``seconds`` at most.
    """
    rung, end, known = RUNGS[campaign.until], time.monotonic() + 3600 * hours, set()
    todo = deque((cases.attempt, seed, rung) for seed in campaign.open())
    for (function, seed, *_), result in work(todo, jobs, cluster):
        if function is shrink.shrunk:
            if result:
                shrink.write(campaign.tests, seed, result)
            continue
        row = result or {"seed": seed, "fault": DIED, "rung": "", "error": DIED}
        campaign.note(row)
        step(f"{seed} " + ("failed" if "fault" in row else "done"))
        if seconds and "fault" in row and row["fault"] not in {DIED, *known}:
            known.add(row["fault"])
            todo.appendleft((shrink.shrunk, seed, rung, seconds))
        if time.monotonic() > end:
            for task in [task for task in todo if task[0] is cases.attempt]:
                todo.remove(task)


def covered(rows: list[dict]) -> Table:
    """How many networks had what."""
    passed = [row["covered"] for row in rows if "covered" in row]
    counts, table = Counter(name for names in passed for name in names), Table(title=f"{len(passed)} networks passed")
    for column in ("", "in how many networks"):
        table.add_column(column)
    left = sorted(counts)
    for group, belongs in GROUPS.items():
        names, left = [n for n in left if belongs(n)], [n for n in left if not belongs(n)]
        shown = (f"{re.sub('^(board|folding:|images) |_sf$', '', name)} {counts[name]}" for name in names)
        table.add_row(group, ", ".join(shown))
    return table


def failures(campaign: Campaign, rows: list[dict]) -> Table:
    """One line for each fault."""
    table = Table(title="failed")
    for column in ("fault", "seeds", "smallest"):
        table.add_column(column)
    for fault in sorted({row["fault"] for row in rows if "fault" in row}):
        seeds = [row["seed"] for row in rows if row.get("fault") == fault]
        tests = [str(path) for seed in seeds if (path := shrink.test_of(campaign.tests, seed)).exists()]
        shown = ", ".join(map(str, seeds[:5])) + (f" and {len(seeds) - 5} more" if len(seeds) > 5 else "")
        table.add_row(fault, shown, ", ".join(tests))
    return table


def seeds(text: str) -> range:
    """ "3..7" or "3"; raises ValueError."""
    first, _, last = text.partition("..")
    found = range(int(first), int(last or first) + 1)
    if not found:
        raise ValueError
    return found


def main() -> None:
    """Of the command."""
    words = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    words.add_argument("--seeds", type=seeds, default=range(1000), metavar="A..B", help="both included [0..999]")
    words.add_argument("--hours", type=float, default=1.0, help="begin no seed after so many hours [1]")
    words.add_argument("--until", choices=RUNGS, default="rtl", help="how far up the ladder [rtl]")
    words.add_argument("--jobs", type=int, default=1, help="seeds at a time [1]")
    words.add_argument("--cluster", default="", metavar="ADDRESS", help="on the workers of this Dask scheduler")
    words.add_argument("--shrink", type=float, default=900, metavar="SECONDS", help="for each kind of fault [900]")
    words.add_argument("--out", type=Path, default=Path("out/soak"), help="folder of lines and tests [out/soak]")
    given, console = words.parse_args(), Console()
    campaign = Campaign(given.seeds, given.until, given.out)
    total = len(campaign.seeds)
    with progress("soak", total, total - len(campaign.open())) as step:
        run(campaign, given.jobs, given.cluster, given.hours, step, given.shrink)
    rows = list(campaign.done().values())
    console.print(covered(rows))
    failed = [row for row in rows if "fault" in row]
    if failed:
        console.print(failures(campaign, rows))
    console.print(
        f"{len(rows)} of {total} seeds done, {len(failed)} failed; lines in {campaign.lines}", highlight=False
    )
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
