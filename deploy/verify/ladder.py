"""The ladder: the same images through every representation of a network, every result of every image compared.

`signflow.deploy.verify.rungs` has the representations. Equality means equal numbers, with no tolerance. An image is
compared with the first rung that ran it: with the top of the ladder, or, where the top is slow and runs a few images
only, with the next one.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from signflow.deploy import products
from signflow.deploy.steps import VERIFIED
from signflow.deploy.verify.images import Images
from signflow.deploy.verify.rungs import LadderError, Rung, Rungs, Tick, silent
from signflow.deploy.verify.simulate import cycles
from signflow.deploy.verify.spread import spread
from signflow.models.study.workers import workers

if TYPE_CHECKING:
    from torch import nn

STALL = 0.3
"""Probability of a pause in a cycle on both sides, in the ladder's last rung."""


@dataclass(frozen=True)
class Row:
    """What a rung gave, compared with the rungs above it."""

    rung: str
    images: int
    logits: int
    """Logits that were compared: fewer than the rung gave when the rungs above ran fewer images."""
    mismatches: int
    accuracy: float | None
    """Share of images whose largest logit (first one on a tie) is the label; None without labels."""
    seconds: float
    first_difference: tuple[int, int] | None
    """(image, logit) of the first mismatch."""
    against: tuple[str, ...]
    """The rungs that its images were compared with, from the top; of a first rung: itself."""

    def as_dict(self) -> dict:
        """For ``--json``."""
        return asdict(self)


def _accuracy(results: np.ndarray, labels: np.ndarray | None) -> float | None:
    if labels is None:
        return None
    guess = results.argmax(1) if results.shape[1] > 1 else results[:, 0]
    return float((guess == labels[: len(guess)]).mean())


def climb(
    rungs: Sequence[Rung],
    images: np.ndarray,
    labels: np.ndarray | None = None,
    tick: Tick = silent,
    logits: Callable[[np.ndarray], np.ndarray] = lambda results: results,
) -> list[Row]:
    """Run ``images`` through every rung; each image is compared with the first rung that ran it. ``tick`` is called
    before each rung; ``logits`` makes of results what tells the class.

    Raises LadderError when two rungs differ in the number of results.
    """
    rows, known = [], []  # known: (rung, results of the images that no rung before it ran)
    for rung in rungs:
        part = images[: rung.limit]
        tick(rung.name, 0, len(part))
        start = time.perf_counter()
        results = np.asarray(rung.run(part)).reshape(len(part), -1)
        seconds = time.perf_counter() - start
        width = known[0][1].shape[1] if known else results.shape[1]
        if results.shape[1] != width:
            raise LadderError(f"{rung.name} gives {results.shape[1]} results an image, {rungs[0].name} gives {width}")
        above = sum(len(found) for _, found in known)
        if above < len(results):
            known.append((rung.name, results[above:]))
        compared = results if above == 0 else results[:above]
        expected = np.concatenate([found for _, found in known])[: len(compared)]
        differs = np.argwhere(compared != expected)
        first = tuple(int(i) for i in differs[0]) if len(differs) else None
        against = _readers(known, len(compared))
        accuracy = _accuracy(logits(results), labels)
        rows.append(Row(rung.name, len(part), compared.size, len(differs), accuracy, seconds, first, against))
    return rows


def _readers(known: list[tuple[str, np.ndarray]], count: int) -> tuple[str, ...]:
    """Names of the rungs that hold the first ``count`` results."""
    starts = np.cumsum([0, *(len(found) for _, found in known)])
    return tuple(name for (name, _), start in zip(known, starts[:-1], strict=True) if start < max(count, 1))


def check(rows: Sequence[Row], where: Callable[[int], str] = lambda image: "") -> None:
    """Raises LadderError for the first rung that differs from those above it; ``where(image)`` may say more about its
    first image that differs.
    """
    for row in rows:
        if row.mismatches:
            image, logit = row.first_difference
            more = where(image)
            raise LadderError(
                f"{row.rung} differs from {' and '.join(row.against)} in {row.mismatches} of {row.logits} logits; "
                f"first at image {image}, logit {logit}" + (more and "; " + more)
            )


@dataclass(frozen=True)
class Climb:
    """A ladder that was climbed."""

    rungs: Rungs
    images: Images
    rows: list[Row]

    @property
    def cycles(self) -> dict:
        """Predicted and simulated cycles (`simulate.cycles`) of the run without pauses."""
        return cycles(self.rungs.simulator, self.rungs.runs[0.0])

    def facts(self) -> dict:
        """For ``--json`` and `6-verify.json`."""
        settings = self.rungs.settings
        result = {"network": settings.name, "board": settings.board, "split": self.images.name}
        return result | {"ladder": [row.as_dict() for row in self.rows], "cycles": self.cycles}

    def check(self) -> None:
        """Raises LadderError, with the first node, pixel and channel that differ, unless every logit is equal."""
        check(self.rows, lambda at: self.rungs.where(self.images.pixels[at]))


def verify(
    work: Path,
    images: Images,
    stall_images: int = 200,
    seed: int = 1,
    net: "nn.Module | None" = None,
    tick: Tick = silent,
    cluster: str = "",
) -> Climb:
    """Climb the ladder of the build in ``work`` and write what was found to `6-verify.json`; `Climb.check` then raises
    where a logit differs.

    ``stall_images``: how many to simulate again under random pauses, drawn from ``seed``. ``net``: see `Rungs`.
    ``cluster``: the integer graph and the RTL run on the workers of the Dask scheduler at that address. Raises
    FlowError for a folder in which another command works, WorkersError where no such cluster is.
    """
    with products.locked(work), workers(1, cluster) if cluster else nullcontext() as pool:
        form = Rungs(work, net, tick)
        make = partial(spread, form, pool) if cluster else lambda method, **options: getattr(form, method)(**options)
        stalled = make("rtl", stall=STALL, limit=stall_images, seed=seed) if stall_images else None
        rungs = [form.torch(), form.qonnx(), make("golden"), form.hardware(), make("rtl", seed=seed), stalled]
        rows = climb([rung for rung in rungs if rung], images.pixels, images.labels, tick, form.head)
        found = Climb(form, images, rows)
        products.write_json(found.facts(), work / VERIFIED)
    return found
