"""The ladder: the same images through every representation of a network, every result of every image compared.

    PyTorch  =  QONNX  =  streamlined integer graph  =  FINN hardware graph  =  RTL simulation

A rung is a function from integer images (N, ...) to results (N, ...). Below PyTorch and QONNX results are integers; the
float logits of these two are compared through the head,
the exact map from integer accumulators to the network's own logits that streamlining records. Equality means equal
numbers, with no tolerance.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np


class LadderError(AssertionError):
    """Two rungs differ; the message names the first one that does, and where."""


@dataclass(frozen=True)
class Rung:
    """One representation of the network."""

    name: str
    run: Callable[[np.ndarray], np.ndarray]
    """images (N, ...) -> results (N, K)."""
    limit: int | None = None
    """Look at this many images only (slow representations); None: all."""


@dataclass(frozen=True)
class Row:
    """What a rung gave, compared with the first rung."""

    rung: str
    images: int
    logits: int
    mismatches: int
    accuracy: float | None
    """Share of images whose largest logit (first one on a tie) is the label; None without labels."""
    seconds: float
    first_difference: tuple[int, int] | None
    """(image, logit) of the first mismatch."""

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
    tick: Callable[[Rung], None] = lambda _: None,
    logits: Callable[[np.ndarray], np.ndarray] = lambda results: results,
) -> list[Row]:
    """Run ``images`` through every rung; each row compares with the first rung. ``tick`` is called before each rung;
    ``logits`` makes of results what tells the class.
    """
    rows, top = [], None
    for rung in rungs:
        tick(rung)
        part = images[: rung.limit]
        start = time.perf_counter()
        results = np.asarray(rung.run(part)).reshape(len(part), -1)
        seconds = time.perf_counter() - start
        top = results if top is None else top
        if results.shape[1] != top.shape[1]:
            raise LadderError(
                f"{rung.name} gives {results.shape[1]} results an image, {rungs[0].name} gives {top.shape[1]}"
            )
        differs = np.argwhere(results != top[: len(part)])
        first = tuple(int(i) for i in differs[0]) if len(differs) else None
        rows.append(
            Row(rung.name, len(part), results.size, len(differs), _accuracy(logits(results), labels), seconds, first)
        )
    return rows


def check(rows: Sequence[Row], where: Callable[[int], str] = lambda image: "") -> None:
    """Raises LadderError for the first rung that differs from the top of the ladder; ``where(image)`` may say more
    about its first image that differs.
    """
    for row in rows:
        if row.mismatches:
            image, logit = row.first_difference
            more = where(image)
            raise LadderError(
                f"{row.rung} differs from {rows[0].rung} in {row.mismatches} of {row.logits} logits; "
                f"first at image {image}, logit {logit}" + (more and "; " + more)
            )
