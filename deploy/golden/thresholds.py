"""What the thresholds of an integer graph are, which of them decide on real images, and which the image moves.

A `Rule` is one threshold operator with everything that it decides on: the integers x that reach it, their exact range,
and whether the network calls its bit a sign. Its channels are

    constant   every reachable x gives the same bit        single   one threshold inside the range
    window     the bit is 0 on T1 <= x < T2, 1 on both sides, and x reaches all three

"Both sides" of a window are used when some image has x < T1 and some image x >= T2: no single threshold would do.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from onnx import NodeProto, TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.dialect.base import integer_type
from signflow.deploy.compile.dialect.joins import ShiftAdd
from signflow.deploy.compile.dialect.pools import MaxPoolNHWC
from signflow.deploy.compile.dialect.program import Windows
from signflow.deploy.compile.passes.fold_constants import constant_bits
from signflow.deploy.compile.passes.signs import Sign
from signflow.deploy.compile.reach import reaches
from signflow.deploy.golden.intgraph import IntGraph

BATCH = 100
"""Images whose accumulators stand in memory at a time."""


class ThresholdsError(ValueError):
    """The question has no answer for this network; the message says what to ask instead."""


@dataclass(frozen=True)
class Rule:
    """One threshold operator of an integer graph."""

    layer: str
    """The node of the hardware graph that holds it."""
    node: NodeProto
    """MultiThreshold or Window; its input 1 are the thresholds."""
    sums: str
    """Tensor of the integers in front of it, and of the pools in front of it."""
    pools: tuple[Windows, ...]
    """Of the MaxPools in front of it or right behind it: the largest x of a window decides."""
    thresholds: np.ndarray
    """int64 (channels, N), ascending."""
    low: np.ndarray
    """int64 (channels,): smallest x."""
    high: np.ndarray
    """int64 (channels,): largest x."""
    datatype: str
    """BINARY, or the type of its codes."""
    sign: Sign | None
    """The sign of the network that it is, if it is one."""

    @property
    def windowed(self) -> bool:
        """It holds T1 and T2 for every channel."""
        return self.datatype == "BINARY" and self.thresholds.shape[1] == 2

    @property
    def windows(self) -> np.ndarray:
        """bool (channels,): low < T1 < T2 <= high."""
        if not self.windowed:
            return np.zeros(len(self.low), dtype=bool)
        first, second = self.thresholds.T
        return (self.low < first) & (first < second) & (second <= self.high)

    @property
    def constant(self) -> np.ndarray:
        """bool (channels,): one value for every x."""
        return constant_bits(self.thresholds, self.low, self.high, self.windowed) >= 0

    @property
    def several(self) -> bool:
        """Channels have thresholds of their own."""
        return bool((self.thresholds != self.thresholds[:1]).any())

    @property
    def complement(self) -> list[int]:
        """Channels that the hardware stores complemented."""
        return self.sign.complement if self.sign is not None else []


def _forward(model: ModelWrapper, tensor: str) -> tuple[list[Windows], str, bool]:
    """Pools behind ``tensor``, where they end, and whether a Window makes bits of counts there."""
    pools = []
    while len(readers := model.find_consumers(tensor) or []) == 1:
        if readers[0].op_type == "MaxPoolNHWC":
            pools.append(MaxPoolNHWC.of(model, readers[0]).windows)
        elif readers[0].op_type == "Window" and pools:
            return pools, readers[0].output[0], True
        else:
            break
        tensor = readers[0].output[0]
    return pools, tensor, False


def _backward(model: ModelWrapper, tensor: str) -> tuple[list[Windows], str]:
    """Pools in front of ``tensor``, and what they pool."""
    pools = []
    while (node := model.find_producer(tensor)) is not None and node.op_type in ("MaxPoolNHWC", "Mul"):
        if node.op_type == "MaxPoolNHWC":
            pools.append(MaxPoolNHWC.of(model, node).windows)
        tensor = node.input[0]
    return pools[::-1], tensor


def rules(model: ModelWrapper) -> list[Rule]:
    """The threshold operators of an integer graph (`signflow.deploy.compile.streamline`), in order."""
    layer_of, reach = IntGraph(model).layer_of, reaches(model)
    signs, found = {sign.integer: sign for sign in Sign.of(model)}, []
    counted = set()
    for node in model.graph.node:
        if node.op_type not in ("MultiThreshold", "Window") or node.output[0] in counted:
            continue
        behind, end, counts = _forward(model, node.output[0])
        in_front, sums = _backward(model, node.input[0])
        low, high = reach[node.input[0]]
        rows = np.sort(model.get_initializer(node.input[1]), axis=1).astype(np.int64)
        rows = np.broadcast_to(rows, (len(low), rows.shape[1]))
        if counts:
            counted.add(end)
        kind = "BINARY" if counts else model.get_tensor_datatype(node.output[0]).name
        pools = (*in_front, *behind)
        layer = layer_of[node.output[0]]
        found.append(Rule(layer, node, sums, pools, rows, low, high, kind, signs.get(end)))
    return found


def find_rule(model: ModelWrapper, layer: str) -> Rule:
    """The rule in the hardware node ``layer``; raises ThresholdsError with the nearest name and all others."""
    found = {rule.layer: rule for rule in rules(model)}
    if layer not in found:
        near = get_close_matches(layer, found, 1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise ThresholdsError(f"no thresholds in {layer!r}{meant}; they are in {', '.join(found)}")
    return found[layer]


def with_output(model: ModelWrapper, tensor: str) -> ModelWrapper:
    """A copy of an integer graph that ends with ``tensor``, which a node computes."""
    copy = ModelWrapper(model.model, make_deepcopy=True)
    inner = [value for value in copy.graph.value_info if value.name != tensor]
    del copy.graph.output[:], copy.graph.value_info[:]
    copy.graph.value_info.extend(inner)
    copy.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, model.get_tensor_shape(tensor)))
    return copy


def _pool(x: np.ndarray, pool: Windows) -> np.ndarray:
    down, right = pool.stride
    return sliding_window_view(x, pool.kernel, (1, 2))[:, ::down, ::right].max(axis=(4, 5))


def integers(model: ModelWrapper, rule: Rule, images: np.ndarray) -> Iterator[np.ndarray]:
    """The x that ``rule`` decides on, behind the pools, a batch of images at a time: int64 (images, positions,
    channels).
    """
    graph, shape = IntGraph(with_output(model, rule.sums)), model.get_tensor_shape(rule.sums)
    maps = tuple(shape[1:]) if len(shape) == 4 else (1, 1, shape[1])
    signs = np.ones(1, dtype=np.int64)
    producer = model.find_producer(rule.node.input[0])
    if producer is not None and producer.op_type == "Mul":
        signs = model.get_initializer(producer.input[1]).astype(np.int64)
    for first in range(0, len(images), BATCH):
        part = images[first : first + BATCH]
        x = graph(part).reshape(len(part), *maps)
        for pool in rule.pools:
            x = _pool(x, pool)
        yield signs * x.reshape(len(part), -1, maps[-1])


def sides(model: ModelWrapper, rule: Rule, images: np.ndarray) -> np.ndarray:
    """How often x < T1, T1 <= x < T2, x >= T2 in the channels of a rule with two thresholds: int64 (channels, 3)."""
    low, high = rule.thresholds.T
    counts = np.zeros((len(low), 3), dtype=np.int64)
    for x in integers(model, rule, images):
        below, above = (x < low).sum(axis=(0, 1)), (x >= high).sum(axis=(0, 1))
        counts += np.stack([below, x.shape[0] * x.shape[1] - below - above, above], axis=1)
    return counts


def most_two_sided(model: ModelWrapper, images: np.ndarray, layer: str = "") -> tuple[Rule, int]:
    """(rule, channel) of the window whose rarer side occurs most on ``images``, in all layers or in one. Raises
    ThresholdsError if there is no window.
    """
    best, most = None, -1.0
    for rule in [find_rule(model, layer)] if layer else rules(model):
        if not rule.windows.any():
            continue
        counts = sides(model, rule, images)
        share = np.where(rule.windows, np.minimum(counts[:, 0], counts[:, 2]) / counts[0].sum(), -1)
        if share.max() > most:
            best, most = (rule, int(np.argmax(share))), share.max()
    if best is None:
        where = f"layer {layer!r}" if layer else "the network"
        raise ThresholdsError(f"no window in {where}: every sign changes at most once; name a --layer and a --channel")
    return best


def drop_lower(model: ModelWrapper, layer: str = "", channel: int | None = None) -> ModelWrapper:
    """A copy of the integer graph whose windows have lost T1: it lies below everything that can occur. All of them, or
    those of one layer, or of one channel.
    """
    copy = ModelWrapper(model.model, make_deepcopy=True)
    for rule in [find_rule(model, layer)] if layer else rules(model):
        dropped = rule.windows
        if channel is not None:
            dropped &= np.arange(len(dropped)) == channel
        if not dropped.any():
            continue
        rows = rule.thresholds.copy()
        rows[dropped, 0] = rule.low[dropped]
        copy.set_initializer(rule.node.input[1], rows.astype(np.float32))
        kind = integer_type(int(rows.min()), int(rows.max()))
        copy.set_tensor_datatype(rule.node.input[1], DataType[kind])
    return copy


@dataclass(frozen=True)
class Moving:
    """A sign behind a sum of two codes: bit = [code + level >= T] = [x >= the (T - level)-th threshold of the code]."""

    rule: Rule
    """The sign."""
    code: Rule
    """What makes the codes."""
    level: str
    """The layer that gives the levels, one a channel and image."""

    def thresholds(self, levels: np.ndarray) -> np.ndarray:
        """The x from which on the bit is 1: int64 like ``levels`` (images, channels); past the largest x if never."""
        channel = np.arange(levels.shape[1])
        lowest = int(getCustomOp(self.code.node).get_nodeattr("out_bias"))
        steps = np.column_stack([self.code.low, self.code.thresholds, self.code.high + 1])
        index = self.rule.thresholds[:, 0] - levels - lowest
        return steps[channel, np.clip(index, 0, steps.shape[1] - 1)]


def moving(model: ModelWrapper) -> list[Moving]:
    """The signs whose threshold the image moves."""
    found, layer_of = {rule.node.output[0]: rule for rule in rules(model)}, IntGraph(model).layer_of

    def made(tensor: str) -> Rule | None:
        while (node := model.find_producer(tensor)) is not None and node.op_type == "Flatten":
            tensor = node.input[0]
        return found.get(tensor)

    result = []
    for rule in found.values():
        join = model.find_producer(rule.node.input[0])
        if rule.sign is None or join is None or join.op_type != "ShiftAdd":
            continue
        one, two = (made(tensor) for tensor in join.input)
        if one is None or two is None or any(ShiftAdd.of(model, join).factors != 1):
            continue  # a sum of other streams
        code, level = (one, two) if one.several else (two, one)
        result.append(Moving(rule, code, layer_of[level.node.output[0]]))
    return result
