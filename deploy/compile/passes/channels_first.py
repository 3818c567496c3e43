"""Graphs of other layouts with channels first.

    f(Transpose(x))             =  Transpose(f'(x))          f scalar, its constants per channel moved to axis 1
    Transpose(Transpose(x))     =  x                         where the second undoes the first
    MatMul(Flatten(Transpose(x)), W)  =  MatMul(Flatten(x), W'),  rows of W in another order

A Transpose, and a Squeeze that leaves a map, is not executed where it stands: its result is a view (`views`) of what it
reads. Scalar operators, Pad, Slice, Concat and reductions work on the base and leave a view. What else reads a view has
it made; where a view has become its own base, nothing is left of it. So the graph of a tool that puts channels last
loses its Transposes, and one-dimensional operators (`plain_ranks`) the Squeezes between them.
"""

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.geometry import (
    Padding,
    axes_node,
    axes_of,
    pad_node,
    padding_of,
    set_attributes,
    slice_node,
    slices_of,
)
from signflow.deploy.compile.passes.regions import QUANTISERS, SCALARS, attribute
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite
from signflow.deploy.compile.passes.views import View

REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax")
FLATTENINGS = ("Flatten", "Reshape")
Nodes = list[NodeProto]


class ChannelsFirst(Rewrite):
    """See the module's docstring."""

    def __init__(self):
        super().__init__()
        self._views: dict[str, View] = {}
        self._orders: dict[str, tuple[str, np.ndarray]] = {}
        """Features -> the features in the order of their map, and where each of them is found there."""
        self._made: dict[str, str] = {}
        """View -> the tensor that holds it, for those that were made."""
        self._bases: set[str] = set()
        """Tensors that scalar operators and others left as bases."""
        self._named: dict[str, str] = {}
        """Base -> the tensor of the graph whose numbers it holds, axes of size 1 aside, and whose name it takes."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Rewrites the graph; where a tensor's numbers are still there, they keep its name."""
        model, _ = super().apply(model)
        for value in (*model.graph.value_info,):
            if value.name in self._named.values():
                model.graph.value_info.remove(value)
        for value in model.graph.value_info:
            value.name = self._named.get(value.name, value.name)
        for node in model.graph.node:
            for names in (node.input, node.output):
                names[:] = [self._named.get(name, name) for name in names]
        return model, False

    def rewrite(self, graph: Graph, node: NodeProto) -> Nodes:
        """One node, of which some inputs may be views."""
        written = list(node.output)
        x = node.input[0] if node.input else ""
        starts = node.op_type == "Transpose" or (node.op_type == "Squeeze" and len(graph.shape(node.output[0])) > 2)
        if starts and graph.constant(x) is None and x not in self._views and x not in self._orders:
            self._views[x] = View.of(x, graph.shape(x))
        if any(name in self._views for name in node.input):
            nodes = self._of_views(graph, node)
        elif any(name in self._orders for name in node.input):
            nodes = self._of_features(graph, node)
        else:
            nodes = [node]
        if nodes is None:
            nodes = self._as_it_stands(graph, node)
        for name in written:
            if name in graph.outputs and (name in self._views or name in self._orders):
                nodes += self._output(graph, name)
        return nodes

    # ---- on views

    def _of_views(self, graph: Graph, node: NodeProto) -> Nodes | None:
        """The operator on the bases; None where it does not work on them."""
        kind = node.op_type
        view = self._views.get(node.input[0])
        if kind in ("Transpose", "Squeeze", "Unsqueeze"):
            self._views[node.output[0]] = seen = self._seen(graph, node, view)
            self._name(graph, node.output[0], seen)
            return []
        if all(self._views[name].same for name in node.input if name in self._views):
            return None
        if kind in SCALARS or kind in QUANTISERS:
            return self._scalar(graph, node)
        if kind == "Concat":
            return self._concat(graph, node)
        if view is None:
            return None
        if kind in FLATTENINGS and graph.shape(node.output[0]) == [1, int(np.prod(view.shape))]:
            return self._flatten(graph, node, view)
        work = {"Pad": self._pad, "Slice": self._slice, **dict.fromkeys(REDUCTIONS, self._reduce)}
        return work[kind](graph, node, view) if kind in work else None

    def _seen(self, graph: Graph, node: NodeProto, view: View) -> View:
        if node.op_type == "Transpose":
            return view.permuted(attribute(node, "perm", []) or range(len(view.axes))[::-1])
        axes = axes_of(graph, node)
        return view.squeezed(axes) if node.op_type == "Squeeze" else view.unsqueezed(axes)

    def _scalar(self, graph: Graph, node: NodeProto) -> Nodes | None:
        views = {name: self._views.get(name) for name in node.input if name and graph.constant(name) is None}
        first = next(iter(views.values()))
        if first is None or any(view is None or view.axes != first.axes for view in views.values()):
            return None
        if len({len(view.shape) for view in views.values()}) > 1:
            return None
        if node.op_type == "BatchNormalization":  # its constants are for axis 1, wherever that is found
            if first.axes[1] != 1:
                return None
        elif any(first.on_base(graph.constant(name)) is None for name in node.input if name and name not in views):
            return None
        shape = np.broadcast_shapes(*(view.shape for view in views.values()))
        if node.op_type != "BatchNormalization":
            for i, name in enumerate(node.input):
                if name and name not in views:
                    value = graph.constant(name)
                    if first.on_base(value).shape != value.shape:
                        graph.change(node, i, first.on_base)
        for i, name in enumerate(node.input):
            if name in views:
                node.input[i] = views[name].base
        return [self._leave(graph, node, first, list(shape))]

    def _leave(self, graph: Graph, node: NodeProto, view: View, shape: list[int]) -> NodeProto:
        """Let ``node`` write the base of its result."""
        y = node.output[0]
        node.output[0] = graph.tensor(f"{y}_first", shape)
        self._views[y] = view.moved(node.output[0], shape)
        self._bases.add(node.output[0])
        self._name(graph, y, self._views[y])
        return node

    def _name(self, graph: Graph, name: str, view: View) -> None:
        """Note that a base is ``name``, where it is a new one and holds its numbers."""
        if view.base in self._bases and view.ordered and name not in graph.outputs:
            self._named.setdefault(view.base, name)

    def _concat(self, graph: Graph, node: NodeProto) -> Nodes | None:
        views = [self._views.get(name) for name in node.input]
        if None in views or any(view.axes != views[0].axes for view in views):
            return None
        axis = views[0].axes[attribute(node, "axis", 0) % len(views[0].axes)]
        shape = list(views[0].shape)
        if axis is None or any(len(view.shape) != len(shape) for view in views):
            return None
        shape[axis] = sum(view.shape[axis] for view in views)
        set_attributes(node, axis=axis)
        for i, view in enumerate(views):
            node.input[i] = view.base
        return [self._leave(graph, node, views[0], shape)]

    def _pad(self, graph: Graph, node: NodeProto, view: View) -> Nodes | None:
        border = padding_of(graph, node)
        if any(axis is None and b + e for axis, b, e in zip(view.axes, border.begin, border.end, strict=True)):
            return None
        moved = Padding(tuple(view.spread(border.begin, 0)), tuple(view.spread(border.end, 0)), border.value)
        made = pad_node(graph, node.name, view.base, node.output[0], moved)
        return [self._leave(graph, made, view, moved.shape(list(view.shape)))]

    def _slice(self, graph: Graph, node: NodeProto, view: View) -> Nodes | None:
        parts = view.spread(slices_of(graph, node), None)
        parts = [part or slice(0, size, 1) for part, size in zip(parts, view.shape, strict=True)]
        made = slice_node(graph, node.name, view.base, node.output[0], parts)
        shape = [len(range(size)[part]) for size, part in zip(view.shape, parts, strict=True)]
        return [self._leave(graph, made, view, shape)]

    def _reduce(self, graph: Graph, node: NodeProto, view: View) -> Nodes | None:
        """Reduces axes of the base, and what positions of size 1 the view does not show."""
        axes = axes_of(graph, node)
        moved = {view.axes[axis] for axis in axes} - {None}
        moved |= {axis for axis in range(2, len(view.shape)) if axis not in view.axes}
        if not axes or not moved:
            return None
        base, shape = view.base, [1 if axis in moved else size for axis, size in enumerate(view.shape)]
        made = axes_node(graph, node.op_type, node.name, base, node.output[0], sorted(moved), keepdims=1)
        kept = view if attribute(node, "keepdims", 1) else view.squeezed(axes)
        return [self._leave(graph, made, kept, shape)]

    # ---- on features

    def _flatten(self, graph: Graph, node: NodeProto, view: View) -> Nodes:
        """Features of the base; those of the view are a permutation of them."""
        y, size = node.output[0], int(np.prod(view.shape))
        if view.ordered:
            node.input[0] = view.base
            return [self._flat(graph, node)]
        shown = [axis for axis in view.axes if axis is not None]
        hidden = [axis for axis in range(len(view.shape)) if axis not in shown]
        order = np.arange(size).reshape(view.shape).transpose([*hidden, *shown]).reshape(-1)
        base = graph.tensor(f"{y}_first", [1, size])
        self._orders[y] = (base, order)
        flat = helper.make_node(node.op_type, [view.base, *node.input[1:]], [base], name=node.name)
        flat.attribute.extend(node.attribute)
        return [self._flat(graph, flat)]

    def _flat(self, graph: Graph, node: NodeProto) -> NodeProto:
        """A Flatten from axis 1 on, whatever the rank of what it reads; a Reshape says its size."""
        if node.op_type == "Flatten":
            set_attributes(node, axis=1)
        else:
            node.input[1] = graph.store(
                f"{node.output[0]}_shape", np.array([1, graph.shape(node.output[0])[1]], np.int64)
            )
        return node

    def _of_features(self, graph: Graph, node: NodeProto) -> Nodes | None:
        """Scalar operators with their constants, dense layers with the rows of their weights, in the map's order."""
        data = [name for name in node.input if name and graph.constant(name) is None]
        if any(name not in self._orders for name in data):
            return None
        order = self._orders[data[0]][1]
        if any(not np.array_equal(self._orders[name][1], order) for name in data):
            return None
        back = np.argsort(order)
        if node.op_type == "MatMul" and node.input[0] in data and len(data) == 1:
            graph.change(node, 1, lambda weights: weights[back])
            node.input[0] = self._orders[node.input[0]][0]
            return [node]
        if node.op_type not in SCALARS and node.op_type not in QUANTISERS:
            return None
        y = node.output[0]
        for i, name in enumerate(node.input):
            value = graph.constant(name)
            if name in data:
                node.input[i] = self._orders[name][0]
            elif value is not None and value.size == len(order):
                graph.change(node, i, lambda numbers: numbers[..., back])
        base = graph.tensor(f"{y}_first", [1, len(order)])
        self._orders[y], node.output[0] = (base, order), base
        return [node]

    # ---- what is left of views

    def _as_it_stands(self, graph: Graph, node: NodeProto) -> Nodes:
        """The node, reading tensors; views are made first."""
        nodes = []
        for i, name in enumerate(node.input):
            if name in self._views or name in self._orders:
                made, more = self._tensor(graph, name)
                node.input[i] = made
                nodes += more
        return [*nodes, node]

    def _tensor(self, graph: Graph, name: str) -> tuple[str, Nodes]:
        """A tensor that holds what ``name`` shows, and the nodes that make it, if there are any yet to make."""
        view = self._views.get(name)
        if view is not None and view.same:
            return view.base, []
        if name in self._made:
            return self._made[name], []
        self._made[name] = graph.tensor(f"{name}_seen", graph.shape(name))
        return self._made[name], self._make(graph, name, self._made[name])

    def _make(self, graph: Graph, name: str, y: str) -> Nodes:
        """Nodes that make ``y``, which holds what ``name`` shows."""
        if name in self._orders:
            base, order = self._orders[name]
            return [
                helper.make_node("Gather", [base, graph.store(f"{y}_order", order)], [y], name=f"Gather_{y}", axis=1)
            ]
        view, nodes = self._views[name], []
        x, shown = view.base, [axis for axis in view.axes if axis is not None]
        hidden = [axis for axis in range(len(view.shape)) if axis not in shown]
        added = [place for place, axis in enumerate(view.axes) if axis is None]
        steps = [("Squeeze", hidden)] if hidden else []
        steps += [("Transpose", list(np.argsort(np.argsort(shown))))] if shown != sorted(shown) else []
        steps += [("Unsqueeze", added)] if added else []
        for i, (kind, axes) in enumerate(steps or [("Identity", [])]):
            last = i == len(steps or [0]) - 1
            out = y if last else graph.fresh(f"{y}_{kind}")
            if kind == "Transpose":
                nodes.append(helper.make_node(kind, [x], [out], name=f"{kind}_{out}", perm=[int(a) for a in axes]))
            elif kind == "Identity":
                nodes.append(helper.make_node(kind, [x], [out], name=f"{kind}_{out}"))
            else:
                nodes.append(axes_node(graph, kind, f"{kind}_{out}", x, out, axes))
            x = out
        return nodes

    def _output(self, graph: Graph, name: str) -> Nodes:
        """The network's result under its own name."""
        return self._make(graph, name, name)
