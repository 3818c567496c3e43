"""A mutation score of the compiler and the layers: `make mutants` runs it, or

    python -m signflow.tests.campaigns.mutants python [--count 400] [--seed 1] [--jobs 2] [--limit 60] [--only PATH]

`python_sites.py` draws the mutants, `python_reach.py` says which tests run the mutated function, `python_server.py`
runs these on each. Results are kept in `out/mutants/python.jsonl`: one that was interrupted goes on, and only those
mutants are tried again whose file has changed, or the tests that decided. A mutant that no test can find, since it
computes the same, stands with its reason in `python_equivalents.toml`.

The exit code is 1 if a mutant survives that is not listed there.
"""

import argparse
import hashlib
import json
import sys
import tomllib
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from . import python_server as server
from .python_reach import Reach, digest
from .python_sites import ROOT, Mutant, files, sample

KEPT = ROOT / "out" / "mutants" / "python.jsonl"
LISTED = Path(__file__).with_name("python_equivalents.toml")
VERDICTS = ("killed", "hang", "equivalent", "survived")


@dataclass
class Results:
    """Outcomes by mutant, in a file that only grows."""

    file: Path = KEPT
    lines: dict[str, dict] = field(default_factory=dict)

    def __post_init__(self):
        if self.file.exists():
            read = [json.loads(line) for line in self.file.read_text().splitlines() if line.endswith("}")]
            self.lines = {line["key"]: line for line in read}

    def known(self, mutant: Mutant, stages: list[dict[str, float]]) -> server.Outcome | None:
        """What was found before, if the tests that found it are still the same."""
        line = self.lines.get(_key(mutant))
        if line and line["decided"] == _decided(server.Outcome(line["verdict"], line["by"]), stages):
            return server.Outcome(line["verdict"], line["by"])
        return None

    def add(self, mutant: Mutant, stages: list[dict[str, float]], outcome: server.Outcome) -> None:
        """Keep it."""
        about = {"path": mutant.path, "line": mutant.line, "before": mutant.before, "after": mutant.after}
        line = {"key": _key(mutant), "verdict": outcome.verdict, "by": outcome.by, "decided": _decided(outcome, stages)}
        self.lines[line["key"]] = line
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as out:
            out.write(json.dumps(line | about) + "\n")


def listed() -> dict[tuple[str, str, str, int], str]:
    """The name of every mutant that is known to compute the same -> why it does."""
    read = tomllib.loads(LISTED.read_text())["mutant"]
    return {(one["path"], one["before"], one["after"], one.get("nth", 0)): one["reason"] for one in read}


def main(arguments: list[str]) -> None:
    """Run the campaign and print its table."""
    parser = argparse.ArgumentParser(prog="mutants python", description=__doc__.split(":")[0])
    parser.add_argument("--count", type=int, default=400, help="how many mutants [%(default)s]")
    parser.add_argument("--seed", type=int, default=1, help="of the draw [%(default)s]")
    parser.add_argument("--jobs", type=int, default=2, help="processes [%(default)s]")
    parser.add_argument("--limit", type=float, default=60, help="seconds of tests for one mutant [%(default)s]")
    parser.add_argument("--only", default="", help="mutants of the files whose path begins so")
    options = parser.parse_args(arguments)
    drawn = [mutant for mutant in sample(options.count, options.seed, files()) if mutant.path.startswith(options.only)]
    outcomes = run(drawn, options.jobs, options.limit)
    report(outcomes)
    sys.exit(any(outcome.verdict == "survived" for outcome in outcomes.values()))


def run(drawn: list[Mutant], jobs: int, limit: float) -> dict[Mutant, server.Outcome]:
    """The outcome of each, from the results that are kept or of now."""
    reach, results, same = Reach(), Results(), listed()
    columns = ("{task.description}", *Progress.get_default_columns()[1:2], MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, auto_refresh=False) as bar:
        server.warm_up()
        with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
            missing = reach.missing()
            traces = {pool.submit(server.trace, path): path for path in missing}
            for done in _shown(bar, "which test runs what", traces):
                reach.add(traces[done], done.result())
            tests = {mutant: reach.stages(mutant, limit) for mutant in drawn}
            found = {mutant: server.Outcome("equivalent", "") for mutant in drawn if mutant.name in same}
            found |= {m: known for m in drawn if m not in found and (known := results.known(m, tests[m]))}
            trials = {pool.submit(server.try_stages, m, tests[m]): m for m in drawn if m not in found}
            for done in _shown(bar, "mutants", trials):
                mutant = trials[done]
                found[mutant] = done.result()
                results.add(mutant, tests[mutant], found[mutant])
    return {mutant: found[mutant] for mutant in drawn}


def report(outcomes: dict[Mutant, server.Outcome]) -> None:
    """Print the table by file, the survivors and the score."""
    console = Console(width=max(Console().width, 100))
    table = Table("file", "mutants", *VERDICTS, box=None)
    total: Counter = Counter()
    for path in dict.fromkeys(mutant.path for mutant in outcomes):
        count = Counter(outcome.verdict for mutant, outcome in outcomes.items() if mutant.path == path)
        total += count
        table.add_row(path, str(count.total()), *(str(count[verdict] or "") for verdict in VERDICTS))
    table.add_row("all", str(total.total()), *(str(total[verdict]) for verdict in VERDICTS))
    console.print(table)
    for mutant, outcome in outcomes.items():
        if outcome.verdict == "survived":
            console.print(f"survives: {mutant.path}:{mutant.line}", markup=False, highlight=False)
            console.print(f"    {mutant.before}\n -> {mutant.after}", markup=False, highlight=False, soft_wrap=True)
    found, all_ = total["killed"] + total["hang"], total.total() - total["equivalent"]
    console.print(f"score: {found} of {all_} killed, {100 * found / max(all_, 1):.1f} %", highlight=False)


def _shown(bar: Progress, text: str, futures):
    """`futures` as they are done, on a bar."""
    task = bar.add_task(text, total=len(futures))
    for done in as_completed(futures):
        yield done
        bar.update(task, advance=1, refresh=True)


def _key(mutant: Mutant) -> str:
    return hashlib.sha256(repr((mutant.path, mutant.source)).encode()).hexdigest()


def _decided(outcome: server.Outcome, stages: list[dict[str, float]]) -> str:
    """Of the test file that found the mutant, or of all those tests that did not."""
    names = sorted(test for tests in stages for test in tests) if outcome.verdict == "survived" else [outcome.by]
    paths = sorted({name.split("::")[0] for name in names})
    contents = [digest(path) if (ROOT / path).is_file() else "" for path in paths]
    return hashlib.sha256(repr((names, contents)).encode()).hexdigest()
