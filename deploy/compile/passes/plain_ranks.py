"""One-dimensional operators as two-dimensional ones of height 1.

    Conv(x, W)  =  Squeeze(Conv(Unsqueeze(x), W')),   x (1, C, L), W (O, I, K), W' (O, I, 1, K)

So are pools, Pad and Slice; an image (1, C, L) is lifted where the graph begins. `ChannelsFirst` takes out the pairs
that meet.
"""

import numpy as np
from onnx import NodeProto

from signflow.deploy.compile.passes.geometry import (
    Padding,
    axes_node,
    pad_node,
    padding_of,
    set_attributes,
    slice_node,
    slices_of,
)
from signflow.deploy.compile.passes.regions import attribute
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite

LIFTED = ("Conv", "MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "Pad", "Slice")
HEIGHT = 2
"""The axis that a map of one dimension lacks."""


def _high(values) -> tuple:
    """Of one entry per axis, with nothing on the new one."""
    return (*values[:HEIGHT], 0, *values[HEIGHT:])


def _lift(graph: Graph, node: NodeProto, x: str, y: str) -> NodeProto:
    """``node`` on the map ``x`` of height 1, to ``y``."""
    if node.op_type == "Pad":
        pads = padding_of(graph, node)
        return pad_node(graph, node.name, x, y, Padding(_high(pads.begin), _high(pads.end), pads.value))
    if node.op_type == "Slice":
        slices = slices_of(graph, node)
        return slice_node(graph, node.name, x, y, [*slices[:HEIGHT], slice(0, 1, 1), *slices[HEIGHT:]])
    node.input[0], node.output[0] = x, y
    for name in ("kernel_shape", "strides", "dilations"):
        if values := attribute(node, name, []):
            set_attributes(node, **{name: [1, *values]})
    if pads := attribute(node, "pads", []):
        set_attributes(node, pads=[0, pads[0], 0, pads[1]])
    if node.op_type == "Conv":
        graph.change(node, 1, lambda weights: np.expand_dims(weights, HEIGHT))
    return node


class PlainRanks(Rewrite):
    """See the module's docstring."""

    def __init__(self):
        super().__init__()
        self._rows: dict[str, str] = {}
        """Image -> the same, behind the pair that lifts it."""

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """Lifts an operator that reads (1, C, L)."""
        nodes = []
        for i, x in enumerate(node.input):
            if x in graph.inputs and len(graph.shape(x)) == 3:
                if x not in self._rows:
                    self._rows[x] = graph.tensor(f"{x}_row", graph.shape(x))
                    nodes += self._pair(graph, x, self._rows[x], [])
                node.input[i] = self._rows[x]
        if node.op_type not in LIFTED or len(graph.shape(node.input[0])) != 3:
            return [*nodes, node]
        return [*nodes, *self._pair(graph, node.input[0], node.output[0], [node])]

    def _pair(self, graph: Graph, x: str, y: str, inner: list[NodeProto]) -> list[NodeProto]:
        """Unsqueeze from ``x``, the operator between, Squeeze to ``y``."""
        tall = lambda shape: [*shape[:HEIGHT], 1, *shape[HEIGHT:]]  # noqa: E731
        high = made = graph.tensor(f"{x}_map", tall(graph.shape(x)))
        nodes = [axes_node(graph, "Unsqueeze", f"Unsqueeze_{high}", x, high, [HEIGHT])]
        for node in inner:
            made = graph.tensor(f"{y}_map", tall(graph.shape(y)))
            nodes.append(_lift(graph, node, high, made))
        return [*nodes, axes_node(graph, "Squeeze", f"Squeeze_{made}", made, y, [HEIGHT])]
