"""Width converters and FIFOs between the operators of a folded graph.

Every edge gets a FIFO. Its depth comes from `signflow.deploy.timing`: the largest number of words that ever wait there
while images arrive at the steady rate and no
FIFO is ever full. A larger FIFO cannot help, and a dataflow graph never slows down when words arrive earlier, so the
steady rate is kept with these depths.
"""

import itertools
import math

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.generate import chain
from signflow.deploy.timing import trace
from signflow.hw.ops.base import RTL_DOMAIN, StreamOp

MIN_DEPTH = 2
"""Two words are what a registered ready signal needs for full throughput."""


def _insert(model: ModelWrapper, before: StreamOp, op_type: str, **attributes) -> StreamOp:
    """Put a node of one input and one output of the same shape in front of ``before``; returns it."""
    node, tensor = before.onnx_node, before.onnx_node.input[0]
    output = model.make_new_valueinfo_name()
    model.set_tensor_shape(output, model.get_tensor_shape(tensor))
    model.set_tensor_datatype(output, model.get_tensor_datatype(tensor))
    index = list(model.graph.node).index(node)
    name = f"{op_type}_{sum(n.op_type == op_type for n in model.graph.node)}"
    new = helper.make_node(
        op_type, [tensor], [output], domain=RTL_DOMAIN, backend="fpgadataflow", name=name, **attributes
    )
    model.graph.node.insert(index, new)
    node.input[0] = output
    return getCustomOp(model.graph.node[index])


def insert_width_converters(model: ModelWrapper) -> None:
    """Make both ends of every edge equally wide: one converter where one width divides the other, two through their
    least common multiple elsewhere.
    """
    ops = chain(model)
    for producer, consumer in itertools.pairwise(ops):
        widths = [producer.get_outstream_width(), consumer.get_instream_width()]
        if widths[0] == widths[1]:
            continue
        through = math.lcm(*widths)
        steps = [widths[0], through, widths[1]]
        steps = [w for k, w in enumerate(steps) if k == 0 or w != steps[k - 1]]
        shape = model.get_tensor_shape(consumer.onnx_node.input[0])
        for a, b in itertools.pairwise(steps):
            _insert(
                model,
                consumer,
                "StreamingDataWidthConverter_sf",
                inShape=shape,
                outShape=shape,
                inWidth=a,
                outWidth=b,
                dataType=consumer.get_input_datatype().name,
            )


def insert_fifos(model: ModelWrapper) -> None:
    """Put a FIFO of sufficient depth on every edge between two operators; the depths come from the timing model (see
    above).
    """
    for consumer in chain(model)[1:]:
        _insert(
            model,
            consumer,
            "StreamingFIFO_sf",
            depth=MIN_DEPTH,
            folded_shape=list(consumer.get_folded_input_shape()),
            normal_shape=model.get_tensor_shape(consumer.onnx_node.input[0]),
            dataType=consumer.get_input_datatype().name,
        )
    for op, depth in zip(chain(model), depths(model), strict=True):
        if op.onnx_node.op_type == "StreamingFIFO_sf":
            op.set_nodeattr("depth", max(MIN_DEPTH, depth))


def depths(model: ModelWrapper) -> list[int]:
    """Most words each operator holds (taken in, not yet taken by its successor) when every FIFO is unbounded."""
    steps = trace(chain(model))
    return [waiting(step.accepts, after.accepts) for step, after in itertools.pairwise(steps)] + [0]


def waiting(pushed: np.ndarray, popped: np.ndarray) -> int:
    """Largest number of words in a FIFO, given the cycles of all pushes and pops; a pop makes room a cycle later."""
    before = np.searchsorted(popped, pushed, side="left")
    return int((np.arange(1, len(pushed) + 1) - before).max())
