"""A network's graph as every later step expects it: constants folded, shapes and data types known, names by position.

One walk in topological order, in time proportional to the number of nodes: a node that only constants reach is run and
stored as a constant, but for quantisers, which say what integers the weights are; of every other one, ONNX' own shape
inference gives the results' shapes from those of its inputs. qonnx' `cleanup_model` does the same by inferring all
shapes again behind every folded constant; the tests compare the two.

Nodes are ordered by their distance from the inputs and constants, then as in the file. Every constant has one reader
(later passes change constants), and is the last input of an operator that commutes.
"""

import math
from collections import Counter

import numpy as np
import onnx
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    TypeProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)
from onnx.shape_inference import infer_node_outputs
from qonnx.core.datatype import BaseDataType, DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import is_custom_op
from qonnx.transformation.infer_datatypes import InferDataTypes

from signflow.deploy.compile.names import by_level, name_nodes, name_tensors
from signflow.deploy.compile.passes.evaluate import compute

KEPT = ("Quant", "BipolarQuant", "QuantizeLinear", "DequantizeLinear")
"""Quantisers, which are kept where they work on constants (not on a number alone, which is no weight)."""
OF_SHAPES = ("Shape", "Size")
"""Operators whose result is constant where the shape of their input is."""
NOTED = ("SumPool", "FlattenNHWC")
"""Our own operators, whose result has the shape that was noted when they were made."""
KERNELS = {"Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "DeformConv": 1, "QLinearConv": 3}
"""Operator -> which of its inputs is the kernel."""
INT = TensorProto.INT64
MOST = 1 << 24
"""Numbers of a tensor at most that the file does not hold: a few bytes can ask for any size, and get no machine's
memory."""
COMMUTATIVE = ("Add", "Mul", "And", "Or", "Xor", "Sum")


def tidy(proto: ModelProto, image: BaseDataType) -> ModelWrapper:
    """``proto`` (changed in place), whose nodes are in topological order; ``image``: data type of its input. Raises
    ValueError for shapes that contradict each other, and whatever ONNX Runtime does for constants that it cannot run.
    """
    graph, known = proto.graph, _Known(proto)
    known.check_sizes()
    nodes = by_level([node for node in graph.node if known.visit(node)])
    nodes = _without_transposes(nodes, known)
    for node in nodes:
        if node.op_type in COMMUTATIVE:
            inputs = sorted(node.input, key=lambda name: name in known.constants)
            del node.input[:]
            node.input.extend(inputs)
    known.rebuild(nodes)
    name_nodes(graph)
    name_tensors(graph)
    facts = _DataTypes(graph, image)
    InferDataTypes().apply(facts)
    facts.annotate()
    return ModelWrapper(proto, fix_missing_initializer_valueinfo=False)


def check_shapes(proto: ModelProto) -> None:
    """Raises ValueError for shapes of ``proto`` that contradict each other; nothing is changed."""
    known = _Known(proto)
    for node in proto.graph.node:
        known.learn(node)


def infer_shapes(model: ModelProto) -> None:
    """Note the shapes of all tensors and constants of a model whose nodes passes have changed. Raises ValueError for
    shapes that contradict each other.
    """
    graph, known = model.graph, _Known(model)
    for node in graph.node:
        known.learn(node)
    noted = {value.name for value in (*graph.input, *graph.output, *graph.value_info)}
    new = [helper.make_value_info(name, kind) for name, kind in known.types.items() if name not in noted]
    graph.value_info.extend(new)


class _Known:
    """Constants and types of the tensors of a graph, as far as `visit` has come."""

    def __init__(self, proto: ModelProto):
        self.opsets = {opset.domain or "": opset.version for opset in proto.opset_import}
        self.opsets.setdefault("", self.opsets.get("ai.onnx", 0))
        self.proto, graph = proto, proto.graph
        self.constants: dict[str, TensorProto] = {tensor.name: tensor for tensor in graph.initializer}
        self.types: dict[str, TypeProto] = {
            value.name: value.type for value in (*graph.value_info, *graph.input, *graph.output)
        }
        self.types |= {name: _type_of(tensor) for name, tensor in self.constants.items()}

    def visit(self, node: NodeProto) -> bool:
        """Learn the results of ``node``; whether it has to stay in the graph."""
        inputs = [name for name in node.input if name]
        constant = all(name in self.constants for name in inputs)
        if constant and (node.op_type not in KEPT or not self.constants[inputs[0]].dims):
            self._fold(node, {name: numpy_helper.to_array(self.constants[name]) for name in inputs})
            return False
        if node.op_type in OF_SHAPES and (shape := self.shape(inputs[0])) is not None:
            self._fold(node, {inputs[0]: np.zeros(shape, dtype=np.float32)})
            return False
        self.learn(node)
        return True

    def learn(self, node: NodeProto) -> None:
        """The shapes and kinds of the results of ``node``."""
        try:
            self._infer(node, [name for name in node.input if name])
        except Exception as error:
            raise ValueError(f"node {node.name!r}, operator {node.op_type}: {error}") from error

    def check_sizes(self) -> None:
        """Raises ValueError for a tensor of more than `MOST` numbers; constants lie in the file."""
        for name in self.types.keys() - self.constants.keys():
            _check_size(name, self.shape(name))

    def shape(self, name: str) -> list[int] | None:
        """Of a tensor, where it is fixed."""
        return _shape_of(self.types[name]) if name in self.types else None

    def rebuild(self, nodes: list[NodeProto]) -> None:
        """The graph holds ``nodes``, and all that is known."""
        values = [helper.make_value_info(name, kind) for name, kind in self.types.items()]
        parts = {"node": nodes, "initializer": list(self.constants.values()), "quantization_annotation": []}
        ends = {value.name for value in (*self.proto.graph.input, *self.proto.graph.output)}
        for value in (*self.proto.graph.input, *self.proto.graph.output):
            value.type.CopyFrom(self.types[value.name])
        for part, items in (parts | {"value_info": [value for value in values if value.name not in ends]}).items():
            here = getattr(self.proto.graph, part)
            del here[:]
            here.extend(items)

    def _fold(self, node: NodeProto, feeds: dict[str, np.ndarray]) -> None:
        if not is_custom_op(node.domain, node.op_type):  # those keep the shape
            constants = {name: numpy_helper.from_array(value, name) for name, value in feeds.items()}
            found = self._inferred(node, {name: _type_of(value) for name, value in constants.items()}, constants)
            most = max([MOST, *(value.size for value in feeds.values())])
            for name, kind in found.items():
                _check_size(name, _shape_of(kind), most)
        for name, value in compute(node, feeds, self.opsets).items():
            self.constants[name] = numpy_helper.from_array(value, name)
            self.types[name] = _type_of(self.constants[name])

    def _infer(self, node: NodeProto, inputs: list[str]) -> None:
        if node.op_type in NOTED or not all(name in self.types for name in inputs):
            return
        if is_custom_op(node.domain, node.op_type):  # quantisers keep the shape
            found = {node.output[0]: self.types[inputs[0]]}
        else:
            sizes = [name for name in inputs if name in self.constants and self.constants[name].data_type == INT]
            constants = {name: self.constants[name] for name in sizes}  # and axes, pads
            found = self._inferred(node, {name: self.types[name] for name in inputs}, constants)
        for name, kind in found.items():
            declared, before = self.shape(name), self.types.get(name, kind)
            if kind.tensor_type.HasField("shape"):
                self.types[name] = kind
            if declared is not None and self.shape(name) is None:  # as of a Resize, whose factors are not looked at
                self.types[name] = before
            elif declared is not None and declared != self.shape(name):
                raise ValueError(f"its result {name!r} is declared as {declared} and has shape {self.shape(name)}")
            _check_size(name, self.shape(name))

    def _inferred(self, node: NodeProto, types: dict[str, TypeProto], constants: dict[str, TensorProto]) -> dict:
        """Types of the results by ONNX' rules. These take for granted that a map and its kernel have one rank: else
        they read past the end, and the process is ended.
        """
        if node.op_type in KERNELS:
            map_, kernel = (_shape_of(types[node.input[place]]) for place in (0, KERNELS[node.op_type]))
            if None not in (map_, kernel) and len(map_) != len(kernel):
                raise ValueError(f"it reads a tensor of shape {map_} with a kernel of shape {kernel}")
        schema = onnx.defs.get_schema(node.op_type, self.opsets[node.domain.removeprefix("ai.onnx")])
        opsets = list(self.proto.opset_import)
        return infer_node_outputs(
            schema, node, types, constants, opset_imports=opsets, ir_version=self.proto.ir_version
        )


def _check_size(name: str, shape: list[int] | None, most: int = MOST) -> None:
    if shape is not None and math.prod(shape) > most:
        raise ValueError(f"tensor {name!r} of shape {shape} has more than {most:,} numbers")


def _shape_of(kind: TypeProto) -> list[int] | None:
    if not kind.tensor_type.HasField("shape"):
        return None
    sizes = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.tensor_type.shape.dim]
    return None if None in sizes else sizes


