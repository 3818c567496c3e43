"""A graph as boxes and wires, to be drawn: from a QONNX or hardware graph, or from a generated accelerator.

Nodes that only prepare constants (quantisers of weights) belong to the box that reads them; FIFOs and width converters
of an accelerator are marks on a wire. So every node is in the picture once.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.hw.ops.base import RTL_DOMAIN, times

PRODUCT, DECISION, ARITHMETIC, MOVEMENT, END = "product", "decision", "arithmetic", "movement", "end"
KINDS = {
    PRODUCT: ["Conv", "Gemm", "MatMul", "XnorPopcountMatMul"],
    DECISION: ["BipolarQuant", "Quant", "MultiThreshold"],
    MOVEMENT: ["Im2Col", "Reshape", "Flatten", "Transpose", "MaxPool", "MaxPoolNHWC", "Identity", "Pad"],
}
"""What an operator of a network or an integer graph does; all others are arithmetic. Our own operators say it
themselves (`StreamOp.picture`).
"""
FIFOS = ("fifo", "block")
"""Pictures of a FIFO: in LUT RAM, in block RAM."""
IMAGE, RESULT = "image", "result"
"""Names of the boxes at the ends."""


@dataclass(frozen=True)
class Mark:
    """Something small on a wire: a FIFO (its depth in words) or a width converter (bits on both sides)."""

    node: str
    kind: str
    """"fifo", "block" (a FIFO in block RAM) or "dwc"."""
    text: str


@dataclass(frozen=True)
class Box:
    """One operator."""

    name: str
    lines: tuple[str, ...]
    kind: str
    nodes: tuple[str, ...]
    """The nodes of the graph it stands for."""
    slowest: bool = False
    """It sets the pace of the accelerator."""


@dataclass(frozen=True)
class Wire:
    """A tensor, or a stream, from one box to another."""

    source: str
    target: str
    label: tuple[str, ...]
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Diagram:
    """Boxes, each behind those it reads from, and the wires between them."""

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...] = field(default=())

    @property
    def nodes(self) -> list[str]:
        """Every node of the graph, in boxes or on wires."""
        return [n for box in self.boxes for n in box.nodes] + [m.node for wire in self.wires for m in wire.marks]


def _kind(node: NodeProto) -> str:
    if node.domain == RTL_DOMAIN:
        op = getCustomOp(node)
        return MOVEMENT if op.PLUMBING else op.picture()[0]
    return next((kind for kind, names in KINDS.items() if node.op_type in names), ARITHMETIC)


def _tensor(model: ModelWrapper, name: str) -> tuple[str, ...]:
    """Data type and shape, without the leading 1 of a batch."""
    shape = model.get_tensor_shape(name) or []
    return model.get_tensor_datatype(name).name, times(shape[1:] if len(shape) > 1 and shape[0] == 1 else shape)


def _attributes(node: NodeProto) -> list[str]:
    """The attributes a reader asks for first: windows, PE and SIMD."""
    value = {a.name: list(a.ints) or a.i for a in node.attribute}
    window = next((value[k] for k in ("kernel_shape", "kernel_size", "ConvKernelDim", "PoolDim") if k in value), None)
    lanes = [f"{k} {value[k]}" for k in ("PE", "SIMD") if k in value]
    return ([f"window {times(window)}"] if window else []) + ([", ".join(lanes)] if lanes else [])


def of_model(model: ModelWrapper) -> Diagram:
    """The boxes and wires of a QONNX graph, an integer graph or a hardware graph."""
    constants = {i.name for i in model.graph.initializer}
    belongs: dict[str, list[str]] = {}
    source, boxes, wires = {i.name: IMAGE for i in model.graph.input if i.name not in constants}, [], []
    boxes.append(Box(IMAGE, (), END, ()))
    taken = set()
    for node in model.graph.node:
        inputs = [t for t in node.input if t]
        if inputs and all(t in constants for t in inputs):
            constants |= set(node.output)
            belongs[node.output[0]] = [n for t in inputs for n in belongs.get(t, [])] + [node.name]
            continue
        held = [t for t in inputs if t in constants]
        sizes = [(model.get_tensor_datatype(t).name, model.get_tensor_shape(t) or []) for t in held]
        shown = [f"{times(shape)} {dtype}" for dtype, shape in sizes if len(shape) > 1]
        quantisers = [n for t in held for n in belongs.get(t, []) if n not in taken]
        taken |= set(quantisers)
        lines = (*_attributes(node), *shown[:2], *(f"by {n}" for n in quantisers))
        boxes.append(Box(node.name, lines, _kind(node), (node.name, *quantisers)))
        wires += [Wire(source[t], node.name, _tensor(model, t)) for t in inputs if t in source]
        source |= dict.fromkeys(node.output, node.name)
    boxes.append(Box(RESULT, (), END, ()))
    wires += [Wire(source[o.name], RESULT, _tensor(model, o.name)) for o in model.graph.output]
    return Diagram(tuple(boxes), tuple(wires))


def _work(operator: Mapping) -> tuple[str, ...]:
    """What an operator of an accelerator does, how it is folded, and its cycles for an image."""
    folding = operator["folding"]
    lanes = ", ".join(f"{k} {folding[k]}" for k in ("PE", "SIMD") if k in folding)
    return (*(line for line in (operator["picture"][1], lanes) if line), f"{operator['cycles']:,} cycles")


def of_accelerator(facts: Mapping) -> Diagram:
    """The boxes and wires of `accel.json`: operators, and between them streams with FIFOs and width converters."""
    first, bits = (
        facts["operators"][0]["inputs"][0],
        f"{facts['input']['word_elems'] * facts['input']['elem_bits']} bit",
    )
    path: dict[str, tuple[str, tuple[str, ...], tuple[Mark, ...]]] = {first: (IMAGE, (bits,), ())}
    boxes, wires = [Box(IMAGE, _end(facts["input"]), END, ())], []
    for operator in facts["operators"]:
        name, (kind, words) = operator["node"], operator["picture"]
        if operator["plumbing"]:
            source, label, marks = path.pop(operator["inputs"][0])
            path[operator["outputs"][0]] = source, label, (*marks, Mark(name, kind, words))
            continue
        slowest = operator["cycles"] == facts["predicted"]["interval"]
        boxes.append(Box(name, _work(operator), kind, (name,), slowest))
        for net in operator["inputs"]:
            source, label, marks = path.pop(net)
            wires.append(Wire(source, name, label, marks))
        for net, bits in zip(operator["outputs"], operator["out_bits"], strict=True):
            path[net] = name, (f"{bits} bit",), ()
    ((source, label, marks),) = path.values()
    side = facts["output"]
    boxes.append(Box(RESULT, _end(side), END, ()))
    wires.append(Wire(source, RESULT, label, marks))
    return Diagram(tuple(boxes), tuple(wires))


def _end(side: Mapping) -> tuple[str, ...]:
    return f"{times(side['shape'])} {side['dtype']}", f"in {side['words']:,} words"


def broken(name: str, longest: int = 17) -> tuple[str, ...]:
    """A name in lines of about ``longest`` letters, broken in front of a capital: "Streaming-", "FIFO_sf_0"."""
    parts, lines = re.findall(r"[A-Z]+[^A-Z]*|[^A-Z]+", name), [""]
    for part in parts:
        if lines[-1] and len(lines[-1] + part) > longest and len(name) > longest + 3:
            lines.append("")
        lines[-1] += part
    return (*(line + "-" for line in lines[:-1]), lines[-1])
