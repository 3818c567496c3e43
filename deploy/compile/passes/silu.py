"""x * sigmoid(x) in the form that PyTorch's SiLU computes.

    Mul(x, Sigmoid(x))   ->   Div(x, Add(Exp(Neg(x)), 1))

The same function, but ONNX Runtime's Sigmoid is exactly 0 from about -18 downwards, where the product is still negative
in PyTorch: a sign behind it would be +1 instead of -1.
"""

from collections.abc import Mapping

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.rewrite import Graph, Rewrite, remove_unread


def silu_input(makers: Mapping[str, NodeProto], node: NodeProto) -> str | None:
    """x if ``node`` is the Div of x / (1 + exp(-x)), else None; ``makers``: tensor -> the node that gives it."""
    x, name = node.input[0], node.output[0]
    for op_type, side in (("Div", -1), ("Add", 0), ("Exp", 0), ("Neg", 0)):
        maker = makers.get(name)
        if maker is None or maker.op_type != op_type:
            return None
        name = maker.input[side]
    return x if name == x else None


class Silu(Rewrite):
    """See the module's docstring."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Rewrites every such pair of nodes; the result keeps the name of its tensor."""
        self.gates = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Sigmoid"}
        super().apply(model)
        remove_unread(model)
        return model, False

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """A product of x and its sigmoid."""
        if node.op_type == "Mul":
            for x, gate in (node.input, node.input[::-1]):
                if self.gates.get(gate) == x:
                    return _division(graph, node, x)
        return [node]


def _division(graph: Graph, product: NodeProto, x: str) -> list[NodeProto]:
    out = product.output[0]
    shape, one = graph.shape(out), graph.store(f"{out}_one", np.array([1.0], dtype=np.float32))
    negated, powers, total = (graph.tensor(f"{out}_{part}", shape) for part in ("neg", "exp", "sum"))
    steps = [("Neg", [x], negated), ("Exp", [negated], powers), ("Add", [powers, one], total), ("Div", [x, total], out)]
    return [helper.make_node(op_type, inputs, [end], name=f"{op_type}_{end}") for op_type, inputs, end in steps]
