"""Builds the integer graph node by node, in its final form: maps are NHWC, signs are bits, every tensor has its exact
type. `signflow.deploy.compile.dialect` says what its operators are.
"""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto, TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from signflow.deploy.compile.dialect.base import GENERAL, Operator, integer_type
from signflow.deploy.compile.dialect.maps import Flatten, Im2Col, MaxPoolNHWC
from signflow.deploy.compile.dialect.products import MatMul, XnorPopcountMatMul
from signflow.deploy.compile.dialect.sums import Add, ReduceSum, TopK
from signflow.deploy.compile.dialect.thresholds import Mul, MultiThreshold, Window


@dataclass(frozen=True)
class Tensor:
    """A tensor of the integer graph."""

    name: str
    shape: tuple[int, ...]
    """(H, W, C) of a map or (F,) of a vector, without the batch of 1."""
    datatype: str

    @property
    def channels(self) -> int:
        """Size of the last axis."""
        return self.shape[-1]

    @property
    def positions(self) -> int:
        """Pixels of the map; 1 for a vector."""
        return int(np.prod(self.shape[:-1]))


class IntegerGraph:
    """A graph that grows by one node with every method; methods return the new tensor."""

    def __init__(self, shape: tuple[int, ...], datatype: str):
        """``shape`` (H, W, C) or (F,) and ``datatype`` of the image."""
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, tuple[np.ndarray, str]] = {}
        self.image = Tensor("global_in", tuple(shape), datatype)
        self.tensors = [self.image]

    def _node(
        self, operator: type[Operator], inputs: list[Tensor | str], shape, datatype: str = "", **attributes
    ) -> Tensor:
        """A node that reads tensors and constants; without a ``datatype`` its type holds all that its range says."""
        number, op_type = len(self.nodes), operator.__name__
        names = [x if isinstance(x, str) else x.name for x in inputs]
        out = f"t{number}"
        node = helper.make_node(op_type, names, [out], name=f"{op_type}_{number}", domain=operator.DOMAIN, **attributes)
        self.nodes.append(node)
        datatype = datatype or self._type(operator, node, inputs)
        self.tensors.append(Tensor(out, tuple(int(n) for n in shape), datatype))
        return self.tensors[-1]

    def _type(self, operator: type[Operator], node: NodeProto, inputs: list[Tensor | str]) -> str:
        """The type of all results from inputs that hold whatever their own types allow."""
        computed = [x for x in inputs if isinstance(x, Tensor)]
        shapes = [x.shape if isinstance(x, Tensor) else () for x in inputs]
        constants = [None if isinstance(x, Tensor) else self.constants[x][0] for x in inputs]
        kinds = [(x.channels, DataType[x.datatype]) for x in computed]
        ends = [tuple(np.full(n, int(end), dtype=np.int64) for end in (kind.min(), kind.max())) for n, kind in kinds]
        low, high = operator(node, shapes, constants).range(*ends)
        return integer_type(int(low.min()), int(high.max()))

    def _constant(self, values: np.ndarray, datatype: str) -> str:
        name = f"c{len(self.constants)}"
        self.constants[name] = (np.ascontiguousarray(values), datatype)
        return name

    def _thresholds(self, steps: np.ndarray) -> str:
        return self._constant(steps.astype(np.float32), integer_type(int(steps.min()), int(steps.max())))

    def windows(self, x: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
        """Im2Col of a map (H, W, C) -> (OH, OW, KH * KW * C); the map itself for single pixels."""
        height, width, channels = x.shape
        if tuple(kernel) == (1, 1) and tuple(stride) == (1, 1):
            return x
        shape = [(n - k) // s + 1 for n, k, s in zip((height, width), kernel, stride, strict=True)]
        return self._node(
            Im2Col,
            [x],
            (*shape, kernel[0] * kernel[1] * channels),
            x.datatype,
            kernel_size=list(kernel),
            stride=list(stride),
            input_shape=f"(1, {height}, {width}, {channels})",
            pad_amount=[0, 0, 0, 0],
            dilations=[1, 1],
            depthwise=0,
        )

    def product(self, x: Tensor, weights: np.ndarray, bipolar: bool) -> Tensor:
        """Sums of ``weights`` int (inputs, outputs) times ``x``, typed for whatever the type of ``x`` allows; popcounts
        (inputs + sum) / 2, if ``x`` holds bits. ``bipolar``: every weight is +-1. Raises ValueError for bits times
        other weights.
        """
        shape = (*x.shape[:-1], weights.shape[1])
        if x.datatype == "BINARY":
            if not bipolar:
                raise ValueError(f"{x.name} holds bits, which stand for -1 and +1, and its weights are not all +-1")
            name = self._constant(((weights + 1) // 2).astype(np.float32), "BINARY")
            return self._node(XnorPopcountMatMul, [x, name], shape)
        kind = "BIPOLAR" if bipolar else integer_type(min(int(weights.min()), -1), int(weights.max()))
        name = self._constant(weights.astype(np.float32), kind)
        return self._node(MatMul, [x, name], shape)

    def threshold(self, x: Tensor, steps: np.ndarray, lowest: int = 0, bits: bool = False) -> Tensor:
        """``lowest`` + number of ``steps`` int (channels or 1, N) that x reaches; BINARY if ``bits``."""
        kind = "BINARY" if bits else integer_type(lowest, lowest + steps.shape[1])
        layout = {3: "NHWC", 1: "NC"}[len(x.shape)]
        attributes = {"out_dtype": kind, "out_scale": 1.0, "out_bias": float(lowest), "data_layout": layout}
        return self._node(MultiThreshold, [x, self._thresholds(steps)], x.shape, kind, **attributes)

    def window(self, x: Tensor, low: np.ndarray, high: np.ndarray) -> Tensor:
        """The bit [x < low or x >= high]; int (channels or 1,)."""
        steps = self._thresholds(np.stack([low, high], axis=1))
        return self._node(Window, [x, steps], x.shape, "BINARY")

    def signed(self, x: Tensor, signs: np.ndarray) -> Tensor:
        """``x`` times ``signs`` int (channels,) +-1; ``x`` itself if all are +1."""
        if (signs == 1).all():
            return x
        return self._node(Mul, [x, self._constant(signs.astype(np.float32), "BIPOLAR")], x.shape)

    def pool(self, x: Tensor, size: int) -> Tensor:
        """Largest value of every window of ``size`` x ``size``."""
        height, width, channels = x.shape
        attributes = {"kernel_shape": [size, size], "strides": [size, size], "pads": [0, 0, 0, 0], "ceil_mode": 0}
        shape = (height // size, width // size, channels)
        return self._node(MaxPoolNHWC, [x], shape, x.datatype, **attributes)

    def total(self, x: Tensor) -> Tensor:
        """Sum of a map over its positions, (H, W, C) -> (C,), typed like a product."""
        if x.positions == 1:
            return self.flatten(x)
        axes = self._constant(np.array([1, 2], dtype=np.int64), "")
        return self._node(ReduceSum, [x, axes], (x.channels,), keepdims=0)

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        """x + y, typed like a product; one of them may be a vector (C,), which is added at every position."""
        return self._node(Add, [x, y], max(x.shape, y.shape, key=len))

    def flatten(self, x: Tensor) -> Tensor:
        """A map as one vector, position by position; a vector as it is."""
        if len(x.shape) == 1:
            return x
        return self._node(Flatten, [x], (int(np.prod(x.shape)),), x.datatype, axis=1)

    def arg_max(self, x: Tensor) -> Tensor:
        """Index of the largest element of a vector, the first of equals."""
        largest = self._constant(np.array([1], dtype=np.int64), "")
        out = Tensor("top_index", (1,), "INT32")
        self.tensors.append(Tensor("top_value", (1,), x.datatype))
        name = TopK.__name__
        node = helper.make_node(
            name, [x.name, largest], ["top_value", out.name], axis=-1, largest=1, sorted=1, name=name
        )
        self.nodes.append(node)
        return out

    def model(self, output: Tensor) -> ModelWrapper:
        """The graph with ``output`` as its result, and every tensor's shape and type written down."""

        def info(tensor: Tensor):
            kind = TensorProto.INT64 if tensor.name == "top_index" else TensorProto.FLOAT
            return helper.make_tensor_value_info(tensor.name, kind, [1, *tensor.shape])

        inner = [info(t) for t in self.tensors if t.name not in (self.image.name, output.name)]
        graph = helper.make_graph(self.nodes, "integer", [info(self.image)], [info(output)], value_info=inner)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(GENERAL, 2)]
        model = ModelWrapper(qonnx_make_model(graph, opset_imports=opsets))
        for name, (values, datatype) in self.constants.items():
            model.set_initializer(name, values)
            if datatype:
                model.set_tensor_datatype(name, DataType[datatype])
        for tensor in [*self.tensors, output]:
            model.set_tensor_datatype(tensor.name, DataType[tensor.datatype])
        return model
