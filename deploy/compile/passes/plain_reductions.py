"""Means, sums and maxima over positions.

    ReduceMean over all positions    ->  ReduceSum, Div(count)      GlobalAveragePool is one, GlobalMaxPool the other
    ReduceMean over height or width  ->  SumPool, Div(count)
    ReduceSum over height or width   ->  SumPool
    ReduceMax                        ->  MaxPool of that size

Without keepdims, a Squeeze follows. ONNX Runtime and PyTorch both divide the sum by the count.
"""

import numpy as np
from onnx import NodeProto, helper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.geometry import axes_node, axes_of
from signflow.deploy.compile.passes.regions import attribute
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite
from signflow.deploy.compile.sum_pool import DOMAIN

REDUCTIONS = {
    **{name: name for name in ("ReduceMean", "ReduceSum", "ReduceMax")},
    **{"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"},
}


def divide(graph: Graph, node: NodeProto, x: str, count: int) -> NodeProto:
    """Div of ``x`` by ``count``, to the output of ``node``, whose place it takes."""
    y = node.output[0]
    return helper.make_node("Div", [x, graph.store(f"{y}_count", np.float32(count))], [y], name=f"{node.name}_Div")


class PlainReductions(Rewrite):
    """See the module's docstring."""

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """Replaces a reduction over positions; the others are `normal_form`'s to refuse."""
        if node.op_type not in REDUCTIONS:
            return [node]
        kind, x, y = REDUCTIONS[node.op_type], node.input[0], node.output[0]
        shape = graph.shape(x)
        whole = node.op_type.startswith("Global")
        axes = list(range(2, len(shape))) if whole else axes_of(graph, node)
        keep = 1 if whole else attribute(node, "keepdims", 1)
        if not axes or min(axes) < 2:
            reason = f"it reduces a tensor of shape {shape} over the axes {axes}"
            raise refuse(node, reason, "ReduceMean, ReduceSum and ReduceMax over positions, channels first")
        count = int(np.prod([shape[axis] for axis in axes]))
        everywhere = axes == list(range(2, len(shape)))
        if kind != "ReduceMax" and everywhere:
            made = graph.tensor(f"{y}_sum", graph.shape(y)) if kind == "ReduceMean" else y
            total = axes_node(graph, "ReduceSum", node.name, x, made, axes, keepdims=keep)
            return [total, divide(graph, node, made, count)] if kind == "ReduceMean" else [total]
        if len(shape) != 4:
            raise refuse(node, f"it reduces a tensor of shape {shape}", "[1, channels, height, width]")
        return self._windows(graph, node, kind, axes, count, keep)

    def _windows(
        self, graph: Graph, node: NodeProto, kind: str, axes: list[int], count: int, keep: int
    ) -> list[NodeProto]:
        """A pool as large as the reduced axes, of which only one window fits."""
        x, y = node.input[0], node.output[0]
        shape = graph.shape(x)
        kernel = [shape[axis] if axis in axes else 1 for axis in (2, 3)]
        kept = [1 if axis in axes else size for axis, size in enumerate(shape)]
        made = y if keep and kind != "ReduceMean" else graph.tensor(f"{y}_pool", kept)
        geometry = {"kernel_shape": kernel, "strides": [1, 1]}
        if kind == "ReduceMax":
            pool = helper.make_node("MaxPool", [x], [made], name=node.name, **geometry)
        else:
            pool = helper.make_node("SumPool", [x], [made], name=node.name, domain=DOMAIN, **geometry)
        nodes = [pool]
        if not keep:
            squeezed = graph.tensor(f"{y}_squeezed", graph.shape(y)) if kind == "ReduceMean" else y
            nodes.append(axes_node(graph, "Squeeze", f"{node.name}_Squeeze", made, squeezed, axes))
            made = squeezed
        return [*nodes, divide(graph, node, made, count)] if kind == "ReduceMean" else nodes
