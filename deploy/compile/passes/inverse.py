"""Float logits -> the accelerator's integers: the inverse of a head, class by class.

A head maps every reachable integer of a class to a logit. Its inverse takes the nearest of the class's different logits
and, where several integers have it, the smallest of them. Few integers are all tried once (`ByTable`). Where there are
many and the logits never turn back, rising or falling, each number asked for is found by halving the rows instead
(`ByBisection`): about twenty evaluations of the head on (N, classes) in place of a table of a million rows by a
thousand classes.

Distances are in steps from one logit to the next: 0 when the number is a logit of the class, 0.5 when it lies in the
middle of two; infinite for what is no number, and where the class has a single logit and this is another one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property

import numpy as np

from signflow.deploy.compile.passes.transitions import Accumulators
from signflow.deploy.compile.passes.truth import DENSE

Logits = Callable[[np.ndarray], np.ndarray]
"""Integers (values, classes) -> logits of the same shape."""


class Inverse(ABC):
    """Integers of logits, and integers of integers."""

    def __init__(self, head: Logits, reach: Accumulators):
        self.head, self.reach = head, reach

    @abstractmethod
    def invert(self, wanted: np.ndarray) -> tuple[np.ndarray, float]:
        """float64 (N, classes) -> (the smallest integers whose logits are nearest, int64 (N, classes); the largest
        distance to these logits).
        """

    def settle(self, integers: np.ndarray) -> np.ndarray:
        """Integers (N, classes) -> the smallest that have the same logits; what no class reaches stays as it is, so
        that it is seen.
        """
        low, high, step = self.reach.low, self.reach.high, self.reach.step
        reached = (low <= integers) & (integers <= high) & ((integers - low) % step == 0)
        return np.where(reached, self._least(np.where(reached, integers, low)), integers)

    @abstractmethod
    def _least(self, integers: np.ndarray) -> np.ndarray:
        """`settle` of reachable integers."""


def inverse(head: Logits, reach: Accumulators, never_turns_back: bool) -> Inverse:
    """The inverse of ``head`` on ``reach``; ``never_turns_back``: logits of a class rise or fall with its integer."""
    return ByBisection(head, reach) if reach.count > DENSE and never_turns_back else ByTable(head, reach)


def _nearest(wanted: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, float]:
    """(whether ``left`` is nearer than ``right`` or as near, the largest distance); all float64 of one shape."""
    takes = wanted - left <= right - wanted
    off = np.abs(wanted - np.where(takes, left, right))
    step = np.where(left < right, right - left, np.where(off > 0, 0, 1))
    with np.errstate(divide="ignore"):
        distance = np.where(np.isnan(off), np.inf, off / step)
    return takes, float(np.max(distance, initial=0.0))


class ByTable(Inverse):
    """Every reachable integer is tried."""

    def __init__(self, head: Logits, reach: Accumulators):
        super().__init__(head, reach)
        integers = reach.table
        table = head(integers).astype(np.float64)
        self.classes: list[tuple[np.ndarray, np.ndarray]] = []
        """(different logits, ascending; the smallest integer that has each) of every class."""
        for c in range(table.shape[1]):
            values, place = np.unique(table[:, c], return_inverse=True)
            least = np.full(len(values), np.iinfo(np.int64).max)
            np.minimum.at(least, place, integers[:, c])
            self.classes.append((values, least))
        rows = (reach.high - reach.low) // reach.step + 1
        self.one_to_one = [len(values) for values, _ in self.classes] == rows.tolist()

    def invert(self, wanted: np.ndarray) -> tuple[np.ndarray, float]:
        """See `Inverse.invert`."""
        result, worst = np.empty(wanted.shape, dtype=np.int64), 0.0
        for c, (values, least) in enumerate(self.classes):
            right = np.searchsorted(values, wanted[:, c]).clip(min(1, len(values) - 1), len(values) - 1)
            left = np.maximum(right - 1, 0)
            takes, distance = _nearest(wanted[:, c], values[left], values[right])
            result[:, c], worst = least[np.where(takes, left, right)], max(worst, distance)
        return result, worst

    def _least(self, integers: np.ndarray) -> np.ndarray:
        return integers if self.one_to_one else self.invert(self.head(integers).astype(np.float64))[0]


class ByBisection(Inverse):
    """Rows of equal logits form runs. Going down the rows, a number lies between two runs; the logits of both are
    compared with it. Falling classes are negated.
    """

    def _at(self, rows: np.ndarray) -> np.ndarray:
        """Logits at ``rows`` (values, classes), float64, negated in falling classes."""
        return self.sign * self.head(self.reach.at(rows)).astype(np.float64)

    @cached_property
    def _ends(self) -> np.ndarray:
        """Logits of the smallest and the largest integer, float64 (2, classes)."""
        return self.head(self.reach.at(np.array([[0], [self.reach.count - 1]]))).astype(np.float64)

    @cached_property
    def sign(self) -> np.ndarray:
        """(classes,): -1 where the logit falls."""
        return np.where(self._ends[1] < self._ends[0], -1.0, 1.0)

    @cached_property
    def _inner(self) -> tuple[np.ndarray, np.ndarray]:
        """First rows of the second and of the last run, (classes,); both 0 where there is one run."""
        first, last = self.sign * self._ends
        second = self._first(lambda values: values > first, 1)[0]
        return np.where(first < last, second, 0), self._first(lambda values: values >= last, 1)[0]

    def _first(self, reached: Callable[[np.ndarray], np.ndarray], values: int) -> np.ndarray:
        """The first row, (values, classes), at which ``reached`` (signed logits -> bool) holds; the number of rows
        where none does. It holds from there on.
        """
        low = np.zeros((values, len(self.reach.low)), dtype=np.int64)
        high = np.full_like(low, self.reach.count)
        while (open_ := low < high).any():
            middle = (low + high) // 2
            holds = reached(self._at(np.minimum(middle, self.reach.count - 1)))
            low, high = np.where(open_ & ~holds, middle + 1, low), np.where(open_ & holds, middle, high)
        return low

    def invert(self, wanted: np.ndarray) -> tuple[np.ndarray, float]:
        """See `Inverse.invert`."""
        falls, asked = self.sign < 0, self.sign * wanted
        second, last = self._inner
        # the first logit that is not below; of falling classes the first below, so that ties fall as in ascending order
        reached = lambda logits: np.where(falls, logits > asked, logits >= asked)  # noqa: E731
        here = self._first(reached, len(wanted)).clip(second, last)
        lower, upper = self._at(np.maximum(here - 1, 0)), self._at(here)
        left, right = (self.sign * np.where(falls, *pair) for pair in ((upper, lower), (lower, upper)))
        takes, worst = _nearest(wanted, left, right)
        before = np.where(takes != falls, lower, upper)
        return self.reach.at(self._first(lambda logits: logits >= before, len(wanted))), worst

    def _least(self, integers: np.ndarray) -> np.ndarray:
        values = self.sign * self.head(integers).astype(np.float64)
        return self.reach.at(self._first(lambda logits: logits >= values, len(integers)))
