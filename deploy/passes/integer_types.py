"""Exact data types: every product's sums and every threshold get the smallest type that holds what can occur, from the
real weights.

FINN's own minimisation is wrong for XNOR layers (finn-plus 1.6.1, `MVAU.minimize_accumulator_width` takes the bits 0
and 1 for the numbers they stand for, and gets the range [-n0, n1] for a popcount that reaches [0, K]; thresholds beyond
are then clipped, silently) and widens BIPOLAR weights of other layers to INT2 (`minimize_weight_bit_width`). Neither is
run; `tests/deploy/test_finn_bugs.py` shows both.

    XNOR       popcount of K bits: 0 ... K
    otherwise  sum over the inputs of min(w * low, w * high) ... max(...), smallest and largest over the outputs

A threshold may lie one past the largest sum (never reached) and at the smallest (always reached).
"""

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from signflow.deploy.passes.codes import integer_type


def sum_range(weights: np.ndarray, low: int, high: int) -> tuple[int, int]:
    """(smallest, largest) sum of ``weights`` int (inputs, outputs) times inputs in low..high, over all outputs."""
    a, b = weights * low, weights * high
    return int(np.minimum(a, b).sum(axis=0).min()), int(np.maximum(a, b).sum(axis=0).max())


def product_range(model: ModelWrapper, node: NodeProto, xnor: bool) -> tuple[int, int]:
    """(smallest, largest) value that the product ``node`` can give; its weight is input 1, (inputs, outputs)."""
    weights = model.get_initializer(node.input[1])
    if xnor:
        return 0, len(weights)
    read = model.get_tensor_datatype(node.input[0])
    return sum_range(weights.astype(np.int64), int(read.min()), int(read.max()))


class IntegerTypes(Transformation):
    """Annotates the integer graph: outputs of products, and thresholds behind them."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Only annotations change."""
        for node in model.graph.node:
            if node.op_type in ("MatMul", "XnorPopcountMatMul"):
                reach = product_range(model, node, node.op_type == "XnorPopcountMatMul")
                model.set_tensor_datatype(node.output[0], DataType[integer_type(*reach)])
            elif node.op_type == "MultiThreshold":
                steps = model.get_initializer(node.input[1])
                if (steps != np.rint(steps)).any():
                    raise RuntimeError(f"{node.name}: threshold {steps[steps != np.rint(steps)][0]} is no integer")
                model.set_tensor_datatype(node.input[1], DataType[integer_type(int(steps.min()), int(steps.max()))])
        return model, False
