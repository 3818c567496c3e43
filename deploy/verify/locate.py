"""Where two rungs of the ladder part: the first node, pixel and channel that differ for one image.

Works downwards through the hardware graph. Every node's output in FINN's own execution is compared with the integer
graph's map of the same name, and then every RTL operator of one input and one output stream is simulated alone on the
tensor that FINN feeds it. The first difference names the culprit; an operator that is right alone but wrong in the
accelerator points at the edges between operators, or at a fork or join, which are not simulated alone.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from qonnx.core.datatype import BaseDataType
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.images import ImageInput
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.plan.graph import operators
from signflow.deploy.plan.timing import batch_of
from signflow.hw.ops.base import StreamOp
from signflow.hw.ops.flags import decode, encode, flagged
from signflow.hw.parameters import is_image
from signflow.hw.sim import StreamModel, pack, unpack, verilator
from signflow.hw.sim.words import filled


@dataclass(frozen=True)
class Difference:
    """The first place where two representations of one node differ."""

    node: str
    between: str
    index: tuple[int, ...]
    """Position in the node's output tensor: (pixel row, column, channel) of a map, (channel,) of a vector."""
    expected: float
    found: float
    """Whole numbers, or 0.5: the number 0 between bits."""

    def __str__(self) -> str:
        where = (
            f"row {self.index[0]}, column {self.index[1]}, channel {self.index[2]}"
            if len(self.index) == 3
            else f"channel {self.index[-1]}"
        )
        return f"{self.node} at {where}: {self.expected} expected, {self.found} found ({self.between})"


def _first(node: str, between: str, expected: np.ndarray, found: np.ndarray, shape) -> Difference | None:
    wrong = np.flatnonzero(expected.ravel() != found.ravel())
    if not len(wrong):
        return None
    shape = tuple(shape)[1:] or tuple(shape)
    index = np.unravel_index(int(wrong[0]), shape)
    values = [float(side.ravel()[wrong[0]]) for side in (expected, found)]
    values = [int(value) if value.is_integer() else value for value in values]
    return Difference(node, between, tuple(int(i) for i in index), *values)


def tensors(model: ModelWrapper, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor of a hardware graph for one image (*shape), or a batch of it alone, as FINN executes it."""
    from finn.core.onnx_exec import execute_onnx

    name = model.graph.input[0].name
    shape = model.get_tensor_shape(name)
    stream = filled(ImageInput.of(model).stream(image[None]).astype(np.float32), shape[0]).reshape(shape)
    return execute_onnx(model, {name: stream}, return_full_exec_context=True)


def run_alone(op: StreamOp, model: ModelWrapper, folder: Path, tensor: np.ndarray) -> np.ndarray:
    """Simulate one operator on its input tensor; ``folder`` is the accelerator's (for memory images). Returns the flat
    output, int64.
    """
    words_in, words_out = op.get_folded_input_shape(), op.get_folded_output_shape()
    pixels_in, pixels_out = op.beside()
    rtl = op.rtl_instance(model)
    params = {k: f"mem/{v}" if is_image(v) else v for k, v in rtl.params.items()}
    sources = [folder / "rtl" / f"{m}.sv" for m in rtl.modules]
    count = int(np.prod(words_out[:-1]))
    load = rtl.load() if rtl.loadable else None
    compiled = verilator.compile(rtl.module, sources, params, variant="once")
    with StreamModel(compiled, folder, load=load) as dut:
        words = _cut(tensor.reshape(op.get_normal_input_shape()), words_in, op.get_input_datatype(), pixels_in)
        run = dut.run(_words(words, op.get_input_datatype(), op.in_group()), count)
    values, shape = (
        _values(run.words, op.get_output_datatype(), words_out[-1], op.out_group()),
        op.get_normal_output_shape(),
    )
    if pixels_out > 1:
        values = values.reshape(-1, words_out[-2], pixels_out, words_out[-1] // pixels_out).swapaxes(1, 2)
        words_out = words_out[-2], words_out[-1] // pixels_out
        values = values.reshape(-1, *words_out)[: np.prod(shape[:-1])]  # without what fills the last group
    if values.size > np.prod(shape):  # what pads the last word of every vector
        values = values.reshape(-1, words_out[-2] * words_out[-1])[:, : shape[-1]]
    return values.ravel()


def _cut(tensor: np.ndarray, folded: tuple[int, ...], datatype: BaseDataType, pixels: int) -> np.ndarray:
    """A tensor as the words of a stream (words, lanes): the last of every vector padded with bits that are 0, those of
    ``pixels`` vectors side by side, the last of which may be padding.
    """
    if tensor.size < np.prod(folded):
        vectors = tensor.reshape(-1, tensor.shape[-1])
        more = [(0, -len(vectors) % pixels), (0, folded[-2] * folded[-1] // pixels - tensor.shape[-1])]
        tensor = np.pad(vectors, more, constant_values=-1 if datatype.name == "BIPOLAR" else 0)
    if pixels > 1:
        tensor = tensor.reshape(-1, pixels, folded[-2], folded[-1] // pixels).swapaxes(1, 2)
    return tensor.reshape(-1, folded[-1])


def _words(values: np.ndarray, datatype: BaseDataType, group: int) -> np.ndarray:
    """Values (words, lanes) as the words of a stream, ``group`` bits of which share a flag."""
    if group:
        return np.packbits(encode(values, datatype, group), axis=1, bitorder="little")
    codes = np.rint(values).astype(np.int64)
    return pack((codes > 0).astype(np.int64) if datatype.name == "BIPOLAR" else codes, datatype.bitwidth())


def _values(words: np.ndarray, datatype: BaseDataType, lanes: int, group: int) -> np.ndarray:
    """The other way round, (words, lanes)."""
    if group:
        bits = np.unpackbits(words, axis=1, bitorder="little", count=flagged(lanes, group))
        return decode(bits, datatype, group)
    values = unpack(words, datatype.bitwidth(), lanes, datatype.signed() and datatype.bitwidth() > 1)
    return 2 * values - 1 if datatype.name == "BIPOLAR" else values


def locate(integer: ModelWrapper, hardware: ModelWrapper, folder: Path, image: np.ndarray) -> Difference | None:
    """First difference for one ``image`` (*shape) between integer graph, FINN's hardware graph and the RTL operators;
    None when all agree, operator by operator.

    ``integer`` from streamline, ``hardware`` folded, ``folder`` the generated accelerator of it.
    """
    graph, context, ops = IntGraph(integer), tensors(hardware, image), operators(hardware)
    names, frame = {layer.name for layer in graph.layers}, filled(image[None], batch_of(ops))
    for op in ops:
        node = op.onnx_node
        expected, shape = context[node.output[0]], op.get_normal_output_shape()
        if node.name in names:
            values, between = graph.maps(frame, node.name), "integer graph against FINN's execution"
            if d := _first(node.name, between, values, expected, shape):
                return d
        if op.IN_STREAMS == op.OUT_STREAMS == 1:
            found = run_alone(op, hardware, folder, context[node.input[0]])
            between = "FINN's execution against the RTL operator alone"
            if d := _first(node.name, between, np.rint(2 * expected) / 2, found, shape):
                return d
    return None
