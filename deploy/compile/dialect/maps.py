"""Maps that change their places, not their numbers.

Im2Col    windows of a map (H, W, C) -> (OH, OW, KH * KW * C)
Flatten   a map as one vector, position by position
"""

from dataclasses import replace

import numpy as np

from signflow.deploy.compile.dialect.base import GENERAL, Operator, Range
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.program import Program, View, Windows
from signflow.deploy.compile.errors import refuse


class Im2Col(Operator):
    """Windows of a map."""

    DOMAIN = GENERAL
    HARDWARE = "ConvolutionInputGenerator"
    READS_ZEROS = True

    def range(self, x: Range) -> Range:
        """The channels, pixel by pixel of the window."""
        return tuple(np.tile(end, int(np.prod(self.attribute("kernel_size")))) for end in x)

    @property
    def windows(self) -> Windows:
        """What it takes out of the map."""
        return Windows(*(tuple(self.attribute(name)) for name in ("kernel_size", "stride", "dilations")))

    def lower(self, hardware: Hardware) -> None:
        """A generator of windows, which takes a border in front along."""
        hardware.windows(self.node, self.node.input[0], self.windows)

    def pack(self, program: Program, view: View) -> None:
        """The product behind reads the windows."""
        if any(self.attribute("pad_amount")):
            raise refuse(self.node, f"padding {self.attribute('pad_amount')}", "windows without padding")
        program.views[self.node.output[0]] = replace(view, window=self.windows)


class Flatten(Operator):
    """A map as one vector."""

    def range(self, x: Range) -> Range:
        """The channels, pixel by pixel."""
        return tuple(np.tile(end, self.positions) for end in x)

    def lower(self, hardware: Hardware) -> None:
        """Nothing is left: a stream has no shape."""
        graph, x, out = hardware.graph, self.node.input[0], self.node.output[0]
        if x == graph.input[0].name and len(hardware.readers(x)) == 1:
            hardware.model.set_tensor_shape(x, hardware.shape(out))
        graph.node.remove(self.node)
        for reader in hardware.readers(out):
            for i, name in enumerate(reader.input):
                reader.input[i] = x if name == out else name
        if out == graph.output[0].name:
            value = next(v for v in graph.value_info if v.name == x)
            del graph.output[:]
            graph.output.append(value)
            graph.value_info.remove(value)

    def pack(self, program: Program, view: View) -> None:
        """Numbers lie side by side; bits do not, but a product can read all pixels as one window."""
        height, width, channels = view.shape
        flat = {"shape": (1, 1, height * width * channels)}
        if program.source(view).bits and (height, width) != (1, 1):
            flat = {"window": Windows((height, width))}
        program.views[self.node.output[0]] = replace(view, **flat)
