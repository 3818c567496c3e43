"""Any function of a narrow integer, by table (`hw/rtl/sf_lut.sv`)."""

import numpy as np

from signflow.hw.ops.base import LUT_PER_BRAM18, RtlInstance, StreamOp, brams, hex_words, to_bits
from signflow.hw.ops.channels import FunctionOp

TABLE_LATENCY = 1
MAX_WIDTH = 16
LUT_ENTRIES = 50
"""Entries of a table, of one bit each, that a LUT in logic holds (fitted to yosys)."""


def table(op: StreamOp, codes: np.ndarray, in_bits: int, out_bits: int, block: bool = False) -> RtlInstance:
    """`sf_lut.sv` with ``codes`` (channels or 1, 2**in_bits), addressed by an element's bits, for ``op``."""
    pe, file = op.get_nodeattr("PE"), f"{op.onnx_node.name}_table.mem"
    rows = np.repeat(codes, pe, axis=0) if len(codes) == 1 else codes
    words = rows.reshape(-1, pe, 1 << in_bits).transpose(0, 2, 1).reshape(-1, pe)
    params = {"IN_WIDTH": in_bits, "OUT_WIDTH": out_bits, "PE": pe, "FOLDS": len(rows) // pe, "BLOCK": int(block)}
    params |= op.memory_params() | {"TABLE_FILE": file}
    return RtlInstance("sf_lut", params, {file: hex_words(to_bits(words, out_bits))})


class Lookup_sf(FunctionOp):
    """Integers (vectors.., C) -> y = table[c][x - lowest]; the second input is the table, (C or 1, N) integers, one row
    for each channel or for all. Every x lies in lowest..lowest + N - 1: another one cannot occur.
    """

    def get_nodeattr_types(self):
        """lowest: the input of the first entry."""
        return super().get_nodeattr_types() | {"lowest": ("i", True, 0)}

    def execute_node(self, context, graph) -> None:
        """numpy reference."""
        x, rows = (context[tensor] for tensor in self.onnx_node.input)
        x = x.reshape(self.get_normal_input_shape())
        index = x.astype(np.int64) - self.get_nodeattr("lowest")
        if index.min() < 0 or index.max() >= rows.shape[1]:
            raise self.fail(f"an input lies outside {self._inputs(rows)}")
        channels = np.arange(x.shape[-1]) % len(rows)
        context[self.onnx_node.output[0]] = rows[channels, index].astype(np.float32)

    def _inputs(self, rows: np.ndarray) -> str:
        lowest = self.get_nodeattr("lowest")
        return f"{lowest}..{lowest + rows.shape[1] - 1}"

    def _rows(self, model) -> np.ndarray:
        """The table, int64; raises OpError for one that is none."""
        rows, channels = model.get_initializer(self.onnx_node.input[1]), self.in_channels()
        if rows is None or rows.ndim != 2 or len(rows) not in (1, channels) or (rows != np.round(rows)).any():
            shape = None if rows is None else rows.shape
            raise self.fail(f"the table is {shape}, must be ({channels} or 1, N) integers")
        if self.get_nodeattr("shared") != (len(rows) == 1):
            raise self.fail(f"shared = {self.get_nodeattr('shared')} with a table of {len(rows)} rows")
        return rows.astype(np.int64)

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_lut.sv`; inputs that cannot occur read the nearest entry."""
        self.folds()
        dt, out, rows = self.get_input_datatype(), self.get_output_datatype(), self._rows(model)
        self.check_integer(dt)
        self.check_holds(out, int(rows.min()), int(rows.max()), "entries")
        if dt.bitwidth() > MAX_WIDTH:
            raise self.fail(f"the input is {dt.name}; tables have hardware up to {MAX_WIDTH} bits")
        lowest, end = self.get_nodeattr("lowest"), 1 << dt.bitwidth()
        if not (dt.allowed(lowest) and dt.allowed(lowest + rows.shape[1] - 1)):
            raise self.fail(f"the inputs {self._inputs(rows)} do not fit {dt.name}")
        x = np.arange(end)
        x = np.where(x >= end // 2, x - end, x) if dt.signed() else x  # of the bits
        codes = rows[:, np.clip(x - lowest, 0, rows.shape[1] - 1)]
        return table(self, codes, dt.bitwidth(), out.bitwidth(), self.block())

    def _memory(self) -> tuple[int, int]:
        """(bits, words) of a lane's table."""
        words = (1 if self.get_nodeattr("shared") else self.folds()) << self.get_input_datatype().bitwidth()
        return self.get_output_datatype().bitwidth(), words

    def _logic_luts(self) -> float:
        """Of a lane's table in logic."""
        bits, words = self._memory()
        entries = LUT_ENTRIES if words > 64 else 64
        return self.constant_luts(bits * max(0.5, words / entries), bits, words)

    def block(self) -> bool:
        """The tables lie in block RAM: attribute ram_style, "auto" by what is scarcer on a board."""
        style = self.get_nodeattr("ram_style")
        return style == "block" or (style == "auto" and self._logic_luts() > LUT_PER_BRAM18 * brams(*self._memory()))

    def delay(self) -> int:
        """One cycle after the word."""
        return TABLE_LATENCY

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Tables in logic; a counter."""
        pe, (bits, words) = self.get_nodeattr("PE"), self._memory()
        return 2 + self.chain_luts((pe * bits, words)) + (0 if self.block() else int(pe * self._logic_luts()))

    def bram_estimation(self, fpgapart: str = "") -> int:
        """Tables in block RAM."""
        return self.get_nodeattr("PE") * brams(*self._memory()) if self.block() else 0
