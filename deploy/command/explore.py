"""`signflow explore`: trainings, costs and simulations with a bar, the front as tables, picture and page."""

from pathlib import Path
from shlex import join

import click
from rich.console import Console

from signflow.deploy.command import show
from signflow.deploy.explore import tables
from signflow.deploy.explore.front import Point, best
from signflow.deploy.explore.run import Explorer, Found, explore, facts
from signflow.deploy.page import exploration
from signflow.deploy.products import write_json
from signflow.models.files import save_picture
from signflow.models.study.results import write_section

PAGE, PICTURE, CSV = "page.html", "front.png", "points.csv"


def run(
    console: Console, errors: Console, explorer: Explorer, spec: Path, simulated: bool, json_file: Path | None
) -> Found:
    """Explore, print the fronts, and write table, picture and page below the explorer's folder."""
    stopped = explorer.train()
    with show.bar(errors, "") as step:
        found = explore(explorer, stopped, simulated, lambda done, total, doing: step(done, doing, total))
    for table in tables.fronts(found):
        click.echo(table.text())
    click.echo(f"energy is an estimate, not measured: {found.spec.joules}")
    if found.misfits:
        click.echo(f"{len(found.misfits)} points cannot be; the page says why")
    for net, epochs, accuracy in tables.stopped(found):
        click.echo(f"halving stopped {net} after epoch {epochs} at {accuracy}")
    out = explorer.out / explorer.spec.name
    out.mkdir(parents=True, exist_ok=True)
    tables.write(found, out / CSV)
    save_picture(exploration.picture(found), out / PICTURE)
    exploration.write(found, out / PAGE, [join(["signflow", "explore", str(spec)])])
    write_json(facts(found), json_file)
    console.print(f"{CSV}, {PICTURE} and {PAGE} in {out}", highlight=False, soft_wrap=True)
    return found


def choice(found: Found, board: str, rate: float, lut: float) -> None:
    """Print the best point for a board, and the command that makes its bitstream. Raises ValueError for none."""
    asked = f"{board}, {rate:,.0f} images/s" + (f", {lut:,.0f} LUTs" if lut < float("inf") else "")
    if (point := best(found.points, board, rate, lut)) is None:
        raise ValueError(f"{asked}: no point of {found.spec.name} does that; lower the rate, or allow more LUTs")
    _say(found, asked, point)


def choices(found: Found) -> None:
    """Print the best point of every board, at every rate of the exploration."""
    for asked, point in tables.choices(found):
        _say(found, asked, point)


def _say(found: Found, asked: str, point: Point | None) -> None:
    if point is None:
        click.echo(f"best for {asked}: none")
        return
    figures = f"{100 * point.accuracy:.2f} %, {point.fps:,.0f} images/s, {point.lut:,} LUTs"
    click.echo(f"best for {asked}: {point.network}, {figures}")
    click.echo(f"    {found.commands[point]}")


def document(found: Found, spec: Path, docs: Path) -> Path:
    """Write the fronts into ``docs``/explore.md, with picture and CSV in ``docs``/explore; returns the page."""
    name, folder = found.spec.name, docs / "explore"
    folder.mkdir(parents=True, exist_ok=True)
    save_picture(exploration.picture(found), folder / f"{name}.png")
    tables.write(found, folder / f"{name}.csv")
    body = [f"## {found.spec.title}", "", *(t.markdown() for t in tables.fronts(found))]
    body += [f"![{found.spec.title}](explore/{name}.png)", ""]
    body += [
        f"{len(found.runs)} trainings of {found.spec.recipe['epochs']} epochs. Energy is an estimate, not measured: "
        f"{found.spec.joules}. All {len(found.points)} points: [explore/{name}.csv](explore/{name}.csv)."
    ]
    write_section(docs / "explore.md", name, "\n".join(body), join(["signflow", "explore", str(spec)]))
    return docs / "explore.md"
