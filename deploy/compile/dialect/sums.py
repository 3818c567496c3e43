"""Sums without weights, and the index of the largest.

ReduceSum   sum of a map over its positions, (H, W, C) -> (C,)
TopK        index of the largest element of a vector, the first of equals
"""

import numpy as np
from qonnx.core.datatype import DataType

from signflow.deploy.compile.dialect.base import Operator, Range, integer_type
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.program import ARGMAX, TOTAL, Layer, Program, View, Windows
from signflow.deploy.compile.errors import refuse


class ReduceSum(Operator):
    """Sum of a map over its positions."""

    HARDWARE = "AccPool"

    def range(self, x: Range) -> Range:
        """Every position at the same end."""
        return tuple(end * self.positions for end in x)

    def lower(self, hardware: Hardware) -> None:
        """A pool that adds."""
        x, out = self.node.input[0], self.node.output[0]
        attributes = hardware.vectors(x, hardware.type(x)) | {"outputDataType": hardware.type(out).name}
        hardware.replace([self.node], self.HARDWARE, [x], out, **attributes)

    def pack(self, program: Program, view: View) -> None:
        """A layer of its own."""
        axes = self.constants[1]
        keep = next((a.i for a in self.node.attribute if a.name == "keepdims"), 1)
        if axes is None or sorted(axes.tolist()) != [1, 2] or keep:
            reason = "it does not sum each channel"
            raise refuse(self.node, reason, "ReduceSum over axes 1 and 2 with keepdims = 0")
        entries = Windows(view.shape[:2]).entries
        layer = Layer(TOTAL, (1, 1, view.shape[2]), False, (view.layer,), entries=entries)
        program.add(self.node, self.HARDWARE, layer, view)


class TopK(Operator):
    """Index of the largest element."""

    HARDWARE = "LabelSelect"

    def range(self, x: Range) -> Range:
        """Indices (output 1) of the elements that no other one always exceeds."""
        low, high = x
        first = [i for i in range(len(low)) if high[i] > low[:i].max(initial=high[i] - 1) and high[i] >= low[i:].max()]
        return np.array([min(first)]), np.array([max(first)])

    def lower(self, hardware: Hardware) -> None:
        """Labels, of the second output only."""
        x, out = self.node.input[0], self.node.output[1]
        *vectors, labels = hardware.shape(x)
        kind = integer_type(0, labels - 1)
        hardware.replace(
            [self.node], self.HARDWARE, [x], out, Labels=labels, PE=1, K=1,
            inputDataType=hardware.type(x).name, outputDataType=kind, numInputVectors=vectors,
        )  # fmt: skip
        hardware.model.set_tensor_datatype(out, DataType[kind])

    def pack(self, program: Program, view: View) -> None:
        """A layer of its own."""
        program.add(self.node, self.HARDWARE, Layer(ARGMAX, (1, 1, 1), False, (view.layer,)), view)
