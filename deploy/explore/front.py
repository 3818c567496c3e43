"""Which points of an exploration no other beats, and which of them is the best for a board and a rate."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Point:
    """A network on a board, folded for a rate."""

    network: str
    normalisation: str
    board: str
    target: float
    """Images a second that were asked for; 0: the fastest that fits."""
    accuracies: tuple[float, ...]
    """Test accuracy of every seed, in [0, 1]; the first is that of the network which is costed and built."""
    fps: float
    """Images a second on the board: of the core, or of the link that feeds it where that is slower."""
    core_fps: float
    """Of the core alone."""
    interval: int
    """Cycles from one image to the next, of the core."""
    latency: int
    """Cycles of one image through the core."""
    latency_us: float
    lut: int
    """LUT, block RAMs of 36 kbit, DSPs, UltraRAMs: estimates with all converters and FIFOs."""
    bram36: float
    dsp: int
    uram: int
    energy_uj: float
    """Of an image, an estimate (`signflow.deploy.explore.energy`)."""

    @property
    def accuracy(self) -> float:
        """Mean over the seeds."""
        return sum(self.accuracies) / len(self.accuracies)


OBJECTIVES = {
    "accuracy": lambda p: p.accuracy,
    "images/s": lambda p: p.fps,
    "LUT": lambda p: -p.lut,
    "latency": lambda p: -p.latency_us,
    "BRAM": lambda p: -p.bram36,
    "energy": lambda p: -p.energy_uj,
}
"""What a front can trade -> what is to be large."""


def front(points: Sequence[Point], objectives: Sequence[str]) -> list[Point]:
    """The points of each board that no other of the same board dominates: none is at least as good in all
    ``objectives`` and better in one. Of points that are equal in all, the first stays.
    """
    values = [tuple(OBJECTIVES[name](point) for name in objectives) for point in points]

    def beaten(i: int) -> bool:
        return any(
            points[j].board == points[i].board
            and all(a >= b for a, b in zip(other, values[i], strict=True))
            and (other != values[i] or j < i)
            for j, other in enumerate(values)
            if j != i
        )

    return [point for i, point in enumerate(points) if not beaten(i)]


def best(points: Sequence[Point], board: str, rate: float = 0.0, lut: float = float("inf")) -> Point | None:
    """The most accurate point of a board with at least ``rate`` images a second and at most ``lut`` LUTs, of equally
    accurate ones the one with the fewest LUTs; None where there is none.
    """
    able = [point for point in points if point.board == board and point.fps >= rate and point.lut <= lut]
    return max(able, key=lambda point: (point.accuracy, -point.lut, point.fps), default=None)
