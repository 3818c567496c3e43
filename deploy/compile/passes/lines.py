"""From the steps of a quantiser to one multiplication: code = clip((a * M + B) >> S, low, high). Pure arithmetic, no
graph.

Where a code has hundreds of values, its thresholds no longer fit, but a channel's normalisation is often a straight
line. Let a run through the integers of a channel, and let the code rise from run to run. With q = 2^S, a line M a + B
gives code y at a where

    y q  <=  M a + B                    unless y is the lowest code of the layer, to which lower ones are clipped
    M a + B  <=  (y + 1) q - 1          unless y is the highest

Only the first integer of a run matters above (a floor), only the last one below (a ceiling): the line must pass between
two rows of points. What (M, B) do, is a polygon. A floor (a, y) and a ceiling (a', y') leave some B for M exactly if

    M (a' - a)  <=  (y' + 1 - y) q - 1

so all pairs together bound M from both sides, and every integer M between the bounds has an integer B. Of the points,
only the corners of the convex hulls can bind: a few of a hundred. The bounds are exact, there is no search that could
miss a channel.

A pair for S gives one for S + 1, (2 M, 2 B). So the smallest shift of a layer is the largest of its channels' own. At
this shift every channel takes its smallest M, which has the fewest bits, and of its B the one with most zeros at the
end. Channels that fall have a negative M, constant ones M = 0.

There is no line for a channel that turns back (ABN's x sigmoid(x), a PReLU with a negative slope), and none for one
that bends by more than the rounding hides: a PReLU with a slope of its own, a quantiser of uneven steps, or x / 4 with
halves rounded to even (0.5 down, 1.5 up, 2.5 down). One such channel, and the layer has no line: hardware that
multiplies some channels and looks others up would need both.

Of random channels of BN (5, 6, 8, 9 bits) and BN-free layers (5, 6, 8 bits) with 576 to 4,608 inputs, 27,999 of 28,000
have a line. The one that has none has 8 bits and 4,608 inputs: there float32's own rounding bends it. Of RPReLU's
channels at most 5.5 % have one: those whose bend no integer reaches (`tests/deploy/compile/test_lines.py` prints a
table).
"""

from dataclasses import dataclass

import numpy as np

from signflow.deploy.compile.passes.transitions import Steps

MAX_SHIFT = 31
MAX_SUM = 2**45
"""Bound of a M + B: a DSP block adds to 48 bits, and types round up."""

Points = list[tuple[int, int]]
"""(integer, code), ascending in both."""


@dataclass(frozen=True)
class LineRule:
    """Code = clip((a * factor + offset) >> shift, low, high), where >> rounds down."""

    factor: np.ndarray
    """int64 (channels,)"""
    offset: np.ndarray
    """int64 (channels,)"""
    shift: int
    low: int
    high: int

    def codes(self, integers: np.ndarray) -> np.ndarray:
        """Of ``integers`` int64 (.., channels)."""
        return np.clip((integers * self.factor + self.offset) >> self.shift, self.low, self.high)


