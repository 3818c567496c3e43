"""Where a function changes that never turns back, without trying every integer: by bisection.

Between two integers at which such a function has one value it has no other. So intervals whose ends differ are halved
until they are one step wide: for c changes among n integers about c log2(n) evaluations, where an 8-bit layer of pixels
reaches a million sums in every channel.
"""

from collections.abc import Callable

import numpy as np

COARSE = 512
"""Intervals that the search starts with, evaluated whole."""

Evaluate = Callable[[np.ndarray], np.ndarray]
"""rows int64 (values, channels), any rows in each column -> what the function gives there, of the same shape."""


def coarse_rows(count: int) -> np.ndarray:
    """int64 (rows,): the ends of the intervals that the search over rows 0..``count`` - 1 starts with."""
    return np.unique(np.append(np.arange(0, count, max(1, count // COARSE)), count - 1))


def changes(
    evaluate: Evaluate, coarse: np.ndarray, values: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(channel, row, value): every row from which on a channel has a new value, unordered. ``values`` (rows, channels)
    is the function at the rows ``coarse``. Gives up behind ``most`` changes of one channel, and returns those found.
    """
    at, channel = np.nonzero(values[1:] != values[:-1])
    low, high, before, after = coarse[at], coarse[at + 1], values[at, channel], values[at + 1, channel]
    found = [(channel[:0], low[:0], after[:0])]
    while len(channel):
        single = high - low == 1
        found.append((channel[single], high[single], after[single]))
        channel, low, high, before, after = (part[~single] for part in (channel, low, high, before, after))
        if len(channel) and np.bincount(channel).max() > most:
            found.append((channel, high, after))
            break
        middle = (low + high) // 2
        value = at_rows(evaluate, channel, middle, values.shape[1])
        left, right = value != before, value != after
        join = lambda one, two: np.concatenate([one[left], two[right]])  # noqa: E731, B023
        channel, low, high = join(channel, channel), join(low, middle), join(middle, high)
        before, after = join(before, value), join(value, after)
    return tuple(np.concatenate(parts) for parts in zip(*found, strict=True))


def at_rows(evaluate: Evaluate, channel: np.ndarray, row: np.ndarray, channels: int) -> np.ndarray:
    """The function at every ``row`` of its ``channel``, (places,) each."""
    rows, place = scattered(channel, row, channels)
    return evaluate(rows)[place, channel] if len(channel) else np.empty(0, dtype=np.float32)


def scattered(channel: np.ndarray, row: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """(table of rows int64 (values, channels) that has every ``row`` in the column of its ``channel``, at which place);
    row 0 fills it up.
    """
    order = np.argsort(channel, kind="stable")
    counts = np.bincount(channel, minlength=channels)
    place = np.empty(len(channel), dtype=np.int64)
    place[order] = np.arange(len(channel)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.zeros((int(counts.max(initial=0)), channels), dtype=np.int64)
    rows[place, channel] = row
    return rows, place
