"""From "what the network makes of every reachable integer" to integer thresholds per channel. Pure arithmetic, no
graph.

Let a be a channel's integer and f(a) what the network computes from it: a sign, or the code of a multi-bit quantiser,
with MaxPools anywhere on the way. f is a step function; `Steps` lists where it changes.

**Signs.** If the numbers in front of the pools rise with a, then the largest of the pooled numbers comes from the
largest integer, and the result is f(max a_i); if they fall, it is f(min a_i). The hardware has the test [a >= T], the
window [a < T1 or a >= T2], and pools that take the maximum. Two changes of sign that cost nothing make them enough:

    own   negate the channel's own weights, so that its accumulator is -a
    next  store the complement of the bit, and negate the weights of the next product that read it

    in front of the pools   f        the network computes    as hardware                        own   next
    rising                  rising   [max a_i >= T]          OR  [ a_i >= T]                    no    no
    rising                  falling  [max a_i <= t]          not OR [ a_i >= t+1]               no    yes
    falling                 falling  [min a_i <= t]          OR  [-a_i >= -t]                   yes   no
    falling                 rising   [min a_i >= T]          not OR [-a_i >= 1-T]               yes   yes

So ``own`` follows the direction in front of the pools, and ``next`` says whether the bit is 0 at the far end. Without a
pool the sign itself decides the direction, hence never ``next`` for one threshold: a negative gamma is a negated row of
weights. A sign that changes twice is +1 outside of an interval (a window), or inside: the complement of one. The window
of a maximum follows from [max >= T] = OR [a_i >= T]: the count [a >= T1] + [a >= T2] rises with a, so the pool takes
the largest count, and the bit is [count != 1] behind it. A channel that never changes gets thresholds below or above
everything that can occur.

**Codes** of a multi-bit quantiser are counts of ascending thresholds, lowest code + number of T_k <= s a, with s = -1
where the code falls (by negating the channel's own weights if no pool is in between). A code that turns
back is a table: the thresholds count in which interval the integer lies, and the table says which code that is.

Everything is exact: (-w) * (-x) = w * x.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Accumulators:
    """Reachable integers of every channel: ``low + step * row``, clipped at ``high``."""

    low: np.ndarray
    """int64 (channels,)"""
    high: np.ndarray
    """int64 (channels,)"""
    step: int
    """2 for sums of an even or odd number of +-1, whose parity never changes; 1 otherwise."""

    @property
    def count(self) -> int:
        """Rows of the table: values of the channel that has most."""
        return int((self.high - self.low).max()) // self.step + 1

    def rows(self, first: int, last: int) -> np.ndarray:
        """Rows first..last-1 of the table, int64 (values, channels): ascending down each column; short columns repeat
        their last value.
        """
        return self.at(np.arange(first, min(last, self.count))[:, None])

    def blocks(self, most: int) -> Iterator[tuple[int, np.ndarray]]:
        """(first row, rows) of the whole table, about ``most`` numbers at a time; blocks overlap by one row, so that
        every step from one value to the next lies in one of them.
        """
        size = max(2, most // len(self.low))
        for start in range(0, max(1, self.count - 1), size - 1):
            yield start, self.rows(start, start + size)

    def at(self, rows: np.ndarray) -> np.ndarray:
        """The integers at ``rows`` int64 (values, channels or 1)."""
        return np.minimum(self.low + self.step * rows, self.high)

    @property
    def table(self) -> np.ndarray:
        """All rows."""
        return self.rows(0, self.count)

    @property
    def union(self) -> "Accumulators":
        """One channel that reaches whatever any channel reaches."""
        low = self.low.min(keepdims=True)
        step = 1 if ((self.low - low) % self.step).any() else self.step  # channels of either parity
        return Accumulators(low, self.high.max(keepdims=True), step)


def slope(table: np.ndarray) -> np.ndarray:
    """Direction of each column of ``table`` (values, channels): +1 never falls, -1 never rises, 0 constant, 2 both.
    int8 (channels,).
    """
    up, down = (table[1:] > table[:-1]).any(axis=0), (table[1:] < table[:-1]).any(axis=0)
    return np.where(up & down, 2, up.astype(np.int8) - down).astype(np.int8)


@dataclass(frozen=True)
class Steps:
    """A step function per channel: its value at the smallest integer, and every change."""

    accumulators: Accumulators
    first: np.ndarray
    """(channels,): value at the smallest integer."""
    channel: np.ndarray
    """int64 (changes,): sorted by channel, then row."""
    row: np.ndarray
    """int64 (changes,): row of `Accumulators.rows` from which on the new value holds."""
    value: np.ndarray
    """(changes,): the new value."""

    @staticmethod
    def of(accumulators: Accumulators, table: np.ndarray) -> "Steps":
        """Read off a whole ``table`` (values, channels)."""
        row, channel = np.nonzero(table[1:] != table[:-1])
        order = np.lexsort((row, channel))
        row, channel = row[order] + 1, channel[order]
        return Steps(accumulators, table[0], channel, row, table[row, channel])

    @property
    def counts(self) -> np.ndarray:
        """int64 (channels,): number of changes."""
        return np.bincount(self.channel, minlength=len(self.first))

    @property
    def before(self) -> np.ndarray:
        """(changes,): value in front of every change."""
        if not len(self.value):
            return self.value
        shifted = np.concatenate([self.first[:1], self.value[:-1]])
        starts = np.concatenate([[True], self.channel[1:] != self.channel[:-1]])
        return np.where(starts, self.first[self.channel], shifted)

    @property
    def last(self) -> np.ndarray:
        """(channels,): value at the largest integer."""
        result = self.first.copy()
        result[self.channel] = self.value  # ascending rows: the last assignment stays
        return result

    @property
    def ends(self) -> tuple[int, int]:
        """The smallest and the largest value of all channels."""
        values = np.concatenate([self.first, self.value])
        return int(values.min()), int(values.max())

    @property
    def straight(self) -> bool:
        """The value is the integer itself."""
        reach = self.accumulators
        above = reach.low[self.channel] + reach.step * self.row
        everywhere = (self.counts == (reach.high - reach.low) // reach.step).all()
        return bool(everywhere and (self.first == reach.low).all() and (self.value == above).all())

    @property
    def slope(self) -> np.ndarray:
        """Direction of each channel, as `slope`."""
        up, down = (np.zeros(len(self.first), dtype=bool) for _ in range(2))
        up[self.channel[self.value > self.before]] = True
        down[self.channel[self.value < self.before]] = True
        return np.where(up & down, 2, up.astype(np.int8) - down).astype(np.int8)

    def map(self, function) -> "Steps":
        """The steps with every value replaced by ``function`` (array -> array, one to one)."""
        return Steps(self.accumulators, function(self.first), self.channel, self.row, function(self.value))

    def at(self, channel: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(integers at which the channel changes, the integers just below them, values from there on)."""
        mine = self.channel == channel
        low, high = self.accumulators.low[channel], self.accumulators.high[channel]
        above = np.minimum(low + self.accumulators.step * self.row[mine], high)
        return above, above - self.accumulators.step, self.value[mine]

    @property
    def values(self) -> list[np.ndarray]:
        """Of every channel, ascending, each once."""
        return [np.unique(np.append(first, self.at(c)[2])) for c, first in enumerate(self.first)]

    def turned(self, channels: np.ndarray) -> "Steps":
        """The same functions of -a in the place of a in ``channels``, bool (channels,)."""
        reach, mine = self.accumulators, channels[self.channel]
        low, high = (np.where(channels, -b, a) for a, b in ((reach.low, reach.high), (reach.high, reach.low)))
        rows = (reach.high - reach.low) // reach.step + 1
        row = np.where(mine, rows[self.channel] - self.row, self.row)
        order = np.lexsort((row, self.channel))
        value, first = np.where(mine, self.before, self.value), np.where(channels, self.last, self.first)
        return Steps(Accumulators(low, high, reach.step), first, self.channel, row[order], value[order])

    def same(self, other: "Steps") -> bool:
        """Whether both are the same function of the same integers."""
        mine, its = ((s.first, s.channel, s.row, s.value) for s in (self, other))
        return all(np.array_equal(a, b) for a, b in zip(mine, its, strict=True))


