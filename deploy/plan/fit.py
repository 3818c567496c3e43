"""Folding for a board: the fastest that fits, for a number of images a second, or for the lowest latency.

The solver (`signflow.deploy.plan.choose`) knows what the operators and the converters between them need, and counts
every FIFO as a shallow one: how deep they must be shows when all foldings are known. So a choice is buffered and
estimated once more, and where that is over the board, the difference is taken from the budget and the solver asked
again.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.plan.batch import best_batch
from signflow.deploy.plan.buffer import insert_fifos, insert_width_converters
from signflow.deploy.plan.choose import AIMS, Aim, Choices
from signflow.deploy.plan.graph import operators
from signflow.deploy.plan.timing import predict
from signflow.hw.boards import Board
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.folding import RESOURCES, FoldingError, need

UTILISATION = {"LUT": 0.8, "BRAM18": 0.9, "DSP": 0.9}
"""Shares of a board that `fold_to_board` fills: the rest is for DMA and interconnect, and LUTs need room to be routed.
"""
ALL = {"LUT": 1.0, "BRAM18": 1.0, "DSP": 1.0}

ROUNDS = 8
"""How often a choice is made again because its FIFOs are deeper than thought."""
SLOWER = (1, 1.25, 1.5, 2, 3)
"""How many times the cycles of the fastest folding are tried for the lowest latency."""


class TooLargeError(FoldingError):
    """A folding needs more than a board offers."""

    def __init__(self, message: str, needed: Mapping[str, int], offered: Mapping[str, int]):
        super().__init__(message)
        self.needed, self.offered = dict(needed), dict(offered)


def fold_to_fps(
    model: ModelWrapper,
    board: Board,
    fps: float,
    prefer: str = "balance",
    stream_bits: int = 0,
    batches: Sequence[int] = (1,),
) -> None:
    """The best folding for ``fps`` images a second at the board's clock, by ``prefer``, a name of `AIMS`, in the first
    of ``batches`` (`signflow.deploy.plan.batch`) that has one; raises FoldingError when an operator cannot reach it or
    it does not fit. ``stream_bits``: the widest word of the input; 0: what the board's link carries.
    """
    if fps > board.clock_mhz * 1e6:
        raise FoldingError(
            f"{fps:g} images a second at {board.clock_mhz:g} MHz leaves less than one cycle for an image"
        )
    for_clock(model, board)
    aim, shares = _aim(prefer), ALL | {"BRAM18": UTILISATION["BRAM18"]}

    def fold(count: int) -> int:
        target, whole = int(board.clock_mhz * 1e6 * count / fps), Choices(model, stream_bits or board.widest_beat)
        _settle(model, whole, board, shares, target, lambda budget: whole.best(target, budget, aim))
        return target

    best_batch(model, batches, fold)


def for_clock(model: ModelWrapper, board: Board) -> None:
    """Make the operators for the board's clock, a fast one or not."""
    for op in operators(model):
        if op.get_nodeattr("fast") != board.fast:
            op.set_nodeattr("fast", int(board.fast))


def _aim(prefer: str) -> Aim:
    if prefer not in AIMS:
        raise FoldingError(f"prefer = {prefer!r}; it must be one of {', '.join(AIMS)}")
    return AIMS[prefer]


def usable(board: Board) -> dict[str, float]:
    """Shares of ``board`` that `fold_to_board` fills."""
    return UTILISATION | {"LUT": board.lut_share}


def buffered_cost(model: ModelWrapper) -> dict[str, int]:
    """Estimated LUT, BRAM18 (18 kbit block RAMs), URAM (288 kbit UltraRAMs) and DSP of a folded model with the width
    converters and FIFOs that it will get.
    """
    return estimate(buffered(model))


def buffered(model: ModelWrapper) -> ModelWrapper:
    """A copy of a folded model with the width converters and FIFOs that it will get."""
    copied = ModelWrapper(copy.deepcopy(model.model))
    insert_width_converters(copied)
    insert_fifos(copied)
    return copied


def estimate(model: ModelWrapper) -> dict[str, int]:
    """Estimated LUT (of six inputs), BRAM18 (18 kbit block RAMs), URAM (288 kbit UltraRAMs) and DSP of the operators of
    a model as they are.
    """
    return dict(zip(RESOURCES, map(sum, zip(*map(need, operators(model)), strict=True)), strict=True))


def check_fits(model: ModelWrapper, board: Board, shares: Mapping[str, float]) -> None:
    """Raises FoldingError when the estimates of all operators, converters and FIFOs exceed ``shares`` of the board."""
    _check(buffered_cost(model), board, shares, operators(model))