@dataclass(frozen=True)
class Corridor:
    """The lines that a channel's code allows, for every shift; ``sign`` -1 where it falls: then of the integers -a."""

    sign: int
    floors: Points
    """Corners of the hull of what lies on or below the line."""
    ceilings: Points
    """Corners of the hull of what lies above it: of code y, the line stays below y + 1."""
    constant: int | None
    """The code of a channel that has one only."""

    @staticmethod
    def of(codes: Steps, channel: int, low: int, high: int) -> "Corridor | None":
        """Of a channel of ``codes`` in a layer that clips to ``low``..``high``; None where the channel turns back."""
        above, below, later = codes.at(channel)
        reach, values = codes.accumulators, np.concatenate([codes.first[channel : channel + 1], later])
        if not len(later):
            return Corridor(1, [], [], int(values[0]))
        first = np.concatenate([reach.low[channel : channel + 1], above])
        last = np.concatenate([below, reach.high[channel : channel + 1]])
        up = np.diff(values) > 0
        if up.any() and not up.all():
            return None
        sign = 1 if up.all() else -1
        if sign == -1:
            first, last, values = -last[::-1], -first[::-1], values[::-1]
        runs = list(zip(first.tolist(), last.tolist(), values.tolist(), strict=True))
        floors = _hull([(a, y) for a, _, y in runs if y > low], 1)
        return Corridor(sign, floors, _hull([(a, y) for _, a, y in runs if y < high], -1), None)

    def least(self, shift: int) -> int | None:
        """The smallest M of a line at this shift, 0 or more; None where there is none."""
        least, most = 0, None
        for a, y in self.floors:
            for b, z in self.ceilings:
                room, step = ((z + 1 - y) << shift) - 1, b - a
                if step > 0:
                    most = room // step if most is None else min(most, room // step)
                elif step < 0:
                    least = max(least, -(room // -step))
        return least if most is None or least <= most else None

    def shift(self) -> int | None:
        """The smallest one that has a line."""
        if self.least(MAX_SHIFT) is None:
            return None
        low, high = -1, MAX_SHIFT
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.least(middle) is not None else (middle, high)
        return high

    def line(self, shift: int) -> tuple[int, int]:
        """(M, B) at a shift that has one."""
        if self.constant is not None:
            return 0, self.constant << shift
        m = self.least(shift)
        low = max((y << shift) - m * a for a, y in self.floors)
        high = min(((y + 1) << shift) - 1 - m * a for a, y in self.ceilings)
        return self.sign * m, _roundest(low, high)


def line_rule(codes: Steps, ends: tuple[int, int]) -> LineRule | None:
    """The line of every channel of integer ``codes`` (values int64), or None where a channel has none. Exact for every
    integer that the channel reaches, which is checked on all of them; ``ends`` of the integers' type are what the
    hardware's sums must hold.
    """
    (low, high), corridors, shift = codes.ends, [], 0
    for channel in range(len(codes.first)):
        corridor = Corridor.of(codes, channel, low, high)
        own = None if corridor is None else corridor.shift()
        if own is None:
            return None
        corridors.append(corridor)
        shift = max(shift, own)
    lines = [corridor.line(shift) for corridor in corridors]
    if max(abs(m * end) + abs(b) for m, b in lines for end in ends) >= MAX_SUM:
        return None
    factor, offset = np.array(lines, dtype=np.int64).T
    rule = LineRule(factor, offset, shift, low, high)
    _check(rule, codes)
    return rule


def _check(rule: LineRule, codes: Steps) -> None:
    """Every integer of every channel against the steps."""
    reach = codes.accumulators
    for channel in range(len(codes.first)):
        above, _, later = codes.at(channel)
        a = np.arange(reach.low[channel], reach.high[channel] + 1, reach.step)
        values = np.concatenate([codes.first[channel : channel + 1], later])
        one = LineRule(rule.factor[channel], rule.offset[channel], rule.shift, rule.low, rule.high)
        if (one.codes(a) != values[np.searchsorted(above, a, side="right")]).any():
            raise AssertionError(f"channel {channel}: (a * {one.factor} + {one.offset}) >> {one.shift} is not its code")


def _hull(points: Points, side: int) -> Points:
    """Corners of the convex hull of ascending ``points`` on one side: 1 what lies above all of them, -1 below."""
    corners: Points = []
    for x, y in points:
        while len(corners) > 1:
            (a, b), (c, d) = corners[-2:]
            if side * ((d - b) * (x - a) - (y - b) * (c - a)) > 0:
                break
            corners.pop()
        corners.append((x, y))
    return corners


def _roundest(low: int, high: int) -> int:
    """The integer of low..high with most zeros at its end."""
    zeros = max(abs(low), abs(high)).bit_length()
    while (rounded := -(-low >> zeros) << zeros) > high:
        zeros -= 1
    return rounded