def _type_of(tensor: TensorProto) -> TypeProto:
    return helper.make_tensor_type_proto(tensor.data_type, tensor.dims)


def _without_transposes(nodes: list[NodeProto], known: _Known) -> list[NodeProto]:
    """Transpose(Quant(w, s, ...)) of constants becomes Quant(w', s', ...)."""
    makers = {name: node for node in nodes for name in node.output}
    readers = Counter(name for node in nodes for name in node.input)
    kept = []
    for node in nodes:
        maker = makers.get(node.input[0]) if node.op_type == "Transpose" else None
        if maker is not None and readers[node.input[0]] == 1 and _transposed(node, maker, known):
            maker.output[0] = node.output[0]
        else:
            kept.append(node)
    return kept


def _transposed(node: NodeProto, quantiser: NodeProto, known: _Known) -> bool:
    """Transpose the parameters of ``quantiser`` as ``node`` does with its result; False if that cannot be done."""
    if quantiser.op_type not in ("Quant", "BipolarQuant") or not all(n in known.constants for n in quantiser.input):
        return False
    values = [numpy_helper.to_array(known.constants[name]) for name in quantiser.input]
    if any(value.size > 1 and value.ndim != values[0].ndim for value in values):
        return False
    order = next((list(item.ints) for item in node.attribute if item.name == "perm"), None)
    for i, value in enumerate(values):
        if value.size > 1:
            name = f"{quantiser.input[i]}_of_{node.output[0]}"
            known.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value.transpose(order)), name)
            known.types[name] = _type_of(known.constants[name])
            quantiser.input[i] = name
    return True


