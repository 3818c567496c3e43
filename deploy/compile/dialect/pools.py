"""One number of every channel for every window of a map.

MaxPoolNHWC   the largest; a kernel of one pixel with a stride picks pixels
SumPoolNHWC   the sum
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from onnx import NodeProto, helper

from signflow.deploy.compile.dialect.base import GENERAL, Operator, Range
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.own import Own
from signflow.deploy.compile.dialect.program import POOL, TOTAL, Layer, Program, View, Windows
from signflow.deploy.compile.errors import refuse


def windows_of(hardware: Hardware, node: NodeProto, windows: Windows) -> str:
    """Put an Im2Col in front of ``node``, a pool that then reads its windows pixel by pixel; returns their tensor. It
    becomes a generator in its turn.
    """
    x, out = node.input[0], f"{node.output[0]}_windows"
    _, height, width, channels = hardware.shape(x)
    shape = [1, *windows.places((height, width)), int(np.prod(windows.kernel)) * channels]
    new = helper.make_node(
        "Im2Col", [x], [hardware.tensor(out, shape, hardware.type(x))], domain=GENERAL, name=f"Im2Col_at_{out}",
        kernel_size=windows.kernel, stride=windows.stride, dilations=windows.dilation, pad_amount=[0, 0, 0, 0],
        input_shape=f"(1, {height}, {width}, {channels})", depthwise=0,
    )  # fmt: skip
    hardware.graph.node.insert(list(hardware.graph.node).index(node), new)
    return out


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
        """A pool of windows side by side; of others, if they overlap or leave pixels out, as a generator sends them."""
        x, (kernel, stride) = self.node.input[0], (self.windows.kernel, self.windows.stride)
        (_, height, width, channels), pool = hardware.shape(x), list(kernel)
        if self.picks:
            hardware.windows(self.node, x, self.windows)
            return
        if kernel != stride:
            size = int(np.prod(kernel))
            height, width, pool = int(np.prod(self.windows.places(self.shapes[0]))) * size, 1, [size, 1]
            x = windows_of(hardware, self.node, self.windows)
        hardware.replace(
            [self.node], self.HARDWARE, [x], self.node.output[0], IFMDim=[height, width], Channels=channels,
            PoolDim=pool, PE=1, inputDataType=hardware.type(x).name,
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
        """A pool that adds, behind a generator of windows."""
        x, out = self.node.input[0], self.node.output[0]
        attributes, sums = hardware.vectors(out, hardware.type(x)), hardware.shape(out)[:-1]
        inputs = [*sums, int(np.prod(self.windows.kernel))]
        attributes |= {"numInputVectors": inputs, "outVectors": sums, "outputDataType": hardware.type(out).name}
        windows = windows_of(hardware, self.node, self.windows)
        hardware.replace([self.node], self.HARDWARE, [windows], out, **attributes)

    def pack(self, program: Program, view: View) -> None:
        """A layer of its own."""
        shape = (*self.windows.places(view.shape), view.shape[2])
        layer = Layer(TOTAL, shape, False, (view.layer,), entries=self.windows.entries)
        program.add(self.node, self.HARDWARE, layer, view)
