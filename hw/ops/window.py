"""Where the windows of a map lie, and the exact cycles of the generator that buffers rows (`hw/rtl/sf_swg.sv`)."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from signflow.hw.ops.base import earliest

NEVER_LATE = np.int64(-1) << 40
"""A cycle before all others: of what waits for nothing."""


@dataclass(frozen=True)
class Axis:
    """One direction of a map of ``size`` pixels with ``before`` and ``after`` pixels of border, and its windows."""

    size: int
    kernel: int
    stride: int
    dilation: int = 1
    before: int = 0
    after: int = 0

    @property
    def extent(self) -> int:
        """Pixels from a window's first to its last one."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def places(self) -> int:
        """Number of windows."""
        return (self.before + self.size + self.after - self.extent) // self.stride + 1

    @cached_property
    def taps(self) -> np.ndarray:
        """Pixels that the windows read, (places, kernel); those of the border lie outside 0..size-1."""
        return np.arange(self.places)[:, None] * self.stride + np.arange(self.kernel) * self.dilation - self.before

    @cached_property
    def inside(self) -> np.ndarray:
        """Which taps read a pixel of the map, (places, kernel)."""
        return (self.taps >= 0) & (self.taps < self.size)

    def beyond(self) -> int:
        """Pixels of the border between the last pixel of the map and the last window, where it starts behind."""
        return max(0, int(self.taps[-1, 0]) - self.size)


def serial(
    y: Axis, x: Axis, words: int, rows: int, arrivals: np.ndarray, given: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """(cycle of every write, cycle of every read) of `sf_swg.sv` with pixels of ``words`` words and a ring of ``rows``
    rows, row of windows by row of windows.

    A word is written when it is there and the ring has room, counted from the first row of the current row of windows;
    a new frame's first windows may begin above the last ones of the frame before, which takes room away. A word is read
    from the cycle after on, or in the cycles ``given``. Words of the border wait for nothing, but for the first word of
    their frame.
    """
    row, room = x.size * words, (rows - y.beyond()) * x.size * words
    ow, _, kw, c = np.ogrid[: x.places, : y.kernel, : x.kernel, :words]
    line = np.broadcast_to(x.taps[ow, kw] * words + c, (x.places, y.kernel, x.kernel, words))
    writes, reads = np.empty_like(arrivals), []
    done = free_since = 0
    for frame in range(len(arrivals) // (y.size * row)):
        for taps, inside in zip(y.taps, y.inside, strict=True):
            limit = min((frame * y.size + int(taps[0])) * row + room, len(arrivals))
            done = min(done, max(limit, int(np.searchsorted(writes[:done], free_since))))
            done = _write(writes, arrivals, done, limit, free_since)
            read = frame * y.size * row + line + taps[:, None, None] * row
            there = (inside[:, None] & x.inside[:, None])[..., None]
            bound = np.where(there, writes[np.where(there, read, 0)] + 1, NEVER_LATE).ravel()
            if taps[0] == -y.before:
                bound[0] = writes[frame * y.size * row] + 1
            bound[0] = max(bound[0], free_since)
            at = len(reads) * len(bound)
            reads.append(earliest(bound) if given is None else given[at : at + len(bound)])
            free_since = int(reads[-1][-1]) + 1
    _write(writes, arrivals, done, len(arrivals), free_since)
    return writes, np.concatenate(reads)


def _write(writes: np.ndarray, arrivals: np.ndarray, done: int, limit: int, since: int) -> int:
    """Fill in the cycles of words ``done``..``limit``-1, for which there is room from cycle ``since`` on; returns the
    number of words that have theirs.
    """
    if limit <= done:
        return done
    bound = np.maximum(arrivals[done:limit], since)
    bound[0] = max(bound[0], writes[done - 1] + 1 if done else 0)
    writes[done:limit] = earliest(bound)
    return limit


@lru_cache(maxsize=1024)
def fewest_rows(y: Axis, x: Axis) -> int:
    """The smallest ring with which neither side of `sf_swg.sv` ever waits for the other, once it is filled: a frame
    takes as many cycles as it has pixels or its windows have, whichever is more.
    """
    frames, interval = 8, max(y.size * x.size, y.places * x.places * y.kernel * x.kernel)
    rows = max(y.extent, y.before + 1) + y.beyond()
    while True:
        _, reads = serial(y, x, 1, rows, np.zeros(frames * y.size * x.size, np.int64))
        if (np.diff(reads.reshape(frames, -1)[-3:, -1]) == interval).all():
            return rows
        rows += 1
