"""95 % confidence intervals of what a few seeds show.

All come from Student's or Fisher's distribution, not from a bootstrap: that draws from the values seen, and of two to
five seeds it knows too few (two values have three different resampled means), so its intervals come out too short. The
price: values are taken as normal, and two seeds leave one degree of freedom, with t = 12.7 instead of 2.

Each function returns None where there is nothing to estimate from: fewer than two values, or no spread at all.
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev, variance

from scipy import stats

LEVEL = 0.95
Interval = tuple[float, float]
"""Lower and upper end."""


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Of the mean: m +- t s / sqrt(n), t at n - 1 degrees of freedom."""
    if len(values) < 2 or not (spread := stdev(values)):
        return None
    return _around(fmean(values), spread / math.sqrt(len(values)), len(values) - 1)


def geometric_interval(values: Sequence[float]) -> Interval | None:
    """Of the geometric mean of positive numbers: the interval of the mean of their logarithms, raised again."""
    logarithms = mean_interval([math.log(value) for value in values])
    return logarithms and (math.exp(logarithms[0]), math.exp(logarithms[1]))


def gap_interval(values: Sequence[float], base: Sequence[float]) -> Interval | None:
    """Of mean(values) - mean(base), with variances of their own (Welch, Biometrika 1947; degrees of freedom after
    Satterthwaite).
    """
    if min(len(values), len(base)) < 2:
        return None
    a, b = variance(values) / len(values), variance(base) / len(base)
    if not a + b:
        return None
    freedom = (a + b) ** 2 / (a**2 / (len(values) - 1) + b**2 / (len(base) - 1))
    return _around(fmean(values) - fmean(base), math.sqrt(a + b), freedom)


def spread_interval(values: Sequence[float], base: Sequence[float]) -> Interval | None:
    """Of std(values) / std(base), from the F distribution of the ratio of two variances."""
    if min(len(values), len(base)) < 2 or not stdev(values) or not stdev(base):
        return None
    ratio = variance(values) / variance(base)
    low, high = stats.f.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], len(values) - 1, len(base) - 1)
    return math.sqrt(ratio / high), math.sqrt(ratio / low)


def _around(centre: float, error: float, freedom: float) -> Interval:
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return centre - half, centre + half


def with_interval(value: float, interval: Interval | None, form: str) -> str:
    """``value [low, high]`` in the format ``form``; without an interval the value alone."""
    return format(value, form) + (f" [{interval[0]:{form}}, {interval[1]:{form}}]" if interval else "")


def mean_of(values: Sequence[float], form: str) -> str:
    """The mean with its interval."""
    return with_interval(fmean(values), mean_interval(values), form)