@dataclass(frozen=True)
class SignRule:
    """Stored bit = [x < low or x >= high] with x = -a where ``own``; the network's sign is its complement where
    ``next``.
    """

    low: np.ndarray
    """int64 (channels,): the smallest reachable x where the channel has one threshold."""
    high: np.ndarray
    """int64 (channels,)"""
    own: np.ndarray
    """bool (channels,): negate the weights of this product."""
    next: np.ndarray
    """bool (channels,): negate the weights of the next product that read the channel."""
    window: bool
    """Some channel needs both thresholds."""


def sign_rule(bits: Steps, in_front: np.ndarray, own: bool) -> SignRule:
    """Thresholds of signs, see above.

    ``bits``: the sign is +1 (values bool), at most two changes a channel. ``in_front`` int8 (channels,): `slope` in
    front of the pools, 0 where there is none. ``own``: the weights in front may be negated; without it, ``in_front``
    must not be -1 anywhere.
    """
    reach, counts = bits.accumulators, bits.counts
    direction = np.where(in_front == 0, bits.slope if own else 0, in_front)
    negate = (direction == -1) & (counts > 0)
    far = np.where(negate, bits.first, bits.last)
    low = np.where(negate, -reach.high, reach.low)
    high = np.where(bits.first, low, reach.high + reach.step)  # of constant channels
    for channel in np.flatnonzero(counts):
        above, below, _ = bits.at(channel)
        edges = -below[::-1] if negate[channel] else above
        high[channel] = edges[-1]
        low[channel] = edges[0] if len(edges) == 2 else low[channel]
    return SignRule(low, high, negate, ~far & (counts > 0), bool((counts == 2).any()))


