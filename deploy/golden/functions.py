"""What integer graphs compute besides products, pools and signs: codes, by thresholds, tables and lines, and sums.

A `Function` is one such operator with its constants, and what every other form of it would have cost. Thresholds that
give codes are among them; their numbers are those of `signflow.deploy.golden.thresholds`.
"""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.dialect import operator_of
from signflow.deploy.compile.dialect.joins import ShiftAdd
from signflow.deploy.compile.dialect.lookup import Lookup
from signflow.deploy.compile.dialect.requantise import Requantise
from signflow.deploy.compile.dialect.thresholds import Mul, MultiThreshold
from signflow.deploy.compile.passes.notes import costs_of
from signflow.deploy.compile.reach import reaches
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.golden.thresholds import ThresholdsError

MOST = 4096
"""Numbers at which a function is drawn."""


@dataclass(frozen=True)
class Function:
    """One operator of an integer graph."""

    layer: str
    """The node of the hardware graph."""
    node: NodeProto
    reads: tuple[str, ...]
    """The layers of its inputs."""
    gives: str
    """Type of its results."""
    formula: str
    """With y for the result, x and z for what it reads; ends of the constants that differ between channels."""
    constants: dict
    """Those of the formula: numbers, and a list over the channels where they differ."""
    costs: dict[str, float]
    """Form -> LUTs of one lane, the cheapest first, which is the one taken; empty where there was no choice."""


def functions(model: ModelWrapper) -> list[Function]:
    """The tables, lines and sums of an integer graph, and its thresholds that give codes, in order."""
    layer_of, costs, found = IntGraph(model).layer_of, costs_of(model), []
    for node in model.graph.node:
        out = node.output[0]
        bits = node.op_type == MultiThreshold.__name__ and model.get_tensor_datatype(out) == DataType["BINARY"]
        if node.op_type not in FORMULAS or bits:
            continue
        formula, constants = FORMULAS[node.op_type](operator_of(model, node))
        reads = tuple(layer_of[name] for name in node.input if name in layer_of)
        kind = model.get_tensor_datatype(out).name
        found.append(Function(layer_of[out], node, reads, kind, formula, constants, costs.get(out, {})))
    return found


def _ends(values: np.ndarray) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low:,}" if low == high else f"{low:,}..{high:,}"


def _requantise(line: Requantise) -> tuple[str, dict]:
    shift, low, high = line.limits
    formula = f"y = clip((x M + B) >> {shift}, {low}, {high}), M {_ends(line.factor)}, B {_ends(line.offset)}"
    numbers = {"M": line.factor.tolist(), "B": line.offset.tolist()}
    return formula, numbers | {"shift": shift, "low": low, "high": high}


def _lookup(lookup: Lookup) -> tuple[str, dict]:
    rows, entries = lookup.table.shape
    whose = "one for all channels" if rows == 1 else f"{rows} channels"
    lowest = lookup.attribute("lowest")
    index = "x" if not lowest else f"x - {lowest}" if lowest > 0 else f"x + {-lowest}"
    constants = {"lowest": lowest, "table": lookup.table.astype(int).tolist()}
    return f"y = table[{index}], {entries} entries, {whose}", constants


def _add(add: ShiftAdd) -> tuple[str, dict]:
    shifts = [int(n) for n in add.attribute("shifts")]
    terms = [name if not shift else f"({name} << {shift})" for name, shift in zip("xz", shifts, strict=True)]
    return f"y = {' + '.join(terms)}", {"shifts": shifts}


def _threshold(threshold: MultiThreshold) -> tuple[str, dict]:
    steps, lowest = threshold.steps().thresholds, int(getCustomOp(threshold.node).get_nodeattr("out_bias"))
    return f"y = {lowest} + thresholds <= x", {"lowest": lowest, "steps": steps.shape[1]}


FORMULAS = {
    Requantise.__name__: _requantise,
    Lookup.__name__: _lookup,
    ShiftAdd.__name__: _add,
    MultiThreshold.__name__: _threshold,
}


@dataclass(frozen=True)
class Codes:
    """One channel of a table or a line: what it makes of integers, and how often they occur."""

    x: np.ndarray
    """int64 (values,): ascending, all that can occur; or `MOST` of them, and `MOST` between those on the images."""
    y: np.ndarray
    """int64 (values,)"""
    seen: np.ndarray
    """int64 (numbers,): every x that occurred on the images."""
    given: np.ndarray
    """int64 (numbers,): its y."""


def drawable(model: ModelWrapper, layer: str) -> Function | None:
    """What gives codes in the hardware node ``layer``, if it stands there alone; else None."""
    found = (f for f in functions(model) if f.layer == layer and f.node.op_type != ShiftAdd.__name__)
    return next((f for f in found if f.reads[0] != layer), None)


def codes(model: ModelWrapper, function: Function, images: np.ndarray, channel: int | None = None) -> tuple[int, Codes]:
    """(channel, its codes on ``images``); without a ``channel`` that in which most different codes occur. Raises
    ThresholdsError for a channel that there is not.
    """
    graph = IntGraph(model)
    before, after = (graph.maps(images, layer) for layer in (function.reads[0], function.layer))
    channels = after.shape[-1]
    before, after = (numbers.reshape(-1, channels) for numbers in (before, after))
    if channel is None:
        channel = int(np.argmax([len(np.unique(column)) for column in after.T]))
    if not 0 <= channel < channels:
        raise ThresholdsError(f"{function.layer} has no channel {channel}: name one of 0..{channels - 1}")
    before = _sign(model, function.node, channel) * before[:, channel]
    low, high = (int(end[channel]) for end in reaches(model)[function.node.input[0]])
    x = _spread(low, high)
    if len(x) == MOST:
        x = np.union1d(x, _spread(int(before.min()), int(before.max())))
    y = _computed(operator_of(model, function.node), x, channels)[:, channel]
    return channel, Codes(x, y, before, after[:, channel])


def _spread(low: int, high: int) -> np.ndarray:
    return np.unique(np.linspace(low, high, min(high - low + 1, MOST)).round().astype(np.int64))


def _computed(operator: Requantise | Lookup | MultiThreshold, x: np.ndarray, channels: int) -> np.ndarray:
    """What every channel makes of ``x``: int64 (values, channels)."""
    if isinstance(operator, MultiThreshold):
        rows, (_, lowest) = operator.steps().by_channel(channels), _threshold(operator)
        return np.stack([np.searchsorted(row, x, side="right") for row in rows], axis=1) + lowest["lowest"]
    everywhere = np.broadcast_to(x[:, None], (1, len(x), channels))
    return operator.compute(everywhere, *operator.constants[1:])[0].astype(np.int64)


def _sign(model: ModelWrapper, node: NodeProto, channel: int) -> int:
    """What the numbers of ``channel`` are multiplied by in front of ``node``: 1 or -1."""
    producer = model.find_producer(node.input[0])
    negated = producer is not None and producer.op_type == Mul.__name__
    return int(np.ravel(model.get_initializer(producer.input[1]))[channel]) if negated else 1
