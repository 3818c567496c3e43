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
from signflow.deploy.compile.dialect.border import ZERO, Border
from signflow.deploy.compile.dialect.joins import Concat, PadChannels, ShiftAdd
from signflow.deploy.compile.dialect.lookup import Lookup
from signflow.deploy.compile.dialect.maps import Flatten, Im2Col
from signflow.deploy.compile.dialect.pools import MaxPoolNHWC, SumPoolNHWC
from signflow.deploy.compile.dialect.products import MatMul, XnorPopcountMatMul
from signflow.deploy.compile.dialect.program import Windows
from signflow.deploy.compile.dialect.requantise import Requantise
from signflow.deploy.compile.dialect.sums import ReduceSum, TopK
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

    @property
    def least(self) -> int:
        """Smallest number of its type."""
        return int(DataType[self.datatype].min())


def _type_of(values: np.ndarray) -> str:
    """Of a constant of integers."""
    return integer_type(int(values.min()), int(values.max()))


class IntegerGraph:
    """A graph that grows by one node with every method; methods return the new tensor."""

    def __init__(self, shape: tuple[int, ...], datatype: str):
        """``shape`` (H, W, C) or (F,) and ``datatype`` of the image."""
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, tuple[np.ndarray, str]] = {}
        self.image = Tensor("global_in", tuple(shape), datatype)
        self.tensors = [self.image]
        self.costs: dict[str, dict[str, float]] = {}
        """Tensor of codes -> what every way to make them would have cost (`signflow.deploy.compile.passes.choice`)."""

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
        return self._constant(steps.astype(np.float32), _type_of(steps))

    def border(self, x: Tensor, pads: tuple[int, int, int, int], values: np.ndarray) -> Tensor:
        """``x`` (H, W, C) with ``pads`` (top, left, bottom, right) pixels of ``values`` (C or 1,) around it; ``x``
        itself without pads. Bits get 0 and 1, or 0.5 everywhere, which is the number 0.
        """
        if not any(pads):
            return x
        top, left, bottom, right = (int(pad) for pad in pads)
        bits, values = x.datatype == "BINARY", np.asarray(values, dtype=np.float32).reshape(-1)
        name = self._constant(values, "" if (values == ZERO).any() else _type_of(values))
        shape = (top + x.shape[0] + bottom, left + x.shape[1] + right, x.channels)
        return self._node(Border, [x, name], shape, "BINARY" if bits else "", pads=[top, left, bottom, right])

    def windows(
        self, x: Tensor, kernel: tuple[int, int], stride: tuple[int, int], dilations: tuple[int, int] = (1, 1)
    ) -> Tensor:
        """Im2Col of a map (H, W, C) -> (OH, OW, KH * KW * C); the map itself for single pixels, and a vector (C,):
        that is the one pixel which a sum over all positions leaves.
        """
        if tuple(kernel) == (1, 1) and (tuple(stride) == (1, 1) or len(x.shape) == 1):
            return x
        height, width, channels = x.shape
        places = Windows(tuple(kernel), tuple(stride), tuple(dilations)).places(x.shape)
        return self._node(
            Im2Col,
            [x],
            (*places, kernel[0] * kernel[1] * channels),
            x.datatype,
            kernel_size=list(kernel),
            stride=list(stride),
            input_shape=f"(1, {height}, {width}, {channels})",
            pad_amount=[0, 0, 0, 0],
            dilations=list(dilations),
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

    def lookup(self, x: Tensor, table: np.ndarray, lowest: int) -> Tensor:
        """table[c][x - lowest] of every number x of channel c; ``table`` int (C or 1, N)."""
        kind = _type_of(table)
        name = self._constant(np.asarray(table, dtype=np.float32), kind)
        return self._node(Lookup, [x, name], x.shape, kind, lowest=int(lowest))

    def requantise(self, x: Tensor, factor: np.ndarray, offset: np.ndarray, shift: int, low: int, high: int) -> Tensor:
        """clip((x * factor + offset) >> shift, low, high); ``factor`` and ``offset`` int (C or 1,)."""
        constants = [np.asarray(values, dtype=np.int64).reshape(-1) for values in (factor, offset)]
        names = [self._constant(values, _type_of(values)) for values in constants]
        attributes = {"shift": int(shift), "low": int(low), "high": int(high)}
        return self._node(Requantise, [x, *names], x.shape, integer_type(int(low), int(high)), **attributes)

    def pool(self, x: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
        """Largest value of every window; ``x`` itself for single pixels."""
        if tuple(kernel) == (1, 1) and tuple(stride) == (1, 1):
            return x
        attributes = {"kernel_shape": list(kernel), "strides": list(stride), "pads": [0, 0, 0, 0], "ceil_mode": 0}
        shape = (*Windows(tuple(kernel), tuple(stride)).places(x.shape), x.channels)
        return self._node(MaxPoolNHWC, [x], shape, x.datatype, **attributes)

    def sum_pool(self, x: Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> Tensor:
        """Sum of every window, typed like a product."""
        shape = (*Windows(tuple(kernel), tuple(stride)).places(x.shape), x.channels)
        return self._node(SumPoolNHWC, [x], shape, kernel_shape=list(kernel), strides=list(stride))

    def total(self, x: Tensor) -> Tensor:
        """Sum of a map over its positions, (H, W, C) -> (C,), typed like a product."""
        if x.positions == 1:
            return self.flatten(x)
        axes = self._constant(np.array([1, 2], dtype=np.int64), "")
        return self._node(ReduceSum, [x, axes], (x.channels,), keepdims=0)

    def add(self, x: Tensor, y: Tensor, shifts: tuple[int, int] = (0, 0)) -> Tensor:
        """(x << shifts[0]) + (y << shifts[1]), typed like a product; one of them may be a vector (C,), which is added
        at every position.
        """
        return self._node(ShiftAdd, [x, y], max(x.shape, y.shape, key=len), shifts=[int(n) for n in shifts])

    def concat(self, x: Tensor, y: Tensor) -> Tensor:
        """The channels of ``x`` and then those of ``y``."""
        kind = x.datatype if x.datatype == y.datatype else ""
        return self._node(Concat, [x, y], (*x.shape[:-1], x.channels + y.channels), kind, axis=-1)

    def pad_channels(self, x: Tensor, before: int, after: int, value: int) -> Tensor:
        """``before`` channels of ``value``, those of ``x``, and ``after`` more."""
        kind = "BINARY" if x.datatype == "BINARY" and value in (0, 1) else ""
        attributes = {"before": int(before), "after": int(after), "value": int(value)}
        return self._node(PadChannels, [x], (*x.shape[:-1], before + x.channels + after), kind, **attributes)

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
