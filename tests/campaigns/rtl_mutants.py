"""Mutants of the RTL, each to be killed by the narrowest that can: a proof of its module, a proof of one that uses it,
a simulation.

    python -m signflow.tests.campaigns.mutants rtl --module sf_fifo --jobs 2

Of all faults of a module (`rtl_faults`) a sample by ``--seed`` is tried: `LEAST` of each, of the rest in proportion.
One that does not elaborate in every case of its proof is none. A proof kills what it refutes; one that is not decided
in time kills nothing. What survives and stands in ``rtl_equivalents.toml`` changes nothing that anyone could see, for
the reason given there; what else survives is a hole in proofs and tests.

Verdicts are lines in ``out/mutants/rtl.jsonl``: a campaign that was interrupted goes on, and one that follows another
tries what is new. What was killed stays so while its module and the parts of it are the same; what survived is tried
again when a proof or a test is another.
"""

import json
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from itertools import count, islice
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from signflow.deploy.command import show
from signflow.deploy.tools import prove
from signflow.deploy.tools.mutants import Mutant

from .rtl_faults import faults
from .rtl_judges import JUDGES, KILLERS

LEAST = 8
COUNT = 640
"""How many there would be without `LEAST`."""
EQUIVALENTS = Path(__file__).with_name("rtl_equivalents.toml")


class Verdicts:
    """What the judges said, kept in a file: "" is "survives"."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.file, rows = file, [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        self.known = {row["key"]: row["how"] for row in rows}

    def of(self, judge: str, mutant: Mutant, work: Path) -> str:
        """What the judge says; it is asked if it has not said it before."""
        kill, answer = (f"{judge} {JUDGES[judge].key(mutant, killed)}" for killed in (True, False))
        if judge in KILLERS and self.known.get(kill):
            return self.known[kill]
        if answer not in self.known:
            how = JUDGES[judge].kills(mutant, work)
            key = kill if how and judge in KILLERS else answer
            self.known[key] = how
            with self.file.open("a") as lines:
                lines.write(json.dumps({"key": key, **asdict(mutant), "how": how}) + "\n")
            return how
        return self.known[answer]


def sample(seed: int, verdicts: Verdicts, work: Path, chosen: list[str]) -> list[Mutant]:
    """The mutants of these modules that elaborate."""
    every = {module: faults(module) for module in prove.modules()}
    among = sum(map(len, every.values()))
    found = []
    for module in chosen:
        rows = random.Random(f"{seed} {module}").sample(every[module], len(every[module]))
        wanted = max(LEAST, round(COUNT * len(rows) / among))
        right = (mutant for mutant in rows if not verdicts.of("elaborates", mutant, work))
        found += islice(right, wanted)
    return found


def equivalents() -> dict[Mutant, str]:
    """Mutants that change nothing, with the reason."""
    rows = tomllib.loads(EQUIVALENTS.read_text())["equivalent"]
    return {Mutant(row["module"], row["old"], row["new"]): row["why"] for row in rows}


def table(rows: dict[Mutant, str]) -> Table:
    """A row a module, of mutants and by what they ended: a judge, "equivalent" or "" for those that survive."""
    ends = {"proof": "proof", "users": "proof of a user", "tests": "test", "equivalent": "equivalent", "": "SURVIVE"}
    shown = Table(title="mutants of the RTL")
    for head in ("module", "mutants", *ends.values()):
        shown.add_column(head, justify="left" if head == "module" else "right")
    modules = sorted({mutant.module for mutant in rows})
    for module in modules:
        told = Counter(end for mutant, end in rows.items() if mutant.module == module)
        shown.add_row(module, str(told.total()), *(str(told[end] or "") for end in ends))
    told = Counter(rows.values())
    shown.add_section()
    shown.add_row(f"{len(modules)} modules", str(told.total()), *(str(told[end]) for end in ends))
    return shown


def _ask(judge: str, mutants: list[Mutant], verdicts: Verdicts, work: Path, jobs: int, step: Callable) -> list[str]:
    done = count(1)
    return prove.spread(
        lambda mutant: verdicts.of(judge, mutant, work),
        mutants,
        jobs,
        lambda mutant, _: step(next(done), f"{judge}: {mutant.module}"),
    )


@click.command()
@click.option("--module", "chosen", multiple=True, help="Only this module; may be repeated.")
@click.option("--seed", default=1, show_default=True, help="Which sample of all faults.")
@click.option("--jobs", default=2, show_default=True, help="Mutants at a time.")
@click.option("--judge", "last", type=click.Choice(KILLERS), default="tests", help="The last one to ask.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/mutants"), show_default=True)
def main(chosen: tuple[str, ...], seed: int, jobs: int, last: str, out: Path) -> None:
    """Give faulty modules to proofs and tests; exit code 1 if one survives."""
    console, errors, out = Console(), Console(stderr=True), out.resolve()
    verdicts, listed = Verdicts(out / "rtl.jsonl"), equivalents()
    mutants = sample(seed, verdicts, out, list(chosen) or prove.modules())
    ends, how = dict.fromkeys(mutants, ""), {}
    for judge in KILLERS[: KILLERS.index(last) + 1]:
        left = [m for m, end in ends.items() if not end and (judge == "proof" or m not in listed)]
        with show.bar(errors, judge, len(left)) as step:
            told = _ask(judge, left, verdicts, out, jobs, step)
        how |= {mutant: by for mutant, by in zip(left, told, strict=True) if by}
        ends |= {mutant: "proof" if judge == "patient" else judge for mutant in left if mutant in how}
    ends |= {mutant: "equivalent" for mutant, end in ends.items() if not end and mutant in listed}
    alike = [mutant for mutant, end in ends.items() if end in ("", "equivalent")]
    with show.bar(errors, "equal", len(alike)) as step:
        equal = dict(zip(alike, _ask("equal", alike, verdicts, out, jobs, step), strict=True))
    console.print(table(ends))
    wrong = {mutant: how[mutant] for mutant in listed if mutant in how}
    for mutant in (mutant for mutant, end in ends.items() if not end):
        said = f"SURVIVES {mutant.module}, equal in {equal[mutant]} cases\n- {mutant.old}\n+ {mutant.new}"
        console.print(said, highlight=False, markup=False, soft_wrap=True)
    for mutant, by in wrong.items():
        said = f"called equivalent, but killed by {by}: {mutant.module}\n- {mutant.old}\n+ {mutant.new}"
        console.print(said, highlight=False, markup=False, soft_wrap=True)
    told = Counter(ends.values())
    of, proved = told.total() - told["equivalent"], [m for m in alike if len(set(equal[m].split(" of "))) == 1]
    said = f"killed {of - told['']} of {of}; of {told['equivalent']} others {len(proved)} proved equal in all cases"
    console.print(said, highlight=False)
    sys.exit(bool(told[""] or wrong))
