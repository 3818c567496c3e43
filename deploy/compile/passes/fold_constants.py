"""Channels that never change are no hardware: their bits go into the thresholds of the layers that read them.

    popcount over all channels >= T    <=>    popcount over the others >= T - (agreeing bits of the constant ones)

A bit b of a constant channel, read with weight w at some position of a window, always adds [w = b]. So its neuron and
the weights that read it are removed, and every threshold behind the popcount is lowered by what it used to add, per
output; behind the last layer the recorded head adds it. Channels are removed in groups of `GROUP`, and at least so many
stay: what is left must still divide well into processing elements. Other constant channels keep thresholds that are
never, or always, reached.
"""

from dataclasses import replace

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation

from signflow.deploy.compile.dialect.base import Range, integer_type
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.signs import Sign, save_signs
from signflow.deploy.compile.passes.transitions import Accumulators
from signflow.deploy.compile.reach import walk

GROUP = 32
"""512 - 32 folds nearly as well as 512; 512 - 8 does not: width converters would cost more than it spares."""
PRODUCTS = ("MatMul", "XnorPopcountMatMul")


def constant_bits(steps: np.ndarray, low: np.ndarray, high: np.ndarray, window: bool) -> np.ndarray:
    """int8 (channels,): the bit of a channel that never changes, -1 for others. ``steps`` (channels, N) on integers
    ``low``..``high``; of codes, 0 and 1 stand for the lowest and the highest.
    """
    first, last = steps[:, 0], steps[:, -1]
    if window:
        always, never = (first > high) | (last <= low) | (first == last), (first <= low) & (last > high)
    else:
        always, never = last <= low, first > high
    return np.where(always, 1, np.where(never, 0, -1)).astype(np.int8)


class FoldConstants(Transformation):
    """See the module's docstring. Works on an integer graph."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Handles every sign behind a product whose bits only products of bits read."""
        signs, chains = Sign.of(model), {}
        for i, sign in enumerate(signs):
            if (chain := _chain(model, sign.integer)) is not None:
                chains[chain[0].output[0]] = i, chain
        for tensor, ranges in walk(model):
            if tensor in chains:
                i, chain = chains[tensor]
                signs[i], ranges[tensor] = _fold(model, signs[i], chain, *ranges[tensor])
        save_signs(model, signs)
        return model, False