def _check(needed: Mapping[str, int], board: Board, shares: Mapping[str, float], ops: Sequence[StreamOp]) -> None:
    offered = board.offers
    shares = {**shares, "URAM": 1.0} if needed.get("URAM") else shares
    if any(needed[what] > share * offered[what] for what, share in shares.items()):
        listed = ", ".join(f"{needed[w]} {w} of {share * offered[w]:.0f} ({share:.0%})" for w, share in shares.items())
        reason = f"it does not fit {board.name} ({board.part}){_weights(ops, board)}"
        remedy = f"lower the target FPS or choose a larger board{_ultra(needed, board, ops)}"
        most = {what: int(share * offered[what]) for what, share in shares.items()}
        raise TooLargeError(f"estimated {listed}: {reason}; {remedy}", needed, most)


def _ultra(needed: Mapping[str, int], board: Board, ops: Sequence[StreamOp]) -> str:
    """The remedy where block RAM is short and UltraRAM lies idle: only weights that are loaded may lie there."""
    short = needed["BRAM18"] > UTILISATION["BRAM18"] * board.bram18
    idle = board.uram and not any(op.get_nodeattr("loadable") for op in ops)
    return f", or build with --loadable: {board.uram} UltraRAMs hold weights then" if short and idle else ""


def _weights(ops: Sequence[StreamOp], board: Board) -> str:
    """What to say where the weights alone are more than the board's memories hold."""
    weights, ultra = sum(op.memory_bits() for op in ops) / 2**20, board.uram * 288 / 1024
    held, kinds = board.bram18 * 18 / 1024, "block RAM"
    if ultra and any(op.get_nodeattr("loadable") for op in ops):
        held, kinds = held + ultra, "block RAM and UltraRAM"
    return f", its weights are {weights:.1f} Mbit of {held:.1f} Mbit on chip ({kinds})" if weights > held else ""


def fold_to_board(
    model: ModelWrapper,
    board: Board,
    shares: Mapping[str, float] | None = None,
    prefer: str = "balance",
    stream_bits: int = 0,
    batches: Sequence[int] = (1,),
) -> None:
    """The fastest folding within ``shares`` of the board (`usable` unless given), in any of ``batches``, and of those
    the best by ``prefer``, a name of `AIMS`; for "latency", one in which an image takes the fewest cycles.
    ``stream_bits`` as above. Raises FoldingError when none fits.
    """
    for_clock(model, board)
    shares, bits = shares or usable(board), stream_bits or board.widest_beat

    def fold(_: int) -> int:
        whole = Choices(model, bits)
        _fastest(model, whole, board, shares, prefer)
        return min(option.cycles for option in whole.options[0])  # the input is not faster

    best_batch(model, batches, fold)


def _fastest(model: ModelWrapper, whole: Choices, board: Board, shares: Mapping[str, float], prefer: str) -> None:
    """`fold_to_board` for the batch that ``model`` has, whose `Choices` are ``whole``."""
    aim = _aim(prefer)
    targets, low = whole.targets(), -1  # targets[low] and less do not fit: budgets shrink from one round to the next

    def fastest(budget: dict[str, float]) -> list[int] | None:
        nonlocal low
        high = len(targets)
        while high - low > 1:
            middle = min((low + high) // 2, len(targets) - 1)
            if whole.best(targets[middle], budget, aim, gap=math.inf):
                high = middle
            else:
                low = middle
        return whole.best(targets[high], budget, aim) if high < len(targets) else None

    def quickest(budget: dict[str, float]) -> list[int] | None:
        if (first := fastest(budget)) is None:
            return None
        targets = {int(factor * whole.interval(first)) for factor in SLOWER}
        return min((whole.best(target, budget, aim) for target in sorted(targets)), key=latency)

    def latency(chosen: list[int]) -> int:
        whole.apply(chosen)
        return predict(operators(buffered(model))).latency

    _settle(model, whole, board, shares, whole.targets()[-1], quickest if prefer == "latency" else fastest)


def _settle(
    model: ModelWrapper,
    whole: Choices,
    board: Board,
    shares: Mapping[str, float],
    target: int,
    choose: Callable[[dict[str, float]], list[int] | None],
) -> None:
    """Fold ``model`` as ``choose`` says for a budget, until it fits with all FIFOs; raises TooLargeError with the least
    that ``target`` cycles an image need, where nothing fits.
    """
    limits = {what: shares.get(what, 1.0) * offer for what, offer in board.offers.items()}
    deeper = dict.fromkeys(RESOURCES, 0)
    for _ in range(ROUNDS):
        budget = {what: limits[what] - deeper[what] for what in RESOURCES}
        if (chosen := choose(budget)) is None:
            least = whole.need(whole.best(target, budget, soft=True))
            _check({what: least[what] + deeper[what] for what in RESOURCES}, board, shares, whole.ops)
        whole.apply(chosen)
        needed, thought = buffered_cost(model), whole.need(chosen)
        if all(needed[what] <= limits[what] for what in RESOURCES):
            return
        deeper = {what: max(deeper[what], needed[what] - thought[what]) for what in RESOURCES}
    _check(needed, board, shares, whole.ops)
