"""From "what the sign says for every reachable integer" to one integer threshold per channel. Pure arithmetic, no
graph.

Let a be a channel's accumulator and f(a) the sign that the network computes from it, with MaxPools anywhere on the way.
If the numbers in front of the pools rise with a, then the largest of the pooled numbers comes from the largest
accumulator, and the result is f(max a_i); if they fall, it is f(min a_i). The hardware has the test [a >= T] and the
pool OR. Two changes of sign that cost nothing make them enough:

    own   negate the channel's own weights, so that its accumulator is -a
    next  store the complement of the bit, and negate the weights of the next product that read it

    in front of the pools   f        the network computes    as hardware                        own   next
    rising                  rising   [max a_i >= T]          OR  [ a_i >= T]                    no    no
    rising                  falling  [max a_i <= t]          not OR [ a_i >= t+1]               no    yes
    falling                 falling  [min a_i <= t]          OR  [-a_i >= -t]                   yes   no
    falling                 rising   [min a_i >= T]          not OR [-a_i >= 1-T]               yes   yes

So ``own`` follows the direction in front of the pools, and ``next`` says whether f runs against it: one rule for every
place a pool can have. Without a pool the numbers themselves decide, hence never ``next``: a negative gamma is a negated
row of weights. A channel that never changes gets a threshold below or above everything that can occur. Both folds are
exact: (-w) * (-x) = w * x.
"""

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
        return np.minimum(self.low + self.step * np.arange(first, min(last, self.count))[:, None], self.high)

    @property
    def table(self) -> np.ndarray:
        """All rows."""
        return self.rows(0, self.count)

    def at(self, rows: np.ndarray) -> np.ndarray:
        """The value of every channel in its own row; ``rows`` int (channels,)."""
        return np.minimum(self.low + self.step * rows, self.high)


def slope(table: np.ndarray) -> np.ndarray:
    """Direction of each column of ``table`` (values, channels): +1 never falls, -1 never rises, 0 constant, 2 both.
    int8 (channels,).
    """
    up, down = (table[1:] > table[:-1]).any(axis=0), (table[1:] < table[:-1]).any(axis=0)
    return np.where(up & down, 2, up.astype(np.int8) - down).astype(np.int8)


def changes(accumulators: Accumulators, bits: np.ndarray, channel: int) -> list[int]:
    """The accumulators at which column ``channel`` of ``bits`` differs from the value before."""
    rows = np.flatnonzero(bits[1:, channel] != bits[:-1, channel]) + 1
    return [int(accumulators.low[channel] + accumulators.step * row) for row in rows]


@dataclass(frozen=True)
class Thresholds:
    """One threshold per channel: stored bit = [s * a >= threshold] with s = -1 where ``own``; the network's sign is its
    complement where ``next``.
    """

    threshold: np.ndarray
    """int64 (channels,)"""
    own: np.ndarray
    """bool (channels,): negate the weights of this product."""
    next: np.ndarray
    """bool (channels,): negate the weights of the next product that read the channel."""


def thresholds(accumulators: Accumulators, bits: np.ndarray, in_front: np.ndarray) -> Thresholds:
    """Read thresholds off a truth table.

    ``bits`` bool (values, channels): the network's sign is +1. ``in_front`` int8 (channels,): `slope` in front of the
    pools (of f itself when there is none), never 2. Every column must change at most once (the caller refuses others).
    """
    f = slope(bits)
    own = (in_front == -1) & (f != 0)
    complement = (f == -1) ^ own
    stored = bits ^ complement  # rises with a, or falls where own
    first = accumulators.at(np.argmax(stored, axis=0))  # first value with the bit, where it rises
    last = accumulators.at(len(stored) - 1 - np.argmax(stored[::-1], axis=0))  # last one with it, where it falls
    constant = np.where(bits[0], accumulators.low, accumulators.high + accumulators.step)
    threshold = np.where(f == 0, constant, np.where(own, -last, first))
    return Thresholds(threshold, own, complement)
