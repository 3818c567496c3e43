"""Slices that pick pixels.

    Slice(Slice(x))   ->   one Slice of height and width, from the first pixel, by steps: x[:, :, ::sh, ::sw]

A Slice that takes everything is dropped.
"""

from onnx import NodeProto, helper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.geometry import slice_node, slices_of
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite


class PlainSlices(Rewrite):
    """See the module's docstring."""

    def __init__(self):
        super().__init__()
        self._made: dict[str, tuple[str, list[int]]] = {}
        """Slice's result -> what it reads, its steps."""

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """Merges a Slice with the one in front of it."""
        if node.op_type != "Slice":
            return [node]
        x, y = node.input[0], node.output[0]
        shape, slices = graph.shape(x), slices_of(graph, node)
        for axis, (size, part) in enumerate(zip(shape, slices, strict=True)):
            whole = part.start == 0 and len(range(size)[part]) == -(-size // part.step)
            if not whole or (axis not in (2, 3) and part.step > 1):
                taken = f"{part.start}:{part.stop}:{part.step} of {size} on axis {axis}"
                raise refuse(node, f"it takes {taken}", "x[:, :, ::sh, ::sw], which picks pixels from the first on")
        steps = [part.step for part in slices]
        if x in self._made:
            x, before = self._made[x]
            steps = [a * b for a, b in zip(steps, before, strict=True)]
        self._made[y] = (x, steps)
        if steps == [1] * len(shape):
            return [helper.make_node("Identity", [x], [y], name=node.name)]
        picked = [slice(0, size, step) for size, step in zip(graph.shape(x), steps, strict=True)]
        return [slice_node(graph, node.name, x, y, picked)]
