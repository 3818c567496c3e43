"""Pools whose pads are explicit and whose windows all lie in the padded map.

    MaxPool(auto_pad, ceil_mode)   ->  MaxPool(pads); a pad counts as -infinity, so windows that hang over get more pads
    AveragePool                    ->  Pad(0), SumPool, Div(count)
    AveragePool of the whole map   ->  ReduceSum, Div(count)
    a pool of 1 x 1                ->  Slice(steps)

An average divides by the number of pixels that it counts: with count_include_pad the pads too, but never what hangs
over the padded map. One count must hold for all windows; both PyTorch and ONNX Runtime compute sum / count.
"""

from onnx import NodeProto, helper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.geometry import (
    Axis,
    Padding,
    axes_node,
    axes_of_windows,
    pad_node,
    set_attributes,
    slice_node,
)
from signflow.deploy.compile.passes.plain_reductions import divide
from signflow.deploy.compile.passes.regions import attribute
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite
from signflow.deploy.compile.sum_pool import DOMAIN


def _check(graph: Graph, node: NodeProto) -> None:
    """Pools of maps, not dilated."""
    kernel, dilations = attribute(node, "kernel_shape", []), attribute(node, "dilations", [])
    if len(graph.shape(node.input[0])) != 4 or len(kernel) != 2:
        reason = f"its kernel {kernel} reads a tensor of shape {graph.shape(node.input[0])}"
        raise refuse(node, reason, "pools of [1, channels, height, width]")
    if any(d != 1 for d, k in zip(dilations, kernel, strict=False) if k > 1):
        raise refuse(node, f"its windows are dilated by {dilations}", "pools over neighbouring pixels")


def _count(node: NodeProto, axes: tuple[Axis, ...]) -> int:
    """The number by which every average is divided."""
    padded, count = bool(attribute(node, "count_include_pad", 0)), 1
    for name, axis in zip(("height", "width"), axes, strict=True):
        terms = axis.terms(padded)
        if len(set(terms)) > 1:
            what = "ceil_mode" if axis.over else "count_include_pad = 0"
            reason = f"with {what}, its averages are over {min(terms)} to {max(terms)} pixels along the {name}"
            raise refuse(node, reason, "averages of equally many pixels: count_include_pad = 1 and no ceil_mode, or no "
                                       "pads")  # fmt: skip
        count *= terms[0]
    return count


class PlainPools(Rewrite):
    """See the module's docstring."""

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """Rewrites a MaxPool or AveragePool."""
        if node.op_type not in ("MaxPool", "AveragePool"):
            return [node]
        _check(graph, node)
        axes = axes_of_windows(graph, node)
        pads = [axis.begin for axis in axes] + [axis.end + axis.over for axis in axes]
        if all(axis.kernel == 1 for axis in axes) and not any(pads):
            picked = [slice(0, n, 1) for n in graph.shape(node.input[0])[:2]]
            picked += [slice(0, axis.size, axis.stride) for axis in axes]
            return [slice_node(graph, node.name, node.input[0], node.output[0], picked)]
        if node.op_type == "AveragePool":
            return self._average(graph, node, axes, pads)
        strides = [axis.stride for axis in axes]
        set_attributes(node, strides=strides, pads=pads, dilations=None, ceil_mode=None, auto_pad=None)
        return [node]

    def _average(self, graph: Graph, node: NodeProto, axes: tuple[Axis, ...], pads: list[int]) -> list[NodeProto]:
        x, y, count = node.input[0], node.output[0], _count(node, axes)
        made, nodes = graph.tensor(f"{y}_sum", graph.shape(y)), []
        if not any(pads) and all(axis.kernel == axis.size for axis in axes):
            total = axes_node(graph, "ReduceSum", node.name, x, made, [2, 3], keepdims=1)
            return [total, divide(graph, node, made, count)]
        if any(pads):
            border = Padding((0, 0, *pads[:2]), (0, 0, *pads[2:]), 0.0)
            padded = graph.tensor(f"{x}_padded", border.shape(graph.shape(x)))
            nodes.append(pad_node(graph, f"{node.name}_Pad", x, padded, border))
            x = padded
        geometry = {"kernel_shape": [axis.kernel for axis in axes], "strides": [axis.stride for axis in axes]}
        nodes.append(helper.make_node("SumPool", [x], [made], name=node.name, domain=DOMAIN, **geometry))
        return [*nodes, divide(graph, node, made, count)]
