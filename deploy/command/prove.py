"""`signflow prove`: the proofs of the RTL as a table, one row a module and set of parameters; and what is proven of a
build.
"""

from dataclasses import asdict
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from signflow.deploy import products
from signflow.deploy.command import show
from signflow.deploy.flow import write_json
from signflow.deploy.tools import mutants as faulty
from signflow.deploy.tools import prove
from signflow.deploy.verify import check, proven
from signflow.models.study.tables import plain_markdown

MOST = 3
"""Ways or reasons of a module that are told."""


def proofs(
    console: Console, errors: Console, chosen: tuple[str, ...], work: Path, jobs: int, markdown: bool = False
) -> bool:
    """Prove and print the table, failures last; whether everything is proved. ``markdown``: a row a module, as text."""
    cases = prove.cases(chosen)
    done = count(1)
    work.mkdir(parents=True, exist_ok=True)
    with products.locked(work), show.bar(errors, "", len(cases)) as step:
        found = prove.prove(cases, work, jobs, lambda result: step(next(done), result.case.module))
    if markdown:
        print(_markdown(found))
        return all(one.proved for one in found)
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


def _markdown(found: list[prove.Result]) -> str:
    """One row a module: the properties of all its cases, the values that its parameters have, how, and seconds."""
    rows = []
    for module in dict.fromkeys(one.case.module for one in found):
        mine = [one for one in found if one.case.module == module]
        names = dict.fromkeys(name for one in mine for name in one.properties)
        values: dict[str, set[str]] = {}
        for word in (word for one in mine for word in one.case.parameters.split()):
            name, _, value = word.partition("=")
            values.setdefault(name, set()).add("..." if "'" in value else value)
        told = [
            f"{name} {', '.join(sorted(v, key=lambda word: (len(word), word)))}".strip() for name, v in values.items()
        ]
        ways = dict.fromkeys(one.how.split()[0] for one in mine if one.how)
        proved, seconds = sum(one.proved for one in mine), f"{sum(one.seconds for one in mine):.1f}"
        row = f"`{module}`", f"{proved} of {len(mine)}", "; ".join(told), ", ".join(names), ", ".join(ways), seconds
        rows.append(row)
    return plain_markdown(["module", "proved", "parameters", "properties", "by", "s"], rows)


def build(
    console: Console, errors: Console, work: Path, folder: Path, patience: int, jobs: int, json_file: Path | None
) -> bool:
    """Print what is proven of the build in ``work``, and note it there; whether every module has a proof. Raises
    LadderError where the build is wrong, Refuted where a module is.
    """
    with products.locked(work):
        facts = proven.whole(work)
        with console.status("proofs") as status:
            rows = proven.modules(work, folder, patience, jobs, lambda what: status.update(Text(f"proofs: {what}")))
        found = proven.summary(rows)
        check.note(work, found)
    whole = Table(title=f"{work}: what holds for the whole")
    for head in ("what", "", "by", "s"):
        whole.add_column(head, justify="right" if head == "s" else "left")
    for fact in facts:
        whole.add_row(fact.what, fact.found, fact.how, f"{fact.seconds:.1f}" if fact.seconds else "")
    console.print(whole)
    console.print(_modules(rows, found))
    here, sets = (sum(row[name] for row in found.values()) for name in (proven.HERE, "parameters"))
    console.print(
        f"{here} of {sets} sets of parameters proved as they are here, the others' modules at smaller ones; "
        f"{sum(row['instances'] for row in found.values()):,} instances of {len(found)} modules",
        highlight=False,
    )
    kept = [asdict(row) | {"instance": str(row.instance)} for row in rows]
    write_json({"whole": [asdict(fact) for fact in facts], "modules": kept}, json_file)
    return not any(row[proven.NOT] for row in found.values())


def _modules(rows: list[proven.Row], found: dict[str, dict[str, int]]) -> Table:
    """One row a module: how many there are, with how many sets of parameters, and for what it is proven."""
    table = Table(title="modules, and the parameters for which they are proven")
    for head in ("module", "instances", "parameters", "proven", "by, or why not for all of these", "s"):
        table.add_column(head, justify="right" if head in ("instances", "parameters", "s") else "left")
    for module, row in found.items():
        mine = [one for one in rows if one.instance.module == module]
        ways = list(dict.fromkeys(one.how for one in sorted(mine, key=lambda one: one.standing != proven.HERE)))
        told = f"{row[proven.HERE]} of {row['parameters']}" if row[proven.HERE] != row["parameters"] else "all of these"
        told = proven.SMALLER if not row[proven.HERE] else told
        told = proven.NOT if row[proven.NOT] else told
        seconds = sum(one.seconds for one in mine)
        figures = f"{row['instances']:,}", f"{row['parameters']:,}"
        more = ["..."] if len(ways) > MOST else []
        table.add_row(module, *figures, told, "; ".join(ways[:MOST] + more), f"{seconds:.0f}" if seconds else "")
    return table


def mutants(console: Console, errors: Console, chosen: tuple[str, ...], work: Path, jobs: int) -> bool:
    """Give the proofs faulty modules and print which assertion refutes each; whether all are refuted."""
    faults, done = faulty.mutants(chosen), count(1)
    work.mkdir(parents=True, exist_ok=True)
    with products.locked(work), show.bar(errors, "", len(faults)) as step:
        found = faulty.refute(faults, work, jobs, lambda mutant, how: step(next(done), mutant.module))
    table = Table(title="faults that the proofs must find")
    for head in ("module", "instead of", "stands", "refuted by"):
        table.add_column(head)
    for mutant, how in found.items():
        table.add_row(mutant.module, mutant.old, mutant.new, how or "SURVIVES")
    console.print(table)
    console.print(f"{sum(map(bool, found.values()))} of {len(found)} faults refuted", highlight=False)
    return all(found.values())
