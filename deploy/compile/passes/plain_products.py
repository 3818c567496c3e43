"""Every weighted layer as a bare product with constant weights.

    Gemm(x, B, C)  = alpha * (x @ B') + beta * C   ->  MatMul(x, B'), Mul(alpha), Add(beta * C)
    Conv(x, W, b)  = conv(x, W) + b                ->  Conv(x, W), Add(b)

ONNX attributes that are left at their defaults are written out (qonnx and FINN read them as if they were always there).
B' is B transposed where transB says so. Weight sub-graphs (quantisers over stored weights) are evaluated to constants,
and so are all other parameters (`signflow.deploy.compile.passes.parameters`). What is split off joins the scalar
operators behind the product, which the enumeration runs.
"""

import numpy as np
from onnx import NodeProto, TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.remove import RemoveUnusedNodes

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.evaluate import constant
from signflow.deploy.compile.passes.parameters import Parameters
from signflow.deploy.compile.passes.regions import attribute


def _weights(model: ModelWrapper, node: NodeProto) -> np.ndarray:
    value = constant(model, node.input[1])
    if value is None:
        raise refuse(node, "its weights depend on the image", "weights stored in the model")
    if not np.isfinite(value).all():
        raise refuse(node, f"its weights hold {value[~np.isfinite(value)][0]}", "weights that are numbers")
    return np.asarray(value, dtype=np.float32)


def _bias(model: ModelWrapper, node: NodeProto) -> np.ndarray | None:
    """The third input, a constant; None where there is none."""
    if len(node.input) < 3 or not node.input[2]:
        return None
    value = model.get_initializer(node.input[2])
    if value is None:
        reason = f"its third input {node.input[2]!r} depends on the image"
        raise refuse(node, reason, "a constant bias; sums of two layers as Add behind their quantisers")
    return value


def _append(model: ModelWrapper, node: NodeProto, op_type: str, value: np.ndarray) -> NodeProto:
    """Insert ``op_type(result, value)`` behind ``node``, which keeps its output name at the end of the pair."""
    graph, out = model.graph, node.output[0]
    inner, parameter = f"{out}_{op_type}_in", f"{out}_{op_type}_param"
    graph.value_info.append(helper.make_tensor_value_info(inner, TensorProto.FLOAT, model.get_tensor_shape(out)))
    node.output[0] = inner
    position = list(graph.node).index(node) + 1
    graph.node.insert(position, helper.make_node(op_type, [inner, parameter], [out], name=f"{node.name}_{op_type}"))
    model.set_initializer(parameter, value.astype(np.float32))
    return graph.node[position]


def _split_gemm(model: ModelWrapper, node: NodeProto) -> None:
    if attribute(node, "transA", 0):
        raise refuse(node, "transA = 1", "Gemm(data, weights) with transA = 0")
    weights, bias = _weights(model, node), _bias(model, node)
    weights = weights.T if attribute(node, "transB", 0) else weights
    alpha, beta = attribute(node, "alpha", 1.0), attribute(node, "beta", 1.0)
    plain = helper.make_node("MatMul", [node.input[0], f"{node.name}_weights"], [node.output[0]], name=node.name)
    position = list(model.graph.node).index(node)
    model.graph.node.remove(node)
    model.graph.node.insert(position, plain)
    plain = model.graph.node[position]
    model.set_initializer(plain.input[1], np.ascontiguousarray(weights))
    if alpha != 1.0:
        plain = _append(model, plain, "Mul", np.array(alpha))
    if bias is not None and np.any(bias):
        _append(model, plain, "Add", np.float32(beta) * bias)


def _split_conv(model: ModelWrapper, node: NodeProto) -> None:
    weights, bias = _weights(model, node), _bias(model, node)
    if bias is not None and bias.shape != weights.shape[:1]:  # ONNX Runtime reads past the end of such a bias
        raise refuse(node, f"its bias has shape {list(bias.shape)}", f"a bias of shape [{len(weights)}]")
    del node.input[2:]
    node.input[1] = f"{node.name}_weights"
    model.set_initializer(node.input[1], weights)
    if bias is not None and np.any(bias):
        _append(model, node, "Add", bias.reshape(1, -1, *[1] * (weights.ndim - 2)))


def _write_defaults(model: ModelWrapper, node: NodeProto) -> None:
    """Spell out the geometry of a Conv or MaxPool; auto_pad is left to `regions` to judge."""
    kernel = attribute(node, "kernel_shape", []) or list(model.get_initializer(node.input[1]).shape[2:])
    ones, zeros = [1] * len(kernel), [0] * (2 * len(kernel))
    defaults = {"kernel_shape": kernel, "strides": ones, "dilations": ones, "pads": zeros}
    if node.op_type == "Conv":
        defaults["group"] = 1
    present = {item.name for item in node.attribute}
    node.attribute.extend(helper.make_attribute(name, value) for name, value in defaults.items() if name not in present)


class PlainProducts(Transformation):
    """See the module's docstring."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Rewrites every Gemm, Conv and MatMul once."""
        model = model.transform(Parameters())
        for node in list(model.graph.node):
            if node.op_type == "Gemm":
                _split_gemm(model, node)
            elif node.op_type == "Conv":
                _split_conv(model, node)
                _write_defaults(model, node)
            elif node.op_type == "MaxPool":
                _write_defaults(model, node)
            elif node.op_type == "MatMul":
                weights = _weights(model, node)
                node.input[1] = f"{node.name}_weights"
                model.set_initializer(node.input[1], weights)
        return model.transform(RemoveUnusedNodes()).transform(InferShapes()), False
