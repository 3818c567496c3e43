"""Choosing a folding: the cheapest legal one that is fast enough, in step with the streams that come in.

`StreamOp.fold_to` is written with this. A folding costs its estimated LUTs, block RAM, and the width converters in
front of the operator; legal are divisors only, and every stream width must be a multiple of one neighbour's, or their
least common multiple is built on the way.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from onnx import NodeProto
from qonnx.custom_op.registry import getCustomOp

if TYPE_CHECKING:
    from signflow.hw.ops.base import StreamOp

BRAM_AS_LUT, CYCLES_AS_LUT, CONVERTER_LUT = 60, 64, 40
"""What a folding may cost: one 18 kbit block RAM counts as 60 LUTs, 64 cycles (latency of an image) as one, a width
converter and its FIFO as 40.
"""


class Aim(NamedTuple):
    """What a folding is to reach."""

    cycles: int
    """Most cycles an image."""
    stream_bits: int = 64
    """Widest word of the network's input."""
    latency: bool = True
    """Whether fewer cycles than that are worth LUTs (CYCLES_AS_LUT)."""


class OpError(ValueError):
    """A node has attributes or parameters that its operator cannot realise; the message names node, value and rule."""


class FoldingError(OpError):
    """A folding is illegal or no folding meets the target; the message names node, value, rule and the nearest legal
    value.
    """


class Feed(NamedTuple):
    """Where an input stream comes from."""

    op: "StreamOp"
    output: int
    """Number of the output stream of ``op``."""
    stream: int
    """Number of the input stream that it feeds."""


def divisors(n: int) -> list[int]:
    """All divisors of ``n``, ascending."""
    return [d for d in range(1, n + 1) if n % d == 0]


def meet(a: int, b: int) -> bool:
    """Whether words of ``a`` and ``b`` elements need no least common multiple between them: one divides the other."""
    return a % b == 0 or b % a == 0


def fitting(lanes: Sequence[int], feeds: Sequence[Feed]) -> list[int]:
    """Those of ``lanes`` that meet every feed."""
    return [n for n in lanes if all(feed.op.meets(n, feed.output) for feed in feeds)]


def cost(op: "StreamOp") -> tuple[int, int]:
    """Estimated (LUT, 18 kbit block RAM) of an operator as it is folded now."""
    return _cost(op.onnx_node.SerializeToString(deterministic=True))


@lru_cache(maxsize=1 << 16)
def _cost(node: bytes) -> tuple[int, int]:
    """By the node's attributes, all that the estimates look at: targets come again and again to the same foldings."""
    op = getCustomOp(NodeProto.FromString(node))
    return int(op.lut_estimation()), int(op.bram_estimation())


def converters(widths: Sequence[int], feeds: Sequence[Feed]) -> int:
    """LUTs of the width converters in front of an operator whose input streams have ``widths`` bits, each with the FIFO
    that comes with it.
    """
    pairs = [(feed.op.get_outstream_width(feed.output), widths[feed.stream]) for feed in feeds]
    return sum(CONVERTER_LUT + (wide if wide > narrow else 0) for wide, narrow in pairs if wide != narrow)


def _measured(op: "StreamOp", option: dict[str, int]) -> tuple[int, int, list[int]]:
    """(cycles, LUTs with block RAM in LUTs, bits of the input streams) of ``op`` with these values of its folding
    attributes. It remembers them: all else that they depend on is what the network made it, or is the same whenever it
    is folded.
    """
    known = op.__dict__.setdefault("_known_foldings", {})
    if (key := tuple(option.items())) not in known:
        for attribute, value in key:
            op.set_nodeattr(attribute, value)
        lut, bram = cost(op)
        widths = [op.get_instream_width(stream) for stream in range(op.IN_STREAMS)]
        known[key] = int(op.get_exp_cycles()), lut + BRAM_AS_LUT * bram, widths
    return known[key]


def cheapest(op: "StreamOp", options: Sequence[dict[str, int]], aim: Aim, feeds: Sequence[Feed] = ()) -> None:
    """Fold ``op`` the cheapest way within the cycles of ``aim``: by the estimates and the width converters to its
    ``feeds``, or its own cycles when there are none to fit; raises FoldingError when even the fastest option is slower.
    """
    best, fastest, latency = None, None, aim.latency / CYCLES_AS_LUT
    for option in options:
        cycles, price, widths = _measured(op, option)
        fastest = min(cycles, fastest or cycles)
        if cycles <= aim.cycles:
            rank = price + (converters(widths, feeds) if feeds else latency * cycles)
            best = min(best or (rank, option), (rank, option), key=lambda b: b[0])
    if best is None:
        raise FoldingError(
            f"{op.onnx_node.name} ({op.onnx_node.op_type}) needs at least {fastest} cycles an image, "
            f"the target is {aim.cycles}"
        )
    for attribute, value in best[1].items():
        op.set_nodeattr(attribute, value)
