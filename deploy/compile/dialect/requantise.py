"""Requantise(x, M (C or 1,), B (C or 1,)), attributes shift, low, high: clip((x * M + B) >> shift, low, high), where >>
rounds down. A linear function per channel, rounded and clipped to codes, as one multiplication.
"""

import numpy as np

from signflow.deploy.compile.dialect.base import Range
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.own import Own
from signflow.deploy.compile.dialect.program import REQUANTISE, Layer, Program, View
from signflow.deploy.compile.errors import refuse

WIDEST = 2**62
"""Bound of x * M + B, which the golden program and qonnx compute in 64 bits."""


class Requantise(Own):
    """Multiply, add, shift, clip."""

    HARDWARE = "Requantise"
    ATTRIBUTES = {"shift": ("i", True, 0), "low": ("i", True, 0), "high": ("i", True, 0)}

    @property
    def factor(self) -> np.ndarray:
        """M, int64 (channels or 1,)."""
        return self.constants[1].reshape(-1).astype(np.int64)

    @property
    def offset(self) -> np.ndarray:
        """B, int64 (channels or 1,)."""
        return self.constants[2].reshape(-1).astype(np.int64)

    @property
    def limits(self) -> tuple[int, int, int]:
        """(shift, low, high); UnsupportedError where there is no such shift or nothing between the ends."""
        shift, low, high = (self.attribute(name) for name in ("shift", "low", "high"))
        if not 0 <= shift < 63 or low > high:
            raise refuse(self.node, f"shift {shift}, low {low}, high {high}", "0 <= shift < 63, low <= high")
        return shift, low, high

    def compute(self, x: np.ndarray, factor: np.ndarray, offset: np.ndarray) -> np.ndarray:
        """In int64."""
        shift, low, high = self.limits
        return np.clip((x.astype(np.int64) * self.factor + self.offset) >> shift, low, high)

    def range(self, x: Range) -> Range:
        """The values of both ends: the function only rises, or only falls."""
        largest = max(int(np.abs(end).max()) for end in x)
        reach = largest * max(map(abs, self.factor.tolist())) + max(map(abs, self.offset.tolist()))
        if reach > WIDEST:
            raise refuse(self.node, f"x * M + B can reach {reach}", f"numbers up to {WIDEST}")
        one, two = (self.compute(end, *self.constants[1:]) for end in x)
        return np.minimum(one, two), np.maximum(one, two)

    def lower(self, hardware: Hardware) -> None:
        """One multiplier a lane, with one M and B for all channels if there is only one of each."""
        (x, factor, offset), out = self.node.input, self.node.output[0]
        shift, low, high = self.limits
        attributes = hardware.vectors(out, hardware.type(x)) | {
            "factorDataType": hardware.type(factor).name,
            "offsetDataType": hardware.type(offset).name,
            "shift": shift,
            "low": low,
            "high": high,
            "shared": int(len(self.factor) == len(self.offset) == 1),
            "outputDataType": hardware.type(out).name,
        }
        hardware.replace([self.node], self.HARDWARE, [x, factor, offset], out, **attributes)

    def pack(self, program: Program, view: View) -> None:
        """A layer of its own."""
        shift, low, high = self.limits
        numbers = {"factors": self.factor, "offsets": self.offset}
        channels = view.shape[2]
        arrays = {name: np.ascontiguousarray(np.broadcast_to(row, channels)) for name, row in numbers.items()}
        layer = Layer(
            REQUANTISE, view.shape, False, (view.layer,), entries={"shift": shift, "low": low, "high": high} | arrays
        )
        program.add(self.node, self.HARDWARE, layer, view)
