"""Interleaver in front of and behind a product that reads its weights once for several vectors
(`hw/rtl/sf_interleave.sv`).
"""

import math

import numpy as np
from finn.custom_op.fpgadataflow.streamingdatawidthconverter import StreamingDataWidthConverter

from signflow.hw.ops.base import PassesOn, RTLBackend, RtlInstance, StreamOp, counter_luts, earliest, lut_rams
from signflow.hw.ops.flags import flagged
from signflow.hw.ops.window import NEVER_LATE

LATENCY = 1
"""Cycles from the step that reads a word to the output; it can be the one after the last word of a group."""


def luts(width: int, pixels: int, words: int, vectors: int) -> int:
    """Estimated LUTs for ``vectors`` vectors of ``words`` words of ``width`` bits, ``pixels`` of them in a group."""
    count = counter_luts(vectors) if vectors % pixels else 0
    return pixels * lut_rams(width, 2 ** (1 + max(1, (words - 1).bit_length()))) + 11 + count


class Interleave_sf(PassesOn, StreamOp, StreamingDataWidthConverter, RTLBackend):
    """The words of some vectors side by side, or one vector behind the other again. The tensor is unchanged, only the
    order in which its elements travel: attributes inShape and outShape, dataType, padGroup as of the width converter;
    lanes of the narrow word, words of a vector, pixels in a group; join. The last group of an image may be short.
    """

    PLUMBING = "interleavers"

    def get_nodeattr_types(self):
        """See the class; the widths follow."""
        own = dict.fromkeys(("lanes", "words", "pixels", "join"), ("i", True, 0))
        types = super().get_nodeattr_types() | own | {"padGroup": ("i", False, 0)}
        return types | {"inWidth": ("i", False, 0), "outWidth": ("i", False, 0)}

    def in_group(self, ind: int = 0) -> int:
        """Attribute padGroup."""
        return self.get_nodeattr("padGroup")

    def out_group(self, ind: int = 0) -> int:
        """Attribute padGroup."""
        return self.get_nodeattr("padGroup")

    def picture(self) -> tuple[str, str]:
        """A mark with the vectors on both sides."""
        pixels = self.get_nodeattr("pixels")
        return "dwc", f"1→{pixels}" if self.get_nodeattr("join") else f"{pixels}→1"

    def beside(self) -> tuple[int, int]:
        """One and attribute pixels, or the other way round."""
        pixels = self.get_nodeattr("pixels")
        return (1, pixels) if self.get_nodeattr("join") else (pixels, 1)

    def _shape(self) -> tuple[int, int, int, int]:
        """(vectors of an image, pixels, words, lanes)."""
        pixels, words, lanes = (self.get_nodeattr(name) for name in ("pixels", "words", "lanes"))
        vectors = math.prod(self.get_normal_input_shape()[:-1])
        if not 2 <= pixels <= vectors:
            raise self.fail(f"pixels = {pixels}, must be 2..{vectors}, the vectors of an image")
        return vectors, pixels, words, lanes

    def _folded(self, wide: bool) -> tuple[int, ...]:
        vectors, pixels, words, lanes = self._shape()
        return (-(-vectors // pixels), words, pixels * lanes) if wide else (vectors, words, lanes)

    def get_folded_input_shape(self, ind: int = 0):
        """(vectors, words, lanes), or (groups, words, pixels * lanes)."""
        return self._folded(not self.get_nodeattr("join"))

    def get_folded_output_shape(self, ind: int = 0):
        """The other one."""
        return self._folded(bool(self.get_nodeattr("join")))

    def _width(self, lanes: int) -> int:
        return flagged(lanes * self.get_input_datatype().bitwidth(), self.in_group())

    def get_instream_width(self, ind: int = 0) -> int:
        """A word, with its flags."""
        return self._width(self.get_folded_input_shape()[-1])

    def get_outstream_width(self, ind: int = 0) -> int:
        """A word, with its flags."""
        return self._width(self.get_folded_output_shape()[-1])

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_interleave.sv`."""
        vectors, pixels, words, lanes = self._shape()
        params = {"WIDTH": self._width(lanes), "PIXELS": pixels, "WORDS": words, "VECTORS": vectors}
        return RtlInstance("sf_interleave", params | {"JOIN": self.get_nodeattr("join")})

    def get_exp_cycles(self) -> int:
        """Words of the narrow side."""
        vectors, _, words, _ = self._shape()
        return vectors * words

    def accepts(self, arrivals: np.ndarray) -> np.ndarray:
        """A word is taken while a half is not full."""
        return self._steps(arrivals)[0]

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """Word by word from the cycle after the last one of the group."""
        return self._steps(arrivals)[1] + LATENCY

    def room(self) -> int:
        """A word waits in its register for its reader."""
        return 1

    def holds(self) -> bool:
        """And those behind it in their halves."""
        return True

    def hold(self, arrivals: np.ndarray, leave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A word is read when the one before it leaves."""
        writes, reads = self._steps(arrivals, leave)
        return writes, reads + LATENCY

    def _steps(self, arrivals: np.ndarray, leave: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Cycles in which words are written and read, which leave at once, or in the cycles ``leave``."""
        vectors, pixels, words, _ = self._shape()
        join, groups = self.get_nodeattr("join"), -(-vectors // pixels)
        frames = len(arrivals) // ((vectors if join else groups) * words)
        narrow = np.minimum(pixels, vectors - pixels * np.arange(groups)) * words  # words of each group of an image
        sides = narrow, np.full(groups, words)
        come, go = (np.cumsum(np.tile(side, frames)) for side in (sides if join else sides[::-1]))
        if leave is None and join:  # a half is read before the other one is full
            writes = earliest(arrivals)
            return writes, (writes[come - 1, None] + 1 + np.arange(words)).ravel()
        writes, reads = arrivals.copy(), np.full(go[-1], NEVER_LATE)
        if leave is not None:
            reads[1:] = leave[:-1]
        free, put, get = [0, 0], 0, 0  # from when on the half of this group is free, and that of the next one
        for last_put, last_get in zip(come.tolist(), go.tolist(), strict=True):
            writes[put] = max(writes[put], free[0], writes[put - 1] + 1 if put else 0)
            writes[put:last_put] = earliest(writes[put:last_put])
            reads[get] = max(reads[get], writes[last_put - 1] + 1, free[1])
            reads[get:last_get] = earliest(reads[get:last_get])
            free, put, get = [free[1], int(reads[last_get - 1]) + 1], last_put, last_get
        return writes, reads

    def lut_estimation(self, fpgapart: str = "") -> int:
        """LUT RAMs and counters; a multiplexer where the narrow side leaves."""
        vectors, pixels, words, lanes = self._shape()
        width = self._width(lanes)
        return luts(width, pixels, words, vectors) + (0 if self.get_nodeattr("join") else width)
