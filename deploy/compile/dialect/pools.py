"""One number of every channel for every window of a map.

MaxPoolNHWC   the largest; a kernel of one pixel with a stride picks pixels
SumPoolNHWC   the sum
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from signflow.deploy.compile.dialect.base import GENERAL, Operator, Range
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.own import Own
from signflow.deploy.compile.dialect.program import POOL, TOTAL, Layer, Program, View, Windows
from signflow.deploy.compile.errors import refuse


class MaxPoolNHWC(Operator):
    """Largest number of a window."""

    DOMAIN = GENERAL
    HARDWARE = "MaxPool"

    @property
    def windows(self) -> Windows:
        """What it pools."""
        return Windows(tuple(self.attribute("kernel_shape")), tuple(self.attribute("strides")))

    @property
    def picks(self) -> bool:
        """It only leaves pixels out, which in hardware is no pool."""
        return self.windows.kernel == (1, 1) != self.windows.stride

    def range(self, x: Range) -> Range:
        """Every pixel of the window can hold either end."""
        return x

    def lower(self, hardware: Hardware) -> None:
        """A pool."""
        if self.windows.kernel != self.windows.stride:
            reason = f"windows of {self.windows.kernel} at strides of {self.windows.stride}"
            raise refuse(self.node, reason, "windows side by side in hardware")
        x = self.node.input[0]
        _, height, width, channels = hardware.shape(x)
        hardware.replace(
            [self.node], self.HARDWARE, [x], self.node.output[0], IFMDim=[height, width], Channels=channels,
            PoolDim=self.attribute("kernel_shape"), PE=1, inputDataType=hardware.type(x).name,
        )  # fmt: skip

    def pack(self, program: Program, view: View) -> None:
        """A layer of its own."""
        if any(self.attribute("pads")) or self.attribute("ceil_mode"):
            raise refuse(self.node, "pads or ceil_mode", "a Border of the least value in front of a pool without them")
        shape, bits = (*self.windows.places(view.shape), view.shape[2]), program.source(view).bits
        layer = Layer(POOL, shape, bits, (view.layer,), entries=self.windows.entries)
        program.add(self.node, "" if self.picks else self.HARDWARE, layer, view)


class SumPoolNHWC(Own):
    """Sum of a window."""

    HARDWARE = "AccPool"
    ATTRIBUTES = {"kernel_shape": ("ints", True, []), "strides": ("ints", True, [])}

    @property
    def windows(self) -> Windows:
        """What it pools."""
        return Windows(tuple(self.attribute("kernel_shape")), tuple(self.attribute("strides")))

    def compute(self, x: np.ndarray) -> np.ndarray:
        """Every window at once."""
        (height, width), (down, right) = self.windows.kernel, self.windows.stride
        return sliding_window_view(x, (height, width), (1, 2))[:, ::down, ::right].sum(axis=(4, 5))

    def range(self, x: Range) -> Range:
        """Every pixel of the window at the same end."""
        return tuple(end * int(np.prod(self.windows.kernel)) for end in x)

    def lower(self, hardware: Hardware) -> None:
        """No stream yet."""
        raise refuse(self.node, "sums of windows have no hardware", "sums over all positions (ReduceSum)")

    def pack(self, program: Program, view: View) -> None:
        """A layer of its own."""
        shape = (*self.windows.places(view.shape), view.shape[2])
        layer = Layer(TOTAL, shape, False, (view.layer,), entries=self.windows.entries)
        program.add(self.node, self.HARDWARE, layer, view)
