"""The ladder as a person sees it: PyTorch, QONNX, integer graph, hardware graph and RTL simulation in one table."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from signflow.deploy import flow
from signflow.deploy.accelerator import Accelerator
from signflow.deploy.command import show
from signflow.deploy.verify.images import Images
from signflow.deploy.verify.ladder import Row


def table(title: str, rows: Sequence[Row], images: int) -> Table:
    """One line a rung; the accuracy where all ``images`` were used."""
    view = Table(title=title, caption=_notes(rows) or None)
    for column in ("rung", "images", "logits compared", "mismatches", "accuracy", "s"):
        view.add_column(column, justify="left" if column == "rung" else "right")
    for row in rows:
        accuracy = "" if row.accuracy is None or row.images < images else f"{row.accuracy:.2%}"
        view.add_row(
            row.rung,
            f"{row.images:,}",
            f"{row.logits:,}",
            f"{row.mismatches:,}",
            accuracy,
            f"{row.seconds:.1f}",
            style="red" if row.mismatches else "",
        )
    return view


def _notes(rows: Sequence[Row]) -> str:
    """What was compared with another rung than the first."""
    top, notes = rows[0], []
    for row in rows[1:]:
        if row.against != (top.rung,):
            notes.append(f"{row.rung} is compared with {top.rung} on {top.images:,} images, then with {row.against[1]}")
        elif row.images > top.images:
            notes.append(f"{top.rung} runs {top.images:,} images: {row.rung} is compared on these")
    return "\n".join(notes)


def ladder(
    console: Console,
    acc: Accelerator,
    images: Images,
    stall_images: int,
    seed: int,
    cluster: str = "",
    json_file: Path | None = None,
) -> None:
    """`Accelerator.climb`, printed; then raises LadderError when a logit differs."""
    with show.bar(console, "ladder") as step:

        def tick(what: str, done: int, total: int | None) -> None:
            step(done, f"ladder: {what}", total)

        found = acc.climb(images, stall_images=stall_images, seed=seed, tick=tick, cluster=cluster)
    console.print(table(f"{acc.name}: the ladder on {images.name}", found.rows, len(images)))
    facts = found.facts()
    show.cycles(console, facts["cycles"])
    flow.write_json(facts, json_file)
    found.check()
