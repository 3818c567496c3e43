"""Every weighted layer as a bare product with constant weights.

    Gemm(x, B, C)  = alpha * (x @ B') + beta * C   ->  MatMul(x, B'), Mul(alpha), Add(beta * C)
    Conv(x, W, b)  = conv(x, W) + b                ->  Conv(x, W), Add(b)

ONNX attributes that are left at their defaults are written out (qonnx and FINN read them as if they were always there).
B' is B transposed where transB says so. Weight sub-graphs (quantisers over stored weights) are evaluated to constants,
and so are all other parameters (`signflow.deploy.compile.passes.parameters`). What is split off joins the scalar
operators behind the product, which the enumeration runs.
"""

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.parameters import Parameters
from signflow.deploy.compile.passes.regions import attribute
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite, remove_unread


def _weights(graph: Graph, node: NodeProto) -> np.ndarray:
    value = graph.constant(node.input[1])
    if value is None:
        raise refuse(node, "its weights depend on the image", "weights stored in the model")
    if not np.isfinite(value).all():
        raise refuse(node, f"its weights hold {value[~np.isfinite(value)][0]}", "weights that are numbers")
    return np.asarray(value, dtype=np.float32)


def _bias(graph: Graph, node: NodeProto) -> np.ndarray | None:
    """The third input, a constant; None where there is none."""
    if len(node.input) < 3 or not node.input[2]:
        return None
    value = graph.constant(node.input[2])
    if value is None:
        reason = f"its third input {node.input[2]!r} depends on the image"
        raise refuse(node, reason, "a constant bias; sums of two layers as Add behind their quantisers")
    return value


def _append(graph: Graph, nodes: list[NodeProto], op_type: str, value: np.ndarray) -> None:
    """Put ``op_type(result, value)`` behind the last of ``nodes``; the name of its output stays at the end."""
    node, out = nodes[-1], nodes[-1].output[0]
    inner = graph.tensor(f"{out}_{op_type}_in", graph.shape(out))
    parameter = graph.store(f"{out}_{op_type}_param", value.astype(np.float32))
    node.output[0] = inner
    nodes.append(helper.make_node(op_type, [inner, parameter], [out], name=f"{node.name}_{op_type}"))


def _split_gemm(graph: Graph, node: NodeProto) -> list[NodeProto]:
    if attribute(node, "transA", 0):
        raise refuse(node, "transA = 1", "Gemm(data, weights) with transA = 0")
    weights, bias = _weights(graph, node), _bias(graph, node)
    weights = graph.store(f"{node.name}_weights", weights.T if attribute(node, "transB", 0) else weights)
    nodes = [helper.make_node("MatMul", [node.input[0], weights], [node.output[0]], name=node.name)]
    alpha, beta = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    if alpha != 1.0:
        _append(graph, nodes, "Mul", np.array(alpha))
    if bias is not None and np.any(bias):
        _append(graph, nodes, "Add", np.float32(beta) * bias)
    return nodes


def _split_conv(graph: Graph, node: NodeProto) -> list[NodeProto]:
    weights, bias = _weights(graph, node), _bias(graph, node)
    if bias is not None and bias.shape != weights.shape[:1]:  # ONNX Runtime reads past the end of such a bias
        raise refuse(node, f"its bias has shape {list(bias.shape)}", f"a bias of shape [{len(weights)}]")
    del node.input[2:]
    node.input[1] = graph.store(f"{node.name}_weights", weights)
    nodes = [node]
    if bias is not None and np.any(bias):
        _append(graph, nodes, "Add", bias.reshape(1, -1, *[1] * (weights.ndim - 2)))
    return nodes


def _write_defaults(graph: Graph, node: NodeProto) -> None:
    """Spell out the geometry of a Conv or MaxPool; auto_pad is left to `regions` to judge."""
    kernel = attribute(node, "kernel_shape", []) or graph.shape(node.input[1])[2:]
    if not kernel:
        raise refuse(node, f"it reads a tensor of shape {graph.shape(node.input[0])}", "convolutions of maps")
    ones, zeros = [1] * len(kernel), [0] * (2 * len(kernel))
    defaults = {"kernel_shape": kernel, "strides": ones, "dilations": ones, "pads": zeros}
    if node.op_type == "Conv":
        defaults["group"] = 1
    present = {item.name for item in node.attribute}
    node.attribute.extend(helper.make_attribute(name, value) for name, value in defaults.items() if name not in present)


class PlainProducts(Rewrite):
    """See the module's docstring."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Rewrites every Gemm, Conv and MatMul once, between the parameters and what has become of them."""
        Parameters().apply(model)
        super().apply(model)
        remove_unread(model)
        return model, False

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """A product and what was in it."""
        if node.op_type == "Gemm":
            return _split_gemm(graph, node)
        nodes = _split_conv(graph, node) if node.op_type == "Conv" else [node]
        if node.op_type in ("Conv", "MaxPool"):
            _write_defaults(graph, node)
        if node.op_type == "MatMul":
            node.input[1] = graph.store(f"{node.name}_weights", _weights(graph, node))
        return nodes
