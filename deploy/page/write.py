"""`write` makes the page of a build: `facts` from its products, `samples` through every rung, `figures`, and the
template `page.html` with its style and script.
"""

from collections.abc import Callable
from pathlib import Path

from markupsafe import Markup

from signflow.deploy import products
from signflow.deploy.page import figures
from signflow.deploy.page.facts import collect
from signflow.deploy.page.foldings import ENERGY, foldings
from signflow.deploy.page.samples import samples
from signflow.deploy.page.template import data, template
from signflow.deploy.steps import HARDWARE
from signflow.deploy.verify.images import RANDOM_IMAGES, images_of
from signflow.deploy.verify.rungs import Rungs
from signflow.hw.boards import Board
from signflow.models import weights
from signflow.models.files import replacing

SHOWN = 10
"""Images on the page."""
PARTS = ("the graph", "one image in time", "other foldings", "thresholds", "ten images", "the page")


def write(rungs: Rungs, path: Path, tick: Callable[[str, int, int], None] = lambda doing, done, total: None) -> Path:
    """Write the page of the build of ``rungs`` to ``path``; returns it. The same products give the same bytes. ``tick``
    gets what is being made, parts done, parts in all. Raises FlowError where there is no whole accelerator.
    """
    work, settings = rungs.work, rungs.settings
    accel = products.accelerator(work)
    facts = collect(work, accel)
    parts = iter(enumerate(PARTS))

    def begin() -> None:
        done, doing = next(parts)
        tick(doing, done, len(PARTS))

    begin()
    drawn = {"graph": figures.graph(accel)}
    begin()
    drawn["timeline"] = figures.timeline(rungs.folded)
    begin()
    board = Board.of(accel)
    facts["foldings"] = foldings(products.read(work, HARDWARE), rungs.folded, board)
    facts["energy"] = str(ENERGY)
    drawn["tradeoff"] = figures.tradeoff(facts["foldings"], board)
    begin()
    seen = images_of(work, None, RANDOM_IMAGES)
    signs = figures.thresholds(rungs.network, rungs.integer, seen.pixels, settings.name)
    begin()
    few = images_of(work, None, SHOWN)
    facts["samples"], facts["samples_are"], facts["signs_seen"] = samples(rungs, few), few.name, seen.name
    begin()
    drawn["training"] = None if settings.random_weights is not None else figures.training(_log(settings))
    text = template("page.html").render(
        facts, figures={name: found and Markup(found) for name, found in drawn.items()},
        signs={name: Markup(found) for name, found in signs.items()},
        data=data(facts["operators"]),
    )  # fmt: skip
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
    return path


def _log(settings: products.Settings) -> Path:
    """Where the log of the training may lie: beside the weights of a run, or beside the shipped ones."""
    given = Path(settings.weights)
    return given.with_name("log.csv") if settings.weights else weights.FOLDER / f"{settings.name}.csv"
