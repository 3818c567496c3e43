"""`MultiplyAdd`, an operator of recorded heads: a fused multiply-add, rounded once.

    y = round(x * a + b),    float32, x * a + b as a real number

Processors have it, and PyTorch's batch normalisation uses it; ONNX and numpy do not. In float64 the product of two
float32 numbers is exact, and the sum's rounding error is known exactly (Knuth's TwoSum). A sum that is not exact is
rounded to odd, to the one of its two neighbours whose last bit is 1: 53 bits that remember the error are enough for the
second rounding, to the 24 bits of float32, to be right (Boldo and Melquiond, "Emulation of FMA and correctly rounded
sums: proved algorithms using rounding to odd", 2008).
"""

import numpy as np
from onnx import GraphProto, NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import add_op_to_domain

from signflow.deploy.compile.sum_pool import DOMAIN


def multiply_add(x: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """x * a + b of float32 arrays that broadcast, rounded once to float32."""
    x, a, b = (np.asarray(value, dtype=np.float32).astype(np.float64) for value in (x, a, b))
    with np.errstate(invalid="ignore", over="ignore"):
        product = x * a
        total = np.asarray(product + b)
        back = total - product
        error = (product - (total - back)) + (b - back)
        bits = total.view(np.uint64)
        inexact = np.isfinite(total) & (error != 0) & (bits % 2 == 0)
        away = (error > 0) == (total > 0)  # from zero
        odd = np.where(inexact, np.where(away, bits + np.uint64(1), bits - np.uint64(1)), bits)
        return odd.view(np.float64).astype(np.float32)


class MultiplyAdd(CustomOp):
    """See the module's docstring."""

    def get_nodeattr_types(self) -> dict:
        """None."""
        return {}

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        """As a sum."""
        return helper.make_node("Add", [self.onnx_node.input[0], self.onnx_node.input[2]], list(self.onnx_node.output))

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """The output is FLOAT32."""
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["FLOAT32"])

    def execute_node(self, context: dict, graph: GraphProto) -> None:
        """`multiply_add`."""
        context[self.onnx_node.output[0]] = multiply_add(*(context[name] for name in self.onnx_node.input))

    def verify_node(self) -> list[str]:
        """Nothing to say."""
        return []


def register() -> None:
    """Make `MultiplyAdd` known to qonnx. Idempotent."""
    add_op_to_domain(DOMAIN, MultiplyAdd)
