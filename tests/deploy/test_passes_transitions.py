"""Thresholds read off truth tables: the four cases of `transitions`, against brute force over pooled accumulators."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.deploy.passes.transitions import Accumulators, changes, slope, thresholds


def reach(low: int, high: int, step: int = 1, channels: int = 1) -> Accumulators:
    return Accumulators(np.full(channels, low), np.full(channels, high), step)


def hardware(found, accumulators: tuple[int, ...]) -> bool:
    """What the FPGA computes: a threshold on every accumulator (negated weights where own), OR, complement."""
    own, complement = bool(found.own[0]), bool(found.next[0])
    bits = [(-a if own else a) >= found.threshold[0] for a in accumulators]
    return any(bits) != complement


@settings(max_examples=200)
@given(
    st.integers(-6, 6), st.sampled_from([1, 2]), st.integers(1, 7), st.booleans(), st.booleans(), st.integers(-8, 22)
)
def test_pool_in_front_of_the_sign(low, step, count, falls_before, falls_after, cut):
    """sign(h(max g(a_i))) with g and h rising or falling, over every window of two accumulators."""
    accumulators = reach(low, low + step * (count - 1), step)
    values = accumulators.table[:, 0]
    g = lambda a: -3.5 * a if falls_before else 3.5 * a  # noqa: E731
    h = lambda y: (-(y - cut) if falls_after else y - cut) >= 0  # noqa: E731
    bits = np.array([[h(g(a))] for a in values])
    found = thresholds(accumulators, bits, slope(np.array([[g(a)] for a in values])))
    for window in itertools.product(values, repeat=2):
        assert hardware(found, window) == h(max(g(a) for a in window))


@settings(max_examples=100)
@given(st.integers(-6, 6), st.integers(1, 9), st.booleans(), st.integers(-8, 9))
def test_pool_behind_the_sign(low, count, falls, cut):
    """max(sign(f(a_i))): the direction in front of the pool is the sign's own."""
    accumulators = reach(low, low + count - 1)
    values = accumulators.table[:, 0]
    f = lambda a: (cut - a if falls else a - cut) >= 0  # noqa: E731
    bits = np.array([[f(a)] for a in values])
    found = thresholds(accumulators, bits, slope(bits))
    assert not found.next.any()
    for window in itertools.product(values, repeat=2):
        assert hardware(found, window) == any(f(a) for a in window)


def test_constant_channels_lie_outside_the_range():
    accumulators = reach(-4, 4, 2, channels=2)
    bits = np.stack([np.ones(5, dtype=bool), np.zeros(5, dtype=bool)], axis=1)
    found = thresholds(accumulators, bits, slope(bits))
    assert found.threshold.tolist() == [-4, 6]
    assert not found.own.any() and not found.next.any()


def test_ranges_of_different_length_share_a_table():
    accumulators = Accumulators(np.array([0, -5]), np.array([3, 5]), 1)
    table = accumulators.table
    assert table.shape == (11, 2)
    assert table[:, 0].max() == 3
    bits = table >= np.array([2, 0])
    assert thresholds(accumulators, bits, slope(bits)).threshold.tolist() == [2, 0]


@pytest.mark.parametrize(
    ("column", "direction"), [([1, 1, 1], 0), ([1, 1, 2], 1), ([3, 1, 1], -1), ([1, 2, 1], 2), ([False, True], 1)]
)
def test_slope(column, direction):
    assert slope(np.array(column)[:, None])[0] == direction


def test_changes_names_the_values():
    assert changes(reach(-2, 2), np.array([[0], [1], [1], [0], [0]]), 0) == [-1, 1]
