"""Folding for a board: the fastest one that fits, or the cheapest one for a number of images a second.

What a folding needs is estimated with all width converters and FIFOs that it will get. Where block RAM is short and
logic is not, weights move from one to the other.
"""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.plan.buffer import insert_fifos, insert_width_converters, least_luts
from signflow.deploy.plan.fold import Wiring, fold_to_cycles, interval, wiring
from signflow.deploy.plan.graph import operators
from signflow.hw.boards import Board
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.folding import FoldingError, cost

UTILISATION = {"LUT": 0.8, "BRAM18": 0.9, "DSP": 0.9}
"""Shares of a board that `fold_to_board` fills: the rest is for DMA and interconnect, and LUTs need room to be routed.
"""
ALL = {"LUT": 1.0, "BRAM18": 1.0, "DSP": 1.0}

STEP = 2**0.25
"""Ratio of the targets that `fold_to_board` tries."""
SLOWER, SAVED = 0.05, 0.1
"""The last percent of speed may cost too much: up to 5 % of it is given for 10 % of the LUTs."""


class TooLargeError(FoldingError):
    """A folding needs more than a board offers."""

    def __init__(self, message: str, needed: Mapping[str, int], offered: Mapping[str, int]):
        super().__init__(message)
        self.needed, self.offered = dict(needed), dict(offered)

    def excess(self) -> float:
        """How many times what is offered is needed."""
        return max(self.needed[what] / max(most, 1) for what, most in self.offered.items())


def fold_to_fps(model: ModelWrapper, board: Board, fps: float) -> None:
    """Cheapest folding for ``fps`` images a second at the board's clock; raises FoldingError when an operator cannot
    reach it or it does not fit.
    """
    target = int(board.clock_mhz * 1e6 / fps)
    if target < 1:
        raise FoldingError(
            f"{fps:g} images a second at {board.clock_mhz:g} MHz leaves less than one cycle for an image"
        )
    with suppress(FoldingError):
        return _fold(model, target, board, ALL)
    _fold(model, target, board, ALL, latency=False)


def usable(board: Board) -> dict[str, float]:
    """Shares of ``board`` that `fold_to_board` fills."""
    return UTILISATION | {"LUT": board.lut_share}


def buffered_cost(model: ModelWrapper) -> dict[str, int]:
    """Estimated LUT, BRAM18 (18 kbit block RAMs), URAM (288 kbit UltraRAMs) and DSP of a folded model with the width
    converters and FIFOs that it will get.
    """
    buffered = ModelWrapper(copy.deepcopy(model.model))
    insert_width_converters(buffered)
    insert_fifos(buffered)
    return estimate(buffered)


def estimate(model: ModelWrapper) -> dict[str, int]:
    """Estimated LUT (of six inputs), BRAM18 (18 kbit block RAMs), URAM (288 kbit UltraRAMs) and DSP of the operators of
    a model as they are.
    """
    return _parts(operators(model))


def _parts(ops: Sequence[StreamOp]) -> dict[str, int]:
    """`estimate` of some operators."""
    lut, bram = (sum(column) for column in zip(*(cost(op) for op in ops), strict=True))
    dsp, uram = (sum(int(getattr(op, f"{what}_estimation")("")) for op in ops) for what in ("dsp", "uram"))
    return {"LUT": lut, "BRAM18": bram, "DSP": dsp, "URAM": uram}


def check_fits(model: ModelWrapper, board: Board, shares: Mapping[str, float]) -> None:
    """Raises FoldingError when the estimates of all operators, converters and FIFOs exceed ``shares`` of the board."""
    _check(buffered_cost(model), board, shares, operators(model))


def _check(
    needed: Mapping[str, int], board: Board, shares: Mapping[str, float], ops: Sequence[StreamOp], least: str = ""
) -> None:
    offered = board.offers
    shares = {**shares, "URAM": 1.0} if needed.get("URAM") else shares
    if any(needed[what] > share * offered[what] for what, share in shares.items()):
        listed = ", ".join(f"{needed[w]} {w} of {share * offered[w]:.0f} ({share:.0%})" for w, share in shares.items())
        reason = f"it does not fit {board.name} ({board.part}){_weights(ops, board)}"
        message = f"estimated {least}{listed}: {reason}; lower the target FPS or choose a larger board"
        raise TooLargeError(message, needed, {what: int(share * offered[what]) for what, share in shares.items()})


def _weights(ops: Sequence[StreamOp], board: Board) -> str:
    """What to say where the weights alone are more than the board's memories hold."""
    weights, ultra = sum(op.memory_bits() for op in ops) / 2**20, board.uram * 288 / 1024
    held, kinds = board.bram18 * 18 / 1024, "block RAM"
    if ultra and any(op.get_nodeattr("loadable") for op in ops):
        held, kinds = held + ultra, "block RAM and UltraRAM"
    elif ultra:
        kinds += f"; built with --loadable, {ultra:.1f} Mbit more in UltraRAM"
    return f", its weights are {weights:.1f} Mbit of {held:.1f} Mbit on chip ({kinds})" if weights > held else ""


Estimate = Callable[[ModelWrapper], dict[str, int]]


