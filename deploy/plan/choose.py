"""The foldings of a whole network as one problem for `signflow.deploy.plan.solve`.

Every operator is a part, its foldings (`StreamOp.options`) are the options, and every edge is a joint: its FIFO, and
the width converters where words of two widths meet. A target is a number of cycles for an image: it rules out the
options that take more.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.plan.buffer import shallow_luts
from signflow.deploy.plan.graph import edges, operators
from signflow.deploy.plan.solve import Joint, Part, solve
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.flags import flagged
from signflow.hw.ops.folding import RESOURCES, FoldingError, Option

GAP = 0.002
"""A choice is at most so much dearer than the best one."""
UNBOUNDED = dict.fromkeys(RESOURCES, float("inf"))


class Aim(NamedTuple):
    """What a folding is to be good at, within its target and the budgets: the least sum of these prices."""

    lut: float = 1.0
    """Of a LUT."""
    bram18: float = 60.0
    """Of an 18 kbit block RAM."""
    uram: float = 240.0
    """Of a 288 kbit UltraRAM."""
    cycle: float = 1 / 64
    """Of a cycle that a product of matrices takes for an image: what latency consists of."""


AIMS = {"balance": Aim(), "luts": Aim(1, 0, 0, 0), "latency": Aim(1 / 1024, 0, 0, 1)}
"""By their names: some of all, few LUTs, few cycles."""


class Choices:
    """All foldings of a hardware graph, put together once for any number of targets."""

    def __init__(self, model: ModelWrapper, stream_bits: int = 64):
        """``stream_bits``: the widest word of the network's input."""
        self.ops = operators(model)
        self.edges = edges(model)
        for producer, out, consumer, _ in self.edges:
            if producer.out_group(out):  # the most bits that share a flag; `share_flags` says how many do
                consumer.set_nodeattr("padGroup", producer.channels())
        self.options = [op.options() for op in self.ops]
        bits, first = self.ops[0].get_input_datatype().bitwidth(), self.options[0]
        vectors = self.ops[0].get_normal_input_shape()[-1], self.ops[-1].get_normal_output_shape()[-1]
        self.options[0] = [
            o for o in first if o.taken[0] * bits <= max(stream_bits, bits) and _whole(o, o.taken, vectors[0])
        ]
        self.options[-1] = [o for o in self.options[-1] if _whole(o, o.given, vectors[1])]
        self._cycles = [np.array([option.cycles for option in options]) for options in self.options]
        self._needs = [np.array([option.need for option in options]) for options in self.options]
        self._waits = [np.sign(op.macs_per_cycle()) * cycles for op, cycles in zip(self.ops, self._cycles, strict=True)]
        self._joints = [self._joint(*edge) for edge in self.edges]

    def _joint(self, producer: StreamOp, out: int, consumer: StreamOp, stream: int) -> Joint:
        names = [op.onnx_node.name for op in self.ops]
        i, j = (names.index(end.onnx_node.name) for end in (producer, consumer))
        given = np.array([(option.given[out], option.room) for option in self.options[i]])
        taken = np.array([option.taken[stream] for option in self.options[j]])
        (wide, first), (narrow, second) = (np.unique(words, axis=0, return_inverse=True) for words in (given, taken))
        bits = consumer.get_input_datatype(stream).bitwidth()
        pixel = producer.channels() if producer.out_group(out) else 0
        vectors = producer.get_normal_output_shape(out)[-1], consumer.get_normal_input_shape(stream)[-1]
        table = np.array(
            [[_edge_luts(int(a), int(b), *vectors, bool(room), bits, pixel) for b in narrow] for a, room in wide]
        )
        return Joint((i, j), (first, second), table)

    def least_cycles(self) -> tuple[int, StreamOp]:
        """Fewest cycles an image that any folding reaches, and the operator that needs them."""
        return max(((int(n.min()), op) for n, op in zip(self._cycles, self.ops, strict=True)), key=itemgetter(0))

    def targets(self) -> list[int]:
        """Numbers of cycles an image that a network may have, ascending."""
        least, _ = self.least_cycles()
        return sorted({least, *(int(n) for cycles in self._cycles for n in np.unique(cycles) if n > least)})

    def best(
        self,
        target: int,
        budget: dict[str, float],
        aim: Aim = AIMS["balance"],
        soft: bool = False,
        gap: float = GAP,
    ) -> list[int] | None:
        """Number of the best option of every operator with at most ``target`` cycles, within ``budget``, or None;
        ``soft`` and ``gap``: see `signflow.deploy.plan.solve.solve`. Raises FoldingError naming the operator that
        cannot reach the target.
        """
        least, slowest = self.least_cycles()
        if least > target:
            node = slowest.onnx_node
            raise FoldingError(
                f"{node.name} ({node.op_type}) needs at least {least} cycles an image, the target is {target}"
            )
        allowed = [np.flatnonzero(cycles <= target) for cycles in self._cycles]
        prices = np.array([aim.lut, aim.bram18, 0, aim.uram])
        parts = [
            Part(need[kept] @ prices + aim.cycle * waits[kept], need[kept])
            for need, waits, kept in zip(self._needs, self._waits, allowed, strict=True)
        ]
        joints = [
            Joint((i, j), (first[allowed[i]], second[allowed[j]]), table)
            for (i, j), (first, second), table in self._joints
        ]
        chosen = solve(parts, joints, [budget[what] for what in RESOURCES], aim.lut, soft, gap)
        return None if chosen is None else [int(kept[k]) for kept, k in zip(allowed, chosen, strict=True)]

    def need(self, chosen: Sequence[int]) -> dict[str, int]:
        """What a choice needs of RESOURCES, with converters and FIFOs in which few words wait."""
        total = np.sum([need[k] for need, k in zip(self._needs, chosen, strict=True)], axis=0)
        for (i, j), (first, second), table in self._joints:
            total[0] += table[first[chosen[i]], second[chosen[j]]]
        return dict(zip(RESOURCES, map(int, total), strict=True))

    def interval(self, chosen: Sequence[int]) -> int:
        """Cycles an image of the slowest operator."""
        return max(int(cycles[k]) for cycles, k in zip(self._cycles, chosen, strict=True))

    def apply(self, chosen: Sequence[int]) -> None:
        """Fold the operators."""
        for op, options, k in zip(self.ops, self.options, chosen, strict=True):
            for attribute, value in options[k].values.items():
                op.set_nodeattr(attribute, value)
        share_flags(self.edges)


def _whole(option: Option, words: Sequence[int], vector: int) -> bool:
    """Whether words of the network's own streams need nothing in front or behind."""
    return vector % words[0] == 0 and option.values.get("Pixels", 1) == 1


def share_flags(between: Sequence[tuple[StreamOp, int, StreamOp, int]]) -> None:
    """On edges from a border of zeros to its reader, give a flag to as many bits as the words on both sides allow."""
    for producer, out, consumer, _ in between:
        if producer.out_group(out):
            group = math.gcd(producer.get_nodeattr("SIMD"), consumer.get_nodeattr("SIMD"))
            producer.set_nodeattr("padGroup", group)
            consumer.set_nodeattr("padGroup", group)


@lru_cache(maxsize=1 << 16)
def _edge_luts(given: int, taken: int, of: int, into: int, room: bool, bits: int, pixel: int) -> int:
    """LUTs between words of ``given`` and of ``taken`` elements of ``bits`` bits, parts of vectors of ``of`` and
    ``into`` elements; ``pixel``: 0, or how many elements can share a flag.
    """
    group = math.gcd(given, taken, pixel) if pixel else 0
    return shallow_luts(given, taken, of, into, room, lambda n: flagged(n * bits, group))
