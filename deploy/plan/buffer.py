"""Width converters and FIFOs between the operators of a folded graph.

Every edge gets a FIFO, but where the operator in front has one of its own with room enough (`StreamOp.room`), or keeps
each word until its reader takes it and is in time nevertheless (`StreamOp.hold`): whole windows, width converters and
interleavers need none, where their reader is slow enough. The depth of the others is the largest number of words that
ever wait in them in a schedule of images at the interval of the slowest operator (`signflow.deploy.plan.schedule`),
each counted from when it enters the pipeline of the operator in front: a pipeline that stands still has no room for the
words that should follow. So beside a convolution the FIFO is as deep as its delay, a few rows, and beside a branch that
takes a frame or longer, as the sum over all positions does, it is the frame buffer.

As fast as the schedule: nothing in the accelerator is later than there. Suppose it were, and look at the earliest word
that an operator takes or computes later. The operator does not lack input, which came in time. It does not lack room
either: what the schedule popped by then was popped, so the FIFO has room for this word and for all in front of it, and
the pipeline moves. So the word is not late, a contradiction. (The accelerator is often earlier than the schedule; then
it waits for room until the schedule is there.)

No deadlock, whatever stalls: suppose the accelerator stands still although it is given words and its output is taken.
Of all that the schedule takes and computes, look at the earliest word that was not, and conclude in the same way.
"""

import copy
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from onnx import NodeProto, TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.plan.graph import edges, operators, reads, writes
from signflow.deploy.plan.schedule import ETERNITY, schedule
from signflow.deploy.plan.timing import Step, frame_words, images, intervals
from signflow.hw.ops import dwc, fifo
from signflow.hw.ops.base import RTL_DOMAIN, StreamOp
from signflow.hw.ops.dwc import StreamingDataWidthConverter_sf
from signflow.hw.ops.fifo import StreamingFIFO_sf
from signflow.hw.ops.flags import flagged
from signflow.hw.ops.interleave import Interleave_sf

MANY = 32
MIN_DEPTH = 2
"""Two words are what a registered ready signal needs for full throughput."""


Between = tuple[Sequence[int], list[tuple[type[StreamOp], dict]]]
"""Shape of an edge's tensor; kinds of nodes and their attributes, one behind the other on it."""


def _insert(model: ModelWrapper, before: dict[tuple[str, int], Between]) -> None:
    """Put nodes of one input and one output of the same shape in front of input streams, (name of the node, number)."""
    counts = Counter(node.op_type for node in model.graph.node)
    notes = {note.tensor_name: note for note in model.graph.quantization_annotation}
    nodes = []
    for op in operators(model):
        for stream in range(op.IN_STREAMS):
            shape, kinds = before.get((op.onnx_node.name, stream), ((), []))
            for kind, attributes in kinds:
                op_type, tensor = kind.__name__, op.onnx_node.input[stream]
                name = f"{op_type}_{counts[op_type]}"
                counts[op_type] += 1
                output = f"{name}_out"
                model.graph.value_info.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, shape))
                note = model.graph.quantization_annotation.add()
                note.CopyFrom(notes[tensor])
                note.tensor_name = output
                notes[output] = note
                common = {"domain": RTL_DOMAIN, "backend": "fpgadataflow", "name": name}
                nodes.append(helper.make_node(op_type, [tensor], [output], **common, **attributes))
                op.onnx_node.input[stream] = output
        nodes.append(op.onnx_node)
    nodes = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


class Turn(NamedTuple):
    """A width converter."""

    given: int
    """Elements of a word that comes in."""
    taken: int
    """And of one that leaves."""
    late: bool
    """Whether its words are parts of the consumer's vectors, not of the producer's."""


def turns(given: int, taken: int, of: int, into: int) -> list[Turn]:
    """The width converters between a producer's words of ``given`` elements, parts of vectors of ``of``, and a
    consumer's of ``taken``, parts of vectors of ``into``.

    One where one width divides the other, two through their least common multiple elsewhere. Words that do not divide
    their vector are put together to it, or it is cut into them: so what pads the last word goes, or comes.
    """
    start = [given, of] if of % given else [given]
    end = [into, taken] if into % taken else [taken]
    words = [*start, math.lcm(start[-1], end[0]), *end]
    pairs = enumerate(itertools.pairwise(words))
    return [Turn(a, b, k > len(start)) for k, (a, b) in pairs if a != b]


