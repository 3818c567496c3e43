"""`SumPool`, an operator of ONNX graphs in normal form: the sum of every window of a map.

    y[n, c, i, j] = sum over u < kh, v < kw of x[n, c, i * sh + u, j * sw + v]

Channels first, no pads; attributes kernel_shape [kh, kw] and strides [sh, sw]. An average is such a sum, divided by the
number of its terms: sum / count is what both ONNX Runtime and PyTorch compute, so where float32 holds the sums exactly,
SumPool and Div are bit for bit their AveragePool.
"""

import numpy as np
from onnx import GraphProto, NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.base import CustomOp
from qonnx.custom_op.registry import add_op_to_domain

DOMAIN = "qonnx.custom_op.general"


def window_sums(x: np.ndarray, kernel: list[int], strides: list[int]) -> np.ndarray:
    """Sums of the windows of ``x`` (N, C, H, W), float32 (N, C, OH, OW); each sum is rounded once.

    Raises ValueError for an ``x`` of another rank, or smaller than the kernel.
    """
    if x.ndim != 4 or any(size < k for size, k in zip(x.shape[2:], kernel, strict=True)):
        raise ValueError(f"SumPool with kernel {list(kernel)} reads a map of shape {x.shape}; it needs (N, C, H, W), H "
                         f"and W at least the kernel's")  # fmt: skip
    windows = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), tuple(kernel), (2, 3))
    return windows[:, :, :: strides[0], :: strides[1]].sum(axis=(4, 5)).astype(np.float32)


class SumPool(CustomOp):
    """See the module's docstring."""

    def get_nodeattr_types(self) -> dict:
        """kernel_shape [kh, kw], strides [sh, sw]."""
        return {"kernel_shape": ("ints", True, []), "strides": ("ints", True, [])}

    def make_shape_compatible_op(self, model: ModelWrapper) -> NodeProto:
        """As an average over the same windows."""
        geometry = {name: self.get_nodeattr(name) for name in ("kernel_shape", "strides")}
        return helper.make_node("AveragePool", list(self.onnx_node.input), list(self.onnx_node.output), **geometry)

    def infer_node_datatype(self, model: ModelWrapper) -> None:
        """The output is FLOAT32, like every tensor between quantisers."""
        model.set_tensor_datatype(self.onnx_node.output[0], DataType["FLOAT32"])

    def execute_node(self, context: dict, graph: GraphProto) -> None:
        """Raises ValueError for a map smaller than the kernel (`window_sums`)."""
        x = context[self.onnx_node.input[0]]
        kernel, strides = (self.get_nodeattr(name) for name in ("kernel_shape", "strides"))
        context[self.onnx_node.output[0]] = window_sums(x, kernel, strides)

    def verify_node(self) -> list[str]:
        """Nothing to say: `execute_node` checks what it reads."""
        return []


def register() -> None:
    """Make `SumPool` known to qonnx. Idempotent."""
    add_op_to_domain(DOMAIN, SumPool)
