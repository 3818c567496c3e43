"""The shape of a supported network: where integers come from, and what happens to one number at a time in between.

`walk` cuts the graph into regions. A region starts at integers: the pixels of the image, the accumulators of a product
(Conv, MatMul), the sums of a map over all its positions (ReduceSum), or the sums of two regions' results (Add). It
holds the scalar operators that follow, in any arrangement: forks and joins inside a region, such as x * sigmoid(x), are
nothing special, because every number in it is a function of the one integer that it starts at. It ends at its exits:
the tensors that the next products, sums and joins read, or the output of the network.
"""

from dataclasses import dataclass, field

import numpy as np
from onnx import NodeProto, TensorProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import get_by_name

from signflow.deploy.compile.errors import refuse

PRODUCTS = ("Conv", "MatMul")
QUANTISERS = ("BipolarQuant", "Quant")
POOLS = ("MaxPool",)
SHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
SELECTORS = ("ArgMax", "TopK")
SCALARS = (
    *("BatchNormalization", "Mul", "Add", "Sub", "Div", "Neg", "Abs", "Exp", "Identity", "Dropout", "Cast"),
    *("Relu", "LeakyRelu", "PRelu", "Clip", "Tanh", "Sigmoid", "HardSigmoid", "Elu", "Selu", "Softplus", "Min", "Max"),
)
"""Operators that act on every number alone, with constants per channel: enumeration runs them as they are, whatever
they compute.
"""

SUPPORTED = (
    "dense and convolution layers (Conv, MatMul, Gemm), scalar operators per channel (BatchNormalization, Mul, Add, "
    "Sub, Div, Neg, activations), BipolarQuant, Quant, MaxPool, Flatten, ReduceSum over all positions, ArgMax"
)


@dataclass
class Region:
    """Everything that is a function of the integers in ``start``."""

    kind: str
    """"image", "product", "sum" or "join"."""
    node: NodeProto | None
    """The Conv, MatMul, ReduceSum or Add that makes the integers; None for the image."""
    start: str
    """Tensor of the integers (times a scale)."""
    nodes: list[NodeProto] = field(default_factory=list)
    """Scalar operators, pools and reshapes, in the order of the graph."""
    exits: dict[str, list[NodeProto]] = field(default_factory=dict)
    """Tensor -> the nodes of other regions that read it; none for the network's output."""
    selector: NodeProto | None = None
    """ArgMax or TopK that ends the graph, if any."""

    def path(self, tensor: str) -> list[NodeProto]:
        """The nodes of the region that ``tensor`` depends on, in order."""
        wanted, found = {tensor}, []
        for node in reversed(self.nodes):
            if node.output[0] in wanted:
                wanted |= set(node.input)
                found.append(node)
        return found[::-1]


def attribute(node: NodeProto, name: str, default):
    """The value of an attribute (int, float, list of ints or string), or ``default``."""
    found = get_by_name(node.attribute, name)
    if found is None:
        return default
    if isinstance(default, str):
        return found.s.decode()
    if isinstance(default, float):
        return found.f
    return list(found.ints) if isinstance(default, list) else found.i


def data_inputs(model: ModelWrapper, node: NodeProto) -> list[str]:
    """The inputs that depend on the image, each once."""
    return list(dict.fromkeys(name for name in node.input if name and model.get_initializer(name) is None))


def _check_cast(node: NodeProto) -> None:
    """Anything but float32 would round, and change what the nodes behind it compute."""
    if node.op_type == "Cast" and attribute(node, "to", 0) != TensorProto.FLOAT:
        kind = TensorProto.DataType.Name(attribute(node, "to", 0))
        raise refuse(node, f"it casts to {kind}", "float32 throughout")


def _check_pool(node: NodeProto) -> None:
    kernel = attribute(node, "kernel_shape", [])
    stride = attribute(node, "strides", [1] * len(kernel))
    supported = "2-D MaxPool with a square kernel, stride equal to the kernel, unpadded, rounding down"
    if len(kernel) != 2 or stride != kernel or kernel[0] != kernel[1]:
        raise refuse(node, f"kernel {kernel} with stride {stride}", supported)
    if any(attribute(node, "pads", [0])) or attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        pads = f"pads {attribute(node, 'pads', [])}, auto_pad {attribute(node, 'auto_pad', 'NOTSET')}"
        raise refuse(node, f"it is padded ({pads})", supported)
    if attribute(node, "ceil_mode", 0) or set(attribute(node, "dilations", [1])) != {1}:
        raise refuse(node, "ceil_mode or dilation", supported)


def _check_conv(node: NodeProto, rank: int) -> None:
    supported = "2-D Conv with group 1, dilation 1 and no padding"
    if rank != 4:
        raise refuse(node, f"its weight has rank {rank}", supported)
    if attribute(node, "group", 1) != 1 or set(attribute(node, "dilations", [1])) != {1}:
        raise refuse(
            node, f"group {attribute(node, 'group', 1)}, dilations {attribute(node, 'dilations', [1, 1])}", supported
        )
    if any(attribute(node, "pads", [0])) or attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        auto = attribute(node, "auto_pad", "NOTSET")
        pads = f"pads {attribute(node, 'pads', [])}" if auto == "NOTSET" else f"auto_pad {auto}"
        raise refuse(node, f"it is padded ({pads}): a 0 beside values of +-1 does not exist in one bit", supported)


