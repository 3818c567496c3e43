"""QONNX -> integer graph: one literal list of passes, ours beside FINN's, read from top to bottom.

The result holds integers only. Its nodes are, in the order of a layer: Im2Col, XnorPopcountMatMul (bits) or MatMul
(integers times +-1), MultiThreshold with BINARY output, MaxPoolNHWC; MultiThreshold on the image where the network
quantises it; Flatten in front of a dense layer; TopK at the end of a network that ends with ArgMax. Everything that is
not integer went into thresholds or into the recorded head (`signflow.deploy.passes.head`).

Of FINN's own `Streamline` only the two passes are needed that fold the popcount's 2p - K into the thresholds: all other
scales and biases are gone by enumeration before, which is exact where moving floats around a graph is not.
"""

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy import engine
from signflow.deploy.images import ImageInput
from signflow.deploy.passes.absorb_flatten import AbsorbFlatten
from signflow.deploy.passes.enumerate_thresholds import EnumerateThresholds
from signflow.deploy.passes.errors import UnsupportedError
from signflow.deploy.passes.integer_types import IntegerTypes
from signflow.deploy.passes.plain_products import PlainProducts
from signflow.deploy.passes.plain_windows import PlainWindows
from signflow.deploy.passes.popcount_head import PopcountHead
from signflow.deploy.passes.straight_through import RemoveStraightThreshold
from signflow.deploy.passes.stream_order import StreamOrder

INTEGER_OPS = ("Im2Col", "XnorPopcountMatMul", "MatMul", "MultiThreshold", "MaxPoolNHWC", "Flatten", "TopK")


def passes() -> list:
    """The passes in order. (A function, because FINN is imported only after `engine.boot`.)"""
    from finn.transformation.streamline import absorb, reorder
    from qonnx.transformation.bipolar_to_xnor import ConvertBipolarMatMulToXnorPopcount
    from qonnx.transformation.general import (
        GiveReadableTensorNames,
        GiveUniqueNodeNames,
        RemoveUnusedTensors,
        SortGraph,
    )
    from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

    return [
        # exact arithmetic (ours)
        PlainProducts(),
        EnumerateThresholds(),
        # convolutions as window, product; maps as NHWC (FINN, qonnx)
        LowerConvsToMatMul(),
        PlainWindows(),
        reorder.MakeMaxPoolNHWC(),
        absorb.AbsorbTransposeIntoMultiThreshold(),
        reorder.MakeMaxPoolNHWC(),
        absorb.AbsorbConsecutiveTransposes(),
        # both ends of the maps (ours)
        StreamOrder(),
        AbsorbFlatten(),
        # products of +-1 as popcounts; 2p - K into the thresholds (qonnx, FINN)
        ConvertBipolarMatMulToXnorPopcount(),
        absorb.AbsorbAddIntoMultiThreshold(),
        absorb.AbsorbMulIntoMultiThreshold(),
        absorb.AbsorbScalarMulAddIntoTopK(),
        # the last popcount; bits that need no threshold; exact types (ours)
        PopcountHead(),
        RemoveStraightThreshold(),
        SortGraph(),
        RemoveUnusedTensors(),
        IntegerTypes(),
        GiveUniqueNodeNames(),
        GiveReadableTensorNames(),
    ]


def streamline(model: ModelWrapper) -> ModelWrapper:
    """Integer graph of a QONNX model from `signflow.deploy.export`; raises UnsupportedError for what has no exact
    hardware.
    """
    engine.boot()
    ImageInput.of(model)
    for step in passes():
        model = model.transform(step)
    for node in model.graph.node:
        if node.op_type not in INTEGER_OPS:
            raise UnsupportedError(node.name, node.op_type, "streamlining left it over", ", ".join(INTEGER_OPS))
    return model


def image_facts(model: ModelWrapper) -> dict:
    """How images reach the accelerator's stream, for `accel.json`: kind, shape, order, binary (see `ImageInput`)."""
    image = ImageInput.of(model)
    return {"kind": image.kind, "shape": list(image.shape), "order": image.order, "binary": image.binary}


def execute(model: ModelWrapper, images: np.ndarray) -> np.ndarray:
    """Run an integer or hardware graph node by node, one image at a time: ``images`` (N, *shape) -> int64 (N, outputs).
    Slow; `intgraph` is the fast way.
    """
    engine.boot()
    from finn.core.onnx_exec import execute_onnx

    name, out = model.graph.input[0].name, model.graph.output[0].name
    shape = model.get_tensor_shape(name)
    stream = ImageInput.of(model).stream(images).astype(np.float32)
    rows = [execute_onnx(model, {name: image.reshape(shape)})[out].reshape(-1) for image in stream]
    return np.rint(np.stack(rows)).astype(np.int64) if rows else np.empty((0, 0), dtype=np.int64)
