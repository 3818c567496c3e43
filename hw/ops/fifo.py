"""FIFO between two operators (`hw/rtl/sf_fifo.sv`)."""

import math

import numpy as np
from finn.custom_op.fpgadataflow.streamingfifo import StreamingFIFO

from signflow.hw.ops.base import PassesOn, RTLBackend, RtlInstance, StreamOp, bram_luts, brams, in_block, lut_rams
from signflow.hw.ops.flags import flagged


def shallow_luts(width: int) -> int:
    """LUTs of a FIFO in which few words of ``width`` bits wait."""
    return _luts(width, 8)


SIZES = {2: 4, 8: 10}
"""Words of the smallest FIFOs, which have as many LUTs besides their memory (fitted to yosys: four words take more than
eight).
"""


def _luts(width: int, words: int) -> int:
    """Memory, pointers, counter."""
    return lut_rams(width, words) + SIZES.get(words, math.ceil(math.log2(words)) + 13)


class StreamingFIFO_sf(PassesOn, StreamOp, StreamingFIFO, RTLBackend):
    """FINN's StreamingFIFO; the tensor is unchanged. Its timing is that of a FIFO that never fills (see
    `signflow.deploy.plan.buffer`).
    """

    PLUMBING = "FIFOs"

    def get_nodeattr_types(self):
        """FINN's attributes, and padGroup: how many bits share a flag."""
        return super().get_nodeattr_types() | {"padGroup": ("i", False, 0)}

    def in_group(self, ind: int = 0) -> int:
        """Attribute padGroup."""
        return self.get_nodeattr("padGroup")

    def out_group(self, ind: int = 0) -> int:
        """Attribute padGroup."""
        return self.get_nodeattr("padGroup")

    def get_instream_width(self, ind: int = 0) -> int:
        """Bits of a word, with its flags."""
        return flagged(StreamingFIFO.get_instream_width(self), self.in_group())

    def get_outstream_width(self, ind: int = 0) -> int:
        """As the input."""
        return self.get_instream_width()

    def picture(self) -> tuple[str, str]:
        """A mark with its depth in words."""
        return "block" if self.block() else "fifo", f"{self.capacity()}"

    def block(self) -> bool:
        """The words lie in block RAM: attribute ram_style, "auto" by cost."""
        return in_block(self.get_nodeattr("ram_style"), self.get_instream_width(), self.get_nodeattr("depth"))

    def capacity(self) -> int:
        """Words it holds: at least ``depth``, up to the end of the memory that this takes."""
        depth = self.get_nodeattr("depth")
        if not self.block() and depth <= max(SIZES):
            return min(words for words in SIZES if words >= depth)
        unit = 512 if self.block() else 32 if depth <= 32 else 64
        return math.ceil(depth / unit) * unit

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_fifo.sv`."""
        if self.get_nodeattr("depth") < 2:
            raise self.fail(f"depth = {self.get_nodeattr('depth')}, must be >= 2 for one word a cycle")
        if self.get_nodeattr("ram_style") not in ("auto", "distributed", "block"):
            raise self.fail(f"ram_style is {self.get_nodeattr('ram_style')}; FIFOs are auto, distributed or block here")
        return RtlInstance(
            "sf_fifo", {"WIDTH": self.get_instream_width(), "DEPTH": self.capacity(), "BLOCK": int(self.block())}
        )

    def get_exp_cycles(self) -> int:
        """One cycle a word."""
        return int(np.prod(self.get_folded_input_shape()[:-1]))

    def delay(self) -> int:
        """One cycle in LUT RAM, two in block RAM; none where it is only thought of (depth 0)."""
        return 0 if self.get_nodeattr("depth") == 0 else 2 if self.block() else 1

    def lut_estimation(self, fpgapart: str = "") -> int:
        """LUT RAM, pointers and counter; without the former, the words of the memory and those behind it."""
        words = self.capacity()
        width = self.get_instream_width()
        return bram_luts(width, words) + 2 * math.ceil(math.log2(words)) + 7 if self.block() else _luts(width, words)

    def bram_estimation(self, fpgapart: str = "") -> int:
        """Deep FIFOs only."""
        return brams(self.get_instream_width(), self.capacity()) if self.block() else 0
