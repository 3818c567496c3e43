"""The geometry of operators: windows, pads, slices and axes, read from a node of any opset and written for it.

Older opsets hold them as attributes, newer ones as constant inputs; axes may count from the end.
"""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, helper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.regions import attribute
from signflow.deploy.compile.passes.rewrite import Graph

AXES_ARE_INPUTS = {"Squeeze": 13, "Unsqueeze": 13, "ReduceSum": 13, "ReduceMean": 18, "ReduceMax": 18}
"""Operator -> the opset from which its axes are an input."""


@dataclass(frozen=True)
class Axis:
    """Windows along one axis of a map."""

    size: int
    """Pixels of the map."""
    kernel: int
    """Pixels from the first of a window to its last."""
    stride: int
    begin: int
    """Pads in front ..."""
    end: int
    """... and behind."""
    ceil: bool = False
    """Windows may hang over the end, if they begin in front of it."""

    @property
    def count(self) -> int:
        """Number of windows."""
        return self.fitting - (self.ceil and (self.fitting - 1) * self.stride >= self.size + self.begin)

    @property
    def fitting(self) -> int:
        """Number of windows, if they may also begin in the padding behind the map."""
        room = self.size + self.begin + self.end - self.kernel
        return (-(-room // self.stride) if self.ceil else room // self.stride) + 1

    @property
    def over(self) -> int:
        """Pixels by which the last window hangs over the padded map."""
        return max(0, (self.count - 1) * self.stride + self.kernel - (self.size + self.begin + self.end))

    def terms(self, padded: bool) -> list[int]:
        """How many pixels the average over each window counts; ``padded`` counts pads as well, but never what hangs
        over them.
        """
        first = [i * self.stride - self.begin for i in range(self.count)]
        if padded:
            return [min(f + self.kernel, self.size + self.end) - f for f in first]
        return [min(f + self.kernel, self.size) - max(f, 0) for f in first]


def axes_of_windows(graph: Graph, node: NodeProto) -> tuple[Axis, ...]:
    """The windows of a Conv or pool along each axis of the map it reads; auto_pad becomes pads.

    Raises UnsupportedError where the implementations of ONNX do not agree on the windows.
    """
    shape = graph.shape(node.input[0])
    kernel = attribute(node, "kernel_shape", []) or graph.shape(node.input[1])[2:]
    rank, ones = len(kernel), [1] * len(kernel)
    if len(shape) != rank + 2:
        raise refuse(node, f"its kernel {kernel} reads a tensor of shape {shape}", "[1, channels, height, width]")
    strides, dilations = attribute(node, "strides", ones), attribute(node, "dilations", ones)
    pads = attribute(node, "pads", []) or [0] * (2 * rank)
    auto, ceil = attribute(node, "auto_pad", "NOTSET") or "NOTSET", bool(attribute(node, "ceil_mode", 0))
    axes = []
    for i, size in enumerate(shape[2:]):
        extent = (kernel[i] - 1) * dilations[i] + 1
        begin, end = (pads[i], pads[rank + i]) if auto == "NOTSET" else _auto_pads(node, auto, size, extent, strides[i])
        axes.append(Axis(size, extent, strides[i], begin, end, ceil))
        if auto != "NOTSET" and axes[-1].over:
            raise refuse(node, f"auto_pad {auto} with ceil_mode", "ceil_mode with explicit pads")
    counts, stated = [axis.count for axis in axes], graph.shape(node.output[0])[2:]
    if stated and counts != stated:
        reason = f"it has {counts} windows, but its result is said to have {stated}"
        if stated == [axis.fitting for axis in axes]:
            raise refuse(node, f"{reason}: the last ones begin in the padding", "windows that begin in the map")
        raise refuse(node, reason, "results of the shape that kernel, strides, pads and dilations give")
    return tuple(axes)


def _auto_pads(node: NodeProto, auto: str, size: int, extent: int, stride: int) -> tuple[int, int]:
    """(begin, end) of one axis: with SAME, as many windows as strides begin in the map."""
    if auto == "VALID":
        return 0, 0
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise refuse(node, f"auto_pad is {auto!r}", "NOTSET, VALID, SAME_UPPER and SAME_LOWER")
    total = (-(-size // stride) - 1) * stride + extent - size
    if total < 0:
        reason = f"auto_pad {auto} with kernel {extent} and stride {stride} leaves out pixels of {size}: which ones "
        raise refuse(node, f"{reason}differs from one implementation to the other", "explicit pads")
    less = total // 2
    return (less, total - less) if auto == "SAME_UPPER" else (total - less, less)


def set_attributes(node: NodeProto, **values) -> None:
    """Write attributes; None removes one."""
    kept = [item for item in node.attribute if item.name not in values]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.extend(helper.make_attribute(name, v) for name, v in values.items() if v is not None)


@dataclass(frozen=True)
class Padding:
    """What a Pad node adds: ``begin[a]`` and ``end[a]`` entries of ``value`` on axis a."""

    begin: tuple[int, ...]
    end: tuple[int, ...]
    value: float

    def on(self, axes) -> "Padding":
        """The part on some ``axes``."""
        keep = lambda sizes: tuple(n if a in axes else 0 for a, n in enumerate(sizes))  # noqa: E731
        return Padding(keep(self.begin), keep(self.end), self.value)

    @property
    def empty(self) -> bool:
        """It adds nothing."""
        return not any((*self.begin, *self.end))

    def shape(self, shape: list[int]) -> list[int]:
        """Of what it makes of a tensor of this ``shape``."""
        return [b + size + e for b, size, e in zip(self.begin, shape, self.end, strict=True)]


def padding_of(graph: Graph, node: NodeProto) -> Padding:
    """What a Pad node adds. Raises UnsupportedError for anything but a constant border."""
    supported = "Pad with mode constant, and constant pads and value"
    mode = attribute(node, "mode", "constant")
    if mode != "constant":
        raise refuse(node, f"its mode is {mode!r}: the border depends on the image", supported)
    rank = len(graph.shape(node.input[0]))
    axes, value = list(range(rank)), 0.0
    if graph.opset < 11:
        pads, value = attribute(node, "pads", []), attribute(node, "value", 0.0)
    else:
        pads = graph.integers(node, 1, "pads")
        if len(node.input) > 2 and node.input[2]:
            stored = graph.constant(node.input[2])
            if stored is None:
                raise refuse(node, f"its value {node.input[2]!r} depends on the image", supported)
            value = float(stored.reshape(-1)[0])
        given = graph.integers(node, 3, "axes")
        axes = axes if given is None else [axis % rank for axis in given]
    if pads is None or len(pads) != 2 * len(axes):
        raise refuse(node, f"it has {len(pads or [])} pads for {len(axes)} axes", supported)
    begin, end = [0] * rank, [0] * rank
    for i, axis in enumerate(axes):
        begin[axis], end[axis] = pads[i], pads[len(axes) + i]
    if min(*begin, *end) < 0:
        raise refuse(node, f"its pads {pads} are negative: it cuts the map", "pads of 0 and more")
    return Padding(tuple(begin), tuple(end), value)


def pad_node(graph: Graph, name: str, x: str, y: str, padding: Padding) -> NodeProto:
    """A Pad from tensor ``x`` to ``y``."""
    pads = [*padding.begin, *padding.end]
    if graph.opset < 11:
        return helper.make_node("Pad", [x], [y], name=name, mode="constant", pads=pads, value=padding.value)
    inputs = [
        x,
        graph.store(f"{y}_pads", np.array(pads, np.int64)),
        graph.store(f"{y}_value", np.float32(padding.value)),
    ]
    return helper.make_node("Pad", inputs, [y], name=name, mode="constant")


def slices_of(graph: Graph, node: NodeProto) -> list[slice]:
    """What a Slice node takes of each axis, starts and stops within the tensor."""
    shape = graph.shape(node.input[0])
    if graph.opset < 10:
        starts, stops = attribute(node, "starts", []), attribute(node, "ends", [])
        axes, steps = attribute(node, "axes", []) or None, None
    else:
        starts, stops, axes, steps = (
            graph.integers(node, i + 1, what) for i, what in enumerate(("starts", "ends", "axes", "steps"))
        )
    axes = list(range(len(starts))) if axes is None else [axis % len(shape) for axis in axes]
    found = [slice(0, size, 1) for size in shape]
    for axis, start, stop, step in zip(axes, starts, stops, steps or [1] * len(starts), strict=True):
        if step < 1:
            raise refuse(node, f"its step on axis {axis} is {step}", "steps of 1 and more")
        found[axis] = slice(*slice(start, stop, step).indices(shape[axis]))
    return found


def slice_node(graph: Graph, name: str, x: str, y: str, slices: list[slice]) -> NodeProto:
    """A Slice of all axes from tensor ``x`` to ``y``."""
    starts, stops, steps = ([getattr(s, part) for s in slices] for part in ("start", "stop", "step"))
    if graph.opset < 10:
        return helper.make_node("Slice", [x], [y], name=name, starts=starts, ends=stops)
    rows = {"starts": starts, "ends": stops, "axes": range(len(slices)), "steps": steps}
    inputs = [graph.store(f"{y}_{what}", np.array(row, np.int64)) for what, row in rows.items()]
    return helper.make_node("Slice", [x, *inputs], [y], name=name)


def axes_of(graph: Graph, node: NodeProto) -> list[int]:
    """The axes of a Reduce, Squeeze or Unsqueeze, ascending from 0; all of them (of size 1 for Squeeze) where the node
    names none.
    """
    shape = graph.shape(node.input[0])
    given = attribute(node, "axes", []) or graph.integers(node, 1, "axes")
    if given:
        rank = len(shape) + (len(given) if node.op_type == "Unsqueeze" else 0)
        return sorted(axis % rank for axis in given)
    if node.op_type == "Squeeze":
        return [axis for axis, size in enumerate(shape) if size == 1]
    return [] if attribute(node, "noop_with_empty_axes", 0) else list(range(len(shape)))


def axes_node(graph: Graph, op_type: str, name: str, x: str, y: str, axes: list[int], **attributes) -> NodeProto:
    """A Reduce, Squeeze or Unsqueeze over ``axes`` from tensor ``x`` to ``y``."""
    if graph.opset < AXES_ARE_INPUTS[op_type]:
        return helper.make_node(op_type, [x], [y], name=name, axes=axes, **attributes)
    return helper.make_node(
        op_type, [x, graph.store(f"{y}_axes", np.array(axes, np.int64))], [y], name=name, **attributes
    )
