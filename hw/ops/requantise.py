"""A linear function of every integer, rounded down and clipped (`hw/rtl/sf_requantise.sv`)."""

import itertools
import math

import numpy as np
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import LUT_PER_BRAM18, RtlInstance, brams, clip_luts, hex_words, rom_luts, to_bits
from signflow.hw.ops.channels import FunctionOp

LATENCY = 4
MAX_SUM = 48
"""Bits of a sum: what a DSP block adds to."""
SPLIT = 17
"""Bits of a product that its first DSP block finishes; with more of them, the others are added to B in LUTs."""


class Requantise_sf(FunctionOp):
    """Integers (vectors.., C) -> min(max((x * M + B) >> shift, low), high), where >> rounds down. The second and third
    input are M and B, integers (C or 1,), one for each channel or for all.
    """

    def get_nodeattr_types(self):
        """factorDataType, offsetDataType: types of M and B; shift, low, high: see above."""
        own = {
            "factorDataType": ("s", True, ""),
            "offsetDataType": ("s", True, ""),
            "shift": ("i", True, 0),
            "low": ("i", True, 0),
            "high": ("i", True, 0),
        }
        return super().get_nodeattr_types() | own

    def execute_node(self, context, graph) -> None:
        """numpy reference, in int64."""
        x, factor, offset = (np.asarray(context[tensor]).astype(np.int64) for tensor in self.onnx_node.input)
        x = x.reshape(self.get_normal_input_shape())
        shift, low, high = self._limits()
        codes = np.clip((x * factor + offset) >> shift, low, high)
        context[self.onnx_node.output[0]] = codes.astype(np.float32)

    def _limits(self) -> tuple[int, int, int]:
        """(shift, low, high); raises OpError."""
        shift, low, high = (self.get_nodeattr(name) for name in ("shift", "low", "high"))
        if not 0 <= shift < MAX_SUM or low > high:
            raise self.fail(f"shift = {shift}, low = {low}, high = {high}; 0 <= shift < {MAX_SUM} and low <= high")
        return shift, low, high

    def _types(self) -> tuple[DataType, DataType]:
        return DataType[self.get_nodeattr("factorDataType")], DataType[self.get_nodeattr("offsetDataType")]

    def _widths(self) -> tuple[int, int]:
        """Bits of M and B in two's complement."""
        return tuple(kind.bitwidth() + (not kind.signed()) for kind in self._types())

    def _constants(self, model) -> list[np.ndarray]:
        """M and B, int64 (C or 1,); raises OpError for what they must not be."""
        channels, found = self.in_channels(), []
        for name, tensor, kind in zip("MB", self.onnx_node.input[1:], self._types(), strict=True):
            values = model.get_initializer(tensor)
            if values is None or values.shape not in ((channels,), (1,)) or (values != np.round(values)).any():
                shape = None if values is None else values.shape
                raise self.fail(f"{name} is {shape}, must be ({channels} or 1,) integers")
            if self.get_nodeattr("shared") and values.size > 1:
                raise self.fail(f"shared = 1, but {name} has {values.size} values")
            self.check_integer(kind)
            found.append(values.astype(np.int64))
            if not (kind.allowed(int(found[-1].min())) and kind.allowed(int(found[-1].max()))):
                raise self.fail(f"{name} reaches {found[-1].min()}..{found[-1].max()}, which {kind.name} does not hold")
        return found

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_requantise.sv`."""
        return self.instance(*np.broadcast_arrays(*self._constants(model)))

    def instance(self, factor: np.ndarray, offset: np.ndarray) -> RtlInstance:
        """The module with M and B, int64 (C or 1,) each."""
        self.folds()
        dt, out, (shift, low, high) = self.get_input_datatype(), self.get_output_datatype(), self._limits()
        self.check_integer(dt)
        self.check_holds(out, low, high, "codes")
        lines = list(zip(factor, offset, strict=True))
        if self.get_nodeattr("loadable"):  # any that their types hold
            lines = list(itertools.product(*((kind.min(), kind.max()) for kind in self._types())))
        ends = [int(m) * int(x) + int(b) for x in (dt.min(), dt.max()) for m, b in lines]
        width = max(shift + 1, sum(self._factors()), *(max(end, -end - 1).bit_length() + 1 for end in ends))
        if width > MAX_SUM:
            raise self.fail(f"x * M + B takes {width} bits for {dt.name}; it has hardware up to {MAX_SUM}")
        pe, file = self.get_nodeattr("PE"), f"{self.onnx_node.name}_constants.mem"
        rows = [np.resize(row, pe if self.get_nodeattr("shared") else self.in_channels()) for row in (factor, offset)]
        widths = self._widths()
        bits = np.concatenate([to_bits(row[:, None], n) for row, n in zip(rows, widths, strict=True)], axis=1)
        words = bits.reshape(-1, pe * sum(widths))
        params = {
            "IN_WIDTH": dt.bitwidth(), "IN_SIGNED": int(dt.signed()), "M_WIDTH": widths[0], "B_WIDTH": widths[1],
            "SUM_WIDTH": width, "SHIFT": shift, "LOW": low, "HIGH": high, "OUT_WIDTH": out.bitwidth(), "PE": pe,
            "FOLDS": len(words), "BLOCK": int(self.block()), "CONSTANTS_FILE": file,
        }  # fmt: skip
        return RtlInstance("sf_requantise", params | self.memory_params(), {file: hex_words(words)})

    def delay(self) -> int:
        """`LATENCY` cycles after the word."""
        return LATENCY

    def _memory(self) -> tuple[int, int]:
        """(bits, words) of M and B."""
        return self.get_nodeattr("PE") * sum(self._widths()), 1 if self.get_nodeattr("shared") else self.folds()

    def block(self) -> bool:
        """M and B lie in block RAM: attribute ram_style, "auto" by what is scarcer on a board."""
        style, memory = self.get_nodeattr("ram_style"), self._memory()
        return style == "block" or (style == "auto" and self._constant_luts() > LUT_PER_BRAM18 * brams(*memory))

    def _constant_luts(self) -> float:
        """LUTs of M and B in logic."""
        return self.constant_luts(rom_luts(*self._memory()), *self._memory())

    def _factors(self) -> tuple[int, int]:
        """Bits of x and M in two's complement, the narrower first."""
        dt = self.get_input_datatype()
        return tuple(sorted((dt.bitwidth() + (not dt.signed()), self._widths()[0])))

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Constants in logic; for each lane the clipping, and a product in LUTs or the sums of several DSP blocks."""
        factors, blocks = self._factors(), self._blocks()
        narrow = math.prod(factors) + sum(factors) / 2
        product = (sum(factors) - SPLIT) * (blocks - 1) if blocks else narrow
        out = self.get_output_datatype().bitwidth()
        lane = product + clip_luts(max(sum(factors) - self.get_nodeattr("shift"), out + 1), out)
        constants = (0 if self.block() else self._constant_luts()) + self.chain_luts(self._memory())
        return int(5 + 3 * self.block() + constants + self.get_nodeattr("PE") * lane)

    def bram_estimation(self, fpgapart: str = "") -> int:
        """Constants in block RAM."""
        return brams(*self._memory()) if self.block() else 0

    def _blocks(self) -> int:
        """DSP blocks of a product; 0 for a narrow one, which lies in LUTs."""
        narrow, wide = self._factors()
        parts = [1 + max(0, math.ceil((n - most) / SPLIT)) for n, most in ((narrow, 18), (wide, 25))]
        return math.prod(parts) if narrow + wide >= 9 else 0

    def dsp_estimation(self, fpgapart: str = "") -> int:
        """A DSP block for each multiplier of 18 and 25 bits, several for a wider one."""
        return self.get_nodeattr("PE") * self._blocks()
