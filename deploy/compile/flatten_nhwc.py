"""`FlattenNHWC`, an operator of ONNX graphs in normal form: a map as features, position by position.

    y[n, (i * W + j) * C + c] = x[n, c, i, j]

x is (N, C, H, W), channels first; y is (N, H * W * C), in the order in which a stream carries the map. ONNX' Flatten
puts them channel by channel.
"""

import numpy as np
from onnx import GraphProto, NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import add_op_to_domain


def stream_order(shape: list[int]) -> np.ndarray:
    """int64 (features,): for every feature of a map (1, C, H, W) in the stream, its place behind ONNX' Flatten."""
    channels = shape[1]
    return np.arange(int(np.prod(shape[1:]))).reshape(channels, -1).T.reshape(-1)


class FlattenNHWC(CustomOp):
    """See the module's docstring."""

    def get_nodeattr_types(self) -> dict:
        """None."""
        return {}

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        """As ONNX' own."""
        return helper.make_node("Flatten", list(self.onnx_node.input), list(self.onnx_node.output))

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """The output is FLOAT32, like every tensor between quantisers."""
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["FLOAT32"])

    def execute_node(self, context: dict, graph: GraphProto) -> None:
        """Only moves numbers."""
        x = context[self.onnx_node.input[0]]
        context[self.onnx_node.output[0]] = x.reshape(len(x), -1)[:, stream_order(list(x.shape))]

    def verify_node(self) -> list[str]:
        """Nothing to say."""
        return []


def register() -> None:
    """Make `FlattenNHWC` known to qonnx. Idempotent."""
    add_op_to_domain("qonnx.custom_op.general", FlattenNHWC)
