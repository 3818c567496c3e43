"""A graph that FINN's own streamlining and conversion made, in ONNX' operators, so that the compiler reads it as any
other network.

    MultiThreshold(x, T), Thresholding   sum over k of (BipolarQuant(x - T[:, k]) + 1) / 2, scaled and shifted
    XnorPopcountMatMul(x, W)             (MatMul(2 x - 1, 2 W - 1) + K) / 2
    MVAU                                 one of the products, and its thresholds
    Im2Col or ConvolutionInputGenerator  with the product behind it: Transpose, Conv, Transpose; with a Pool: MaxPool
    MaxPoolNHWC, FMPadding, LabelSelect, Reshape, GlobalAccPool, Elementwise...   the operator of ONNX
    DuplicateStreams, FIFOs, width converters                                     nothing
    StreamingDataflowPartition           the nodes of its file

x - T has the sign of the comparison for all floats, and everything else here counts integers: the graph computes, bit
for bit, what FINN's Python execution of it computes. `rewrite` refuses what FINN's hardware would compute differently
from that execution, and what has no exact hardware here.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.errors import ModelFileError, UnsupportedError, refuse
from signflow.deploy.compile.partitions import inlined
from signflow.deploy.compile.soundness import QONNX, STANDARD, one_line

HARDWARE = "finn.custom_op.fpgadataflow"
OF_QONNX = ("MultiThreshold", "XnorPopcountMatMul", "Im2Col", "MaxPoolNHWC")
PLUMBING = ("StreamingFIFO", "StreamingDataWidthConverter", "DuplicateStreams")
ELEMENTWISE = {f"Elementwise{name}": name for name in ("Add", "Sub", "Mul", "Div")}
OWN_RULE = ("MVAU", "Thresholding", "Pool", "FMPadding", "Reshape", "GlobalAccPool", "LabelSelect")
WINDOWS = ("Im2Col", "ConvolutionInputGenerator")
SUPPORTED = (
    "MVAU, Thresholding, ConvolutionInputGenerator, Pool (MaxPool), FMPadding, LabelSelect, Reshape, GlobalAccPool, "
    "ElementwiseAdd, Sub, Mul and Div, DuplicateStreams, FIFOs and width converters of FINN, and QONNX' "
    + ", ".join(OF_QONNX)
)
FAR = float(np.finfo(np.float32).max)
"""Stands for an infinite threshold: no number of a network is beyond it."""


def is_finns(proto: ModelProto) -> bool:
    """Whether a node of ``proto`` is one of FINN's, or of QONNX' operators that its streamlining leaves."""
    return any(node.domain.startswith(HARDWARE) or node.op_type in OF_QONNX for node in proto.graph.node)


def rewrite(path: Path, proto: ModelProto) -> ModelProto:
    """``proto``, read from ``path``, with ONNX' operators and BipolarQuant alone. Raises UnsupportedError for a node of
    FINN's that has no such form, ModelFileError for a partition whose file is missing, and for nodes that lack shapes,
    attributes or inputs.
    """
    try:
        return _Rewriting(inlined(path, proto)).proto
    except (UnsupportedError, ModelFileError):
        raise
    except Exception as error:
        raise ModelFileError(f"{path}: its operators of FINN cannot be read: {one_line(error)}") from error


def kind_of(node: NodeProto) -> str:
    """The operator, whichever backend FINN chose for it."""
    return node.op_type.removesuffix("_hls").removesuffix("_rtl") if node.domain.startswith(HARDWARE) else node.op_type


class _Rewriting:
    """Walks the nodes in order and writes others."""

    def __init__(self, proto: ModelProto):
        self.proto, graph = proto, proto.graph
        self.opset = next(item.version for item in proto.opset_import if item.domain in STANDARD)
        values = (*graph.input, *graph.value_info, *graph.output)
        self.shapes = {value.name: [d.dim_value for d in value.type.tensor_type.shape.dim] for value in values}
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self.shapes |= {name: list(value.shape) for name, value in self.constants.items()}
        self.windows: dict[str, NodeProto] = {}
        self.nodes: list[NodeProto] = []
        for node in graph.node:
            self._visit(node)
        for tensor, node in self.windows.items():
            if any(tensor in other.input for other in self.nodes):
                raise refuse(node, "its windows are read by something else than a product or a pool", SUPPORTED)
        self._end_flat(graph.output[0])
        del graph.node[:], graph.value_info[:], graph.quantization_annotation[:]
        graph.node.extend(self.nodes)
        for item in [item for item in proto.opset_import if item.domain.startswith(HARDWARE)]:
            proto.opset_import.remove(item)

    def _visit(self, node: NodeProto) -> None:
        kind = kind_of(node)
        if kind in WINDOWS:
            self.windows[node.output[0]] = node
        elif kind in PLUMBING and node.domain.startswith(HARDWARE):
            for name in node.output:
                self._add(node, "Identity", [node.input[0]], name)
        elif kind in ELEMENTWISE and node.domain.startswith(HARDWARE):
            self._elementwise(node, ELEMENTWISE[kind])
        elif kind == "MatMul" and self._rank(node.input[0]) == 4 and node.input[1] in self.constants:
            self._product(node, False, node.output[0])
        elif kind in OF_QONNX or (kind in OWN_RULE and node.domain.startswith(HARDWARE)):
            getattr(self, f"_{kind.lower()}")(node, lambda name: getCustomOp(node).get_nodeattr(name))
        elif node.op_type.endswith("_sf"):
            raise refuse(node, "it is an operator of signflow", "the network that this hardware was made of")
        elif node.domain.startswith(HARDWARE):
            raise refuse(node, "it is of FINN's hardware, and has no exact form here", SUPPORTED)
        else:
            self.nodes.append(node)

    def _end_flat(self, output: ValueInfoProto) -> None:
        """A map of one pixel at the end is a vector of classes."""
        shape = self.shapes[output.name]
        if len(shape) == 4 and math.prod(shape[:-1]) == 1:
            last = next(node for node in self.nodes if output.name in node.output)
            last.output[list(last.output).index(output.name)] = f"{output.name}__finn_map"
            self._add(last, "Reshape", [f"{output.name}__finn_map", np.array([1, shape[-1]])], output.name)
            del output.type.tensor_type.shape.dim[1:-1]

    # ---- writing

    def _add(self, node: NodeProto, operator: str, inputs: list, out: str = "", **attributes) -> str:
        """A node for ``node`` of tensors and arrays; returns its result, a new tensor without ``out``."""
        number = len(self.nodes)
        names = [self._constant(f"{node.name}__finn{number}_{k}", x) if not isinstance(x, str) else x
                 for k, x in enumerate(inputs)]  # fmt: skip
        out = out or f"{node.output[0]}__finn{number}"
        outputs = [f"{out}_values", out] if operator == "TopK" else [out]
        about = {"name": f"{node.name}_{operator}_{number}", "domain": QONNX if operator == "BipolarQuant" else ""}
        self.nodes.append(helper.make_node(operator, names, outputs, **about, **attributes))
        return out

    def _constant(self, name: str, value: np.ndarray) -> str:
        self.proto.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _chain(self, node: NodeProto, x: str, steps: list[tuple], out: str) -> None:
        """``steps`` (operator, constants, attributes) one behind the other from ``x`` to ``out``."""
        for number, (operator, constants, attributes) in enumerate(steps):
            x = self._add(node, operator, [x, *constants], out if number == len(steps) - 1 else "", **attributes)

    def _rank(self, tensor: str) -> int:
        return len(self.shapes.get(tensor, []))

    def _weights(self, node: NodeProto, place: int) -> np.ndarray:
        if len(node.input) <= place or node.input[place] not in self.constants:
            raise refuse(node, "its parameters are not constant", "weights and thresholds stored in the model")
        return self.constants[node.input[place]].astype(np.float64)

    # ---- products

    def _xnorpopcountmatmul(self, node: NodeProto, _get) -> None:
        self._product(node, True, node.output[0])

    def _mvau(self, node: NodeProto, get: Callable) -> None:
        signs = get("inputDataType") == get("weightDataType") == "BIPOLAR"
        self._check_accumulator(node, get, signs or bool(get("binaryXnorMode")))
        made, wanted = [*self.shapes[node.input[0]][:-1], get("MH")], self.shapes[node.output[0]]
        out = node.output[0] if made == wanted else f"{node.output[0]}_as_made"
        sums = out if get("noActivation") else f"{out}_sums"
        self.shapes |= dict.fromkeys((sums, out), made) if made != wanted else {sums: made}
        self._product(node, bool(get("binaryXnorMode")), sums, signs)
        if not get("noActivation"):
            scale, bias = (2.0, -1.0) if get("outputDataType") == "BIPOLAR" else (1.0, float(get("ActVal")))
            self._thresholds(node, sums, out, self._weights(node, 2), len(made) - 1, scale, bias)
        if made != wanted:
            self._add(node, "Reshape", [out, np.array(wanted)], node.output[0])

    def _check_accumulator(self, node: NodeProto, get: Callable, counts: bool) -> None:
        """FINN's Python execution does not know the accumulator's type; its hardware does."""
        weights, kind = self._weights(node, 1), DataType[get("accDataType")]
        if counts:
            low, high = 0, len(weights)
        else:
            ends = DataType[get("inputDataType")]
            products = np.stack([weights * float(ends.min()), weights * float(ends.max())])
            low, high = products.min(axis=0).sum(axis=0).min(), products.max(axis=0).sum(axis=0).max()
        if kind.is_integer() and not (kind.min() <= low and high <= kind.max()):
            reason = f"its accumulator is {kind.name}, and its sums reach {int(low)}..{int(high)}"
            remedy = "build with minimize_bit_width: false, or from the network itself"
            raise refuse(node, f"{reason}: FINN's hardware would compute others than its graph", remedy)

    def _product(self, node: NodeProto, xnor: bool, out: str, signs: bool = False) -> None:
        """``xnor``: inputs and weights are bits; ``signs``: +-1 of which FINN counts the products +1."""
        weights, x = self._weights(node, 1), node.input[0]
        fan_in, outputs = weights.shape
        window = self.windows.get(x)
        weights = 2 * weights - 1 if xnor else weights
        bits = [("Mul", [np.float32([2])], {}), ("Sub", [np.float32([1])], {})] if xnor else []
        count = [("Add", [np.float32([fan_in])], {}), ("Mul", [np.float32([0.5])], {})] if xnor or signs else []
        if window is None and self._rank(x) != 4:
            return self._chain(node, x, [*bits, ("MatMul", [weights.astype(np.float32)], {}), *count], out)
        kernel, steps, pads, attributes = (1, 1), [], [0] * 4, {}
        if window is not None:
            x, kernel, pads, value, attributes = self._geometry(window)
            steps = [("Pad", [_pads(pads), np.float32(value)], {})] if any(pads) else []
        kernels = weights.reshape(*kernel, -1, outputs).transpose(3, 2, 0, 1).astype(np.float32)
        conv = ("Conv", [kernels], {"kernel_shape": list(kernel)} | attributes)
        self._chain(node, x, [*steps, *bits, FIRST, conv, LAST, *count], out)
        return None

    def _geometry(self, node: NodeProto) -> tuple[str, tuple[int, int], list[int], float, dict]:
        """(map, kernel, pads, their value, strides and dilations) of what makes windows."""
        get = getCustomOp(node).get_nodeattr
        if kind_of(node) == "Im2Col":
            names, pads, value = ("kernel_size", "stride", "dilations"), get("pad_amount"), get("pad_value")
        else:
            names, pads, value = ("ConvKernelDim", "Stride", "Dilation"), [0] * 4, 0
        kernel, strides, dilations = (list(get(name)) for name in names)
        return node.input[0], tuple(kernel), list(pads), value, {"strides": strides, "dilations": dilations}

    # ---- thresholds

    def _multithreshold(self, node: NodeProto, get: Callable) -> None:
        rank = self._rank(node.input[0])
        layout = get("data_layout") or {2: "NC", 3: "NWC", 4: "NCHW"}.get(rank, "NC")
        axis = layout.index("C") if "C" in layout else 1
        scale, bias = get("out_scale"), get("out_bias")
        self._thresholds(node, node.input[0], node.output[0], self._weights(node, 1), axis, scale, bias)

    def _thresholding(self, node: NodeProto, get: Callable) -> None:
        act, last = float(get("ActVal")), self._rank(node.input[0]) - 1
        scale, bias = (2.0, 2 * act - 1) if get("outputDataType") == "BIPOLAR" else (1.0, act)
        self._thresholds(node, node.input[0], node.output[0], self._weights(node, 1), last, scale, bias)

    def _thresholds(
        self, node: NodeProto, x: str, out: str, thresholds: np.ndarray, axis: int, scale: float, bias: float
    ) -> None:
        """``out`` = ``scale`` * (number of thresholds (channels or 1, n) <= x) + ``bias``, in float32 as qonnx."""
        rank = len(self.shapes.get(x, [])) or axis + 1
        if rank < 2 or thresholds.ndim != 2 or np.isnan(thresholds).any():
            reason = f"its thresholds are {thresholds.shape} numbers for a tensor of {rank} axes"
            raise refuse(node, reason, "thresholds (channels or 1, steps) of maps and vectors")
        count = thresholds.shape[1]
        shape = [-1 if k == axis else 1 for k in range(rank)]
        signs = []
        for step in np.clip(thresholds, -FAR, FAR).astype(np.float32).T:
            below = self._add(node, "Sub", [x, step.reshape(shape)])
            signs.append([below, np.float32(1)])
        if count == 1 and scale == 2 and bias == -1:
            self._add(node, "BipolarQuant", signs[0], out)
            return
        total = self._add(node, "BipolarQuant", signs[0])
        for sign in signs[1:]:
            total = self._add(node, "Add", [total, self._add(node, "BipolarQuant", sign)])
        steps = [("Add", [np.float32([count])], {}), ("Mul", [np.float32([0.5])], {})]
        steps += [("Mul", [np.float32([scale])], {})] if scale != 1 else []
        steps += [("Add", [np.float32([bias])], {})] if bias else []
        self._chain(node, total, steps, out)

    def _elementwise(self, node: NodeProto, operator: str) -> None:
        """FINN declares vectors behind maps of one pixel, and does not look at the shape of what it computes."""
        made = list(np.broadcast_shapes(*(self.shapes[name] for name in node.input)))
        if made == (wanted := self.shapes[node.output[0]]):
            self._add(node, operator, list(node.input), node.output[0])
        else:
            x = self._add(node, operator, list(node.input))
            self._add(node, "Reshape", [x, np.array(wanted)], node.output[0])

    def _pool(self, node: NodeProto, get: Callable) -> None:
        if get("Function") != "MaxPool" or node.input[0] not in self.windows:
            raise refuse(node, f"it is {get('Function')}", "MaxPool behind a ConvolutionInputGenerator")
        x, kernel, _, _, attributes = self._geometry(self.windows[node.input[0]])
        pool = ("MaxPool", [], {"kernel_shape": list(kernel)} | attributes)
        self._chain(node, x, [FIRST, pool, LAST], node.output[0])

    def _maxpoolnhwc(self, node: NodeProto, get: Callable) -> None:
        attributes = {name: get(name) for name in ("kernel_shape", "pads", "strides", "ceil_mode")}
        self._chain(node, node.input[0], [FIRST, ("MaxPool", [], attributes), LAST], node.output[0])

    def _fmpadding(self, node: NodeProto, get: Callable) -> None:
        self._add(node, "Pad", [node.input[0], _pads(get("Padding")), np.float32(0)], node.output[0])

    def _reshape(self, node: NodeProto, _get) -> None:
        self._add(node, "Reshape", [node.input[0], np.array(self.shapes[node.output[0]])], node.output[0])

    def _globalaccpool(self, node: NodeProto, _get) -> None:
        axes = ([np.array([1, 2])], {}) if self.opset >= 13 else ([], {"axes": [1, 2]})
        self._chain(node, node.input[0], [("ReduceSum", axes[0], axes[1] | {"keepdims": 1})], node.output[0])

    def _labelselect(self, node: NodeProto, get: Callable) -> None:
        x, shape = node.input[0], self.shapes[node.input[0]]
        if math.prod(shape[:-1]) != 1:
            raise refuse(node, f"it selects a class at every position of {shape}", "one vector of classes")
        x = x if len(shape) == 2 else self._add(node, "Reshape", [x, np.array([1, shape[-1]])])
        self._add(node, "TopK", [x, np.array([get("K")])], node.output[0], axis=-1)
        for value in self.proto.graph.output:
            if value.name == node.output[0]:
                value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.INT64, [1, get("K")]))


FIRST = ("Transpose", [], {"perm": [0, 3, 1, 2]})
LAST = ("Transpose", [], {"perm": [0, 2, 3, 1]})


def _pads(pads: list[int]) -> np.ndarray:
    """(top, left, bottom, right) of a map with channels last, as Pad has them."""
    top, left, bottom, right = pads
    return np.array([0, top, left, 0, 0, bottom, right, 0])
