"""The boards of `boards.toml` as typed records."""

import tomllib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Board:
    """What a board offers to the accelerator."""

    name: str
    family: str
    """What makes its bitstream: "zynq" and "zynqmp" (Vivado, runs PYNQ), "ecp5" (yosys and nextpnr)."""
    part: str
    lut: int
    ff: int
    bram18: int
    dsp: int
    stream_bits: int
    """Widest AXI-Stream a DMA on this board feeds in one cycle."""
    clock_mhz: float


def boards() -> dict[str, Board]:
    """All boards by name."""
    table = tomllib.loads((Path(__file__).parent / "boards.toml").read_text())
    return {name: Board(name=name, **row) for name, row in table.items()}


def board(name: str) -> Board:
    """Look up a board; raises ValueError that lists the known names."""
    known = boards()
    if name not in known:
        raise ValueError(f"unknown board {name!r}; known boards: {', '.join(known)}")
    return known[name]