def _check_product(model: ModelWrapper, node: NodeProto) -> None:
    weight = model.get_initializer(node.input[1])
    if weight is None:
        raise refuse(node, "its weights are not constant", "weights stored in the model")
    if node.op_type == "Conv":
        _check_conv(node, weight.ndim)
        return
    if weight.ndim != 2:
        raise refuse(node, f"its weight has shape {weight.shape}", "MatMul with a weight of shape (inputs, outputs)")
    if len(shape := model.get_tensor_shape(node.input[0])) != 2:
        reason = f"it multiplies the last axis of a tensor of shape {list(shape)}"
        raise refuse(node, reason, "dense layers that read [1, features]: flatten in front of them")


def _check_sum(model: ModelWrapper, node: NodeProto) -> None:
    shape, axes = model.get_tensor_shape(node.input[0]), None
    if len(node.input) > 1 and node.input[1]:
        axes = [int(a) % len(shape) for a in model.get_initializer(node.input[1]).reshape(-1)]
    if len(shape) < 3 or sorted(axes or []) != list(range(2, len(shape))):
        raise refuse(node, f"it sums {shape} over the axes {axes}", "ReduceSum over all positions of a map")


def walk(model: ModelWrapper) -> list[Region]:
    """The regions of the network in order; raises UnsupportedError for what has none. Expects `PlainProducts` before
    it.
    """
    return _Walk(model).regions


class _Walk:
    def __init__(self, model: ModelWrapper):
        self.model, start = model, model.graph.input[0].name
        self.regions = [Region("image", None, start)]
        self.owner = {start: self.regions[0]}
        for node in model.graph.node:
            if data := data_inputs(model, node):
                self._check(node, data)
                self._visit(node, data)
        self._finish()

    def _check(self, node: NodeProto, data: list[str]) -> None:
        """What holds of every node: its tensors are known, and of one image."""
        for name in data:
            if name not in self.owner:
                raise refuse(node, f"its input {name!r} is an output that is not supported", SUPPORTED)
        for name in node.output:
            shape = self.model.get_tensor_shape(name) if name else [1]
            if node.op_type in (*SCALARS, *SHAPES, *QUANTISERS, *POOLS) and (not shape or shape[0] != 1):
                raise refuse(node, f"its result has shape {shape and list(shape)}", "a batch of 1 throughout")
        _check_cast(node)

    def _visit(self, node: NodeProto, data: list[str]) -> None:
        owners = list({id(self.owner[name]): self.owner[name] for name in data}.values())
        if finished := next((region for region in owners if region.selector is not None), None):
            raise refuse(node, f"it follows {finished.selector.op_type}", "ArgMax or TopK as the last operator")
        known = (*PRODUCTS, "ReduceSum", *SCALARS, *QUANTISERS, *POOLS, *SHAPES, *SELECTORS)
        if node.op_type not in known:
            raise refuse(node, "it is not known", SUPPORTED)
        if node.op_type not in SCALARS and (len(data) > 1 or node.input[0] != data[0]):
            rule = "the data is not its first and only input that depends on the image"
            raise refuse(node, rule, f"{node.op_type}(data, constants)")
        if node.op_type in PRODUCTS:
            _check_product(self.model, node)
            self._cut("product", node, data)
        elif node.op_type == "ReduceSum":
            _check_sum(self.model, node)
            self._cut("sum", node, data)
        elif len(owners) > 1:
            if node.op_type != "Add" or len(data) != 2 or len(node.input) != 2:
                rule = f"it combines results of {len(owners)} layers ({', '.join(data)})"
                raise refuse(node, rule, "Add of two quantised results")
            self._cut("join", node, data)
        elif node.op_type in SELECTORS:
            owners[0].selector = node
            self._exit(data[0], None)
            self.owner[_only_output(self.model, node)] = owners[0]
        else:
            if node.op_type in POOLS:
                _check_pool(node)
            owners[0].nodes.append(node)
            self.owner[_only_output(self.model, node)] = owners[0]

    def _exit(self, tensor: str, reader: NodeProto | None) -> None:
        readers = self.owner[tensor].exits.setdefault(tensor, [])
        if reader is not None:
            readers.append(reader)

    def _cut(self, kind: str, node: NodeProto, data: list[str]) -> None:
        for tensor in data:
            self._exit(tensor, node)
        self.regions.append(Region(kind, node, node.output[0]))
        self.owner[node.output[0]] = self.regions[-1]

    def _finish(self) -> None:
        output = self.model.graph.output[0].name
        if not any(region.kind == "product" for region in self.regions):
            raise refuse(self.model.graph.node[-1], "the network has no dense or convolution layer", SUPPORTED)
        readers = [node for node in self.model.graph.node if output in node.input]
        if readers:
            rule = f"tensor {output!r} is an output of the network and read inside as well"
            raise refuse(readers[0], rule, "networks with one result at the end")
        last = self.owner[output]
        if last.selector is None:
            self._exit(output, None)
        for region in self.regions:
            if not region.exits and region.node is not None:
                raise refuse(region.node, "nothing reads its result", "networks without dead ends")


def _only_output(model: ModelWrapper, node: NodeProto) -> str:
    """The output that the network uses: the index of a TopK, else the first; others must be unused."""
    follow = 1 if node.op_type == "TopK" else 0
    read = {name for other in model.graph.node for name in other.input} | {out.name for out in model.graph.output}
    unused = [name for i, name in enumerate(node.output) if i != follow and name in read]
    if unused:
        raise refuse(node, f"its output {unused[0]!r} is used", f"only output {follow} of {node.op_type}")
    return node.output[follow]


def is_power_of_two(values: np.ndarray | float) -> bool:
    """Multiplying by such a value rounds nothing."""
    mantissa, _ = np.frexp(np.abs(np.asarray(values, dtype=np.float64)))
    return bool(np.all(mantissa == 0.5))
