"""One walk over a graph that replaces nodes: what the passes in front of the enumeration are made of.

A `Rewrite` says what becomes of one node: itself, others, or none. Nodes are visited in their order, and everything is
looked up in tables, so a walk takes time proportional to the graph.
"""

from collections import Counter
from collections.abc import Callable

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from signflow.deploy.compile.errors import refuse


class Graph:
    """Constants and shapes of a model by name, and new ones."""

    def __init__(self, model: ModelWrapper):
        proto = model.graph
        self._proto = proto
        self.opsets = {o.domain: o.version for o in model.model.opset_import}
        self.opset = next((o.version for o in model.model.opset_import if o.domain in ("", "ai.onnx")), 1)
        """Version of ONNX' operators: it says whether parameters are attributes or inputs."""
        self.inputs = {value.name for value in proto.input}
        self.outputs = {value.name for value in proto.output}
        self.uses = Counter(name for node in proto.node for name in node.input)
        """Tensor -> nodes that read it, before the walk."""
        self.origins: dict[str, np.ndarray] = {}
        """Constant -> for each of its numbers, the place (flat) where it was."""
        self._constants = {tensor.name: tensor for tensor in proto.initializer}
        self._shapes = {value.name: value for value in (*proto.input, *proto.output, *proto.value_info)}
        self._names = {*self._shapes, *self._constants, *(name for node in proto.node for name in node.output)}

    def __contains__(self, name: str) -> bool:
        """Whether the shape of a tensor or constant is noted."""
        return name in self._constants or name in self._shapes

    def constant(self, name: str) -> np.ndarray | None:
        """Value of a stored constant, None for what depends on the image."""
        tensor = self._constants.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def shape(self, name: str) -> list[int]:
        """Shape of a tensor or constant, [] where the graph does not say."""
        if name in self._constants:
            return list(self._constants[name].dims)
        value = self._shapes.get(name)
        return [dim.dim_value for dim in value.type.tensor_type.shape.dim] if value is not None else []

    def kind(self, name: str) -> int:
        """What kind of number a tensor holds, whose shape is known."""
        return self._shapes[name].type.tensor_type.elem_type

    def set_shape(self, name: str, shape: list[int], kind: int = TensorProto.FLOAT) -> None:
        """Note the shape of a tensor of this ``kind`` of number, known or new."""
        made = helper.make_tensor_value_info(name, kind, shape)
        if name in self._shapes:
            self._shapes[name].CopyFrom(made)
        else:
            self._proto.value_info.append(made)
            self._shapes[name] = self._proto.value_info[-1]
            self._names.add(name)

    def fresh(self, name: str) -> str:
        """``name``, or the first of its kind that is free."""
        found, count = name, 1
        while found in self._names:
            found, count = f"{name}_{count}", count + 1
        self._names.add(found)
        return found

    def tensor(self, name: str, shape: list[int], kind: int = TensorProto.FLOAT) -> str:
        """A new tensor of this ``kind`` of number; returns its name."""
        name = self.fresh(name)
        self.set_shape(name, shape, kind)
        return name

    def store(self, name: str, value: np.ndarray) -> str:
        """A new constant; returns its name."""
        name = self.fresh(name)
        self.fix(name, value)
        return name

    def fix(self, name: str, value: np.ndarray) -> None:
        """The tensor ``name`` becomes a constant."""
        self._proto.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        self._constants[name] = made = self._proto.initializer[-1]
        self.set_shape(name, list(made.dims), made.data_type)

    def exchange(self, name: str, value: np.ndarray) -> None:
        """Set a stored constant to another value of its shape and kind."""
        self._constants[name].CopyFrom(numpy_helper.from_array(value, name))

    def change(self, node: NodeProto, index: int, move: Callable[[np.ndarray], np.ndarray]) -> None:
        """Put the numbers of a constant input of ``node`` elsewhere. It keeps its name where nobody else reads it, so
        that what changes it later (`align`) finds it again, and ``origins`` tells where each number was.
        """
        name = node.input[index]
        value = self.constant(name)
        if self.uses[name] != 1:
            node.input[index] = self.store(f"{name}_of_{node.output[0]}", move(value))
            return
        moved = np.ascontiguousarray(move(value))
        self._constants[name].CopyFrom(numpy_helper.from_array(moved, name))
        if name in self._shapes:
            self.set_shape(name, list(moved.shape), self.kind(name))
        self.origins[name] = move(self.origins.get(name, np.arange(value.size)).reshape(value.shape))

    def integers(self, node: NodeProto, index: int, what: str) -> list[int] | None:
        """The constant integers at one input of ``node``; None where it is left out."""
        if len(node.input) <= index or not node.input[index]:
            return None
        value = self.constant(node.input[index])
        if value is None:
            raise refuse(node, f"its {what} {node.input[index]!r} depend on the image", f"constant {what}")
        return [int(number) for number in value.reshape(-1)]


def remove_unread(model: ModelWrapper) -> None:
    """Drop the nodes, and the notes on shapes, of tensors that nobody reads."""
    read, kept = {value.name for value in model.graph.output}, []
    for node in reversed(model.graph.node):
        if read & set(node.output):
            read |= set(node.input)
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept[::-1])
    for part in (model.graph.value_info, model.graph.initializer):
        kept = [item for item in part if item.name in read]
        del part[:]
        part.extend(kept)


class Rewrite(Transformation):
    """One walk; a pass says in `rewrite` what becomes of a node. Behind it, ``origins`` are the graph's."""

    def __init__(self):
        super().__init__()
        self.origins: dict[str, np.ndarray] = {}
        self.names: dict[str, str] = {}
        """Tensor that holds the numbers of one of the graph's in another order -> that one."""

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """The nodes that take the place of ``node``, in order; they may be it, changed."""
        raise NotImplementedError

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Replaces all nodes at once."""
        graph, nodes = Graph(model), []
        self.origins = graph.origins
        for node in model.graph.node:
            nodes += self.rewrite(graph, node)
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        return model, False
