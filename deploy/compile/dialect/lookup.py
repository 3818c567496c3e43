"""Lookup(x, table (C or 1, N)), attribute lowest: y = table[c][x - lowest] for x in lowest..lowest + N - 1. Any
function of one number and its channel, where x has few values.
"""

import numpy as np

from signflow.deploy.compile.dialect.base import Range
from signflow.deploy.compile.dialect.hardware import Hardware
from signflow.deploy.compile.dialect.own import Own
from signflow.deploy.compile.dialect.program import LOOKUP, Layer, Program, View
from signflow.deploy.compile.errors import refuse


class Lookup(Own):
    """A table for every channel, or one for all."""

    HARDWARE = "Lookup"
    ATTRIBUTES = {"lowest": ("i", False, 0)}

    @property
    def table(self) -> np.ndarray:
        """(channels or 1, N)"""
        return self.constants[1]

    def compute(self, x: np.ndarray, table: np.ndarray) -> np.ndarray:
        """Raises UnsupportedError for an x that the table does not have."""
        index = x.astype(np.int64) - self.attribute("lowest")
        self._check(int(x.min()), int(x.max()))
        return np.broadcast_to(table, (x.shape[-1], table.shape[1]))[np.arange(x.shape[-1]), index]

    def _check(self, low: int, high: int) -> None:
        first, last = self.attribute("lowest"), self.attribute("lowest") + self.table.shape[1] - 1
        if low < first or high > last:
            raise refuse(self.node, f"it reads {low} to {high}", f"{first} to {last}, which its table has")

    def range(self, x: Range) -> Range:
        """Smallest and largest entry of the part of the table that the channel reads."""
        (low, high), lowest = x, self.attribute("lowest")
        self._check(int(low.min()), int(high.max()))
        rows = np.broadcast_to(self.table, (len(low), self.table.shape[1])).astype(np.int64)
        parts = [row[a - lowest : b - lowest + 1] for row, a, b in zip(rows, low, high, strict=True)]
        return np.array([part.min() for part in parts]), np.array([part.max() for part in parts])

    def lower(self, hardware: Hardware) -> None:
        """A table, for all channels if it has one row."""
        (x, table), out = self.node.input, self.node.output[0]
        attributes = hardware.vectors(out, hardware.type(x)) | {
            "lowest": self.attribute("lowest"),
            "shared": int(len(self.table) == 1),
            "outputDataType": hardware.type(out).name,
        }
        hardware.replace([self.node], self.HARDWARE, [x, table], out, **attributes)

    def pack(self, program: Program, view: View) -> None:
        """A layer of its own."""
        table = np.ascontiguousarray(self.table, dtype=np.float32)
        rows, columns = table.shape
        entries = {"table": table, "rows": rows, "columns": columns, "low": self.attribute("lowest")}
        layer = Layer(LOOKUP, view.shape, False, (view.layer,), entries=entries)
        program.add(self.node, self.HARDWARE, layer, view)
