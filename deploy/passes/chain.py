"""The shape of a supported network: images, then products (Conv, MatMul), each followed by what happens to one number
at a time.

`walk` cuts the graph at the products. Stage 0 starts at the image and holds the input's scaling and quantiser; stage i
starts at the integer accumulators of product i and holds normalisation, sign, pooling and reshaping up to the next
product; the last stage ends at the graph's output.
"""

from dataclasses import dataclass, field

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import get_by_name

from signflow.deploy.passes.errors import refuse

PRODUCTS = ("Conv", "MatMul")
QUANTISERS = ("BipolarQuant", "Quant")
POOLS = ("MaxPool",)
SHAPES = ("Reshape", "Flatten", "Squeeze")
SELECTORS = ("ArgMax", "TopK")
SCALARS = (
    *("BatchNormalization", "Mul", "Add", "Sub", "Div", "Neg", "Identity", "Dropout", "Cast"),
    *("Relu", "LeakyRelu", "PRelu", "Clip", "Tanh", "Sigmoid", "HardSigmoid", "Elu", "Selu", "Softplus", "Min", "Max"),
)
"""Operators that act on every number alone, with constants per channel: enumeration runs them as they are, whatever
they compute.
"""

SUPPORTED = (
    "dense and convolution layers with weights +-1 (Conv, MatMul, Gemm), "
    "scalar operators per channel (BatchNormalization, Mul, Add, Sub, Div, Neg, activations), BipolarQuant, MaxPool, "
    "Flatten, ArgMax"
)


@dataclass
class Stage:
    """Everything behind one product (or behind the image) up to the next."""

    product: NodeProto | None
    """The Conv or MatMul whose accumulators this stage reads; None for the image."""
    start: str
    """Tensor of the accumulators, or of the image."""
    end: str = ""
    """Tensor that the next product, the selector, or the graph's output reads."""
    nodes: list[NodeProto] = field(default_factory=list)
    """The stage's nodes in order, product and selector not included."""
    selector: NodeProto | None = None
    """ArgMax or TopK that ends the graph, if any."""


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


def successor(model: ModelWrapper, tensor: str) -> NodeProto | None:
    """The one node that reads ``tensor``, None at the graph's output; a fork is refused."""
    readers = [node for node in model.graph.node if tensor in node.input]
    if len(readers) > 1:
        names = ", ".join(node.name for node in readers)
        raise refuse(
            readers[0],
            f"tensor {tensor!r} is read by {len(readers)} nodes ({names})",
            "chains, where every result has one reader",
        )
    if readers and tensor in {out.name for out in model.graph.output}:
        raise refuse(
            readers[0],
            f"tensor {tensor!r} is an output of the network and read inside as well",
            "networks with one result at the end",
        )
    return readers[0] if readers else None


def _check_data_input(model: ModelWrapper, node: NodeProto, tensor: str) -> None:
    """Exactly one input depends on the image; products and quantisers read it first."""
    others = [name for name in node.input if name and name != tensor and model.get_initializer(name) is None]
    if others or list(node.input).count(tensor) != 1:
        raise refuse(
            node,
            f"it combines several results of the network ({', '.join(node.input)})",
            "operators with one data input and constants",
        )
    if node.op_type in (*PRODUCTS, *QUANTISERS, *POOLS, *SHAPES, *SELECTORS) and node.input[0] != tensor:
        raise refuse(node, "the data is not its first input", f"{node.op_type}(data, constants)")


def _check_pool(node: NodeProto) -> None:
    kernel = attribute(node, "kernel_shape", [])
    stride = attribute(node, "strides", [1] * len(kernel))
    supported = "2-D MaxPool with a square kernel, stride equal to the kernel, unpadded, rounding down"
    if len(kernel) != 2 or stride != kernel or kernel[0] != kernel[1]:
        raise refuse(node, f"kernel {kernel} with stride {stride}", supported)
    if any(attribute(node, "pads", [0])) or attribute(node, "auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise refuse(node, f"padding {attribute(node, 'pads', [])} {attribute(node, 'auto_pad', 'NOTSET')}", supported)
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
        pads = attribute(node, "pads", []) or attribute(node, "auto_pad", "NOTSET")
        raise refuse(node, f"padding {pads}: a 0 beside values of +-1 does not exist in one bit", supported)


def check_weight_rank(model: ModelWrapper, node: NodeProto) -> None:
    """Refuse a product whose weight is missing or whose geometry has no hardware."""
    weight = model.get_initializer(node.input[1])
    if weight is None:
        raise refuse(node, "its weights are not constant", "weights stored in the model")
    if node.op_type == "Conv":
        _check_conv(node, weight.ndim)
    elif weight.ndim != 2:
        raise refuse(node, f"its weight has shape {weight.shape}", "MatMul with a weight of shape (inputs, outputs)")


def walk(model: ModelWrapper) -> list[Stage]:
    """The stages of the network in order; raises UnsupportedError for what is no such chain. Expects `PlainProducts`
    before it.
    """
    tensor = model.graph.input[0].name
    stages = [Stage(None, tensor)]
    while (node := successor(model, tensor)) is not None:
        _check_data_input(model, node, tensor)
        stage = stages[-1]
        if stage.selector is not None:
            raise refuse(node, f"it follows {stage.selector.op_type}", "ArgMax or TopK as the last operator")
        stage.end = tensor
        if node.op_type in PRODUCTS:
            check_weight_rank(model, node)
            stages.append(Stage(node, node.output[0]))
        elif node.op_type in SELECTORS:
            stage.selector = node
        elif node.op_type in (*SCALARS, *QUANTISERS, *POOLS, *SHAPES):
            if node.op_type in POOLS:
                _check_pool(node)
            stage.nodes.append(node)
        else:
            raise refuse(node, "it is not known", SUPPORTED)
        tensor = _only_output(model, node)
    if stages[-1].selector is None:
        stages[-1].end = tensor
    if len(stages) == 1:
        raise refuse(model.graph.node[-1], "the network has no dense or convolution layer", SUPPORTED)
    return stages


def _only_output(model: ModelWrapper, node: NodeProto) -> str:
    """The output that the chain follows: the index of a TopK, else the first; others must be unused."""
    follow = 1 if node.op_type == "TopK" else 0
    read = {name for other in model.graph.node for name in other.input} | {out.name for out in model.graph.output}
    unused = [name for i, name in enumerate(node.output) if i != follow and name in read]
    if unused:
        raise refuse(node, f"its output {unused[0]!r} is used", f"only output {follow} of {node.op_type}")
    return node.output[follow]


def spatial(model: ModelWrapper, tensor: str) -> tuple[int, int]:
    """(height, width) of a tensor; (1, 1) for a vector."""
    shape = model.get_tensor_shape(tensor)
    return tuple(shape[2:]) if len(shape) == 4 else (1, 1)


def is_power_of_two(values: np.ndarray | float) -> bool:
    """Multiplying by such a value rounds nothing."""
    mantissa, _ = np.frexp(np.abs(np.asarray(values, dtype=np.float64)))
    return bool(np.all(mantissa == 0.5))
