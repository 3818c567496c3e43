"""The exact range of every tensor of an integer graph, channel by channel, from its weights and thresholds."""

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.images import ImageInput, image_kind

Range = tuple[np.ndarray, np.ndarray]
"""(smallest, largest) of every channel, int64."""


def _step(model: ModelWrapper, node: NodeProto, low: np.ndarray, high: np.ndarray) -> Range:
    """What ``node`` makes of a first input in ``low``..``high``."""
    shape = model.get_tensor_shape(node.input[0])
    constant = model.get_initializer(node.input[1]) if len(node.input) > 1 else None
    if node.op_type == "Im2Col":
        positions = int(np.prod(getCustomOp(node).get_nodeattr("kernel_size")))
        return np.tile(low, positions), np.tile(high, positions)
    if node.op_type == "Flatten":
        positions = int(np.prod(shape[1:-1]))
        return np.tile(low, positions), np.tile(high, positions)
    if node.op_type == "XnorPopcountMatMul":
        zeros = np.zeros(constant.shape[1], dtype=np.int64)
        return zeros, zeros + constant.shape[0]
    if node.op_type == "MatMul":
        plus, minus = (np.maximum(sign * constant, 0).astype(np.int64) for sign in (1, -1))
        return low @ plus - high @ minus, high @ plus - low @ minus
    if node.op_type == "Mul":
        falls = constant.reshape(-1) < 0
        return np.where(falls, -high, low), np.where(falls, -low, high)
    if node.op_type == "Window":
        return np.zeros_like(low), np.ones_like(high)
    if node.op_type == "MultiThreshold":
        lowest, steps = int(getCustomOp(node).get_nodeattr("out_bias")), constant.shape[1]
        return np.full_like(low, lowest), np.full_like(high, lowest + steps)
    if node.op_type == "ReduceSum":
        positions = int(np.prod(shape[1:-1]))
        return low * positions, high * positions
    return low, high  # MaxPoolNHWC, TopK


def reaches(model: ModelWrapper) -> dict[str, Range]:
    """Tensor -> range of its channels, for every computed tensor of an integer graph; a flattened map has a channel for
    every position.
    """
    image, name = ImageInput.of(model), model.graph.input[0].name
    pixels = np.array([0, 1]) if image.binary else image_kind(image.kind).pixels
    channels = model.get_tensor_shape(name)[-1]
    found = {name: tuple(np.full(channels, end, dtype=np.int64) for end in (pixels.min(), pixels.max()))}
    for node in model.graph.node:
        low, high = found[node.input[0]]
        if node.op_type == "Add":
            found[node.output[0]] = (low + found[node.input[1]][0], high + found[node.input[1]][1])
        else:
            found |= dict.fromkeys(node.output, _step(model, node, low, high))
    return found
