"""A threshold that gives back the bit it reads is no operator: MultiThreshold(bit, 1) = bit.

It arises where a network reads bipolar images: the stream carries them as bits, and the first sign of a bit is the bit.
"""

from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation


class RemoveStraightThreshold(Transformation):
    """See the module's docstring."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Removes at most the first node."""
        name = model.graph.input[0].name
        node = model.find_consumer(name)
        binary = DataType["BINARY"]
        if node.op_type != "MultiThreshold" or {model.get_tensor_datatype(t) for t in (name, node.output[0])} != {
            binary
        }:
            return model, False
        if (model.get_initializer(node.input[1]) == 1).all():
            for other in model.graph.node:
                for i, tensor in enumerate(other.input):
                    other.input[i] = name if tensor == node.output[0] else tensor
            model.graph.node.remove(node)
        return model, False