def _once(estimate: Estimate) -> Estimate:
    """``estimate``, made once for every folding: neighbouring targets lead to the same one."""
    known: dict[tuple[bytes, ...], dict[str, int]] = {}

    def remembered(model: ModelWrapper) -> dict[str, int]:
        key = tuple(node.SerializeToString(deterministic=True) for node in model.graph.node)
        if key not in known:
            known[key] = estimate(model)
        return dict(known[key])

    return remembered


def _fold(
    model: ModelWrapper,
    target: int,
    board: Board,
    shares: Mapping[str, float],
    buffered: Estimate = buffered_cost,
    latency: bool = True,
    wired: Wiring | None = None,
) -> None:
    """Fold to ``target`` cycles an image, and move weights from block RAM where the board has too little of it: into
    UltraRAM, those first that spare the most block RAMs for one, then into logic, those first that take the fewest LUTs
    for a block RAM. Raises FoldingError when it does not fit ``shares``.
    """
    wired = wired or wiring(model)
    fold_to_cycles(model, target, board.stream_bits, latency, wired)
    ops = [op for op, _ in wired]
    _check(_placed(ops, board, shares, _least(wired))[0], board, shares, ops, "at least ")  # spares the buffering
    needed, styles = _placed(ops, board, shares, buffered(model))
    _check(needed, board, shares, ops)
    for op, style in styles:
        op.set_nodeattr("ram_style", style)


def _placed(
    ops: Sequence[StreamOp], board: Board, shares: Mapping[str, float], needed: Mapping[str, int]
) -> tuple[dict[str, int], list[tuple[StreamOp, str]]]:
    """What is needed with memories elsewhere than in block RAM, while that is short, and where they lie then."""
    needed, limit, styles = dict(needed), min(shares["BRAM18"], UTILISATION["BRAM18"]) * board.bram18, []
    blocks = [(op, *memory) for op in ops if (memory := op.block_memory())]
    ultra = [(op, uram, bram) for op, _, bram in blocks if (uram := op.ultra_memory())]
    for op, uram, bram in sorted(ultra, key=lambda found: found[1] / found[2]):
        if needed["BRAM18"] > limit and needed["URAM"] + uram <= board.uram:
            styles.append((op, "ultra"))
            needed["URAM"], needed["BRAM18"] = needed["URAM"] + uram, needed["BRAM18"] - bram
    moved = [op for op, _ in styles]
    logic = [found for found in blocks if not any(found[0] is op for op in moved)]
    for op, lut, bram in sorted(logic, key=lambda found: found[1] / found[2]):
        if needed["BRAM18"] > limit:
            styles.append((op, "distributed"))
            needed["LUT"], needed["BRAM18"] = needed["LUT"] + lut, needed["BRAM18"] - bram
    return needed, styles


def _least(wired: Wiring) -> dict[str, int]:
    """What the operators need as they are folded, and the fewest LUTs that their converters and FIFOs can have."""
    ops = [op for op, _ in wired]
    return _parts(ops) | {"LUT": _least_luts(wired)}


def _least_luts(wired: Wiring) -> int:
    """LUTs of the operators as they are folded, and the fewest that their converters and FIFOs can have."""
    ends = [
        (source.get_outstream_width(out), op.get_instream_width(k)) for op, feeds in wired for source, out, k in feeds
    ]
    return sum(cost(op)[0] for op, _ in wired) + sum(least_luts(*widths) for widths in ends)


def fold_to_board(
    model: ModelWrapper,
    board: Board,
    shares: Mapping[str, float] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Fastest folding within ``shares`` of the board (`usable` unless given), or one that is SLOWER at most and spares
    SAVED of the LUTs; where none fits, the same without a price on latency. Raises FoldingError, of the nearest miss,
    when none fits then.

    Slower folding does not always cost less: it moves weights from logic into block RAM and deepens FIFOs beside a
    branch. So targets are tried from the fastest on, a quarter of an octave apart, then between the first that fits and
    the one before it.
    """
    shares, buffered = shares or usable(board), _once(buffered_cost)
    with suppress(FoldingError):
        return _fold_fastest(model, board, shares, buffered, progress, latency=True)
    _fold_fastest(model, board, shares, buffered, progress, latency=False)


def _fold_fastest(
    model: ModelWrapper,
    board: Board,
    shares: Mapping[str, float],
    buffered: Estimate,
    progress: Callable[[int], None],
    latency: bool,
) -> None:
    """`fold_to_board` with or without a price on latency."""
    slowest = _slowest(model)
    wired = wiring(model)

    def fits(target: int) -> FoldingError | None:
        progress(target)
        try:
            _fold(model, target, board, shares, buffered, latency, wired)
        except FoldingError as e:
            return e
        return None

    low, high, errors = 0, 1, []
    while (error := fits(high)) and high < slowest:
        low, high = high, min(slowest, math.ceil(high * STEP))
        errors += [error] if isinstance(error, TooLargeError) else []
    if error:
        raise min([*errors, error], key=lambda e: e.excess() if isinstance(e, TooLargeError) else math.inf)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    fits(high)
    fastest = sum(cost(op)[0] for op, _ in wired)
    if fits(math.floor(high * (1 + SLOWER))) or sum(cost(op)[0] for op, _ in wired) > (1 - SAVED) * fastest:
        fits(high)


def _slowest(model: ModelWrapper) -> int:
    """Cycles an image with everything folded as far as it goes."""
    for op in operators(model):
        for attribute, values in op.foldings().items():
            op.set_nodeattr(attribute, values[0])
    return interval(model)
