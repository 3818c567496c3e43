"""The hardware graph as its readers see it: operators in the order of the data, the tensors of their streams, the edges
between them.
"""

import math

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.errors import UnsupportedError, refuse
from signflow.hw.ops.base import RTL_DOMAIN, StreamOp

RULE = "operators of signflow.hw.ops between one input and one output, one reader of every tensor"


def reads(op: StreamOp) -> list[str]:
    """The tensors of an operator's input streams, in the order of its ports."""
    return list(op.onnx_node.input[: op.IN_STREAMS])


def writes(op: StreamOp) -> list[str]:
    """The tensors of an operator's output streams, in the order of its ports."""
    return list(op.onnx_node.output[: op.OUT_STREAMS])


def operators(model: ModelWrapper) -> list[StreamOp]:
    """All operators, each behind those whose tensors it reads: the first reads the input, the last writes the output.

    Raises UnsupportedError when the graph breaks the rules above.
    """
    ops, unread = [], [model.graph.input[0].name]
    for node in model.graph.node:
        op = getCustomOp(node) if node.domain == RTL_DOMAIN else None
        if not isinstance(op, StreamOp):
            raise refuse(node, "it is no operator of the hardware graph", RULE)
        for tensor in reads(op):
            if tensor not in unread:
                raise refuse(node, f"its input {tensor!r} has another reader, or no operator before it writes it", RULE)
            unread.remove(tensor)
        unread += writes(op)
        ops.append(op)
    results = [output.name for output in model.graph.output]
    if not ops or len(results) != 1 or unread != results:
        raise UnsupportedError("graph", "output", f"nothing reads {unread}, the graph's outputs are {results}", RULE)
    return ops


def edges(model: ModelWrapper) -> list[tuple[StreamOp, int, StreamOp, int]]:
    """(producer, its output stream, consumer, its input stream) of every tensor between two operators; raises
    UnsupportedError where they do not agree on the number of elements.
    """
    ops = operators(model)
    source = {tensor: (op, k) for op in ops for k, tensor in enumerate(writes(op))}
    found = [(*source[tensor], op, k) for op in ops for k, tensor in enumerate(reads(op)) if tensor in source]
    for producer, out, consumer, k in found:
        given = math.prod(producer.get_normal_output_shape(out))
        if given != (taken := math.prod(consumer.get_normal_input_shape(k))):
            reason = f"its input {k} takes {taken} elements of an image, and {producer.onnx_node.name} gives {given}"
            raise refuse(
                consumer.onnx_node, reason, "streams of the same length on both ends, or the graph stands still"
            )
    return found
