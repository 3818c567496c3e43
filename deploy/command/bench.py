"""`signflow bench`: the tables of docs/performance.md, printed while they are measured, and the page."""

import time
from pathlib import Path

import click
from rich.console import Console

from signflow.deploy.bench import networks, operators, page
from signflow.deploy.command import show


def run(console: Console, errors: Console, work: Path, docs: Path) -> None:
    """Measure everything in folders below ``work``, print it, and write the page and its pictures into ``docs``."""
    start = time.perf_counter()
    with show.bar(errors, "operators") as step:
        measured = operators.campaign(work / "operators", tick=lambda done, total, name: step(done, name, total))
    click.echo(page.configurations(measured))
    with show.bar(errors, "networks") as step:
        builds, cores = (
            networks.builds(work / "networks", cases, lambda done, total, name: step(done, name, total))
            for cases in (networks.CASES, networks.CORES)
        )
    click.echo(page.networks([*builds, *cores]))
    click.echo(page.agreement(measured, builds))
    click.echo(page.targets({build.case.name: build for build in (*builds, *cores)}))
    fronts = networks.fronts(work / "networks")
    path = page.write(docs, measured, builds, cores, fronts)
    console.print(f"{path} in {(time.perf_counter() - start) / 60:.1f} minutes", highlight=False)
