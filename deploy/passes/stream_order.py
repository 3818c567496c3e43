"""The order in which the accelerator's stream carries an image: the graph's input is laid out as the first operator
reads it.

    image -> [MultiThreshold] -> Transpose(NCHW -> NHWC) -> conv      image in NHWC order -> [MultiThreshold] -> conv
    image -> [MultiThreshold] -> Flatten -> dense                   image as one vector (NCHW order) -> [MultiThreshold]
    -> dense

No data moves in hardware: whoever feeds the stream reads the order from the model's `ImageInput` (`ImageInput.stream`
does it).
"""

from dataclasses import replace

from onnx import NodeProto
from qonnx.core import data_layout
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from signflow.deploy.images import ImageInput
from signflow.deploy.passes.chain import attribute, successor
from signflow.deploy.passes.errors import refuse


def _drop(model: ModelWrapper, node: NodeProto) -> None:
    """Remove a one-input node; its readers read its input."""
    for other in model.graph.node:
        for i, name in enumerate(other.input):
            if name == node.output[0]:
                other.input[i] = node.input[0]
    model.graph.node.remove(node)


class StreamOrder(Transformation):
    """See the module's docstring. Runs after `LowerConvsToMatMul`."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Changes the head of the graph once."""
        name = model.graph.input[0].name
        shape = model.get_tensor_shape(name)
        node = successor(model, name)
        threshold = node if node.op_type == "MultiThreshold" else None
        mover = successor(model, threshold.output[0]) if threshold is not None else node
        if mover.op_type == "Transpose" and attribute(mover, "perm", []) == [0, 2, 3, 1]:
            order, new, layout = "NHWC", [shape[0], shape[2], shape[3], shape[1]], data_layout.NHWC
        elif mover.op_type == "Flatten" and len(shape) == 4:
            order, new, layout = "flat", list(model.get_tensor_shape(mover.output[0])), data_layout.NC
        elif len(shape) == 2:
            return model, False
        else:
            raise refuse(mover, f"it reads the image of shape {shape}", "a convolution, a dense layer or a Flatten")
        if threshold is not None:
            self._check_rows(model, threshold, shape, order)
            getCustomOp(threshold).set_nodeattr("data_layout", order if order == "NHWC" else "NC")
            model.set_tensor_shape(threshold.output[0], new)
            model.set_tensor_layout(threshold.output[0], layout)
        _drop(model, mover)
        model.set_tensor_shape(name, new)
        model.set_tensor_layout(name, layout)
        replace(ImageInput.of(model), order=order).save_to(model)
        return model.transform(InferShapes()).transform(InferDataTypes()), False

    @staticmethod
    def _check_rows(model: ModelWrapper, threshold: NodeProto, shape: list[int], order: str) -> None:
        """A threshold per channel in front of a Flatten becomes one per feature: channel by channel, as the features
        run.
        """
        steps = model.get_initializer(threshold.input[1])
        if order == "flat" and len(steps) > 1:
            model.set_initializer(threshold.input[1], steps.repeat(shape[2] * shape[3], axis=0))
