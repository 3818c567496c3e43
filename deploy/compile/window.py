"""`Window`, an operator of the integer graph: a sign that is +1 outside an interval of integers.

    y = [x < T1 or x >= T2],  T1 <= T2

Input 0: x, channels last; input 1: thresholds (channels or 1, 2), a row (T1, T2) each. In the sense of a MultiThreshold
with the same thresholds, y says that the count is not 1. Where T1 = T2 the bit is always 1; a T1 below everything that
can occur leaves the single threshold T2.
"""

import numpy as np
from onnx import GraphProto, NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import add_op_to_domain

DOMAIN = "qonnx.custom_op.general"


def outside(x: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The bits of ``x`` (..., channels), bool of the same shape; ``thresholds`` (channels or 1, 2).

    Raises ValueError for thresholds of another shape or T1 > T2.
    """
    channels = x.shape[-1]
    if thresholds.ndim != 2 or thresholds.shape[1] != 2 or thresholds.shape[0] not in (1, channels):
        raise ValueError(f"Window has thresholds of shape {thresholds.shape}; for {channels} channels it reads "
                         f"({channels}, 2) or (1, 2)")  # fmt: skip
    low, high = thresholds[:, 0], thresholds[:, 1]
    if (low > high).any():
        c = int(np.argmax(low > high))
        raise ValueError(f"Window has T1 = {low[c]:g} > T2 = {high[c]:g} in channel {c}; T1 <= T2: sort the thresholds")
    return (x < low) | (x >= high)


class Window(CustomOp):
    """See the module's docstring."""

    def get_nodeattr_types(self) -> dict:
        """No attributes."""
        return {}

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        """The output has the shape of input 0."""
        return helper.make_node("Relu", [self.onnx_node.input[0]], [self.onnx_node.output[0]])

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """The output is BINARY."""
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["BINARY"])

    def execute_node(self, context: dict, graph: GraphProto) -> None:
        """Raises ValueError for illegal thresholds (`outside`)."""
        x, thresholds = (context[name] for name in self.onnx_node.input)
        context[self.onnx_node.output[0]] = outside(x, thresholds).astype(x.dtype)

    def verify_node(self) -> list[str]:
        """Nothing to say: `execute_node` checks the thresholds."""
        return []


def register() -> None:
    """Make `Window` known to qonnx. Idempotent."""
    add_op_to_domain(DOMAIN, Window)
