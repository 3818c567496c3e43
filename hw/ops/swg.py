"""Sliding-window generator, serial (`hw/rtl/swg.sv`) or one window a cycle (`hw/rtl/swg_parallel.sv`)."""

import math

import numpy as np
from finn.custom_op.fpgadataflow.convolutioninputgenerator import ConvolutionInputGenerator

from signflow.hw.ops.base import RTLBackend, RtlInstance, StreamOp, earliest

LATENCY = 1


class ConvolutionInputGenerator_sf(StreamOp, ConvolutionInputGenerator, RTLBackend):
    """FINN's ConvolutionInputGenerator: (1, H, W, C) -> (1, OH, OW, KH*KW*C), no dilation, not depthwise."""

    def use_parallel_window_output(self) -> bool:
        """FINN asks whether an output word holds a whole window."""
        return bool(self.get_nodeattr("parallel_window"))

    def _dims(self):
        get = self.get_nodeattr
        return (*get("IFMDim"), *get("ConvKernelDim"), *get("Stride"))

    def _check(self) -> None:
        get = self.get_nodeattr
        h, w, kh, kw, *_ = self._dims()
        if get("SIMD") < 1 or get("IFMChannels") % get("SIMD"):
            raise self.fail(f"SIMD = {get('SIMD')} does not divide IFMChannels = {get('IFMChannels')}")
        if get("parallel_window") and get("SIMD") != get("IFMChannels"):
            raise self.fail(f"parallel_window needs SIMD = IFMChannels = {get('IFMChannels')}, it is {get('SIMD')}")
        if kh > h or kw > w:
            raise self.fail(f"the {kh}x{kw} kernel is larger than the {h}x{w} frame")
        if list(get("Dilation")) != [1, 1] or get("depthwise") or get("dynamic_mode"):
            raise self.fail("dilation, depthwise and dynamic windows have no hardware here")

    def rtl_instance(self, model) -> RtlInstance:
        """See `swg.sv` and `swg_parallel.sv`."""
        self._check()
        get = self.get_nodeattr
        h, w, kh, kw, sh, sw = self._dims()
        params = {"ELEM_WIDTH": self.get_input_datatype().bitwidth(), "C": get("IFMChannels")}
        if not get("parallel_window"):
            params["SIMD"] = get("SIMD")
        params |= {"H": h, "W": w, "KH": kh, "KW": kw, "SH": sh, "SW": sw}
        return RtlInstance("swg_parallel" if get("parallel_window") else "swg", params)

    def _sizes(self) -> tuple[int, int, int]:
        """(words of a pixel, output rows, output columns)."""
        h, w, kh, kw, sh, sw = self._dims()
        return self.get_nodeattr("IFMChannels") // self.get_nodeattr("SIMD"), (h - kh) // sh + 1, (w - kw) // sw + 1

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

    def _serial(self, arrivals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(cycle of every write, cycle of every read) of `swg.sv`, output row by output row.

        A write of word i waits until the ring has room: i < base + RING, where base is the first word of the current output row. A read waits until all words
        of its window have been written the cycle before, and the last window of a frame for the whole frame.
        """
        h, w, kh, kw, sh, sw = self._dims()
        cf, oh, ow = self._sizes()
        row, run = w * cf, kw * cf
        ring, each = 2 * max(kh, sh) * row, kh * run
        writes, reads = np.empty_like(arrivals), []
        done = base = base_since = 0
        last_read = -1
        for r in range(len(arrivals) // (h * row) * oh):
            last_row = r % oh == oh - 1
            step = (h - (oh - 1) * sh) * row if last_row else sh * row
            limit = min(base + ring, len(arrivals))
            if limit > done:
                bound = np.maximum(arrivals[done:limit], base_since)
                bound[0] = max(bound[0], writes[done - 1] + 1 if done else 0)
                writes[done:limit], done = earliest(bound), limit
            need = base + (kh - 1) * row + run + np.arange(ow) * sw * cf
            if last_row:
                need[-1] = base + step
            ramp = np.arange(ow) * each
            start = np.maximum.accumulate(np.maximum(writes[need - 1] + 1, last_read + 1) - ramp) + ramp
            reads.append((start[:, None] + np.arange(each)).ravel())
            last_read = int(reads[-1][-1])
            base, base_since = base + step, last_read + 1
        return writes, np.concatenate(reads)

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Ring or line buffers in LUT RAM, and address arithmetic."""
        h, w, kh, kw, sh, _ = self._dims()
        bits = self.get_instream_width()
        if self.get_nodeattr("parallel_window"):
            return int((kh - 1) * bits * math.ceil(w / 32) * 0.7 + 40)
        words = 2 * max(kh, sh) * w * self._sizes()[0]
        return int(bits * math.ceil(words / 64) * 1.5 + 150)
