"""Constants beside a result, as the borders that they are.

    Concat(zeros, x, zeros)   ->   Pad(x)

So shortcuts may add channels by torch.cat as well as by a Pad (ResNet's option A). All constants must hold one number.
"""

import numpy as np
from onnx import NodeProto

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.geometry import Padding, pad_node
from signflow.deploy.compile.passes.regions import attribute
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite


class PlainConcats(Rewrite):
    """See the module's docstring."""

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """Rewrites a Concat of which something is constant."""
        values = [graph.constant(name) for name in node.input] if node.op_type == "Concat" else []
        results = [place for place, value in enumerate(values) if value is None]
        if len(results) == len(values):
            return [node]
        numbers = np.unique(np.concatenate([value.reshape(-1) for value in values if value is not None]))
        if len(results) > 1 or len(numbers) > 1:
            has = f"beside results of the image ({len(results)}) it puts {len(numbers)} different constants"
            raise refuse(node, has, "one result and, on its sides, one constant number, as a Pad adds it")
        (place,), x, y = results, node.input[results[0]], node.output[0]
        rank = len(graph.shape(x))
        axis = attribute(node, "axis", 0) % rank
        size = lambda part: sum(value.shape[axis] for value in part)  # noqa: E731
        ends = (tuple(size(part) * (a == axis) for a in range(rank)) for part in (values[:place], values[place + 1 :]))
        return [pad_node(graph, node.name, x, y, Padding(*ends, float(numbers[0])))]
