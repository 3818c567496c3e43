"""Weights and ranges of the products: +-1 times a scale per channel, and the integers their accumulators can reach."""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.passes.errors import refuse
from signflow.deploy.passes.transitions import Accumulators

EXACT_FLOAT32 = 2**24
"""Integers up to here are exact in float32, in which PyTorch and qonnx accumulate."""


@dataclass
class Feed:
    """What a product reads: integers times one scale."""

    low: np.ndarray
    """int64 (channels,): smallest integer of every channel."""
    high: np.ndarray
    """int64 (channels,)"""
    scale: np.float32
    """The network's number is the integer times this."""
    negated: np.ndarray
    """bool (channels,): the channel arrives with the opposite sign (`transitions`), to be undone in the weights."""

    bipolar: bool = False
    """Every integer is -1 or +1."""

    @staticmethod
    def of_signs(scale: np.float32, negated: np.ndarray) -> "Feed":
        """A feed of +-1."""
        ones = np.ones(len(negated), dtype=np.int64)
        return Feed(-ones, ones, scale, negated, True)


class Product:
    """The weights of a Conv or MatMul node as signs and scales; signs are changed in place and written back with
    `store`.
    """

    def __init__(self, model: ModelWrapper, node: NodeProto):
        self.model, self.node = model, node
        weights = model.get_initializer(node.input[1]).astype(np.float64)
        oriented = weights if node.op_type == "Conv" else weights.T  # (outputs, inputs, ...)
        magnitude = np.abs(oriented).reshape(len(oriented), -1)
        self.scale = magnitude[:, 0].astype(np.float32)
        """float32 (outputs,): weight = sign * scale."""
        if (magnitude != magnitude[:, :1]).any() or not (self.scale > 0).all():
            channel = int(np.argmax((magnitude != magnitude[:, :1]).any(axis=1) | (self.scale <= 0)))
            found = sorted({float(value) for value in oriented[channel].flat})
            shown = ", ".join(f"{value:.6g}" for value in found[:6]) + (", ..." if len(found) > 6 else "")
            raise refuse(
                node,
                f"its weights are not +-1: output channel {channel} holds {shown}",
                "weights of two values -s and +s per output channel",
            )
        self.signs = np.sign(oriented).astype(np.int64)
        """int64 (outputs, inputs, ...): -1 or +1."""

    @property
    def fan_in(self) -> int:
        """Terms of one sum."""
        return int(np.prod(self.signs.shape[1:]))

    def undo(self, feed: Feed) -> None:
        """Negate the weights that read a negated channel. A dense layer behind a map reads every channel at several
        positions, channel by channel.
        """
        positions, rest = divmod(self.signs.shape[1], len(feed.negated))
        if rest:
            raise refuse(
                self.node,
                f"it reads {self.signs.shape[1]} inputs of {len(feed.negated)} channels",
                "layers that read whole channels",
            )
        self.signs[:, np.repeat(feed.negated, positions)] *= -1

    def negate(self, own: np.ndarray) -> None:
        """Negate all weights of the output channels in ``own`` (bool (outputs,))."""
        self.signs[own] *= -1

    def accumulators(self, feed: Feed) -> Accumulators:
        """Exact range of every output channel, from the real weights; float32 must hold it exactly."""
        outputs, inputs = self.signs.shape[:2]
        if feed.bipolar:
            high = np.full(outputs, self.fan_in, dtype=np.int64)
            result = Accumulators(-high, high, 2)
        else:
            repeat = inputs // len(feed.low)
            plus = (self.signs > 0).reshape(outputs, inputs, -1).sum(axis=2)
            minus = (self.signs < 0).reshape(outputs, inputs, -1).sum(axis=2)
            low, high = np.repeat(feed.low, repeat), np.repeat(feed.high, repeat)
            result = Accumulators(plus @ low - minus @ high, plus @ high - minus @ low, 1)
        largest = self.fan_in * int(max(np.abs(feed.low).max(), np.abs(feed.high).max()))
        if largest >= EXACT_FLOAT32:  # no partial sum, in whatever order, is larger
            raise refuse(
                self.node, f"its sums may reach {largest}, which float32 cannot count", f"sums below {EXACT_FLOAT32}"
            )
        return result

    def store(self) -> None:
        """Write the signs into the graph as BIPOLAR weights; the scale is the caller's to account for."""
        plain = self.signs if self.node.op_type == "Conv" else self.signs.T
        self.model.set_initializer(self.node.input[1], np.ascontiguousarray(plain, dtype=np.float32))
        self.model.set_tensor_datatype(self.node.input[1], DataType["BIPOLAR"])
