"""Width converters and FIFOs between the operators of a folded graph.

Every edge gets a FIFO. Two traces of `signflow.deploy.plan.timing` with FIFOs that are never full give its depth, the
largest number of words that ever wait in it:

    steady    images at the interval of the slowest operator. A dataflow graph never slows down when words arrive
              earlier, so these depths keep the interval. Beside a branch that takes a frame or longer, as the sum over
              all positions does, this is the frame buffer.
    patient   every word of an image arrives when all that the words before it caused has come to rest. This counts for
              FIFOs beside a branch only, together with the words in the pipeline in front of them, which may all have
              to wait in the FIFO when they arrive with gaps. It makes these FIFOs deep enough for any stalls.

No deadlock: suppose a graph stands still although it is given words and its output is taken. Of all words that the
patient trace takes and computes, look at the earliest that was not. Its operator does not lack input: that was computed
earlier in the trace, so it was computed and came to the end of its pipeline. Its operator does not lack room either:
what the trace popped earlier was popped, so the FIFO holds no more words than in the trace. So the word can be taken or
computed, a contradiction. Other FIFOs need no depth for this: all that waits behind them waits for their words.
"""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.plan.graph import edges, operators, reads, writes
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
    """Most words that each FIFO of ``ops`` holds when every FIFO is unbounded, in a steady trace of ``frames`` images
    (0: enough for all to settle) and, beside a branch, in a patient one.
    """
    one = trace(ops, images(ops, 1))
    longest = max(int(max(*(a[-1] for a in step.accepts), step.departures[-1])) for step in one) + 1
    frames = frames or max(4, longest // intervals(ops)[0] + 3)  # the images in flight, and two more
    found = {fifo: waiting(pushed, popped) for fifo, _, pushed, popped in _transfers(ops, images(ops, frames))}
    if beside := besides(ops):
        patient = np.arange(frame_words(ops[0]), dtype=np.int64) * longest
        for fifo, producer, pushed, popped in _transfers(ops, patient):
            if fifo in beside:
                found[fifo] = max(found[fifo], waiting(pushed - pipeline(producer), popped))
    return found


def besides(ops: Sequence[StreamOp]) -> set[str]:
    """Names of the FIFOs that lie beside a branch: the graph does not fall apart without them."""
    alone, unread = set(), set()
    for op in ops:
        unread = unread.difference(reads(op)).union(writes(op))
        if len(unread) == 1:  # all words pass here
            alone |= unread
    return {op.onnx_node.name for op in ops if isinstance(op, StreamingFIFO_sf) and writes(op)[0] not in alone}


def pipeline(op: StreamOp) -> int:
    """Fewest cycles from a word taken to a word offered: what an operator has computed before it is offered."""
    gap = 1 << 32
    words = [np.arange(frame_words(op, i), dtype=np.int64) * gap for i in range(op.IN_STREAMS)]
    return int((op.timing(*words) % gap).min())


def _transfers(ops: Sequence[StreamOp], arrivals: np.ndarray) -> Iterator[tuple[str, StreamOp, np.ndarray, np.ndarray]]:
    """(name, producer, cycles of all pushes, cycles of all pops) of each FIFO when words arrive in these cycles.

    The FIFO behind an operator that repeats what it holds is left out: it is asked for one word a cycle, so that
    MIN_DEPTH does. That operator takes a vector while the first copy of it is asked for: then the FIFO in front of it
    is popped.
    """
    steps = dict(zip((op.onnx_node.name for op in ops), trace(ops, arrivals), strict=True))
    source = {tensor: op for op in ops for tensor in writes(op)}
    reader = {tensor: op for op in ops for tensor in reads(op)}
    taken = {tensor: t for op in ops for tensor, t in zip(reads(op), steps[op.onnx_node.name].accepts, strict=True)}
    for op in ops:
        producer, consumer = source.get(reads(op)[0]), reader.get(writes(op)[0])
        if not isinstance(op, StreamingFIFO_sf) or producer.REPEATS:
            continue
        if consumer.REPEATS:
            asked = taken[writes(reader[writes(consumer)[0]])[0]]
            pops = asked.reshape(-1, consumer.copies(), consumer.folds())[:, 0].ravel()
        else:
            pops = taken[writes(op)[0]]
        yield op.onnx_node.name, producer, taken[reads(op)[0]], pops


def waiting(pushed: np.ndarray, popped: np.ndarray) -> int:
    """Largest number of words in a FIFO, given the cycles of all pushes and pops; a pop makes room a cycle later."""
    before = np.searchsorted(popped, pushed, side="left")
    return int((np.arange(1, len(pushed) + 1) - before).max())
