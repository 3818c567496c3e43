"""Run nodes of a network on tables of numbers, in the arithmetic of the reference: the same kernels, float32, one node
at a time as qonnx does.

A table is float32 (values, channels): column c holds everything that channel c can be, row by row. The rows travel
through a node as its batch, so the node itself, with its own constants, computes what it would compute in the network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.execute_custom_node import execute_custom_node
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import is_custom_op
from qonnx.util.basic import get_preferred_qonnx_opset, qonnx_make_model

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.regions import POOLS, SHAPES
from signflow.deploy.compile.sessions import session
from signflow.deploy.compile.soundness import one_line


def run_node(model: ModelWrapper, node: NodeProto, data: Mapping[str, np.ndarray] | None = None) -> np.ndarray:
    """Output 0 of ``node``; inputs come from ``data`` (tensor name -> value), constants from ``model``. Raises
    UnsupportedError, as `compute`.
    """
    feeds = {name: model.get_initializer(name) for name in node.input if name} | dict(data or {})
    return compute(node, feeds, model.get_opset_imports())[node.output[0]]


def compute(node: NodeProto, feeds: Mapping[str, np.ndarray], opsets: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Every output of ``node`` for the inputs ``feeds``, with the operators of ``opsets`` (domain -> version). Raises
    UnsupportedError for a node that the reference itself does not run.
    """
    try:
        return _compute(node, feeds, opsets)
    except Exception as error:
        raise refuse(
            node, f"the reference does not run it: {one_line(error)}", "operators as ONNX defines them"
        ) from error


def _compute(node: NodeProto, feeds: Mapping[str, np.ndarray], opsets: Mapping[str, int]) -> dict[str, np.ndarray]:
    if is_custom_op(node.domain, node.op_type):
        context = dict(feeds)
        execute_custom_node(
            node, context, None, onnx_opset_version=opsets.get(node.domain, get_preferred_qonnx_opset())
        )
        return {name: np.asarray(context[name]) for name in node.output}
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), None) for name, v in feeds.items()
    ]
    names = [name for name in node.output if name]
    outputs = [helper.make_empty_tensor_value_info(name) for name in names]
    single = qonnx_make_model(helper.make_graph([node], "one-node", inputs, outputs))
    single.opset_import[0].version = opsets["" if "" in opsets else "ai.onnx"]
    results = session(single.SerializeToString(deterministic=True)).run(names, dict(feeds))
    return dict(zip(names, results, strict=True))


@dataclass
class Path:
    """A region's numbers on their way from its start to one of its exits."""

    end: np.ndarray
    """Table at the exit: float32 (values, columns). A Flatten makes several columns of one channel, channel by channel.
    """
    pools: list[tuple[NodeProto, np.ndarray]]
    """Each MaxPool on the way with the table in front of it."""


@dataclass
class _Numbers:
    """One tensor of a region while its table is evaluated."""

    table: np.ndarray
    rank: int
    pools: tuple[str, ...]
    """Pools in front of it."""
    area: list[int]
    """Height and width of the map whose numbers it holds; an image of one dimension is a map of height 1."""


def follow(model: ModelWrapper, nodes: Sequence[NodeProto], start: str, end: str, table: np.ndarray) -> Path:
    """Send ``table`` (float32 (values, channels of ``start``)) through ``nodes`` (`Region.path`) to the tensor ``end``;
    pools pass numbers on unchanged.
    """
    shape = list(model.get_tensor_shape(start))
    row = len(shape) == 3 and start == model.graph.input[0].name
    known = {start: _Numbers(table, len(shape), (), [1, *shape[2:]] if row else shape[2:])}
    pools = []
    for node in nodes:
        data = {name: known[name] for name in node.input if name in known}
        first = next(iter(data.values()))
        if any(numbers.pools != first.pools for numbers in data.values()):
            raise refuse(node, "it combines numbers in front of a MaxPool with numbers behind it", "one of both")
        if node.op_type in POOLS:
            pools.append((node, first.table))
            area = list(model.get_tensor_shape(node.output[0])[2:])
            result = _Numbers(first.table, first.rank, (*first.pools, node.name), area)
        elif node.op_type in SHAPES:
            result = _reshaped(model, node, first)
        else:
            result = _Numbers(_scalar(model, node, data), first.rank, first.pools, first.area)
        known[node.output[0]] = result
    return Path(known[end].table, pools)


def _reshaped(model: ModelWrapper, node: NodeProto, numbers: _Numbers) -> _Numbers:
    """Channels stay columns; what makes features of channels and positions repeats the columns.

    A map may become features, or have its positions put in a row, and be a map again; height and width of a map are the
    integer graph's for good, so no other shape of several positions is theirs.
    """
    before, after = (list(model.get_tensor_shape(name)) for name in (node.input[0], node.output[0]))
    positions = int(np.prod(before[2:]))
    if after == [1, int(np.prod(before))]:
        return _Numbers(np.repeat(numbers.table, positions, axis=1), 2, numbers.pools, [1, 1])
    if after[:2] == before[:2] and (positions == 1 or after[2:] in (numbers.area, [positions])):
        return _Numbers(numbers.table, len(after), numbers.pools, numbers.area)
    supported = "flattening to [1, features]; height and width of a map kept as they are, or its positions in a row"
    raise refuse(node, f"it makes {after} of {before}", supported)


def _check_rows(model: ModelWrapper, node: NodeProto, feeds: dict[str, np.ndarray], result: np.ndarray) -> None:
    """Every row of a table is an image of its own: rows alone, and in another order, must give what they gave."""
    rows = np.unique([len(result) - 1, len(result) // 2, 0])[::-1] if len(result) else []
    for part in ([rows] if len(rows) == 1 else [rows, rows[:1]]) if len(rows) else []:
        alone = run_node(model, node, {name: feed[part] for name, feed in feeds.items()})
        if alone.shape != result[part].shape or not np.array_equal(alone, result[part], equal_nan=True):
            reason = "what it makes of a number depends on other numbers, or on chance"
            raise refuse(node, reason, "operators in evaluation mode, that act on every number alone")


def _scalar(model: ModelWrapper, node: NodeProto, data: dict[str, _Numbers]) -> np.ndarray:
    """One elementwise node on its tables."""
    feeds = {
        name: np.ascontiguousarray(n.table.reshape(*n.table.shape, *(1,) * (n.rank - 2))) for name, n in data.items()
    }
    first = next(iter(feeds.values()))
    result, table = run_node(model, node, feeds), next(iter(data.values())).table
    _check_rows(model, node, feeds, result)
    if result.shape != first.shape:
        constants = {
            name: model.get_initializer(name).shape
            for name in node.input
            if name and model.get_initializer(name) is not None
        }
        raise refuse(
            node,
            f"its constants have shapes {constants}, which differ by position",
            "constants that are shared or per channel",
        )
    wrong = np.isnan(result)
    if node.op_type != "Exp" and all(np.isfinite(feed).all() for feed in feeds.values()):
        wrong |= np.isinf(result)  # x / (1 + exp(-x)) may divide by infinity
    if wrong.any():
        row, channel = (int(i) for i in np.argwhere(wrong.reshape(table.shape))[0])
        reason = f"channel {channel} gives {result.reshape(table.shape)[row, channel]} for {table[row, channel]}"
        raise refuse(node, reason, "parameters that keep every reachable value finite")
    return result.reshape(table.shape).astype(np.float64 if result.dtype == np.float64 else np.float32)
