"""What a network costs at several speeds: one folding for each number of images a second."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.plan.fit import ALL, buffered_cost, fold_to_fps
from signflow.deploy.plan.fold import fold_to_cycles, folding_of, interval
from signflow.hw.boards import Board
from signflow.hw.ops.folding import FoldingError


@dataclass(frozen=True)
class Point:
    """A folding and its estimate, width converters and FIFOs included."""

    target: float
    """Images a second that were asked for."""
    fps: float
    """Images a second of the folding: at least the target."""
    interval: int
    """Cycles from one image to the next."""
    cost: dict[str, int]
    """LUT, BRAM18, URAM, DSP."""
    fits: bool
    """Within the board."""
    folding: dict[str, dict[str, int]]
    """Node -> attribute -> value, as `signflow.deploy.plan.fold.apply_folding` reads it."""


def explore(model: ModelWrapper, board: Board, targets: Sequence[float]) -> list[Point]:
    """The cheapest folding of a hardware graph for each of ``targets`` (images a second at the board's clock), the slow
    ones first. A target that no folding reaches is left out, and one that gets the same folding as the one before;
    ``model`` stays as it is.
    """
    points, clock = [], board.clock_mhz * 1e6
    for target in sorted(targets):
        work = ModelWrapper(copy.deepcopy(model.model))
        try:
            fold_to_fps(work, board, target)
        except FoldingError:
            try:
                fold_to_cycles(work, max(1, int(clock / target)), board.widest_beat)
            except FoldingError:
                continue
        cost, cycles = buffered_cost(work), interval(work)
        fits = all(cost[what] <= share * limit for (what, share), limit in zip(ALL.items(), limits(board), strict=True))
        point = Point(target, clock / cycles, cycles, cost, fits, folding_of(work))
        if not points or points[-1].folding != point.folding:
            points.append(point)
    return points


def front(points: Sequence[Point]) -> list[Point]:
    """The Pareto front: the points that no other beats, with at least as many images a second for at most as much of
    everything, and one of these better.
    """
    values = [(point.fps, *(-point.cost[what] for what in sorted(point.cost))) for point in points]

    def beaten(value: tuple) -> bool:
        return any(other != value and all(a >= b for a, b in zip(other, value, strict=True)) for other in values)

    return [point for point, value in zip(points, values, strict=True) if not beaten(value)]


def limits(board: Board) -> tuple[int, int, int]:
    """LUT, BRAM18, DSP of a board."""
    return board.lut, board.bram18, board.dsp