class _DataTypes:
    """Stands for the model in qonnx' inference of data types, which asks a model for them one by one."""

    def __init__(self, graph: GraphProto, image: BaseDataType):
        self.graph = graph
        self.values = {value.name: value for value in (*graph.input, *graph.output, *graph.value_info)}
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.found: dict[str, BaseDataType] = {graph.input[0].name: image}

    def get_initializer(self, name: str) -> np.ndarray | None:
        """Value of a constant."""
        return numpy_helper.to_array(self.constants[name]) if name in self.constants else None

    def get_tensor_valueinfo(self, name: str) -> ValueInfoProto:
        """Type of a tensor."""
        return self.values[name]

    def get_tensor_datatype(self, name: str) -> BaseDataType:
        """The data type found so far."""
        return self.found.get(name, DataType["FLOAT32"])

    def set_tensor_datatype(self, name: str, datatype: BaseDataType) -> None:
        """Note what was found."""
        self.found[name] = datatype

    def annotate(self) -> None:
        """Write what is not float32 into the graph."""
        for name, datatype in self.found.items():
            if datatype != DataType["FLOAT32"]:
                entry = onnx.StringStringEntryProto(key="finn_datatype", value=datatype.name)
                self.graph.quantization_annotation.add(tensor_name=name, quant_parameter_tensor_names=[entry])
