"""An exploration as one page of HTML: the front, a chooser that answers with a command, all points, how to repeat."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from signflow.deploy.explore.energy import FORMULA
from signflow.deploy.explore.run import Found
from signflow.deploy.explore.tables import COLUMNS, cells, misfits, stopped
from signflow.deploy.page.facts import versions
from signflow.deploy.page.svg import svg
from signflow.deploy.page.template import data, template
from signflow.deploy.pictures.draw_front import draw
from signflow.models.files import replacing
from signflow.models.methods import METHODS


def picture(found: Found):
    """The figure of the front, for the page and as a PNG."""
    norms = dict.fromkeys(point.normalisation for point in found.points)
    return draw(found.spec.title, found.points, found.front, {norm: METHODS[norm].title for norm in norms})


def write(found: Found, path: Path, again: Sequence[str]) -> Path:
    """Write the page to ``path``; returns it. ``again``: the commands that repeat the exploration."""
    rows = [
        {
            "network": p.network, "board": p.board, "cells": cells(p), "front": p in found.front,
            "simulated": p in found.simulated, "accuracy": p.accuracy, "fps": p.fps, "lut": p.lut,
            "command": found.commands[p],
        }
        for p in found.points
    ]  # fmt: skip
    text = template("exploration.html").render(
        title=found.spec.title, name=found.spec.name, objectives=found.spec.objectives, rows=rows, columns=COLUMNS,
        boards=list(dict.fromkeys(p.board for p in found.points)), trainings=len(found.runs),
        networks=len(found.spec.candidates),
        recipe=found.spec.recipe, only=found.spec.only, seeds=found.spec.seeds, formula=FORMULA,
        energy=str(found.spec.joules), misfits=misfits(found), stopped=stopped(found), again=again,
        figure=Markup(svg(picture(found), "accuracy against LUTs and images a second on every board")),
        best=max((p.accuracy for p in found.points), default=0.0), versions=versions(), data=data(rows),
    )  # fmt: skip
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path
