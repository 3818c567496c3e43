"""Behind a Flatten, every feature is a channel of its own, where constants tell them apart.

    MatMul(f(Flatten(x)), W)  =  MatMul(f'(FlattenNHWC(x)), W')      f scalar operators and quantisers

Where the constants of f are one for all positions of a channel, nothing is done: the enumeration sees a function per
channel. Where they differ (BatchNorm1d behind a map of several pixels), the features are put in the order of the
stream, the constants of f and the rows of W with them, and the enumeration starts again at the integers in front. The
results of f get new names, because no tensor of the network has them in this order.
"""

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.flatten_nhwc import stream_order
from signflow.deploy.compile.passes.regions import QUANTISERS, SCALARS, SHAPES, readers_of
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite
from signflow.deploy.compile.sum_pool import DOMAIN


class PlainFlattens(Rewrite):
    """See the module's docstring."""

    def __init__(self):
        super().__init__()
        self._orders: dict[str, np.ndarray] = {}
        """Features, as the network names them -> their order in the stream, for those that are put in it."""
        self._readers: dict[str, list[NodeProto]] = {}
        self._named: dict[str, str] = {}
        """Features, as the network names them -> their new name."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Looks up who reads what first."""
        self._readers = readers_of(model)
        return super().apply(model)

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """One node: a Flatten to be replaced, or what follows one."""
        if node.op_type in SHAPES and node.input[0] not in self._orders:
            return self._flatten(graph, node)
        order = next((self._orders[name] for name in node.input if name in self._orders), None)
        if order is None:
            return [node]
        for i, name in enumerate(node.input):
            value = graph.constant(name) if name else None
            if value is not None and node.op_type == "MatMul":
                graph.change(node, i, lambda rows: rows[order])
            elif value is not None and value.size == len(order) and node.op_type not in SHAPES:
                graph.change(node, i, lambda numbers: numbers[..., order])
        node.input[:] = [self._named.get(name, name) for name in node.input]
        if node.op_type != "MatMul":
            self._put(graph, node.output[0], order)
            node.output[0] = self._named[node.output[0]]
        return [node]

    def _flatten(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        before, after = (graph.shape(name) for name in (node.input[0], node.output[0]))
        features = int(np.prod(before))
        if len(before) != 4 or before[0] != 1 or before[2:] == [1, 1] or after != [1, features]:
            return [node]
        found = self._behind(graph, node.output[0], features)
        if found is None or not any(_differ(value, before[1]) for value in found):
            return [node]
        self._put(graph, node.output[0], stream_order(before))
        made = self._named[node.output[0]]
        return [helper.make_node("FlattenNHWC", [node.input[0]], [made], name=node.name, domain=DOMAIN)]

    def _put(self, graph: Graph, name: str, order: np.ndarray) -> None:
        self._orders[name] = order
        self._named[name] = graph.tensor(f"{name}_in_stream_order", graph.shape(name), graph.kind(name))
        self.names[self._named[name]] = name

    def _behind(self, graph: Graph, start: str, features: int) -> list[np.ndarray] | None:
        """The constants of every feature on the way from ``start`` to the dense layers; None where anything else reads
        the features, or what is made of them.
        """
        known, tensors, found = {start}, [start], []
        for tensor in tensors:
            readers = self._readers.get(tensor, [])
            if tensor in graph.outputs or not readers:
                return None
            for node in readers:
                constants = {name: graph.constant(name) for name in node.input if name}
                data = [name for name, value in constants.items() if value is None]
                if node.op_type == "MatMul" and data == [node.input[0]]:
                    continue
                shapes = [graph.shape(name) for name in node.output]
                if node.op_type not in (*SCALARS, *QUANTISERS, *SHAPES) or shapes != [[1, features]]:
                    return None
                values = [] if node.op_type in SHAPES else [v for v in constants.values() if v is not None]
                if any(value.size != 1 and value.shape[-1:] != (features,) for value in values):
                    return None
                found += [value for value in values if value.size == features]
                if node.output[0] not in known:
                    known.add(node.output[0])
                    tensors.append(node.output[0])
        joined = [name for node in self._nodes(known) for name in node.input if name and graph.constant(name) is None]
        return found if known.issuperset(joined) else None

    def _nodes(self, tensors: set[str]) -> list[NodeProto]:
        """What reads ``tensors``."""
        return [node for name in tensors for node in self._readers[name]]


def _differ(value: np.ndarray, channels: int) -> bool:
    """The numbers of features, channel by channel, are not one for all positions of a channel."""
    blocks = value.reshape(channels, -1)
    return bool((blocks != blocks[:, :1]).any())