@dataclass(frozen=True)
class CodeRule:
    """Code = lowest code + number of thresholds <= s x, with x = -a where ``own`` and s = ``signs``."""

    lowest: int
    steps: np.ndarray
    """int64 (channels, highest code - lowest code): ascending in every channel. A single code has one step that is
    never reached.
    """
    own: np.ndarray
    """bool (channels,): negate the weights of this product."""
    signs: np.ndarray
    """int64 (channels,): +1 or -1."""


def code_rule(codes: Steps, in_front: np.ndarray, own: bool) -> CodeRule:
    """Thresholds of integer codes (values int64), each of which rises or falls with the integer in every channel;
    ``in_front`` and ``own`` as in `sign_rule`.
    """
    reach, direction = codes.accumulators, codes.slope
    negate = (in_front == -1) | ((in_front == 0) & (direction == -1) & own)
    rising = np.where(direction == -1, -1, 1)  # the code rises with rising * a
    signs = np.where(negate, -rising, rising)
    everything = np.concatenate([codes.first, codes.value])
    lowest, highest = int(everything.min()), int(everything.max())
    levels = np.arange(lowest + 1, max(highest, lowest + 1) + 1)
    steps = np.empty((len(codes.first), len(levels)), dtype=np.int64)
    last = codes.last
    for channel in range(len(codes.first)):
        above, below, values = codes.at(channel)
        if rising[channel] > 0:
            start, edges, least = codes.first[channel], above, reach.low[channel]
            most = reach.high[channel]
        else:
            start, edges, least = last[channel], -below[::-1], -reach.high[channel]
            most, values = -reach.low[channel], np.concatenate([codes.first[channel : channel + 1], values[:-1]])[::-1]
        never = np.append(edges, most + reach.step)
        found = never[np.searchsorted(values, levels, side="left")]
        steps[channel] = np.where(levels <= start, least, found)
    return CodeRule(lowest, steps, negate, signs)


@dataclass(frozen=True)
class TableRule:
    """Code = table[number of thresholds <= a]."""

    steps: np.ndarray
    """int64 (channels, intervals - 1): ascending in every channel."""
    table: np.ndarray
    """int64 (channels, intervals)"""


def table_rule(codes: Steps) -> TableRule:
    """Any step function of integers (values int64); one step at least, which constants never reach."""
    reach, width, channels = codes.accumulators, max(1, int(codes.counts.max(initial=0))), len(codes.first)
    steps, table = np.empty((channels, width), dtype=np.int64), np.empty((channels, width + 1), dtype=np.int64)
    for channel in range(channels):
        above, _, values = codes.at(channel)
        values, rest = np.append(codes.first[channel], values), width - len(above)
        steps[channel] = np.append(above, np.full(rest, reach.high[channel] + reach.step))
        table[channel] = np.append(values, np.full(rest, values[-1]))
    return TableRule(steps, table)
