"""Width converters and FIFOs between the operators of a folded graph.

Every edge gets a FIFO. Its depth is the largest number of words that ever wait in it in a schedule of images at the
interval of the slowest operator (`signflow.deploy.plan.schedule`), each counted from when it enters the pipeline of
the operator in front: a pipeline that stands still has no room for the words that should follow. So beside a
convolution the FIFO is as deep as its delay, a few rows, and beside a branch that takes a frame or longer, as the sum
over all positions does, it is the frame buffer.

As fast as the schedule: nothing in the accelerator is later than there. Suppose it were, and look at the earliest word
that an operator takes or computes later. The operator does not lack input, which came in time. It does not lack room
either: what the schedule popped by then was popped, so the FIFO has room for this word and for all in front of it, and
the pipeline moves. So the word is not late, a contradiction. (The accelerator is often earlier than the schedule; then
it waits for room until the schedule is there.)

No deadlock, whatever stalls: suppose the accelerator stands still although it is given words and its output is taken.
Of all that the schedule takes and computes, look at the earliest word that was not, and conclude in the same way.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.plan.graph import edges, operators, reads, writes
from signflow.deploy.plan.schedule import ETERNITY, schedule
from signflow.deploy.plan.timing import frame_words, images, intervals, trace
from signflow.hw.ops.base import RTL_DOMAIN, StreamOp
from signflow.hw.ops.dwc import StreamingDataWidthConverter_sf
from signflow.hw.ops.fifo import StreamingFIFO_sf

MIN_DEPTH = 2
"""Two words are what a registered ready signal needs for full throughput."""


def _insert(model: ModelWrapper, before: StreamOp, stream: int, kind: type[StreamOp], **attributes) -> StreamOp:
    """Put a node of one input and one output of the same shape in front of an input stream of ``before``; returns
    it.
    """
    node, op_type = before.onnx_node, kind.__name__
    tensor, output = node.input[stream], model.make_new_valueinfo_name()
    model.set_tensor_shape(output, model.get_tensor_shape(tensor))
    model.set_tensor_datatype(output, model.get_tensor_datatype(tensor))
    index = list(model.graph.node).index(node)
    name = f"{op_type}_{sum(n.op_type == op_type for n in model.graph.node)}"
    new = helper.make_node(
        op_type, [tensor], [output], domain=RTL_DOMAIN, backend="fpgadataflow", name=name, **attributes
    )
    model.graph.node.insert(index, new)
    node.input[stream] = output
    return getCustomOp(model.graph.node[index])


def insert_width_converters(model: ModelWrapper) -> None:
    """Make both ends of every edge equally wide: one converter where one width divides the other, two through their
    least common multiple elsewhere.
    """
    for producer, out, consumer, stream in edges(model):
        widths = [producer.get_outstream_width(out), consumer.get_instream_width(stream)]
        if widths[0] == widths[1]:
            continue
        through = math.lcm(*widths)
        steps = [widths[0], through, widths[1]]
        steps = [w for k, w in enumerate(steps) if k == 0 or w != steps[k - 1]]
        shape = model.get_tensor_shape(reads(consumer)[stream])
        for a, b in itertools.pairwise(steps):
            _insert(
                model,
                consumer,
                stream,
                StreamingDataWidthConverter_sf,
                inShape=shape,
                outShape=shape,
                inWidth=a,
                outWidth=b,
                dataType=consumer.get_input_datatype(stream).name,
                padGroup=consumer.in_group(stream),
            )


def insert_fifos(model: ModelWrapper) -> None:
    """Put a FIFO of sufficient depth on every edge between two operators (see above).

    A deep FIFO may lie in block RAM, which takes a cycle longer, so that others become deeper: the depths grow until
    they suffice.
    """
    for _, _, consumer, stream in edges(model):
        _insert(
            model,
            consumer,
            stream,
            StreamingFIFO_sf,
            depth=MIN_DEPTH,
            folded_shape=list(consumer.get_folded_input_shape(stream)),
            normal_shape=model.get_tensor_shape(reads(consumer)[stream]),
            dataType=consumer.get_input_datatype(stream).name,
            padGroup=consumer.in_group(stream),
        )
    ops = operators(model)
    fifos = {op.onnx_node.name: op for op in ops if isinstance(op, StreamingFIFO_sf)}
    grown = True
    while grown:
        grown = False
        for name, depth in depths(ops).items():
            if depth > fifos[name].get_nodeattr("depth"):
                fifos[name].set_nodeattr("depth", depth)
                grown = True


def depths(ops: Sequence[StreamOp], frames: int = 0) -> dict[str, int]:
    """Most words that each FIFO of ``ops`` holds in the schedule of ``frames`` images, as `stays` has them."""
    return {name: waiting(pushed, popped) for name, (pushed, popped) in stays(ops, frames).items()}


def stays(ops: Sequence[StreamOp], frames: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """FIFO -> (cycles in which each of its words enters it, or the pipeline in front of it; in which each leaves it) in
    the schedule of ``frames`` images (0: enough for all to settle).
    """
    one = trace(ops, images(ops, 1))
    longest = max(int(max(*(a[-1] for a in step.accepts), step.departures[-1])) for step in one) + 1
    frames = frames or max(4, longest // intervals(ops)[0] + 3)  # the images in flight, and two more
    steps = schedule(ops, images(ops, frames))
    pushed = {tensor: (op, step.departures) for op, step in zip(ops, steps, strict=True) for tensor in writes(op)}
    popped = {}
    for op, step in zip(ops, steps, strict=True):
        popped |= dict(zip(reads(op), step.accepts, strict=True))
    found = {}
    for fifo in (op for op in ops if isinstance(op, StreamingFIFO_sf)):
        producer, offered = pushed[reads(fifo)[0]]
        found[fifo.onnx_node.name] = offered - pipeline(producer), popped[writes(fifo)[0]]
    return found


def pipeline(op: StreamOp) -> int:
    """Fewest cycles from a word taken to a word offered: what an operator has computed before it is offered."""
    words = [np.arange(1, frame_words(op, i) + 1, dtype=np.int64) * ETERNITY for i in range(op.IN_STREAMS)]
    return int((op.timing(*words) % ETERNITY).min())


def waiting(pushed: np.ndarray, popped: np.ndarray) -> int:
    """Largest number of words in a FIFO, given the cycles of all pushes and pops; a pop makes room a cycle later."""
    before = np.searchsorted(popped, pushed, side="left")
    return int((np.arange(1, len(pushed) + 1) - before).max())
