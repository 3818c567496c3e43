"""95 % intervals against scipy's own, and against what an interval is for: how often it holds the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from signflow.models.study.intervals import (
    LEVEL,
    gap_interval,
    geometric_interval,
    mean_interval,
    mean_of,
    spread_interval,
    with_interval,
)

ACCURACIES = st.lists(st.integers(0, 10_000).map(lambda hits: hits / 100), min_size=2, max_size=6)
SPREAD = ACCURACIES.filter(lambda values: max(values) > min(values))


@given(SPREAD)
def test_mean_against_scipy(values):
    expected = stats.ttest_1samp(values, 0).confidence_interval(LEVEL)
    assert mean_interval(values) == pytest.approx(tuple(expected), rel=1e-9, abs=1e-9)


@given(SPREAD, SPREAD)
def test_gap_against_scipy(values, base):
    expected = stats.ttest_ind(values, base, equal_var=False).confidence_interval(LEVEL)
    assert gap_interval(values, base) == pytest.approx(tuple(expected), rel=1e-8, abs=1e-8)


@given(SPREAD, SPREAD)
def test_spread_is_where_the_ratio_of_variances_is_not_unlikely(values, base):
    """Were the true ratio an end of the interval, the ratio seen would be at the edge of what is likely."""
    low, high = spread_interval(values, base)
    seen = np.var(values, ddof=1) / np.var(base, ddof=1)
    for end, tail in ((low, 0.025), (high, 0.975)):
        assert stats.f.sf(seen / end**2, len(values) - 1, len(base) - 1) == pytest.approx(tail, rel=1e-6)
    assert spread_interval(base, values) == pytest.approx((1 / high, 1 / low))


@given(st.lists(st.integers(-40, 40), min_size=2, max_size=6).filter(lambda v: max(v) > min(v)))
def test_geometric_mean_in_logarithms(exponents):
    interval = geometric_interval([2.0**e for e in exponents])
    assert np.log2(interval) == pytest.approx(mean_interval(exponents), abs=1e-9)


def test_two_seeds_in_closed_form():
    """One degree of freedom is Cauchy's distribution: t = tan(0.475 pi) = 12.706, and half the width t |a - b| / 2."""
    half = np.tan(np.pi * 0.475) * 0.5
    assert mean_interval([80, 81]) == pytest.approx((80.5 - half, 80.5 + half))
    assert half == pytest.approx(6.353, abs=1e-3)


def test_nothing_to_estimate_from():
    assert mean_interval([80]) is None and mean_interval([80, 80]) is None
    assert gap_interval([80, 81], [79]) is None and gap_interval([80, 80], [79, 79]) is None
    assert gap_interval([80, 81], [79, 79]) == pytest.approx((1.5 - 6.3531, 1.5 + 6.3531), abs=1e-4)
    assert spread_interval([80, 81], [79, 79]) is None and spread_interval([80], [79, 78]) is None
    assert geometric_interval([2.0]) is None


@pytest.mark.parametrize("seeds", [2, 5])
def test_19_of_20_intervals_hold_the_truth(seeds):
    """2,000 draws: 95 % +- 2.2 is four standard errors. A bootstrap's percentiles hold it far less often."""
    rng = np.random.default_rng(seeds)
    draws, misses = rng.normal(80, 1, (2000, seeds)), {"t": 0, "bootstrap": 0}
    picks = rng.integers(0, seeds, (200, seeds))
    for values in draws:
        low, high = mean_interval(values)
        misses["t"] += not low <= 80 <= high
        low, high = np.quantile(values[picks].mean(axis=1), [0.025, 0.975])
        misses["bootstrap"] += not low <= 80 <= high
    assert misses["t"] / 2000 == pytest.approx(0.05, abs=0.022)
    assert misses["bootstrap"] / 2000 > {2: 0.4, 5: 0.1}[seeds]


def test_as_text():
    assert with_interval(1.5, (-0.004, 3), "+.2f") == "+1.50 [-0.00, +3.00]"
    assert with_interval(1.5, None, ".1f") == "1.5"
    assert mean_of([80, 81], ".1f") == "80.5 [74.1, 86.9]" and mean_of([80], ".1f") == "80.0"
