"""QONNX -> integer graph, in three steps: the network brought to normal form, everything that is not integer enumerated
away, and channels that turned out constant folded into the thresholds behind them.

The result holds integers only (`signflow.deploy.compile.passes.integer_graph` lists its operators). Everything else
went into thresholds or into the recorded head (`signflow.deploy.compile.passes.head`). FINN's own `Streamline` moves
floats around the graph instead, which rounds; it is the independent reference in the tests.
"""

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile import engine
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.names import name_nodes
from signflow.deploy.compile.passes.enumerate_thresholds import enumerate_thresholds
from signflow.deploy.compile.passes.fold_constants import FoldConstants
from signflow.deploy.compile.passes.normal_form import NormalForm
from signflow.hw.sim.words import filled


def streamline(model: ModelWrapper, keep_constants: bool = False) -> ModelWrapper:
    """Integer graph of a QONNX model from `signflow.deploy.compile.export`; ``keep_constants`` leaves out the last
    step, so that channels are the network's. Raises UnsupportedError for what has no exact hardware.
    """
    engine.boot()
    ImageInput.of(model)
    integer = enumerate_thresholds(model.transform(NormalForm(), cleanup=False))
    if not keep_constants:
        integer = integer.transform(FoldConstants(), cleanup=False)
    name_nodes(integer.graph)
    integer.cleanup()
    return integer


def image_facts(model: ModelWrapper) -> dict:
    """How images reach the accelerator's stream, for `accel.json`: kind, shape, order, binary (see `ImageInput`)."""
    image = ImageInput.of(model)
    return {"kind": image.kind, "shape": list(image.shape), "order": image.order, "binary": image.binary}


def execute(model: ModelWrapper, images: np.ndarray) -> np.ndarray:
    """Run an integer or hardware graph node by node, a frame at a time: ``images`` (N, *shape) -> int64 (N, outputs).
    Slow; `intgraph` is the fast way.
    """
    engine.boot()
    from finn.core.onnx_exec import execute_onnx

    name, out = model.graph.input[0].name, model.graph.output[0].name
    shape, results = model.get_tensor_shape(name), int(np.prod(model.get_tensor_shape(out)))
    stream = ImageInput.of(model).stream(images).astype(np.float32)
    frames = filled(stream, shape[0]).reshape(-1, *shape)
    rows = [execute_onnx(model, {name: frame})[out] for frame in frames]
    return np.rint(np.reshape(rows, (-1, results // shape[0]))[: len(images)]).astype(np.int64)
