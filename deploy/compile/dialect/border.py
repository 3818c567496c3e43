"""Border(x, values (C,) or (1,)), attribute pads [top, left, bottom, right]: a map with pixels of constants around it.

A map of bits gets the bits 0 or 1, or 0.5 everywhere: the number 0, halfway between the bits of -1 and +1. An
XnorPopcountMatMul counts it as half a place, (K + sum of +-1 * 0) / 2, and a pixel of C channels as C/2, which is an
integer where C is even. Nothing else reads such a map.
"""

import numpy as np

from signflow.deploy.compile.dialect.base import Range
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.own import Own
from signflow.deploy.compile.dialect.program import PIXEL, PLACE, Layer, Program, View
from signflow.deploy.compile.errors import refuse

ZERO = 0.5
"""As a bit, the number 0."""


class Border(Own):
    """Constants around a map."""

    HARDWARE = "ConvolutionInputGenerator"
    ATTRIBUTES = {"pads": ("ints", True, [])}

    @property
    def values(self) -> np.ndarray:
        """(channels or 1,)"""
        return self.constants[1].reshape(-1)

    @property
    def zeros(self) -> bool:
        """The border is the number 0 in a map of bits."""
        return bool((self.values == ZERO).all())

    def compute(self, x: np.ndarray, values: np.ndarray) -> np.ndarray:
        """``x`` in the middle of the constants."""
        top, left, bottom, right = self.attribute("pads")
        batch, height, width, channels = x.shape
        out = np.empty((batch, top + height + bottom, left + width + right, channels), dtype=np.float32)
        out[...] = values.reshape(-1)
        out[:, top : top + height, left : left + width] = x
        return out

    def range(self, x: Range) -> Range:
        """The channels' numbers, and the constants; what is halfway between two bits lies between them."""
        low, high = np.floor(self.values).astype(np.int64), np.ceil(self.values).astype(np.int64)
        return np.minimum(x[0], low), np.maximum(x[1], high)

    def lower(self, hardware: Hardware) -> None:
        """A generator of single pixels; one of windows takes it along."""
        x, out, values = self.node.input[0], self.node.output[0], self.values
        (*_, channels), kind = hardware.shape(x), hardware.type(x)
        self._check(kind.bitwidth() == 1, channels)
        if kind.bitwidth() == 1 and self.zeros:
            self._check_readers(hardware, out)
            border = {"padGroup": channels}
        elif wrong := [v for v in values.tolist() if not kind.allowed(v)]:
            raise refuse(self.node, f"its values {wrong} are none of {kind.name}", "values of the map's own type")
        else:
            border = {"Border": values.astype(np.int64).tolist()}
        hardware.windows(self.node, x, PIXEL, Pads=self.attribute("pads"), **border)

    def _check_readers(self, hardware: Hardware, tensor: str) -> None:
        """Only products of bits, and windows that they read, know the number 0."""
        for reader in hardware.readers(tensor):
            if reader.op_type == "Im2Col":
                self._check_readers(hardware, reader.output[0])
            elif reader.op_type != "XnorPopcountMatMul":
                raise refuse(self.node, f"{reader.op_type} reads the number 0 around bits", "XnorPopcountMatMul there")

    def _check(self, bits: bool, channels: int) -> None:
        pads = self.attribute("pads")
        if len(pads) != 4 or min(pads) < 0:
            raise refuse(self.node, f"pads {list(pads)}", "[top, left, bottom, right], none negative")
        if bits and self.zeros and channels % 2:
            raise refuse(self.node, f"the number 0 around {channels} bits of a pixel", "an even number of channels")
        if not (bits and self.zeros) and not np.isin(self.values, (0, 1) if bits else np.rint(self.values)).all():
            wrong, supported = self.values.tolist(), "0, 1, or 0.5 everywhere around bits, integers around integers"
            raise refuse(self.node, f"its values are {wrong} around {'bits' if bits else 'integers'}", supported)

    def pack(self, program: Program, view: View) -> None:
        """A layer of its own, whose map has the bit 0 where the number 0 lies: the product behind knows it."""
        pads, (height, width, channels) = tuple(self.attribute("pads")), view.shape
        bits = program.source(view).bits
        self._check(bits, channels)
        top, left, bottom, right = pads
        shape = (top + height + bottom, left + width + right, channels)
        table = np.zeros(channels) if bits and self.zeros else np.broadcast_to(self.values, channels)
        entries = {"top": top, "left": left, "table": np.ascontiguousarray(table, dtype=np.float32)}
        program.add(self.node, "", Layer(PLACE, shape, bits, (view.layer,), entries=entries), view)
        if bits and self.zeros:
            program.views[self.node.output[0]] = View(len(program.done) - 1, shape, zeros=pads)
