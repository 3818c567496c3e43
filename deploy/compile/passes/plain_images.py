"""Images whose channels come last.

    x (1, H, W, C)   ->   x (1, C, H, W), Transpose

The image's stream carries pixel by pixel, so nothing has to be moved for it: `ChannelsFirst` takes the Transpose out
together with the one in front of the first convolution.
"""

from onnx import NodeProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.regions import QUANTISERS, SCALARS, attribute
from signflow.deploy.compile.passes.rewrite import Graph, Rewrite

FIRST, LAST = [0, 3, 1, 2], [0, 2, 3, 1]
"""Orders of the axes that put the channels there."""


def channels_come_last(model: ModelWrapper) -> bool:
    """Whatever reads the image of ``model``, behind scalar operators and Pads, is a Transpose that puts its last axis
    first.
    """
    seen, transposed = {model.graph.input[0].name}, False
    for node in model.graph.node:
        if not seen & set(node.input):
            continue
        if node.op_type in (*SCALARS, *QUANTISERS, "Pad"):
            seen |= set(node.output)
        elif node.op_type == "Transpose" and attribute(node, "perm", []) == FIRST:
            transposed = True
        else:
            return False
    return transposed


class PlainImages(Rewrite):
    """See the module's docstring; `ImageInput` says which images these are."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Turns the input of the graph, if its channels come last."""
        self._turned = ""
        if ImageInput.stored(model) and ImageInput.of(model).order == "HWC":
            super().apply(model)
        return model, False

    def rewrite(self, graph: Graph, node: NodeProto) -> list[NodeProto]:
        """Lets whoever reads the image read the Transpose."""
        (image,) = graph.inputs
        if image not in node.input:
            return [node]
        nodes = []
        if not self._turned:
            shape = graph.shape(image)
            self._turned = graph.tensor(f"{image}_last", shape)
            graph.set_shape(image, [shape[axis] for axis in FIRST])
            nodes = [
                helper.make_node("Transpose", [image], [self._turned], name=f"Transpose_{self._turned}", perm=LAST)
            ]
        node.input[:] = [self._turned if name == image else name for name in node.input]
        return [*nodes, node]
