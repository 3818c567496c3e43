"""Sliding-window generator with a border, serial (`hw/rtl/sf_swg.sv`) or one window a cycle
(`hw/rtl/sf_swg_parallel.sv`).
"""

import math

import numpy as np
from finn.custom_op.fpgadataflow.convolutioninputgenerator import ConvolutionInputGenerator

from signflow.hw.ops import window_control
from signflow.hw.ops.base import (
    RTLBackend,
    RtlInstance,
    StreamOp,
    bram_luts,
    brams,
    earliest,
    hex_words,
    in_block,
    lut_rams,
    times,
    to_bits,
)
from signflow.hw.ops.flags import check_flags, flagged, sharing, zero
from signflow.hw.ops.folding import FoldingError, divisors
from signflow.hw.ops.window import NEVER_LATE, Axis, fewest_rows, serial

LATENCY = 1
"""Cycles from the step that reads a word to the output."""
WINDOW_LATENCY = 2
"""Cycles from the step that takes the last pixel of a whole window to the output."""


class ConvolutionInputGenerator_sf(StreamOp, ConvolutionInputGenerator, RTLBackend):
    """FINN's ConvolutionInputGenerator: (1, H, W, C) -> (1, OH, OW, KH*KW*C), not depthwise, with a border.

    Pads [top, left, bottom, right] pixels of border hold Border, a value of the map's type for each channel or one for
    all; or, with padGroup > 0, the number 0 between bits (0.5 of BINARY ones, 0 of BIPOLAR ones), which travels as
    flags (`signflow.hw.ops.flags`).
    """

    BEHIND = 1

    def get_nodeattr_types(self):
        """FINN's attributes, Pads, Border and padGroup; ram_style is "auto" unless set."""
        types = super().get_nodeattr_types()
        style, required, _, allowed = types["ram_style"]
        return types | {
            "ram_style": (style, required, "auto", allowed),
            "Pads": ("ints", False, [0, 0, 0, 0]),
            "Border": ("ints", False, []),
            "padGroup": ("i", False, 0),
        }

    def picture(self) -> tuple[str, str]:
        """Data pass; the window, of the map, with its border."""
        y, x = self.axes()
        border = f" + {self.get_nodeattr('Pads')}" if self.padded() else ""
        return "movement", f"{times((y.kernel, x.kernel))} of {times((y.size, x.size, self.channels()))}{border}"

    # ---- shapes

    def channels(self) -> int:
        """Attribute IFMChannels."""
        return self.get_nodeattr("IFMChannels")

    def axes(self) -> tuple[Axis, Axis]:
        """Rows and columns of the map, and the windows along them."""
        get, (top, left, bottom, right) = self.get_nodeattr, self.get_nodeattr("Pads")
        windows = zip(get("IFMDim"), get("ConvKernelDim"), get("Stride"), get("Dilation"), strict=True)
        return tuple(Axis(*w, *pads) for w, pads in zip(windows, ((top, bottom), (left, right)), strict=True))

    def padded(self) -> bool:
        """There is a border."""
        return any(self.get_nodeattr("Pads"))

    def use_parallel_window_output(self) -> bool:
        """FINN asks whether an output word holds a whole window."""
        return bool(self.get_nodeattr("parallel_window"))

    def get_normal_output_shape(self, ind: int = 0):
        """(1, OH, OW, KH*KW*C)."""
        y, x = self.axes()
        return (1, y.places, x.places, y.kernel * x.kernel * self.channels())

    def get_folded_output_shape(self, ind: int = 0):
        """(1, OH, OW, words of a window, elements of a word)."""
        *places, window = self.get_normal_output_shape()
        word = window if self.use_parallel_window_output() else self.get_nodeattr("SIMD")
        return (*places, window // word, word)

    def get_outstream_width(self, ind: int = 0) -> int:
        """Elements of a word, and their flags."""
        return flagged(self.get_folded_output_shape()[-1] * self.get_output_datatype().bitwidth(), self.out_group())

    def out_group(self, ind: int = 0) -> int:
        """Of the border of zeros."""
        return sharing(self)

    # ---- folding

    def foldings(self) -> dict[str, list]:
        """SIMD divides IFMChannels, and is even where bits have flags; or whole windows, where no window lies wholly in
        the border.
        """
        even = [n for n in divisors(self.channels()) if not (self.out_group() and n % 2)]
        return {"SIMD": even, "parallel_window": [0, 1] if self._touching() else [0]}

    def _touching(self) -> bool:
        return all(max(axis.before, axis.after) < axis.extent for axis in self.axes())

    def check_folding(self) -> None:
        """A whole window needs all channels at once."""
        channels, simd = self.channels(), self.get_nodeattr("SIMD")
        if self.get_nodeattr("parallel_window") and simd != channels:
            raise FoldingError(
                f"{self.onnx_node.name}: parallel_window = 1 needs SIMD = {channels} (all channels), it is {simd}"
            )

    # ---- meaning

    def execute_node(self, context, graph) -> None:
        """numpy reference: the pixels at the taps of every window, of the map with its border."""
        (y, x), channels = self.axes(), self.channels()
        border = zero(self.get_input_datatype()) if self.out_group() else self.get_nodeattr("Border") or 0
        whole = np.empty((y.before + y.size + y.after, x.before + x.size + x.after, channels), np.float32)
        whole[:] = border
        whole[y.before : y.before + y.size, x.before : x.before + x.size] = context[self.onnx_node.input[0]][0]
        rows, columns = y.taps[:, None, :, None] + y.before, x.taps[None, :, None, :] + x.before
        context[self.onnx_node.output[0]] = whole[rows, columns].reshape(self.get_normal_output_shape())

    # ---- hardware

    def _check(self) -> None:
        get = self.get_nodeattr
        if get("SIMD") < 1 or self.channels() % get("SIMD"):
            raise self.fail(f"SIMD = {get('SIMD')} does not divide IFMChannels = {self.channels()}")
        self.check_folding()
        self._check_windows()
        self._check_border()
        for name, legal in (("depthwise", 0), ("dynamic_mode", 0)):
            if get(name) != legal:
                raise self.fail(f"{name} = {get(name)} has no hardware here, only {legal}")
        if get("ram_style") == "ultra":
            raise self.fail("ram_style is ultra; pixels lie in block or distributed memory here")

    def _check_windows(self) -> None:
        get, (y, x) = self.get_nodeattr, self.axes()
        for name, low in (("ConvKernelDim", 1), ("Stride", 1), ("Dilation", 1), ("Pads", 0)):
            if min(get(name)) < low:
                raise self.fail(f"{name} = {get(name)}, must be >= {low}")
        whole = [axis.before + axis.size + axis.after for axis in (y, x)]
        if y.extent > whole[0] or x.extent > whole[1]:
            frame = times(whole) + (" frame with its border" if self.padded() else " frame")
            raise self.fail(f"a window of {times((y.extent, x.extent))} pixels is larger than the {frame}")
        if get("parallel_window") and not self._touching():
            raise self.fail(
                f"Pads = {get('Pads')} with parallel_window = 1: some windows of {times((y.extent, x.extent))} pixels "
                "lie wholly in the border; only parallel_window = 0 has hardware for them"
            )

    def _check_border(self) -> None:
        get, dt = self.get_nodeattr, self.get_input_datatype()
        check_flags(self, dt)
        if get("padGroup") and get("Border"):
            raise self.fail(f"Border = {get('Border')} with padGroup > 0, whose border is the number 0")
        if not get("padGroup") and self.padded() and len(get("Border")) not in (1, self.channels()):
            raise self.fail(f"Border has {len(get('Border'))} values, must be 1 or {self.channels()}, one a channel")
        if illegal := [v for v in get("Border") if not dt.allowed(v)]:
            raise self.fail(f"Border holds values that {dt.name} has not: {illegal[:5]}")

    def _border(self) -> dict[str, list[str]]:
        """The memory image of the border, a pixel of words, by its name; nothing where there is none."""
        if not self.padded() or self.out_group():
            return {}
        dt, word = self.get_input_datatype(), self.get_instream_width()
        values = np.broadcast_to(self.get_nodeattr("Border"), self.channels())
        codes = values > 0 if dt.name == "BIPOLAR" else values
        return {f"{self.onnx_node.name}_border.mem": hex_words(to_bits(codes[None], dt.bitwidth()).reshape(-1, word))}

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_swg.sv` and `sf_swg_parallel.sv`."""
        self._check()
        get, (y, x), border = self.get_nodeattr, self.axes(), self._border()
        params = {"ELEM_WIDTH": self.get_input_datatype().bitwidth(), "C": self.channels(), "GROUP": self.out_group()}
        params |= {"H": y.size, "W": x.size, "KH": y.kernel, "KW": x.kernel, "SH": y.stride, "SW": x.stride}
        params |= {"DH": y.dilation, "DW": x.dilation}
        params |= {"TOP": y.before, "LEFT": x.before, "BOTTOM": y.after, "RIGHT": x.after}
        params |= {"BORDER_FILE": next(iter(border), "")}
        if get("parallel_window"):
            return RtlInstance("sf_swg_parallel", params, border)
        params |= self.memory_params() if border else {}
        params |= {"SIMD": get("SIMD"), "ROWS": fewest_rows(y, x), "BLOCK": int(self.block())}
        return RtlInstance("sf_swg", params, border)

    def ring_words(self) -> int:
        """Words of the ring of `sf_swg.sv`."""
        y, x = self.axes()
        return fewest_rows(y, x) * x.size * self._words()

    def _words(self) -> int:
        """Words of a pixel."""
        return self.channels() // self.get_nodeattr("SIMD")

    def block(self) -> bool:
        """The ring lies in block RAM: attribute ram_style, "auto" by cost. Line buffers are LUT RAM."""
        return not self.get_nodeattr("parallel_window") and in_block(
            self.get_nodeattr("ram_style"), self.get_instream_width(), self.ring_words()
        )

    # ---- time

    def get_exp_cycles(self) -> int:
        """The slower of writing a frame and reading its windows; whole windows, the pixels with the border behind."""
        y, x = self.axes()
        if self.get_nodeattr("parallel_window"):
            return (y.size + y.after) * (x.size + x.after)
        return max(y.size * x.size, math.prod(self.get_normal_output_shape()) // self.channels()) * self._words()

    def accepts(self, arrivals: np.ndarray) -> np.ndarray:
        """A word is taken when the ring has room; whole windows, where no border stands in between."""
        if not self.get_nodeattr("parallel_window"):
            return serial(*self.axes(), self._words(), fewest_rows(*self.axes()), arrivals)[0]
        y, x = self.axes()
        return self._steps(arrivals)[:, : y.size, : x.size].ravel()

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """One cycle after the read step, or two after the window's last pixel."""
        if not self.get_nodeattr("parallel_window"):
            return serial(*self.axes(), self._words(), fewest_rows(*self.axes()), arrivals)[1] + LATENCY
        return self._steps(arrivals)[:, *self._ends()].ravel() + WINDOW_LATENCY

    def both(self, *arrivals: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """One look at the ring."""
        if self.get_nodeattr("parallel_window"):
            return super().both(*arrivals)
        writes, reads = serial(*self.axes(), self._words(), fewest_rows(*self.axes()), *arrivals)
        return [writes], reads + LATENCY

    def room(self) -> int:
        """A whole window waits in a register for its reader."""
        return int(self.get_nodeattr("parallel_window"))

    def holds(self) -> bool:
        """The ring keeps its rows until their windows are sent, whole windows stay where they are."""
        return True

    def hold(self, arrivals: np.ndarray, leave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """While a word waits for its reader, the ring takes what it has room for; behind a whole window comes one."""
        if not self.get_nodeattr("parallel_window"):
            accepts = serial(*self.axes(), self._words(), fewest_rows(*self.axes()), arrivals, leave - LATENCY)[0]
            return accepts, self.timing(accepts)
        y, x = self.axes()
        steps = self._steps(arrivals, leave)
        return steps[:, : y.size, : x.size].ravel(), steps[:, *self._ends()].ravel() + WINDOW_LATENCY

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The steps of a frame that take the last pixel of a window, as an index of rows and columns."""
        y, x = self.axes()
        return np.ix_(y.taps[:, -1], x.taps[:, -1])

    def _steps(self, arrivals: np.ndarray, leave: np.ndarray | None = None) -> np.ndarray:
        """Cycles in which `sf_swg_parallel.sv` takes the pixels, and steps over the border to their right and below,
        (frames, rows, columns); the windows are taken from it at once, or in the cycles ``leave``.
        """
        y, x = self.axes()
        bound = np.full((len(arrivals) // (y.size * x.size), y.size + y.after, x.size + x.after), NEVER_LATE)
        bound[:, : y.size, : x.size] = arrivals.reshape(-1, y.size, x.size)
        if leave is not None:  # the step behind a window waits until the window before it has left
            free = np.full_like(bound, NEVER_LATE)
            free[:, *self._ends()] = np.concatenate([[NEVER_LATE], leave[:-1]]).reshape(-1, y.places, x.places)
            bound.ravel()[1:] = np.maximum(bound.ravel()[1:], free.ravel()[:-1])
        return earliest(bound.ravel()).reshape(bound.shape)

    # ---- space

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Ring or line buffers, address arithmetic, the border."""
        (y, x), bits, loaded = self.axes(), self.get_instream_width(), 0
        if self.get_nodeattr("parallel_window"):
            rows = lut_rams((y.extent - 1) * bits, x.size) if y.extent > 1 else 0
            return rows + 22 + self.padded() + 8 * bool(self.out_group())
        if self.padded() and not self.out_group():
            memory = bits, self._words()
            loaded = int(self.constant_luts(0, *memory)) + self.chain_luts(memory)
        control = int(loaded + window_control.luts(y, x, self._words(), self.ring_words()))
        if self.block():
            masked = bits // 2 if self.padded() and not self.out_group() else 0
            return control + bram_luts(bits, self.ring_words()) + masked
        return control + lut_rams(bits, self.ring_words())

    def bram_estimation(self, fpgapart: str = "") -> int:
        """The ring, where it lies in block RAM."""
        return brams(self.get_instream_width(), self.ring_words()) if self.block() else 0
