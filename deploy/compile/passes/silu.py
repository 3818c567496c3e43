"""x * sigmoid(x) in the form that PyTorch's SiLU computes.

    Mul(x, Sigmoid(x))   ->   Div(x, Add(Exp(Neg(x)), 1))

The same function, but ONNX Runtime's Sigmoid is exactly 0 from about -18 downwards, where the product is still negative
in PyTorch: a sign behind it would be +1 instead of -1.
"""

from collections.abc import Mapping

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation


def silu_input(makers: Mapping[str, NodeProto], node: NodeProto) -> str | None:
    """x if ``node`` is the Div of x / (1 + exp(-x)), else None; ``makers``: tensor -> the node that gives it."""
    x, name = node.input[0], node.output[0]
    for op_type, side in (("Div", -1), ("Add", 0), ("Exp", 0), ("Neg", 0)):
        maker = makers.get(name)
        if maker is None or maker.op_type != op_type:
            return None
        name = maker.input[side]
    return x if name == x else None


class Silu(Transformation):
    """See the module's docstring."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Rewrites every such pair of nodes; the result keeps the name of its tensor."""
        for node in list(model.graph.node):
            if node.op_type == "Mul":
                for x, gate in (node.input, node.input[::-1]):
                    sigmoid = model.find_producer(gate)
                    if sigmoid is not None and sigmoid.op_type == "Sigmoid" and sigmoid.input[0] == x:
                        _rewrite(model, node, sigmoid, x)
                        break
        return model, False


def _rewrite(model: ModelWrapper, product: NodeProto, sigmoid: NodeProto, x: str) -> None:
    graph, out = model.graph, product.output[0]
    names = [f"{out}_{part}" for part in ("neg", "exp", "sum")]
    for name in names:
        model.set_tensor_shape(name, model.get_tensor_shape(out))
    one = f"{out}_one"
    model.set_initializer(one, np.array([1.0], dtype=np.float32))
    steps = [("Neg", [x], names[0]), ("Exp", [names[0]], names[1]), ("Add", [names[1], one], names[2])]
    steps.append(("Div", [x, names[2]], out))
    position = list(graph.node).index(product)
    graph.node.remove(product)
    for k, (op_type, inputs, output) in enumerate(steps):
        graph.node.insert(position + k, helper.make_node(op_type, inputs, [output], name=f"{op_type}_{output}"))
    if not model.find_consumers(sigmoid.output[0]):
        graph.node.remove(sigmoid)
