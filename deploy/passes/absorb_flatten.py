"""Flatten without moving data: the rows of the next weight matrix follow the order of the stream.

    Transpose(NHWC -> NCHW) -> Flatten -> MatMul(W)   becomes   Flatten -> MatMul(W')   with  W'[(h, w, c)] = W[(c, h,
    w)]

Behind the last convolution, whose map is one pixel, Transpose and Flatten at the end of the graph are dropped.
"""

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.infer_shapes import InferShapes

from signflow.deploy.passes.chain import attribute, successor
from signflow.deploy.passes.errors import refuse


class AbsorbFlatten(Transformation):
    """See the module's docstring."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Handles one pattern a call."""
        for transpose in model.graph.node:
            if transpose.op_type != "Transpose" or attribute(transpose, "perm", []) != [0, 3, 1, 2]:
                continue
            follower = successor(model, transpose.output[0])
            if follower is None or follower.op_type in ("TopK", "Flatten"):
                self._absorb(model, transpose, follower)
                return model.transform(InferShapes()), True
            raise refuse(follower, "it reads a map in NCHW order", "convolutions, MaxPool and Flatten on maps")
        return model, False

    @staticmethod
    def _absorb(model: ModelWrapper, transpose: NodeProto, follower: NodeProto | None) -> None:
        source = transpose.input[0]
        _, height, width, channels = model.get_tensor_shape(source)
        reader = follower if follower is None or follower.op_type == "TopK" else successor(model, follower.output[0])
        if reader is not None and reader.op_type == "MatMul":
            weights = model.get_initializer(reader.input[1])
            moved = weights.reshape(channels, height, width, -1).transpose(1, 2, 0, 3).reshape(weights.shape)
            model.set_initializer(reader.input[1], np.ascontiguousarray(moved))
            follower.input[0] = source
        elif reader is None or reader.op_type == "TopK":
            _end_with_vector(model, transpose, follower, reader)
        else:
            raise refuse(reader, "it reads a flattened map", "dense layers behind a Flatten")
        model.graph.node.remove(transpose)


def _end_with_vector(
    model: ModelWrapper, transpose: NodeProto, follower: NodeProto | None, reader: NodeProto | None
) -> None:
    """The map of one pixel [1, 1, 1, C] is the vector that ends the graph, or that TopK reads along its last axis."""
    if follower is not None and follower is not reader:
        model.graph.node.remove(follower)
    if reader is not None:
        reader.input[0] = transpose.input[0]
        for item in reader.attribute:
            if item.name == "axis":
                item.i = 3
        return
    source = transpose.input[0]
    value = next(v for v in model.graph.value_info if v.name == source)
    del model.graph.output[:]
    model.graph.output.append(value)
    model.graph.value_info.remove(value)
