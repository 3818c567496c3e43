"""Where two rungs of the ladder part: the first node, pixel and channel that differ for one image.

Works downwards through the hardware graph. Every node's output in FINN's own execution is compared with the integer
graph's map of the same name, and then every RTL operator of one input and one output stream is simulated alone on the
tensor that FINN feeds it. The first difference names the culprit; an operator that is right alone but wrong in the
accelerator points at the edges between operators, or at a fork or join, which are not simulated alone.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.images import ImageInput
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.plan.graph import operators
from signflow.hw.ops.base import StreamOp
from signflow.hw.sim import StreamModel, pack, unpack, verilator


@dataclass(frozen=True)
class Difference:
    """The first place where two representations of one node differ."""

    node: str
    between: str
    index: tuple[int, ...]
    """Position in the node's output tensor: (pixel row, column, channel) of a map, (channel,) of a vector."""
    expected: int
    found: int

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
    return Difference(
        node, between, tuple(int(i) for i in index), int(expected.ravel()[wrong[0]]), int(found.ravel()[wrong[0]])
    )


def tensors(model: ModelWrapper, image: np.ndarray) -> dict[str, np.ndarray]:
    """Every tensor of a hardware graph for one image (*shape), as FINN executes it."""
    from finn.core.onnx_exec import execute_onnx

    name = model.graph.input[0].name
    stream = ImageInput.of(model).stream(image[None]).astype(np.float32).reshape(model.get_tensor_shape(name))
    return execute_onnx(model, {name: stream}, return_full_exec_context=True)


def run_alone(op: StreamOp, model: ModelWrapper, folder: Path, tensor: np.ndarray) -> np.ndarray:
    """Simulate one operator on its input tensor; ``folder`` is the accelerator's (for memory images). Returns the flat
    output, int64.
    """
    idt, odt = op.get_input_datatype(), op.get_output_datatype()
    words_in, words_out = op.get_folded_input_shape(), op.get_folded_output_shape()
    codes = np.rint(tensor).astype(np.int64)
    codes = (codes > 0).astype(np.int64) if idt.name == "BIPOLAR" else codes
    rtl = op.rtl_instance(model)
    params = {k: f"mem/{v}" if isinstance(v, str) and v else v for k, v in rtl.params.items()}
    sources = [folder / "rtl" / f"{m}.sv" for m in rtl.modules]
    count = int(np.prod(words_out[:-1]))
    with StreamModel(verilator.compile(rtl.module, sources, params), folder) as dut:
        run = dut.run(pack(codes.reshape(-1, words_in[-1]), idt.bitwidth()), count)
    values = unpack(run.words, odt.bitwidth(), words_out[-1], odt.signed() and odt.bitwidth() > 1).ravel()
    return 2 * values - 1 if odt.name == "BIPOLAR" else values


def locate(integer: ModelWrapper, hardware: ModelWrapper, folder: Path, image: np.ndarray) -> Difference | None:
    """First difference for one ``image`` (*shape) between integer graph, FINN's hardware graph and the RTL operators;
    None when all agree, operator by operator.

    ``integer`` from streamline, ``hardware`` folded, ``folder`` the generated accelerator of it.
    """
    graph, context = IntGraph(integer), tensors(hardware, image)
    names = {layer.name for layer in graph.layers}
    for op in operators(hardware):
        node = op.onnx_node
        expected, shape = context[node.output[0]], op.get_normal_output_shape()
        if node.name in names:
            values, between = graph.maps(image[None], node.name), "integer graph against FINN's execution"
            if d := _first(node.name, between, values, expected, shape):
                return d
        if op.IN_STREAMS == op.OUT_STREAMS == 1:
            found = run_alone(op, hardware, folder, context[node.input[0]])
            between = "FINN's execution against the RTL operator alone"
            if d := _first(node.name, between, np.rint(expected), found, shape):
                return d
    return None