def shallow_luts(given: int, taken: int, of: int, into: int, room: bool, bits: Callable[[int], int]) -> int:
    """LUTs of the converters (`turns`) and the FIFO between a producer, with ``room`` of its own or not, and a consumer
    where few words wait; ``bits`` of a word of so many elements.
    """
    converters = sum(dwc.luts(bits(turn.given), bits(turn.taken)) for turn in turns(given, taken, of, into))
    return converters + (0 if room else fifo.shallow_luts(bits(given)))


def insert_width_converters(model: ModelWrapper) -> None:
    """Make both ends of every edge equally wide (`turns`), and put vectors side by side where a product wants them."""
    before: dict[tuple[str, int], Between] = {}
    for producer, out, consumer, stream in edges(model):
        shapes = producer.get_normal_output_shape(out), consumer.get_normal_input_shape(stream)
        folded = producer.get_folded_output_shape(out), consumer.get_folded_input_shape(stream)
        beside = producer.pixels(), consumer.pixels()
        words = [shape[-1] // pixels for shape, pixels in zip(folded, beside, strict=True)]
        datatype, group = consumer.get_input_datatype(stream), consumer.in_group(stream)
        mixed = [
            [(Interleave_sf, _beside(shapes[end], folded[end], beside[end], end, datatype.name, group))]
            if beside[end] > 1
            else []
            for end in (0, 1)
        ]
        kinds = mixed[0]
        for turn in turns(*words, shapes[0][-1], shapes[1][-1]):
            shape = list(shapes[turn.late])
            widths = [flagged(n * datatype.bitwidth(), group) for n in turn[:2]]
            attributes = {"inShape": shape, "outShape": shape, "inWidth": widths[0], "outWidth": widths[1]}
            attributes |= {"dataType": datatype.name, "padGroup": group}
            kinds.append((StreamingDataWidthConverter_sf, attributes))
        before[consumer.onnx_node.name, stream] = list(shapes[0]), kinds + mixed[1]
    _insert(model, before)


def _beside(shape: Sequence[int], folded: Sequence[int], pixels: int, join: int, datatype: str, group: int) -> dict:
    """Attributes of an interleaver behind an operator with ``pixels`` vectors in its words, or in front of it."""
    common = {"inShape": list(shape), "outShape": list(shape), "dataType": datatype, "padGroup": group, "join": join}
    return common | {"pixels": pixels, "words": folded[-2], "lanes": folded[-1] // pixels}


def insert_fifos(model: ModelWrapper) -> None:
    """Put a FIFO of sufficient depth on every edge between two operators that needs one (see above).

    A deep FIFO may lie in block RAM, which takes a cycle longer, so that others become deeper: the depths grow until
    they suffice. All that is tried on a copy.
    """
    before: dict[tuple[str, int], Between] = {}
    room = {}
    for producer, out, consumer, stream in edges(model):
        attributes = {
            "depth": 0 if producer.room() else MIN_DEPTH,
            "folded_shape": list(consumer.get_folded_input_shape(stream)),
            "normal_shape": producer.get_normal_output_shape(out),
            "dataType": consumer.get_input_datatype(stream).name,
            "padGroup": consumer.in_group(stream),
        }
        room[consumer.onnx_node.name, stream] = producer.room()
        before[consumer.onnx_node.name, stream] = attributes["normal_shape"], [(StreamingFIFO_sf, attributes)]
    tried = ModelWrapper(copy.deepcopy(model.model))
    _insert(tried, before)
    ops = operators(tried)
    behind = {writes(op)[0]: op for op in ops if isinstance(op, StreamingFIFO_sf)}
    place = {
        behind[t].onnx_node.name: (op.onnx_node.name, k) for op in ops for k, t in enumerate(reads(op)) if t in behind
    }
    fifos = {place[op.onnx_node.name]: op for op in behind.values()}
    slower = True
    while slower:
        delays = [op.delay() for op in fifos.values()]
        for name, depth in depths(ops).items():
            if depth > max(fifos[place[name]].get_nodeattr("depth"), room[place[name]]):
                fifos[place[name]].set_nodeattr("depth", depth)
        slower = delays != [op.delay() for op in fifos.values()]
    for edge, op in fifos.items():
        shape, [(kind, attributes)] = before[edge]
        depth = op.get_nodeattr("depth")
        before[edge] = shape, [(kind, attributes | {"depth": depth})] if depth else []
    _insert(model, before)


def depths(ops: Sequence[StreamOp], frames: int = 4) -> dict[str, int]:
    """Most words that each FIFO of ``ops`` holds in the schedule of endlessly many images, as `stays` has them."""
    return {name: stay.depth() for name, stay in stays(ops, frames).items()}


class Stay(NamedTuple):
    """The words of a FIFO."""

    pushed: np.ndarray
    """Cycles in which each of them enters it, or the pipeline in front of it."""
    popped: np.ndarray
    """In which each of them leaves it."""
    held: bool
    """The operator in front keeps each of them until then, and stands still meanwhile: there is no pipeline."""

    def depth(self) -> int:
        """Words that must have room."""
        return max(waiting(self.pushed, self.popped), 1 if self.held else MIN_DEPTH)


def stays(ops: Sequence[StreamOp], frames: int = 4) -> dict[str, Stay]:
    """The words of every FIFO, of as many images as it takes until nothing new happens.

    From the schedule of ``frames`` images, or twice as many, and so on up to MANY, until one repeats the one before it,
    as all later ones will; without the last, behind which there is room.
    """
    interval, _ = intervals(ops)
    steps = [Step([a[:-1] for a in accepts], leaves[:-1], held) for accepts, leaves, held in _frames(ops, frames)]
    again = all((f[-1] - f[-2] == interval).all() for step in steps for f in (*step.accepts, step.departures))
    if not again and frames < MANY:
        return stays(ops, 2 * frames)
    pushed = {tensor: (op, step) for op, step in zip(ops, steps, strict=True) for tensor in writes(op)}
    popped = {}
    for op, step in zip(ops, steps, strict=True):
        popped |= dict(zip(reads(op), step.accepts, strict=True))
    found = {}
    for op in (op for op in ops if isinstance(op, StreamingFIFO_sf)):
        producer, step = pushed[reads(op)[0]]
        offered = step.departures if step.held else step.departures - pipeline(producer)
        taken = popped[writes(op)[0]]
        inside = max(0, -(-int(taken[-1, -1] - offered[-1, -1]) // interval))  # images
        found[op.onnx_node.name] = Stay(_more(offered, interval, inside), _more(taken, interval, inside), step.held)
    return found


def _frames(ops: Sequence[StreamOp], frames: int) -> Iterator[tuple[list[np.ndarray], np.ndarray, bool]]:
    """The schedule, cycles as (frames, words)."""
    for step in schedule(ops, images(ops, frames)):
        yield [taken.reshape(frames, -1) for taken in step.accepts], step.departures.reshape(frames, -1), step.held


def _more(cycles: np.ndarray, interval: int, count: int) -> np.ndarray:
    """Cycles (frames, words) with ``count`` more frames like the last, as one row."""
    return np.concatenate([cycles, cycles[-1] + interval * np.arange(1, count + 1)[:, None]]).ravel()


def pipeline(op: StreamOp) -> int:
    """Fewest cycles from a word taken to a word offered: what an operator has computed before it is offered."""
    words = [np.arange(1, frame_words(op, i) + 1, dtype=np.int64) * ETERNITY for i in range(op.IN_STREAMS)]
    return int((op.timing(*words) % ETERNITY).min())


def waiting(pushed: np.ndarray, popped: np.ndarray) -> int:
    """Largest number of words in a FIFO, given the cycles of all pushes and pops; a pop makes room a cycle later."""
    before = np.searchsorted(popped, pushed, side="left")
    return int((np.arange(1, len(pushed) + 1) - before).max())
