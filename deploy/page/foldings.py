"""Other foldings of the same network on the same board, the Pareto front among them, and estimates of their energy."""

from dataclasses import dataclass

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.explore.energy import Energy
from signflow.deploy.pictures.explore import Point, explore, front, limits
from signflow.deploy.plan.fit import ALL, estimate
from signflow.deploy.plan.fold import folding_of, interval
from signflow.hw.boards import Board

RATES = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4)
"""Speeds of other foldings, as parts of that of the build."""
ENERGY = Energy()
"""Of the accelerator alone."""


@dataclass(frozen=True)
class Folding:
    """A folding by the estimates that foldings are chosen with."""

    point: Point
    built: bool
    """The one of this build."""
    front: bool
    """No other beats it."""
    microjoules: float
    """Energy of an image, estimated (`signflow.deploy.explore.energy`)."""


def foldings(hardware: ModelWrapper, folded: ModelWrapper, board: Board) -> list[Folding]:
    """The build, ``folded``, and cheaper and faster foldings of its ``hardware`` graph, the slow ones first."""
    cycles, clock = interval(folded), board.clock_mhz * 1e6
    cost = estimate(folded)
    fits = all(cost[what] <= share * limit for (what, share), limit in zip(ALL.items(), limits(board), strict=True))
    own = Point(clock / cycles, clock / cycles, cycles, cost, fits, folding_of(folded))
    others = [point for point in explore(hardware, board, [own.fps * rate for rate in RATES])
              if not point.folding.items() <= own.folding.items()]  # fmt: skip
    points = sorted([own, *others], key=lambda point: point.fps)
    best = front(points)
    return [
        Folding(point, point is own, point in best,
                ENERGY.microjoules(point.cost["LUT"], point.cost["BRAM18"] / 2, board.clock_mhz, point.fps))
        for point in points
    ]  # fmt: skip
