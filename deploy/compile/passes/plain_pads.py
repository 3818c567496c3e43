"""Borders as Pad nodes of their own.

    Conv(pads or auto_pad)        ->  Pad(0) on height and width, Conv
    Pad(Pad(x)) of one value      ->  Pad(x)
    Pad on channels and positions ->  Pad on channels, Pad on positions
    MaxPool(Pad(-infinity))       ->  MaxPool(pads)

A Pad that adds nothing is dropped.
"""

import numpy as np
from onnx import NodeProto, helper

from signflow.deploy.compile.passes.geometry import Padding, axes_of_windows, pad_node, padding_of, set_attributes
from signflow.deploy.compile.passes.regions import attribute
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite

CHANNELS, POSITIONS = (1,), (2, 3)


class PlainPads(Rewrite):
    """See the module's docstring."""

    def __init__(self):
        super().__init__()
        self._made: dict[str, tuple[str, Padding]] = {}
        """Pad's result -> what it reads, and what it adds."""

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """Rewrites a Pad, and what pads by itself."""
        if node.op_type == "Pad":
            return self._pad(graph, node.name, node.input[0], node.output[0], padding_of(graph, node))
        if node.op_type == "Conv":
            return self._conv(graph, node)
        if node.op_type == "MaxPool" and node.input[0] in self._made:
            self._pool(node)
        return [node]

    def _conv(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        axes, x = axes_of_windows(graph, node), node.input[0]
        border = Padding((0, 0, *(axis.begin for axis in axes)), (0, 0, *(axis.end for axis in axes)), 0.0)
        set_attributes(node, pads=[0] * (2 * len(axes)), auto_pad=None)
        if border.empty:
            return [node]
        node.input[0] = graph.tensor(f"{node.output[0]}_padded", border.shape(graph.shape(x)))
        return [*self._pad(graph, f"{node.name}_Pad", x, node.input[0], border), node]

    def _pool(self, node: NodeProto) -> None:
        x, border = self._made[node.input[0]]
        pads = [
            p + more for p, more in zip(attribute(node, "pads", []), border.begin[2:] + border.end[2:], strict=True)
        ]
        fits = all(p < k for p, k in zip(pads, attribute(node, "kernel_shape", []) * 2, strict=True))
        if border.value == -np.inf and border.on(POSITIONS) == border and fits:
            set_attributes(node, pads=pads)
            node.input[0] = x

    def _pad(self, graph: Graph, name: str, x: str, y: str, border: Padding) -> list[NodeProto]:
        """Pad from ``x`` to ``y``, with the one in front of it taken in."""
        if border.empty:
            return [helper.make_node("Identity", [x], [y], name=name)]
        if x in self._made and self._made[x][1].value == border.value:
            x, before = self._made[x]
            add = lambda one, two: tuple(a + b for a, b in zip(one, two, strict=True))  # noqa: E731
            border = Padding(add(before.begin, border.begin), add(before.end, border.end), border.value)
        self._made[y] = (x, border)
        parts = [part for axes in (CHANNELS, POSITIONS) if not (part := border.on(axes)).empty]
        if len(border.begin) == 4 and border.begin[0] == border.end[0] == 0 and len(parts) == 2:
            between = graph.tensor(f"{y}_channels", parts[0].shape(graph.shape(x)))
            first = pad_node(graph, f"{name}_Channels", x, between, parts[0])
            return [first, pad_node(graph, name, between, y, parts[1])]
        return [pad_node(graph, name, x, y, border)]
