"""Where streams of a residual network meet.

ShiftAdd(x, y)    (x << a) + (y << b), attribute shifts [a, b]; one may be a vector (C,), which is added everywhere
Concat(x, y)      the channels of both, one behind the other
PadChannels(x)    before channels, x, after channels, all of them value
"""

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.dialect.base import Operator, Range
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.own import Own
from signflow.deploy.compile.dialect.program import ADD, PLACE, Layer, Program, View
from signflow.deploy.compile.errors import refuse

SHIFTS = 24
"""No number that float32 counts is shifted further."""


class ShiftAdd(Own):
    """Sum of two results, each times a power of two."""

    HARDWARE = "Add"
    ATTRIBUTES = {"shifts": ("ints", False, [0, 0])}

    @property
    def factors(self) -> np.ndarray:
        """(2^a, 2^b)"""
        shifts = self.attribute("shifts")
        if len(shifts) != 2 or min(shifts) < 0 or max(shifts) > SHIFTS:
            raise refuse(self.node, f"shifts {shifts}", f"two of 0 to {SHIFTS} places to the left")
        return 2 ** np.array(shifts, dtype=np.int64)

    def compute(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """A vector (1, C) lines up with the channels of a map (1, H, W, C)."""
        a, b = self.factors
        return x * a + y * b

    def range(self, x: Range, y: Range | None = None) -> Range:
        """As if neither knew of the other."""
        if y is None:
            raise refuse(self.node, "it adds a constant", "sums of two computed maps")
        if len(x[0]) != len(y[0]):
            raise self._shapes(*self.shapes)
        a, b = self.factors
        return a * x[0] + b * y[0], a * x[1] + b * y[1]

    def _shapes(self, one: tuple, two: tuple) -> Exception:
        return refuse(self.node, f"it adds {one} and {two}", "maps of one shape, or map and vector")

    def lower(self, hardware: Hardware) -> None:
        """An adder of two streams; a vector is repeated for every position."""
        pairs = zip(self.node.input, self.attribute("shifts"), strict=True)
        (x, a), (y, b) = sorted(pairs, key=lambda pair: -len(hardware.shape(pair[0])))
        out, datatype = self.node.output[0], hardware.type(y)
        shape = hardware.shape(out)
        attributes = hardware.vectors(out, hardware.type(x)) | {
            "inputDataType1": datatype.name,
            "outputDataType": hardware.type(out).name,
            "shift0": a,
            "shift1": b,
        }
        new = hardware.replace([self.node], self.HARDWARE, [x, y], out, **attributes)
        if int(np.prod(hardware.shape(y))) != int(np.prod(shape)):
            new.input[1] = hardware.tensor(f"{y}_at_{out}", shape, datatype)
            places = {"NumChannels": shape[-1], "PE": 1, "outVectors": shape[:-1], "inputDataType": datatype.name}
            position = list(hardware.graph.node).index(new)
            hardware.insert(position, "Replicate", [y], [new.input[1]], **places)

    def pack(self, program: Program, view: View) -> None:
        """A layer that reads two maps, the larger one first."""
        other, shifts = program.views[self.node.input[1]], self.attribute("shifts")
        if other.shape != view.shape and view.shape[:2] == (1, 1):
            view, other, shifts = other, view, shifts[::-1]
        if other.shape not in (view.shape, (1, 1, view.shape[2])):
            raise self._shapes(view.shape, other.shape)
        entries = {"broadcast": other.shape != view.shape, "shift": shifts[0], "other_shift": shifts[1]}
        layer = Layer(ADD, view.shape, False, (view.layer, other.layer), entries=entries)
        program.add(self.node, self.HARDWARE, layer, view)


class Concat(Operator):
    """The channels of two results."""

    HARDWARE = "Concat"

    @classmethod
    def of(cls, model: ModelWrapper, node: NodeProto) -> "Concat":
        """UnsupportedError for another axis than that of the channels."""
        built = super().of(model, node)
        axis, last = next((a.i for a in node.attribute if a.name == "axis"), None), len(built.shapes[0])
        if axis not in (-1, last) or len(node.input) != 2 or any(value is not None for value in built.constants):
            supported = "the channels, on the last axis, of two computed results"
            raise refuse(node, f"it joins {len(node.input)} tensors on axis {axis}", supported)
        return built

    def range(self, x: Range, y: Range) -> Range:
        """Those of both."""
        return tuple(np.concatenate(ends) for ends in zip(x, y, strict=True))

    def lower(self, hardware: Hardware) -> None:
        """Two streams in turns."""
        (x, y), out = self.node.input, self.node.output[0]
        attributes = hardware.vectors(out, hardware.type(x))
        channels = hardware.channels(x, out), hardware.channels(y, out)
        attributes |= {
            "NumChannels": channels[0],
            "NumChannels1": channels[1],
            "inputDataType1": hardware.type(y).name,
            "outputDataType": hardware.type(out).name,
        }
        hardware.replace([self.node], self.HARDWARE, [x, y], out, **attributes)

    def pack(self, program: Program, view: View) -> None:
        """A layer that reads two maps; bits if both are."""
        other = program.views[self.node.input[1]]
        if other.shape[:2] != view.shape[:2]:
            raise refuse(self.node, f"it joins maps {view.shape} and {other.shape}", "maps of one size")
        bits = program.source(view).bits and program.source(other).bits
        shape = (*view.shape[:2], view.shape[2] + other.shape[2])
        layer = Layer(PLACE, shape, bits, (view.layer, other.layer), entries={"before": view.shape[2]})
        program.add(self.node, self.HARDWARE, layer, view)


class PadChannels(Own):
    """Channels of one constant in front and behind."""

    HARDWARE = "PadChannels"
    ATTRIBUTES = {"before": ("i", False, 0), "after": ("i", False, 0), "value": ("i", False, 0)}

    @property
    def added(self) -> tuple[int, int, int]:
        """(before, after, value)"""
        return tuple(self.attribute(name) for name in ("before", "after", "value"))

    def compute(self, x: np.ndarray) -> np.ndarray:
        """On the last axis."""
        before, after, value = self.added
        return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, after)], constant_values=value)

    def range(self, x: Range) -> Range:
        """Those of the channels, and the constant."""
        before, after, value = self.added
        return tuple(np.pad(end, (before, after), constant_values=value) for end in x)

    def lower(self, hardware: Hardware) -> None:
        """A stream with more words."""
        x, out = self.node.input[0], self.node.output[0]
        attributes = hardware.vectors(out, hardware.type(x)) | {
            "NumChannels": hardware.channels(x, out),
            **dict(zip(("before", "after", "value"), self.added, strict=True)),
            "outputDataType": hardware.type(out).name,
        }
        hardware.replace([self.node], self.HARDWARE, [x], out, **attributes)

    def pack(self, program: Program, view: View) -> None:
        """A layer of its own; bits stay bits if the constant is one."""
        (before, after, value), (height, width, channels) = self.added, view.shape
        shape, bits = (height, width, before + channels + after), program.source(view).bits and value in (0, 1)
        entries = {"before": before, "table": np.full(shape[2], value, dtype=np.float32)}
        program.add(self.node, self.HARDWARE, Layer(PLACE, shape, bits, (view.layer,), entries=entries), view)
