"""The streams of a matrix-vector unit: vectors in words whose last one may be padded, several vectors side by side."""

import math

from signflow.hw.ops import interleave
from signflow.hw.ops.flags import flagged
from signflow.hw.ops.folding import FoldingError

ROOM = 32
"""Words of the FIFO at the output of `sf_mvau.sv`."""
PIXELS = 1, 2, 4
"""How many vectors can share the weights that are read."""


class Vectors:
    """Of an operator with MW, MH, SIMD, PE and Pixels."""

    def check_folding(self) -> None:
        """Vectors side by side have words enough, so that the narrow streams on both sides are as fast."""
        super().check_folding()
        pixels, folds = self.pixels(), self._folds()
        if pixels > 1 and self.adders():
            raise FoldingError(
                f"{self.onnx_node.name}: Pixels = {pixels} with ram_style = adders, which reads no weights"
            )
        if pixels > 1 and pixels > min(folds):
            raise FoldingError(
                f"{self.onnx_node.name}: Pixels = {pixels} with {folds[1]} steps of SIMD and {folds[0]} of PE, which "
                f"must be {pixels} or more"
            )

    def room(self) -> int:
        """Its own FIFO, but for two words: a step, also one that ends no fold, waits for room that was there before."""
        return ROOM - 2

    def pixels(self) -> int:
        """Attribute Pixels."""
        return self.get_nodeattr("Pixels")

    def plumbing(self) -> int:
        """LUTs of the interleavers."""
        if self.pixels() == 1:
            return 0
        widths = (stream // self.pixels() for stream in (self.get_instream_width(), self.get_outstream_width()))
        return sum(
            interleave.luts(width, self.pixels(), words, math.prod(self.get_nodeattr("numInputVectors")))
            for width, words in zip(widths, reversed(self._folds()), strict=True)
        )

    def get_folded_input_shape(self, ind: int = 0):
        """(vectors.., SF, SIMD) of the activations."""
        if ind:
            return super().get_folded_input_shape(ind)
        return (*self._groups(), self._folds()[1], self.pixels() * self.get_nodeattr("SIMD"))

    def get_folded_output_shape(self, ind: int = 0):
        """(vectors.., NF, PE)."""
        return (*self._groups(), self._folds()[0], self.pixels() * self.get_nodeattr("PE"))

    def _groups(self) -> list[int]:
        """Vectors of an image, or how many times Pixels of them, the last time perhaps fewer."""
        vectors = list(self.get_nodeattr("numInputVectors"))
        return vectors if self.pixels() == 1 else [-(-math.prod(vectors) // self.pixels())]

    def get_instream_width(self, ind: int = 0) -> int:
        """Bits of the activation stream, with its flags; weights and thresholds are no streams here."""
        return self.pixels() * flagged(super().get_instream_width(0), self.in_group()) if ind == 0 else 0

    def get_outstream_width(self, ind: int = 0) -> int:
        """PE results of every vector that shares the weights."""
        return self.pixels() * super().get_outstream_width(ind)
