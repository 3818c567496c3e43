"""Run nodes of a network on tables of numbers, in the arithmetic of the reference: the same kernels, float32, one node
at a time as qonnx does.

A table is float32 (values, channels): column c holds everything that channel c can be, row by row. The rows travel
through a node as its batch, so the node itself, with its own constants, computes what it would compute in the network.
"""

from dataclasses import dataclass

import numpy as np
import onnxruntime
from onnx import NodeProto, TensorProto, helper
from qonnx.core.execute_custom_node import execute_custom_node
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import is_custom_op
from qonnx.util.basic import get_preferred_qonnx_opset, qonnx_make_model

from signflow.deploy.passes.chain import POOLS, SHAPES, Stage
from signflow.deploy.passes.errors import refuse


def run_node(model: ModelWrapper, node: NodeProto, data: np.ndarray | None = None) -> np.ndarray:
    """Output 0 of ``node`` with its constants from ``model``; ``data`` is fed to the one input that is no constant
    (None: all are).
    """
    feeds = {
        name: model.get_initializer(name) if model.get_initializer(name) is not None else data
        for name in node.input
        if name
    }
    opsets = model.get_opset_imports()
    if is_custom_op(node.domain, node.op_type):
        context = dict(feeds)
        execute_custom_node(
            node, context, model.graph, onnx_opset_version=opsets.get(node.domain, get_preferred_qonnx_opset())
        )
        return np.asarray(context[node.output[0]])
    inputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
        for name, v in feeds.items()
    ]
    outputs = [helper.make_tensor_value_info(node.output[0], TensorProto.UNDEFINED, None)]
    outputs[0].ClearField("type")
    single = qonnx_make_model(helper.make_graph([node], "one-node", inputs, outputs))
    single.opset_import[0].version = opsets.get("", opsets.get("ai.onnx", 0))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(single.SerializeToString(), options).run([node.output[0]], feeds)[0]


def constant(model: ModelWrapper, tensor: str) -> np.ndarray | None:
    """Value of a tensor that depends on constants alone (quantised weights, say), None if it depends on the image."""
    value = model.get_initializer(tensor)
    if value is not None:
        return value
    producer = model.find_producer(tensor)
    if producer is None or producer.output[0] != tensor:
        return None
    local = ModelWrapper(
        qonnx_make_model(helper.make_graph([producer], "constants", [], []), opset_imports=model.model.opset_import)
    )
    for name in producer.input:
        if name:
            value = constant(model, name)
            if value is None:
                return None
            local.set_initializer(name, value)
    return run_node(local, producer)


@dataclass
class Path:
    """A stage's numbers on their way from its start to its end."""

    end: np.ndarray
    """Table at the end of the stage: float32 (values, columns). A Flatten makes several columns of one channel, channel
    by channel.
    """
    pools: list[tuple[NodeProto, np.ndarray]]
    """Each MaxPool with the table in front of it."""


def follow(model: ModelWrapper, stage: Stage, table: np.ndarray) -> Path:
    """Send ``table`` (float32 (values, channels of the stage's start)) through the stage's nodes; pools pass numbers on
    unchanged.
    """
    rank = len(model.get_tensor_shape(stage.start))
    pools = []
    for node in stage.nodes:
        if node.op_type in POOLS:
            pools.append((node, table))
        elif node.op_type in SHAPES:
            before, after = model.get_tensor_shape(node.input[0]), model.get_tensor_shape(node.output[0])
            if list(after) == [1, int(np.prod(before))]:
                table, rank = np.repeat(table, int(np.prod(before[2:])), axis=1), 2
            elif list(after) != list(before):
                raise refuse(node, f"it makes {list(after)} of {list(before)}", "flattening to [1, features]")
        else:
            table = _scalar(model, node, table, rank)
    return Path(table, pools)


def _scalar(model: ModelWrapper, node: NodeProto, table: np.ndarray, rank: int) -> np.ndarray:
    """One elementwise node on a table."""
    shaped = np.ascontiguousarray(table.reshape(*table.shape, *(1,) * (rank - 2)))
    result = run_node(model, node, shaped)
    if result.shape != shaped.shape:
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
    if not np.isfinite(result).all():
        row, channel = (int(i) for i in np.argwhere(~np.isfinite(result.reshape(table.shape)))[0])
        reason = f"channel {channel} gives {result.reshape(table.shape)[row, channel]} for {table[row, channel]}"
        raise refuse(node, reason, "parameters that keep every reachable value finite")
    return result.reshape(table.shape).astype(np.float32)
