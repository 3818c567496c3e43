"""The integers that a region starts at, and the network's own numbers that they stand for."""

from dataclasses import dataclass

import numpy as np

from signflow.deploy.compile.passes.rounding import ROUNDING
from signflow.deploy.compile.passes.transitions import Accumulators


@dataclass(frozen=True)
class Numbers:
    """The network's number is scale * n + offset for a reachable integer n; the reference computes it up to ``error``
    (`rounding`). All float64 (channels,).
    """

    reach: Accumulators
    scale: np.ndarray
    offset: np.ndarray
    error: np.ndarray

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.scale)

    @property
    def uniform(self) -> bool:
        """The same number stands for the same integer in every channel."""
        return bool((self.scale == self.scale[0]).all() and (self.offset == self.offset[0]).all())

    def integers_off(self, operations: int) -> float:
        """The largest ``error`` of a channel counted in integers, with what ``operations`` that round their results to
        float32 may add; 0 where all integers are one number.
        """
        largest = np.maximum(np.abs(self.at(self.reach.low)), np.abs(self.at(self.reach.high)))
        error, apart = self.error + operations * ROUNDING * largest, np.abs(self.scale)
        return float(np.divide(error, apart, out=np.zeros_like(error), where=apart > 0).max())

    @property
    def union(self) -> "Numbers":
        """One channel that reaches whatever any channel of a `uniform` one reaches."""
        return Numbers(self.reach.union, self.scale[:1], self.offset[:1], self.error.max(keepdims=True))

    def at(self, integers: np.ndarray, side: int = 0) -> np.ndarray:
        """``integers`` (values, channels) as float32; with ``side`` -1 or +1 the lower or upper end of what the
        reference may compute instead.
        """
        exact = integers * self.scale + self.offset + side * self.error
        rounded = exact.astype(np.float32)
        if side == 0:
            return rounded
        return np.where((rounded - exact) * side < 0, np.nextafter(rounded, np.float32(side * np.inf)), rounded)
