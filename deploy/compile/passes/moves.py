"""What Pad and Slice do to a map (1, channels, height, width), read from their constant inputs."""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.regions import attribute


@dataclass(frozen=True)
class Padding:
    """A constant around a map."""

    border: tuple[int, int, int, int]
    """Pixels at the top, left, bottom, right."""
    channels: tuple[int, int]
    """Channels in front and behind."""
    value: float


def pad_of(model: ModelWrapper, node: NodeProto) -> Padding:
    """A Pad of ONNX' opset 11 and later. Raises UnsupportedError."""
    shape, mode = model.get_tensor_shape(node.input[0]), attribute(node, "mode", "constant")
    if mode != "constant" or len(shape) != 4:
        raise refuse(node, f"mode {mode} on a tensor of shape {list(shape)}", "constant padding of a map")
    rank, constants = len(shape), [model.get_initializer(name) if name else None for name in node.input[1:]]
    pads, value, axes = (*constants, None, None)[:3]
    axes = range(rank) if axes is None else [int(axis) % rank for axis in axes.reshape(-1)]
    before, after = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        before[axis], after[axis] = int(pads.reshape(-1)[i]), int(pads.reshape(-1)[len(axes) + i])
    if before[0] or after[0] or min(before + after) < 0:
        raise refuse(node, f"pads {pads.reshape(-1).tolist()}", "padding of channels, height and width by 0 or more")
    border = (before[2], before[3], after[2], after[3])
    return Padding(border, (before[1], after[1]), 0.0 if value is None else float(np.reshape(value, -1)[0]))


def steps_of(model: ModelWrapper, node: NodeProto) -> tuple[int, int]:
    """Steps along height and width of a Slice that takes every n-th pixel from the first one on. Raises
    UnsupportedError.
    """
    shape = model.get_tensor_shape(node.input[0])
    starts, ends, axes, steps = (*(model.get_initializer(name).reshape(-1) for name in node.input[1:]), None, None)[:4]
    axes = np.arange(len(starts)) if axes is None else axes
    steps = np.ones(len(starts), dtype=np.int64) if steps is None else steps
    found = [1] * len(shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if start != 0 or end < shape[axis] or step < 1 or (step > 1 and (len(shape) != 4 or axis % len(shape) < 2)):
            reason = f"it takes {start}:{end}:{step} of axis {axis} of a tensor of shape {list(shape)}"
            raise refuse(node, reason, "every n-th pixel of a map, from the first one on: x[:, :, ::n, ::n]")
        found[axis % len(shape)] = int(step)
    return found[2], found[3]
