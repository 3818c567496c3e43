"""What products read, their weights as integers, and the sums they can reach."""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.dialect.base import check_exact, partial, weighted
from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.rounding import grain, sum_error
from signflow.deploy.compile.passes.scales import SEARCHED, common_scale, search
from signflow.deploy.compile.passes.transitions import Accumulators


@dataclass
class Feed:
    """What the nodes of other regions read at an exit: integers times one scale, plus an offset."""

    low: np.ndarray
    """int64 (channels,): smallest integer of every channel."""
    high: np.ndarray
    """int64 (channels,)"""
    scale: float
    """The network's number is the integer times this ..."""
    negated: np.ndarray
    """bool (channels,): the channel arrives with the opposite sign (`transitions`), to be undone in the weights."""
    grain: float
    """Every one of the network's numbers is a multiple of this power of two (`rounding`)."""
    bits: bool = False
    """The tensor holds bits that stand for -1 and +1; what reads them must have weights +-1."""
    step: int = 1
    """Distance of one integer to the next: 2 for -1 and +1, held as bits or not."""
    offset: np.ndarray | float = 0.0
    """... plus this, float64 (channels,) or for all, up to ..."""
    error: float = 0.0
    """... this. Then ``grain`` may be 0: nothing is known of it."""

    @staticmethod
    def of_signs(scale: float, negated: np.ndarray) -> "Feed":
        """A feed of +-1, held as bits."""
        ones = np.ones(len(negated), dtype=np.int64)
        return Feed(-ones, ones, float(scale), negated, grain(np.array(scale)), True, 2)

    @property
    def offsets(self) -> np.ndarray:
        """float64 (channels,)"""
        return np.broadcast_to(np.asarray(self.offset, dtype=np.float64), self.low.shape)

    @property
    def largest(self) -> np.ndarray:
        """float64 (channels,): largest magnitude of the network's numbers."""
        return np.maximum(np.abs(self.low), np.abs(self.high)) * self.scale + np.abs(self.offsets) + self.error

    @property
    def numbers(self) -> Numbers:
        """The integers as the start of a region."""
        flat = lambda value: np.full(len(self.low), value)  # noqa: E731
        return Numbers(Accumulators(self.low, self.high, self.step), flat(self.scale), self.offsets, flat(self.error))

    def sums(self, node: NodeProto, positions: int) -> Numbers:
        """Sums of each channel over ``positions``; ``node`` adds them."""
        reach = Accumulators(self.low * positions, self.high * positions, 1)
        check_exact(node, int(max(-reach.low.min(), reach.high.max())))
        error = sum_error(np.repeat(self.largest[:, None], positions, axis=1), self.grain) + self.error * positions
        return Numbers(reach, np.full(len(self.low), self.scale), self.offsets * positions, error)


class Product:
    """The weights of a Conv or MatMul node as integers and scales; signs of whole rows and columns may be changed."""

    def __init__(self, model: ModelWrapper, node: NodeProto):
        self.node = node
        weights = model.get_initializer(node.input[1]).astype(np.float64)
        self.real = weights if node.op_type == "Conv" else weights.T
        """float64 (outputs, inputs, ...): the network's own."""
        magnitude = np.abs(self.real).reshape(len(self.real), -1)
        alike = (magnitude == magnitude[:, :1]).all() and (magnitude.shape[1] > 1 or np.unique(magnitude).size == 1)
        self.bipolar = bool(alike and (magnitude > 0).all())
        """Every weight is -1 or +1, times a scale of its output; of a single input, times one for all, for else the
        integers of a quantiser would pass for scales.
        """
        self.scale = magnitude[:, 0] if self.bipolar else self._scale()
        """float64 (outputs,)"""
        self.weights = np.rint(self.real / self._by_output(self.scale)).astype(np.int64)
        """int64 (outputs, inputs, ...): the network's weight is about the integer times the scale."""

    def _by_output(self, values: np.ndarray) -> np.ndarray:
        return values.reshape(-1, *(1,) * (self.real.ndim - 1))

    def _scale(self) -> np.ndarray:
        """One scale for all outputs, exact or not; else one for each."""
        found = common_scale(self.real)
        if found is None or np.abs(self.real).max() > SEARCHED * float(found):
            found = search(self.real)
        if found is not None:
            return np.full(len(self.real), float(found))
        scales = [search(row) for row in self.real]
        if None in scales:
            channel = scales.index(None)
            values = sorted({float(value) for value in self.real[channel].flat})
            shown = ", ".join(f"{value:.6g}" for value in values[:6]) + (", ..." if len(values) > 6 else "")
            raise refuse(
                self.node,
                f"its weights are neither +-1 nor integers of 8 bits times a scale: output channel {channel} holds "
                f"{shown}",
                "weights of two values -s and +s per output channel, or of a quantiser of at most 8 bits (Brevitas: "
                "weight_quant, weight_bit_width)",
            )
        return np.array(scales)

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

    def _flat(self, values: np.ndarray) -> np.ndarray:
        """Sums of weights over the positions of a kernel: (outputs, inputs)."""
        return values.reshape(*values.shape[:2], -1).sum(axis=2)

    def numbers(self, feed: Feed, bias: np.ndarray) -> Numbers:
        """What every output channel can reach, from the real weights, behind `undo`. ``bias`` (outputs or 1 or 0,) is
        added to the sums, by the reference perhaps first.
        """
        repeat = self.weights.shape[1] // len(feed.low)
        wide = lambda values: np.repeat(values, repeat)  # noqa: E731
        matrix, terms = self.weights.reshape(len(self.weights), -1).T, self.fan_in // len(feed.low)
        ends = np.repeat(feed.low, terms), np.repeat(feed.high, terms)
        reach = Accumulators(*weighted(matrix, *ends), feed.step)
        check_exact(self.node, partial(matrix, *ends))
        return Numbers(
            reach,
            self.scale * feed.scale,
            self._flat(self.real) @ wide(feed.offsets),
            self._rounding(wide(feed.largest), feed, bias),
        )

    def _rounding(self, largest: np.ndarray, feed: Feed, bias: np.ndarray) -> np.ndarray:
        """float64 (outputs,): see `rounding`; ``largest`` (inputs,) of what is read."""
        magnitude, outputs = np.abs(self.real), len(self.real)
        terms = (magnitude * largest.reshape(1, -1, *(1,) * (magnitude.ndim - 2))).reshape(outputs, -1)
        multiple = min(grain(self.real) * feed.grain, grain(bias))
        if bias.any():
            terms = np.concatenate([terms, np.broadcast_to(np.abs(bias), outputs)[:, None]], axis=1)
        drift = self._flat(np.abs(magnitude - np.abs(self.weights) * self._by_output(self.scale)))
        return sum_error(terms, multiple) + drift @ largest + self._flat(magnitude).sum(axis=1) * feed.error
