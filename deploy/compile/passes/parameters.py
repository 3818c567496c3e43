"""Every parameter as a stored constant.

    Add(x, Quant(b, s, z, n))   ->   Add(x, b')

What depends on constants alone (a quantised bias, a scale that is computed) is evaluated once, node by node in the
arithmetic of the reference, and stored. Only the nodes in front of a product's weights stay: a quantiser there says
which integers the weights are.
"""

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.evaluate import constant
from signflow.deploy.compile.passes.regions import QUANTISERS

WEIGHTED = ("Conv", "Gemm", "MatMul")


def _weight_makers(model: ModelWrapper) -> set[str]:
    """The tensors that lead to the weights of products."""
    wanted = {node.input[1] for node in model.graph.node if node.op_type in WEIGHTED and len(node.input) > 1}
    for node in reversed(model.graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
    return wanted


class Parameters(Transformation):
    """See the module's docstring."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Evaluates every node that only constants reach, but for those that make weights."""
        moving, weights = {value.name for value in model.graph.input}, _weight_makers(model)
        fixed: list[NodeProto] = []
        for node in model.graph.node:
            if moving & set(node.input):
                moving |= set(node.output)
            elif not weights & set(node.output):
                fixed.append(node)
        for node in fixed:
            for name in node.output:
                value = constant(model, name) if name else None
                if value is not None:
                    model.set_initializer(name, value)
                elif model.find_consumers(name):
                    raise refuse(node, f"its constant result {name!r} cannot be evaluated", "stored constants")
        for node in fixed:
            model.graph.node.remove(node)
        for node in model.graph.node:
            if node.op_type in QUANTISERS:
                _check_quantiser(model, node)
        return model, False


def _check_quantiser(model: ModelWrapper, node: NodeProto) -> None:
    """Scale, zero point and bit width are numbers that mean something."""
    parameters = [constant(model, name) for name in node.input[1:]]
    for name, value in zip(("scale", "zero point", "bit width"), parameters, strict=False):
        if value is not None and not np.isfinite(value).all():
            raise refuse(node, f"its {name} is {value[~np.isfinite(value)][0]}", "finite parameters")
    scale, bits = parameters[0], parameters[2] if len(parameters) > 2 else None
    if scale is not None and (scale == 0).any():
        raise refuse(node, "its scale is 0", "a scale other than 0")
    if bits is not None and ((bits < 1) | (bits != np.rint(bits))).any():
        raise refuse(node, f"its bit width is {bits.flat[0]:g}", "bit widths of 1, 2, 3, ...")
