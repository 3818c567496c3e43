"""Sliding-window generator, serial (`hw/rtl/sf_swg.sv`) or one window a cycle (`hw/rtl/sf_swg_parallel.sv`)."""

import math
from collections.abc import Sequence

import numpy as np
from finn.custom_op.fpgadataflow.convolutioninputgenerator import ConvolutionInputGenerator

from signflow.hw.ops.base import RTLBackend, RtlInstance, StreamOp, brams, earliest, in_block, lut_rams, times
from signflow.hw.ops.folding import Feed, FoldingError, divisors, meet

LATENCY = 1
"""Cycles from the step that reads a word (or takes a window's last pixel) to the output."""


class ConvolutionInputGenerator_sf(StreamOp, ConvolutionInputGenerator, RTLBackend):
    """FINN's ConvolutionInputGenerator: (1, H, W, C) -> (1, OH, OW, KH*KW*C), no dilation, not depthwise."""

    def get_nodeattr_types(self):
        """FINN's attributes; ram_style is "auto" unless set."""
        types = super().get_nodeattr_types()
        style, required, _, allowed = types["ram_style"]
        return types | {"ram_style": (style, required, "auto", allowed)}

    FOLLOWS = True

    def picture(self) -> tuple[str, str]:
        """Data pass; the window, of the map."""
        h, w, kh, kw, *_ = self._dims()
        return "movement", f"{times((kh, kw))} of {times((h, w, self.get_nodeattr('IFMChannels')))}"

    def foldings(self) -> dict[str, list]:
        """SIMD divides IFMChannels; or whole windows."""
        return {"SIMD": divisors(self.get_nodeattr("IFMChannels")), "parallel_window": [0, 1]}

    def check_folding(self) -> None:
        """A whole window needs all channels at once."""
        channels, simd = self.get_nodeattr("IFMChannels"), self.get_nodeattr("SIMD")
        if self.get_nodeattr("parallel_window") and simd != channels:
            raise FoldingError(
                f"{self.onnx_node.name}: parallel_window = 1 needs SIMD = {channels} (all channels), it is {simd}"
            )

    def fold_to(self, target: int, feeds: Sequence[Feed], stream_bits: int) -> None:
        """Whole pixels, one after the other where that is fast enough, else whole windows."""
        self.set_nodeattr("SIMD", self.get_nodeattr("IFMChannels"))
        self.set_nodeattr("parallel_window", 0)
        self.set_nodeattr("parallel_window", int(self.get_exp_cycles() > target))

    def follow(self, word: int, target: int) -> None:
        """Parts of a pixel that meet the reader's words, where that is fast enough."""
        if not self.get_nodeattr("parallel_window"):
            channels = self.get_nodeattr("IFMChannels")
            self.set_nodeattr("SIMD", math.gcd(channels, word))
            if self.get_exp_cycles() > target:
                self.set_nodeattr("SIMD", channels)

    def meets(self, word: int, output: int) -> bool:
        """A word of parts of a pixel, or of whole pixels."""
        return meet(word, self.get_nodeattr("IFMChannels"))

    def use_parallel_window_output(self) -> bool:
        """FINN asks whether an output word holds a whole window."""
        return bool(self.get_nodeattr("parallel_window"))

    def _dims(self):
        get = self.get_nodeattr
        return (*get("IFMDim"), *get("ConvKernelDim"), *get("Stride"))

    def _check(self) -> None:
        get = self.get_nodeattr
        h, w, kh, kw, sh, sw = self._dims()
        if get("SIMD") < 1 or get("IFMChannels") % get("SIMD"):
            raise self.fail(f"SIMD = {get('SIMD')} does not divide IFMChannels = {get('IFMChannels')}")
        self.check_folding()
        if not (1 <= kh <= h and 1 <= kw <= w):
            raise self.fail(f"the {kh}x{kw} kernel is larger than the {h}x{w} frame")
        if sh < 1 or sw < 1:
            raise self.fail(f"Stride = {[sh, sw]}, must be >= 1")
        for name, legal in (("Dilation", [1, 1]), ("depthwise", 0), ("dynamic_mode", 0)):
            if get(name) != legal:
                raise self.fail(f"{name} = {get(name)} has no hardware here, only {legal}")
        if get("ram_style") == "ultra":
            raise self.fail("ram_style is ultra; pixels lie in block or distributed memory here")

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_swg.sv` and `sf_swg_parallel.sv`."""
        self._check()
        get = self.get_nodeattr
        h, w, kh, kw, sh, sw = self._dims()
        params = {"ELEM_WIDTH": self.get_input_datatype().bitwidth(), "C": get("IFMChannels")}
        params |= {"H": h, "W": w, "KH": kh, "KW": kw, "SH": sh, "SW": sw}
        if get("parallel_window"):
            return RtlInstance("sf_swg_parallel", params)
        return RtlInstance("sf_swg", params | {"SIMD": get("SIMD"), "BLOCK": int(self.block())})

    def _sizes(self) -> tuple[int, int, int]:
        """(words of a pixel, output rows, output columns)."""
        h, w, kh, kw, sh, sw = self._dims()
        return self.get_nodeattr("IFMChannels") // self.get_nodeattr("SIMD"), (h - kh) // sh + 1, (w - kw) // sw + 1

    def _last_rows(self) -> int:
        """Rows from the first one of the last row of windows to the end of the frame."""
        return self._dims()[0] - (self._sizes()[1] - 1) * self._dims()[4]

    def ring_words(self) -> int:
        """Words of the ring of `sf_swg.sv`."""
        _, w, kh, _, sh, _ = self._dims()
        return (self._last_rows() + (kh - 1 if kh > sh else sh)) * w * self._sizes()[0]

    def block(self) -> bool:
        """The ring lies in block RAM: attribute ram_style, "auto" by cost. Line buffers are LUT RAM."""
        return not self.get_nodeattr("parallel_window") and in_block(
            self.get_nodeattr("ram_style"), self.get_instream_width(), self.ring_words()
        )

    def get_exp_cycles(self) -> int:
        """The slower of writing a frame and reading its windows."""
        h, w, kh, kw, *_ = self._dims()
        cf, oh, ow = self._sizes()
        return h * w if self.get_nodeattr("parallel_window") else max(h * w, oh * ow * kh * kw) * cf

    def accepts(self, arrivals: np.ndarray) -> np.ndarray:
        """A word is taken when the ring has room."""
        return earliest(arrivals) if self.get_nodeattr("parallel_window") else self._serial(arrivals)[0]

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """One cycle after the read step, or after the window's last pixel."""
        if not self.get_nodeattr("parallel_window"):
            return self._serial(arrivals)[1] + LATENCY
        h, w, kh, kw, sh, sw = self._dims()
        _, oh, ow = self._sizes()
        taken = earliest(arrivals).reshape(-1, h, w)
        return taken[:, kh - 1 : kh + (oh - 1) * sh : sh, kw - 1 : kw + (ow - 1) * sw : sw].ravel() + LATENCY

    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Words that a row of windows reads, in order, counted from its first row; the same for the last row of a
        frame.

        The last word also waits for pixels that no window covers and whose rows are freed with it, as if it lay behind
        them.
        """
        _, w, kh, kw, sh, sw = self._dims()
        cf, _, ow = self._sizes()
        window, line, word = np.ogrid[:ow, :kh, : kw * cf]
        places = (window * sw * cf + line * w * cf + word).ravel()
        last = places.copy()
        places[-1] = max(places[-1], sh * w * cf - 1)
        last[-1] = self._last_rows() * w * cf - 1
        return places, last

    def _serial(self, arrivals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(cycle of every write, cycle of every read) of `sf_swg.sv`, row of windows by row of windows.

        Word i is written when it is there and the ring has room: i < base + ring, base being the first word of the
        current row of windows. It is read from the
        cycle after on.
        """
        h, w, _, _, sh, _ = self._dims()
        cf, oh, _ = self._sizes()
        (places, last_places), ring, row = self._places(), self.ring_words(), w * cf
        writes, reads = np.empty_like(arrivals), []
        done = base = free_since = 0
        for r in range(len(arrivals) // (h * row) * oh):
            limit = min(base + ring, len(arrivals))
            if limit > done:
                bound = np.maximum(arrivals[done:limit], free_since)
                bound[0] = max(bound[0], writes[done - 1] + 1 if done else 0)
                writes[done:limit], done = earliest(bound), limit
            last = r % oh == oh - 1
            bound = writes[base + (last_places if last else places)] + 1
            bound[0] = max(bound[0], free_since)
            reads.append(earliest(bound))
            base, free_since = base + (self._last_rows() if last else sh) * row, int(reads[-1][-1]) + 1
        return writes, np.concatenate(reads)

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Ring or line buffers in LUT RAM, address arithmetic."""
        _, w, kh, *_ = self._dims()
        bits = self.get_instream_width()
        if self.get_nodeattr("parallel_window"):
            return lut_rams((kh - 1) * bits, w) + 40
        return 150 + (0 if self.block() else lut_rams(bits, self.ring_words()))

    def bram_estimation(self, fpgapart: str = "") -> int:
        """The ring, where it lies in block RAM."""
        return brams(self.get_instream_width(), self.ring_words()) if self.block() else 0