def _fold(
    model: ModelWrapper, sign: Sign, chain: list[NodeProto], low: np.ndarray, high: np.ndarray
) -> tuple[Sign, Range]:
    """``sign``, whose ``chain`` starts with a product that gives ``low``..``high``, and that range, both without the
    constant channels.
    """
    readers, rows = _readers(model, sign.integer), model.get_initializer(chain[1].input[1])
    steps = np.broadcast_to(rows, (len(low), rows.shape[1]))
    bits = constant_bits(steps, low, high, rows.shape[1] == 2)
    count = min((bits >= 0).sum() // GROUP * GROUP, len(bits) - GROUP)
    if readers is None or count <= 0:
        return sign, (low, high)
    gone = np.flatnonzero(bits >= 0)[:count]
    left = np.setdiff1d(np.arange(len(bits)), gone)
    _shrink(model, chain, left)
    for windows, reader in readers:
        _absorb(model, windows, reader, gone, bits[gone], len(bits))
    kept = [c for k, c in enumerate(sign.channels) if k not in set(gone.tolist())]
    complement = [c for c in sign.complement if c in set(kept)]
    return replace(sign, channels=kept, complement=complement), (low[left], high[left])


def _chain(model: ModelWrapper, bits: str) -> list[NodeProto] | None:
    """Product, threshold, pools and window that make ``bits`` and nothing else; None if they are not so."""
    nodes, node = [], model.find_producer(bits)
    while node is not None and node.op_type in ("MultiThreshold", "Window", "MaxPoolNHWC"):
        nodes.append(node)
        node = model.find_producer(node.input[0])
    if node is None or node.op_type not in PRODUCTS or nodes[-1].op_type == "MaxPoolNHWC":
        return None
    nodes.append(node)
    if any(len(model.find_consumers(n.output[0])) != 1 for n in nodes[1:]):
        return None
    return nodes[::-1]


def _readers(model: ModelWrapper, bits: str) -> list[tuple[list[NodeProto], NodeProto]] | None:
    """(window or flatten in front, product of bits) of every reader; None if there are others, if more than
    thresholds reads the popcounts, or if an arg max compares those of the last layer.
    """
    found = []
    for node in model.find_consumers(bits) or []:
        between = []
        while node.op_type in ("Im2Col", "Flatten"):
            between.append(node)
            (node,) = model.find_consumers(node.output[0])
        if node.op_type != "XnorPopcountMatMul" or not _compared(model, node.output[0]) or Head.of(model).index:
            return None
        found.append((between, node))
    return found


def _compared(model: ModelWrapper, sums: str) -> bool:
    """Nothing but thresholds reads ``sums``, maybe behind pools and signs."""
    readers = model.find_consumers(sums) or []
    behind = [node.output[0] for node in readers if node.op_type in ("MaxPoolNHWC", "Mul")]
    compares = sum(node.op_type in ("MultiThreshold", "Window") for node in readers)
    return compares + len(behind) == len(readers) and all(_compared(model, tensor) for tensor in behind)


def _set(model: ModelWrapper, name: str, values: np.ndarray) -> None:
    datatype = model.get_tensor_datatype(name)
    model.set_initializer(name, np.ascontiguousarray(values, dtype=np.float32))
    model.set_tensor_datatype(name, datatype)


def _set_channels(model: ModelWrapper, tensor: str, channels: int) -> None:
    datatype = model.get_tensor_datatype(tensor)
    model.set_tensor_shape(tensor, [*model.get_tensor_shape(tensor)[:-1], channels])
    model.set_tensor_datatype(tensor, datatype)


def _shrink(model: ModelWrapper, chain: list[NodeProto], kept: np.ndarray) -> None:
    """Only the channels ``kept`` of a chain from a product to its bits."""
    product, threshold, *_ = chain
    _set(model, product.input[1], model.get_initializer(product.input[1])[:, kept])
    rows = model.get_initializer(threshold.input[1])
    if len(rows) > 1:
        _set(model, threshold.input[1], rows[kept])
    for node in chain:
        _set_channels(model, node.output[0], len(kept))


def _absorb(
    model: ModelWrapper, between: list[NodeProto], reader: NodeProto, gone: np.ndarray, bits: np.ndarray, channels: int
) -> None:
    """``reader`` no longer reads the channels ``gone``, whose ``bits`` never change; its thresholds take them over."""
    weights = model.get_initializer(reader.input[1])
    blocks = weights.reshape(-1, channels, weights.shape[1])  # (positions, channels, outputs)
    added = (blocks[:, gone] == bits[None, :, None]).sum(axis=(0, 1))
    left = np.delete(blocks, gone, axis=1)
    _set(model, reader.input[1], left.reshape(-1, weights.shape[1]))
    for node in between:
        if node.op_type == "Im2Col":
            _, height, width, _ = model.get_tensor_shape(node.input[0])
            getCustomOp(node).set_nodeattr("input_shape", f"(1, {height}, {width}, {channels - len(gone)})")
        _set_channels(model, node.output[0], left.shape[0] * left.shape[1])
    fan_in = left.shape[0] * left.shape[1]
    model.set_tensor_datatype(reader.output[0], DataType[integer_type(0, fan_in)])
    _lower(model, reader.output[0], added, fan_in)


def _lower(model: ModelWrapper, tensor: str, added: np.ndarray, fan_in: int, signs: np.ndarray | int = 1) -> None:
    """Every threshold on ``tensor``, now a popcount of ``fan_in`` bits times ``signs``, falls by ``added`` int
    (outputs,) times these.
    """
    for node in model.find_consumers(tensor) or []:
        if node.op_type == "MaxPoolNHWC":
            model.set_tensor_datatype(node.output[0], model.get_tensor_datatype(tensor))
            _lower(model, node.output[0], added, fan_in, signs)
        elif node.op_type == "Mul":
            model.set_tensor_datatype(node.output[0], DataType[integer_type(-fan_in, fan_in)])
            _lower(model, node.output[0], added, fan_in, signs * model.get_initializer(node.input[1]))
        else:
            low, high = (0, fan_in + 1) if np.all(signs == 1) else (-fan_in, fan_in + 1)
            steps = np.clip(model.get_initializer(node.input[1]) - (signs * added)[:, None], low, high)
            model.set_initializer(node.input[1], steps.astype(np.float32))
            model.set_tensor_datatype(node.input[1], DataType[integer_type(int(steps.min()), int(steps.max()))])
    if tensor == model.graph.output[0].name:
        head = Head.of(model)
        head.shift(added, Accumulators(np.zeros_like(added), np.full_like(added, fan_in), 1))
        head.save_to(model)
