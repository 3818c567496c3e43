"""`signflow prove`: the proofs of the RTL as a table, one row a module and set of parameters."""

from itertools import count
from pathlib import Path

from rich.console import Console
from rich.table import Table

from signflow.deploy.command import show
from signflow.deploy.tools import mutants as faulty
from signflow.deploy.tools import prove


def proofs(console: Console, errors: Console, chosen: tuple[str, ...], work: Path, jobs: int) -> bool:
    """Prove and print the table, failures last; whether everything is proved."""
    cases = prove.cases(chosen)
    done = count(1)
    with show.bar(errors, "", len(cases)) as step:
        found = prove.prove(cases, work, jobs, lambda result: step(next(done), result.case.module))
    table = Table(title="proofs of the RTL: every input, any length of time")
    for head in ("module", "parameters", "properties", "by, cycles", "s", ""):
        table.add_column(head, justify="right" if head == "s" else "left")
    for one in found:
        row = (one.case.module, one.case.parameters, ", ".join(one.properties), one.how, f"{one.seconds:.1f}")
        table.add_row(*row, "proved" if one.proved else "undecided" if not one.refuted else "REFUTED")
    console.print(table)
    for one in found:
        for name, why in (one.refuted | one.undecided).items():
            console.print(f"{one.case.module} {one.case.parameters}: {name}: {why}", highlight=False, soft_wrap=True)
    right = [one for one in found if one.proved]
    console.print(
        f"{len(right)} of {len(found)} cases of {len({c.module for c in cases})} modules proved: "
        f"{sum(len(one.properties) for one in right)} properties in {sum(one.seconds for one in found):.0f} s "
        f"of {jobs} processes",
        highlight=False,
    )
    return len(right) == len(found)


def mutants(console: Console, errors: Console, chosen: tuple[str, ...], work: Path, jobs: int) -> bool:
    """Give the proofs faulty modules and print which assertion refutes each; whether all are refuted."""
    faults, done = faulty.mutants(chosen), count(1)
    with show.bar(errors, "", len(faults)) as step:
        found = faulty.refute(faults, work, jobs, lambda mutant, how: step(next(done), mutant.module))
    table = Table(title="faults that the proofs must find")
    for head in ("module", "instead of", "stands", "refuted by"):
        table.add_column(head)
    for mutant, how in found.items():
        table.add_row(mutant.module, mutant.old, mutant.new, how or "SURVIVES")
    console.print(table)
    console.print(f"{sum(map(bool, found.values()))} of {len(found)} faults refuted", highlight=False)
    return all(found.values())
