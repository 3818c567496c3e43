"""Small ONNX networks written node by node, and whether the compiler is right about one."""

from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.errors import ModelFileError, UnsupportedError
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.notes import notes_of
from signflow.deploy.golden.intgraph import IntGraph

GENERAL = "qonnx.custom_op.general"
SCALARS = {"half": 128.0, "one": 1.0, "zero": 0.0, "bits": 4.0, "quarter": 0.25}


def signs(*shape: int, seed: int = 0) -> np.ndarray:
    """Random +-1, float32."""
    return np.random.default_rng([seed, *shape]).choice([-1.0, 1.0], shape).astype(np.float32)


def node(op_type: str, inputs: str, output: str, **attributes) -> NodeProto:
    """A node with space-separated inputs and outputs; "-" is an input that is left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op_type, names, output.split(), name=f"{op_type}_{output.split()[0]}", **attributes)


def sign(x: str, y: str) -> NodeProto:
    """+-1."""
    return node("BipolarQuant", f"{x} one", y, domain=GENERAL)


def quant(x: str, y: str, signed: int = 1) -> NodeProto:
    """Multiples of 1/4, 4 bits."""
    attributes = {"signed": signed, "narrow": 0, "rounding_mode": "ROUND"}
    return node("Quant", f"{x} quarter zero bits", y, domain=GENERAL, **attributes)


def network(nodes: list[NodeProto], read: list[int], result: list[int], opset: int = 13, **constants):
    """The model from "x" of shape ``read`` to "y" of shape ``result``."""
    constants = {**{name: np.float32(value) for name, value in SCALARS.items()}, **constants}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, read)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, result)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(GENERAL, 1)])
    model.ir_version = 8
    return model


class BipolarQuant(OpRun):
    """+scale from 0 upwards, -scale below."""

    op_domain = GENERAL

    def _run(self, x, scale):
        return (np.where(x >= 0, scale, -scale).astype(np.float32),)


class Quant(OpRun):
    """Multiples of the scale, clipped to what the bits hold; half goes to the even one."""

    op_domain = GENERAL

    def _run(self, x, scale, zero, bits, signed=1, narrow=0, rounding_mode="ROUND"):
        if rounding_mode != "ROUND":
            raise NotImplementedError(rounding_mode)
        low = -(2 ** (bits - 1)) + narrow if signed else 0 * bits
        high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1 - narrow
        return ((scale * (np.clip(np.round(x / scale + zero), low, high) - zero)).astype(np.float32),)


def run(model: onnx.ModelProto, images: np.ndarray) -> np.ndarray:
    """Logits (N, classes) of integer ``images`` (N, *shape) in ONNX' own reference implementation, image by image."""
    evaluator = ReferenceEvaluator(model, new_ops=[BipolarQuant, Quant])
    return np.stack([evaluator.run(None, {"x": image[None].astype(np.float32)})[0].reshape(-1) for image in images])


def verdict(model: onnx.ModelProto, folder: Path, images: int = 12) -> str:
    """ "equal", or the words of a refusal. Fails when a built network's results are not those of the file in ONNX' own
    implementation, or when anything but a refusal is raised.
    """
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    try:
        return compared(path, model, images)
    except (ModelFileError, UnsupportedError) as error:
        return f"{type(error).__name__}: {error}"


def compared(path: Path, model: onnx.ModelProto, images: int) -> str:
    """The same of ``model`` that lies in the file ``path``, where a refusal is raised; "noted" where a sum differs of
    which the compiler says that the order of addition decides (docs/exactness.md).
    """
    integer = streamline.streamline(export.load(path, "uint8"))
    head, image = Head.of(integer), streamline.ImageInput.of(integer)
    pixels = np.random.default_rng(1).integers(0, 256, (images, *image.shape)).astype(np.uint8)
    pixels[0], pixels[1] = 0, 255
    for found in model.graph.node:  # names of older exporters
        if found.op_type.endswith("Quant"):
            found.domain, found.op_type = GENERAL, found.op_type.replace("IntQuant", "Quant")
    if GENERAL not in [opset.domain for opset in model.opset_import]:
        model.opset_import.append(helper.make_opsetid(GENERAL, 1))
    try:
        logits = run(model, pixels)
    except Exception as error:
        return f"not judged: {error}".splitlines()[0]
    integers, distance = head.invert(logits)
    assert distance < 1e-3, f"logits lie {distance} steps off"  # the implementations round differently
    if notes_of(integer) and (head.settle(IntGraph(integer)(pixels)) != integers).any():
        return "noted"
    np.testing.assert_array_equal(head.settle(IntGraph(integer)(pixels)), integers)
    return "equal"
