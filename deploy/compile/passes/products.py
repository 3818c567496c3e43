"""What products read, their weights as integers, and the sums they can reach."""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.scales import common_scale
from signflow.deploy.compile.passes.transitions import Accumulators

EXACT_FLOAT32 = 2**24
"""Integers up to here are exact in float32, in which PyTorch and qonnx accumulate."""
WEIGHT_BITS = 8
"""Widest weights that the hardware multiplies."""


@dataclass
class Feed:
    """What the nodes of other regions read at an exit: integers times one scale, plus an offset."""

    low: np.ndarray
    """int64 (channels,): smallest integer of every channel."""
    high: np.ndarray
    """int64 (channels,)"""
    scale: np.float32
    """The network's number is the integer times this ..."""
    negated: np.ndarray
    """bool (channels,): the channel arrives with the opposite sign (`transitions`), to be undone in the weights."""
    bits: bool = False
    """The tensor holds bits that stand for -1 and +1; what reads them must have weights +-1."""
    step: int = 1
    """Distance of one integer to the next: 2 for -1 and +1, held as bits or not."""
    offset: float = 0.0
    """... plus this (joins only)."""

    @staticmethod
    def of_signs(scale: np.float32, negated: np.ndarray) -> "Feed":
        """A feed of +-1, held as bits."""
        ones = np.ones(len(negated), dtype=np.int64)
        return Feed(-ones, ones, scale, negated, True, 2)


class Product:
    """The weights of a Conv or MatMul node as integers and scales; signs of whole rows and columns may be changed."""

    def __init__(self, model: ModelWrapper, node: NodeProto):
        self.node = node
        weights = model.get_initializer(node.input[1]).astype(np.float64)
        oriented = weights if node.op_type == "Conv" else weights.T  # (outputs, inputs, ...)
        magnitude = np.abs(oriented).reshape(len(oriented), -1)
        self.bipolar = bool((magnitude == magnitude[:, :1]).all() and (magnitude > 0).all())
        """Every weight is -1 or +1."""
        if self.bipolar:
            self.scale = magnitude[:, 0].astype(np.float32)
            self.weights = np.sign(oriented).astype(np.int64)
        else:
            self.scale, self.weights = self._integers(oriented)
        # weights int64 (outputs, inputs, ...); the network's weight is the integer times scale float32 (outputs,)

    def _integers(self, oriented: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = common_scale(np.unique(oriented))
        limit = 1 << WEIGHT_BITS - 1
        if found is None or np.abs(np.rint(oriented / float(found))).max() >= limit:
            magnitude = np.abs(oriented).reshape(len(oriented), -1)
            channel = int(np.argmax((magnitude != magnitude[:, :1]).any(axis=1) | (magnitude[:, 0] <= 0)))
            values = sorted({float(value) for value in oriented[channel].flat})
            shown = ", ".join(f"{value:.6g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")
            raise refuse(
                self.node,
                f"its weights are neither +-1 nor integers below {limit}: output channel {channel} holds {shown}",
                f"weights of two values -s and +s per output channel, or integers of {WEIGHT_BITS} bits times one "
                "scale",
            )
        return np.full(len(oriented), found), np.rint(oriented / float(found)).astype(np.int64)

    @property
    def fan_in(self) -> int:
        """Terms of one sum."""
        return int(np.prod(self.weights.shape[1:]))

    def undo(self, feed: Feed) -> None:
        """Negate the weights that read a negated channel. A dense layer behind a map reads every channel at several
        positions, channel by channel.
        """
        positions, rest = divmod(self.weights.shape[1], len(feed.negated))
        if rest:
            raise refuse(
                self.node,
                f"it reads {self.weights.shape[1]} inputs of {len(feed.negated)} channels",
                "layers that read whole channels",
            )
        self.weights[:, np.repeat(feed.negated, positions)] *= -1

    def negate(self, own: np.ndarray) -> None:
        """Negate all weights of the output channels in ``own`` (bool (outputs,))."""
        self.weights[own] *= -1

    def accumulators(self, feed: Feed) -> Accumulators:
        """Exact range of every output channel, from the real weights; float32 must hold it exactly."""
        outputs, inputs = self.weights.shape[:2]
        repeat = inputs // len(feed.low)
        plus = np.maximum(self.weights, 0).reshape(outputs, inputs, -1).sum(axis=2)
        minus = np.maximum(-self.weights, 0).reshape(outputs, inputs, -1).sum(axis=2)
        low, high = np.repeat(feed.low, repeat), np.repeat(feed.high, repeat)
        result = Accumulators(plus @ low - minus @ high, plus @ high - minus @ low, feed.step)
        most = np.abs(self.weights).reshape(outputs, -1).sum(axis=1).max()
        largest = int(most) * int(max(np.abs(feed.low).max(), np.abs(feed.high).max()))
        if largest >= EXACT_FLOAT32:  # no partial sum, in whatever order, is larger
            raise refuse(
                self.node, f"its sums may reach {largest}, which float32 cannot count", f"sums below {EXACT_FLOAT32}"
            )
        return result
