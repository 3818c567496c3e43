"""Every parameter as a stored constant.

    Add(x, Quant(b, s, z, n))   ->   Add(x, b')

What depends on constants alone (quantised weights, a quantised bias, a scale that is computed) is evaluated once, node
by node in the arithmetic of the reference, and stored.
"""

import numpy as np
from onnx import NodeProto

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.evaluate import compute
from signflow.deploy.compile.passes.regions import QUANTISERS
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite


class Parameters(Rewrite):
    """See the module's docstring."""

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """Evaluates a node that only constants reach."""
        if node.op_type in QUANTISERS:
            _check_quantiser(graph, node)
        values = {name: graph.constant(name) for name in node.input if name}
        if any(value is None for value in values.values()):
            return [node]
        for name, value in compute(node, values, graph.opsets).items():
            graph.fix(name, value)
        return []


def _check_quantiser(graph: Graph, node: NodeProto) -> None:
    """Scale, zero point and bit width are numbers that mean something."""
    parameters = [graph.constant(name) for name in node.input[1:]]
    for name, value in zip(("scale", "zero point", "bit width"), parameters, strict=False):
        if value is not None and not np.isfinite(value).all():
            raise refuse(node, f"its {name} is {value[~np.isfinite(value)][0]}", "finite parameters")
    scale, bits = parameters[0], parameters[2] if len(parameters) > 2 else None
    if scale is not None and (scale == 0).any():
        raise refuse(node, "its scale is 0", "a scale other than 0")
    if bits is not None and ((bits < 1) | (bits != np.rint(bits))).any():
        raise refuse(node, f"its bit width is {bits.flat[0]:g}", "bit widths of 1, 2, 3, ...")
