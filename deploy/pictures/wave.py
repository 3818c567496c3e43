"""The stream handshakes of one operator of a simulated accelerator, cycle by cycle, read from a wave file (VCD)."""

import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from signflow.hw.sim import RtlSimulator

if TYPE_CHECKING:
    from vcdvcd import VCDVCD

PORT = re.compile(r"((?:in|out)\d*)_(data|valid|ready)_[io](?:\[(\d+):0\])?$")


class WaveError(RuntimeError):
    """A wave file does not hold the streams of an operator, or is of another format."""


@dataclass(frozen=True)
class Stream:
    """One stream port, one value a cycle, as they stand at the clock edge that ends the cycle."""

    name: str
    """"in", "out", or "in0", "out1", ... of joins and forks."""
    bits: int
    valid: np.ndarray
    """bool (cycles,)."""
    ready: np.ndarray
    """bool (cycles,)."""
    data: tuple[int, ...]

    @property
    def taken(self) -> np.ndarray:
        """int64: the cycles with a handshake."""
        return np.flatnonzero(self.valid & self.ready)

    @property
    def words(self) -> list[int]:
        """The words that were taken, in order."""
        return [self.data[cycle] for cycle in self.taken]


@dataclass(frozen=True)
class Wave:
    """All streams of an operator. Cycle 0 is the first one after reset."""

    operator: str
    streams: tuple[Stream, ...]
    cycles: int


def record(simulator: RtlSimulator, frames: np.ndarray, operator: str, folder: Path) -> Wave:
    """Stream a few frames (as `RtlSimulator.run` takes them) through an accelerator and read the waves of ``operator``,
    a node name of `accel.json`. The wave file stays in ``folder``. Raises SimError or WaveError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    simulator.wave(frames, folder / f"{operator}.vcd", operator)
    return read(folder / f"{operator}.vcd", operator)


def read(file: Path, operator: str) -> Wave:
    """The streams of ``operator`` in a VCD file that `RtlSimulator.wave` wrote. Raises WaveError."""
    if not file.exists():
        raise WaveError(f"{file} does not exist: write it with `record`, or `signflow simulate --wave FILE.vcd`")
    scope = f".i_{operator}."
    names = [name for name in vcd(file, only_sigs=True).signals if scope in name]
    ports = {name: PORT.fullmatch(name.split(scope)[1]) for name in names}
    clock, reset = (next((n for n in names if n.endswith(f"{scope}{p}")), None) for p in ("clk_i", "rst_ni"))
    ports = {name: match for name, match in ports.items() if match}
    if not ports or not clock or not reset:
        raise WaveError(f"{file} holds no streams of {operator!r}")
    values = vcd(file, signals=[clock, reset, *ports])
    edges = [time for time, level in values[clock].tv if level == "1"]
    samples = {name: _before(values[name].tv, edges) for name in (reset, *ports)}
    start = samples[reset].index(1)
    found: dict[str, dict] = {}
    for name, match in ports.items():
        stream, part, msb = match.groups()
        found.setdefault(stream, {})[part] = samples[name][start:]
        if part == "data":
            found[stream]["bits"] = int(msb or 0) + 1
    streams = tuple(
        Stream(name, f["bits"], np.array(f["valid"], bool), np.array(f["ready"], bool), tuple(f["data"]))
        for name, f in sorted(found.items())
    )
    return Wave(operator, streams, len(edges) - start)


def vcd(file: Path, **options) -> "VCDVCD":
    """A wave file, as vcdvcd reads it. Its import has a pipe that closes end the process without a word, be it a
    notebook's kernel; Python's way, an exception, is put back.
    """
    handler = signal.getsignal(signal.SIGPIPE)
    from vcdvcd import VCDVCD

    if signal.getsignal(signal.SIGPIPE) != handler:
        signal.signal(signal.SIGPIPE, handler)
    return VCDVCD(str(file), **options)


def _before(changes: list[tuple[int, str]], edges: list[int]) -> list[int]:
    """The value of a signal just before each of the ``edges`` (times, ascending)."""
    values, at, current = [], 0, 0
    for edge in edges:
        while at < len(changes) and changes[at][0] < edge:
            current = int(changes[at][1], 2)
            at += 1
        values.append(current)
    return values
