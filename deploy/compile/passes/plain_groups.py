"""Grouped and depthwise convolutions as dense ones with zeros.

    W'[o, i] = W[o, i - g(o) * C/G]  where input channel i belongs to the group g(o) of output o, else 0

for C input channels and O outputs in G groups, g(o) = o // (O/G). A weight of 0 adds exactly nothing.
"""

import numpy as np
from onnx import NodeProto

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.geometry import set_attributes
from signflow.deploy.compile.passes.regions import attribute
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite


def dense(weights: np.ndarray, groups: int) -> np.ndarray:
    """(outputs, inputs / groups, ...) -> (outputs, inputs, ...)."""
    outputs, inputs, *kernel = weights.shape
    result = np.zeros((outputs, inputs * groups, *kernel), dtype=weights.dtype)
    for o in range(outputs):
        first = o // (outputs // groups) * inputs
        result[o, first : first + inputs] = weights[o]
    return result


class PlainGroups(Rewrite):
    """See the module's docstring."""

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """Expands the weights of a Conv with group > 1."""
        groups = attribute(node, "group", 1)
        if node.op_type != "Conv" or groups == 1:
            return [node]
        weights, channels = graph.constant(node.input[1]), graph.shape(node.input[0])[1]
        if groups < 1 or len(weights) % groups or weights.shape[1] * groups != channels:
            reason = f"its weight of shape {list(weights.shape)} is not for {channels} channels in {groups} groups"
            raise refuse(node, reason, "weights (outputs, channels / groups, ...), outputs a multiple of the groups")
        node.input[1] = graph.store(f"{node.input[1]}_dense", dense(weights, groups))
        set_attributes(node, group=1)
        return [node]
