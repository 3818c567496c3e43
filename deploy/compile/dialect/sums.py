"""Sums without weights, and the index of the largest.

ReduceSum   sum of a map over its positions, (H, W, C) -> (C,)
Add         sum of two results; one may be a vector (C,), which is added at every position
TopK        index of the largest element of a vector, the first of equals
"""

from dataclasses import replace

import numpy as np
from qonnx.core.datatype import DataType

from signflow.deploy.compile.dialect.base import Operator, Range, integer_type
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.program import ADD, ARGMAX, PIXEL, TOTAL, Layer, Program, View
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
        layer = Layer(TOTAL, (1, 1, view.shape[2]), False, (view.layer,))
        program.add(self.node, self.HARDWARE, layer, view)


class Add(Operator):
    """Sum of two results."""

    HARDWARE = "Add"

    def range(self, x: Range, y: Range | None = None) -> Range:
        """As if neither knew of the other."""
        if y is None:
            raise refuse(self.node, "it adds a constant", "sums of two computed maps")
        if len(x[0]) != len(y[0]):
            raise self._shapes(*self.shapes)
        return x[0] + y[0], x[1] + y[1]

    def _shapes(self, one: tuple, two: tuple) -> Exception:
        return refuse(self.node, f"it adds {one} and {two}", "maps of one shape, or map and vector")

    def lower(self, hardware: Hardware) -> None:
        """An adder of two streams; a vector is repeated for every position."""
        x, y = sorted(self.node.input, key=lambda name: -len(hardware.shape(name)))
        out, datatype = self.node.output[0], hardware.type(y)
        shape = hardware.shape(out)
        attributes = hardware.vectors(out, hardware.type(x)) | {
            "inputDataType1": datatype.name,
            "outputDataType": hardware.type(out).name,
        }
        new = hardware.replace([self.node], self.HARDWARE, [x, y], out, **attributes)
        if int(np.prod(hardware.shape(y))) != int(np.prod(shape)):
            new.input[1] = hardware.tensor(f"{y}_at_{out}", shape, datatype)
            places = {"NumChannels": shape[-1], "PE": 1, "outVectors": shape[:-1], "inputDataType": datatype.name}
            position = list(hardware.graph.node).index(new)
            hardware.insert(position, "Replicate", [y], [new.input[1]], **places)

    def pack(self, program: Program, view: View) -> None:
        """A layer that reads two maps, the larger one first."""
        other = program.views[self.node.input[1]]
        if other.shape != view.shape and view.shape[:2] == (1, 1):
            view, other = other, view
        if other.shape not in (view.shape, (1, 1, view.shape[2])) or other.window != PIXEL or other.signs is not None:
            raise self._shapes(view.shape, other.shape)
        layer = Layer(ADD, view.shape, False, (view.layer, other.layer))
        layer = replace(layer, entries={"broadcast": other.shape != view.shape})
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
