"""Nodes in order, and names by position: ``MVAU_sf_0``, ``MVAU_sf_0_param0``, ``MVAU_sf_0_out0``, ``global_in``.

Order and names are those of qonnx' `SortGraph`, `GiveUniqueNodeNames` and `GiveReadableTensorNames`, in one walk each.
"""

from collections import Counter
from collections.abc import Sequence
from graphlib import TopologicalSorter

from onnx import GraphProto, NodeProto, TensorAnnotation, TensorProto, TypeProto, ValueInfoProto, helper


def by_level(nodes: Sequence[NodeProto]) -> list[NodeProto]:
    """Sorted by the number of nodes on the longest path that leads to them, then as they were."""
    maker = {name: i for i, node in enumerate(nodes) for name in node.output if name}
    before = {i: {maker[name] for name in node.input if name in maker} for i, node in enumerate(nodes)}
    level: dict[int, int] = {}
    for i in TopologicalSorter(before).static_order():
        level[i] = max((level[k] + 1 for k in before[i]), default=0)
    return [nodes[i] for i in sorted(range(len(nodes)), key=level.__getitem__)]


def sort_nodes(graph: GraphProto) -> None:
    """`by_level`, in place."""
    nodes = by_level(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)


def name_nodes(graph: GraphProto) -> None:
    """Operator and number."""
    counts: Counter[str] = Counter()
    for node in graph.node:
        node.name = f"{node.op_type}_{counts[node.op_type]}"
        counts[node.op_type] += 1


def name_tensors(graph: GraphProto) -> None:
    """By the names of the nodes, which are in order. Every constant gets one reader, what nobody reads is dropped, and
    the graph's lists follow the nodes.
    """
    names = _Names(graph)
    inputs = [value.name for value in graph.input if value.name not in names.constants]
    outputs = [value.name for value in graph.output]
    parts = {
        kind + "put": [names.end(name, kind, k) for k, name in enumerate(group)]
        for kind, group in (("in", inputs), ("out", outputs))
    }
    for node in graph.node:
        names.node(node)
    parts |= {"initializer": names.stored, "value_info": names.shapes, "quantization_annotation": names.notes}
    for part, values in parts.items():
        here = getattr(graph, part)
        del here[:]
        here.extend(values)


class _Names:
    """New names of tensors, and what the graph says of them, under these names."""

    def __init__(self, graph: GraphProto):
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        values = (*graph.value_info, *graph.input, *graph.output)
        self.types = {name: helper.make_tensor_type_proto(t.data_type, t.dims) for name, t in self.constants.items()}
        self.types |= {value.name: value.type for value in values if value.name not in self.constants}
        self.noted = {note.tensor_name: note for note in graph.quantization_annotation}
        self.new = {"": ""}
        self.stored: list[TensorProto] = []
        self.shapes: list[ValueInfoProto] = []
        self.notes: list[TensorAnnotation] = []

    def end(self, name: str, kind: str, number: int) -> ValueInfoProto:
        """Input or output ``number`` of the graph."""
        self.new[name] = f"global_{kind}" + (f"_{number}" if number else "")
        if name in self.constants:
            self._store(name, self.new[name])
        self._note(name, self.new[name])
        return helper.make_value_info(self.new[name], self.types.get(name, TypeProto()))

    def node(self, node: NodeProto) -> None:
        """A node's constants and results."""
        held = 0
        for i, name in enumerate(node.input):
            if name in self.constants:
                node.input[i] = f"{node.name}_param{held}"
                self._store(name, node.input[i])
                self._keep(name, node.input[i])
                held += 1
            else:
                node.input[i] = self.new[name]
        for i, name in enumerate(node.output):
            if name not in self.new:
                self.new[name] = f"{node.name}_out{i}"
                self._keep(name, self.new[name])
            node.output[i] = self.new[name]

    def _store(self, name: str, new: str) -> None:
        tensor = TensorProto()
        tensor.CopyFrom(self.constants[name])
        tensor.name = new
        self.stored.append(tensor)

    def _keep(self, name: str, new: str) -> None:
        """What is known of a tensor inside the graph."""
        if name in self.types:
            self.shapes.append(helper.make_value_info(new, self.types[name]))
        self._note(name, new)

    def _note(self, name: str, new: str) -> None:
        if name in self.noted:
            note = TensorAnnotation()
            note.CopyFrom(self.noted[name])
            note.tensor_name = new
            self.notes.append(note)
