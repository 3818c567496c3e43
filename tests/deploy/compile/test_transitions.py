"""Thresholds read off step functions: rising, falling, windows, insides, constants, codes; against brute force over all
pairs of pooled integers.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.deploy.compile.passes.transitions import Accumulators, Steps, code_rule, sign_rule, slope

CHANNELS = 3


@st.composite
def functions(draw, values, turns: int):
    """(integers of ``CHANNELS`` channels, one table for them): each column takes ``values`` with at most ``turns``
    changes, or in order where ``turns`` is 0.
    """
    step = draw(st.sampled_from([1, 2]))
    low = np.array([draw(st.integers(-9, 9)) for _ in range(CHANNELS)])
    counts = [draw(st.integers(1, 9)) for _ in range(CHANNELS)]
    reach = Accumulators(low, low + step * (np.array(counts) - 1), step)
    columns = []
    for count in counts:
        if turns:
            cuts = [draw(st.integers(1, 9)) for _ in range(turns)]
            parts = [draw(values) for _ in range(turns + 1)]
            column = [parts[sum(cut <= row for cut in cuts)] for row in range(count)]
        else:
            column = sorted(draw(st.lists(values, min_size=count, max_size=count)), reverse=draw(st.booleans()))
        columns.append(column + [column[-1]] * (max(counts) - count))  # as `Accumulators.rows` repeats the last one
    return reach, np.array(columns).T


def front(draw_signs) -> np.ndarray:
    return np.array(draw_signs, dtype=np.int8)


def pairs(reach: Accumulators, table: np.ndarray, channel: int, direction: int):
    """Every window of two integers, and what the network makes of it: f of the larger or the smaller one; of one
    integer without a pool.
    """
    values = np.unique(reach.table[:, channel])
    known = dict(zip(reach.table[:, channel].tolist(), table[:, channel].tolist(), strict=True))
    for window in itertools.product(values.tolist(), repeat=2 if direction else 1):
        yield np.array(window), known[max(window) if direction == 1 else min(window)]


def stored_sign(rule, channel: int, window: np.ndarray) -> bool:
    """What the FPGA computes: weights negated where own, the counts of thresholds pooled, one bit, its complement."""
    x = -window if rule.own[channel] else window
    counts = (x >= rule.low[channel]).astype(int) + (x >= rule.high[channel])
    return bool((counts.max() != 1) ^ rule.next[channel])


def single_sign(rule, channel: int, window: np.ndarray) -> bool:
    """The same with one threshold: an OR."""
    x = -window if rule.own[channel] else window
    return bool((x >= rule.high[channel]).any() ^ rule.next[channel])


@settings(max_examples=400)
@given(functions(st.booleans(), 2), st.lists(st.sampled_from([0, 1, -1]), min_size=CHANNELS, max_size=CHANNELS))
def test_signs(function, directions):
    """Windows, insides of windows, one threshold, constants; in front of pools of rising and falling numbers, and
    without.
    """
    reach, table = function
    steps, directions = Steps.of(reach, table), front(directions)
    rule = sign_rule(steps, directions, True)
    assert rule.window == (steps.counts == 2).any()
    for channel, direction in enumerate(directions):
        for window, expected in pairs(reach, table, channel, direction):
            assert stored_sign(rule, channel, window) == expected
            assert steps.counts[channel] == 2 or single_sign(rule, channel, window) == expected
        if not direction and steps.counts[channel] == 1:
            assert not rule.next[channel]  # the own weights pay for a falling sign


@settings(max_examples=200)
@given(functions(st.booleans(), 2), st.lists(st.sampled_from([0, 1]), min_size=CHANNELS, max_size=CHANNELS))
def test_signs_of_sums_without_weights(function, directions):
    """Nothing can be negated in front: the next layer pays."""
    reach, table = function
    steps, directions = Steps.of(reach, table), front(directions)
    rule = sign_rule(steps, directions, False)
    assert not rule.own.any()
    for channel, direction in enumerate(directions):
        for window, expected in pairs(reach, table, channel, direction):
            assert stored_sign(rule, channel, window) == expected
            assert steps.counts[channel] == 2 or single_sign(rule, channel, window) == expected


@settings(max_examples=400)
@given(
    functions(st.integers(-4, 4), 0),
    st.lists(st.sampled_from([0, 1, -1]), min_size=CHANNELS, max_size=CHANNELS),
    st.booleans(),
)
def test_codes(function, directions, own):
    """Rising, falling and constant codes, gaps between them, and channels that reach different ones."""
    reach, table = function
    steps, directions = Steps.of(reach, table), front(directions if own else np.abs(directions))
    rule = code_rule(steps, directions, own)
    assert rule.steps.shape == (CHANNELS, max(1, table.max() - table.min()))
    assert (np.diff(rule.steps, axis=1) >= 0).all()
    assert own or not rule.own.any()
    for channel, direction in enumerate(directions):
        for window, expected in pairs(reach, table, channel, direction):
            x = (-window if rule.own[channel] else window).max()
            assert rule.lowest + (rule.steps[channel] <= rule.signs[channel] * x).sum() == expected
        if not direction and own:
            assert rule.signs[channel] == 1


@settings(max_examples=200)
@given(functions(st.integers(-3, 3), 4))
def test_steps_are_the_function(function):
    """First value and changes give the table back, and everything that is asked of them."""
    reach, table = function
    steps = Steps.of(reach, table)
    assert (steps.first == table[0]).all()
    assert (steps.last == table[-1]).all()
    assert (steps.counts == (table[1:] != table[:-1]).sum(axis=0)).all()
    assert (steps.slope == slope(table)).all()
    assert steps.same(Steps.of(reach, table.copy()))
    assert steps.map(lambda v: 2 * v + 1).same(Steps.of(reach, 2 * table + 1))
    for channel in range(CHANNELS):
        above, below, values = steps.at(channel)
        known = dict(zip(reach.table[:, channel].tolist(), table[:, channel].tolist(), strict=True))
        assert [known[a] for a in above.tolist()] == values.tolist()
        assert all(known[b] != known[a] for a, b in zip(above.tolist(), below.tolist(), strict=True))
        mine = steps.channel == channel
        assert [known[b] for b in below.tolist()] == steps.before[mine].tolist()


@settings(max_examples=200)
@given(functions(st.integers(-3, 3), 2), st.data())
def test_another_function_is_not_the_same(function, data):
    reach, table = function
    row, channel = data.draw(st.integers(0, len(table) - 1)), data.draw(st.integers(0, CHANNELS - 1))
    other = table.copy()
    other[row, channel] += 1
    assert not Steps.of(reach, table).same(Steps.of(reach, other))


@pytest.mark.parametrize("direction", [0, 1, -1])
def test_constant_channels_lie_outside_the_range(direction):
    """Also in front of pools, of what falls too: the integers reach further down than up."""
    reach = Accumulators(np.full(2, -8), np.full(2, 4), 2)
    bits = np.stack([np.ones(7, dtype=bool), np.zeros(7, dtype=bool)], axis=1)
    rule = sign_rule(Steps.of(reach, bits), np.full(2, direction, np.int8), True)
    assert rule.high.tolist() == [-8, 6]
    assert not rule.own.any()
    assert not rule.next.any()
    assert not rule.window


def test_a_window_by_hand():
    """+1 outside -2..3, and inside: the complement."""
    reach = Accumulators(np.full(2, -5), np.full(2, 5), 1)
    values = reach.table[:, 0]
    outside = (values < -2) | (values >= 4)
    rule = sign_rule(Steps.of(reach, np.stack([outside, ~outside], axis=1)), np.zeros(2, np.int8), True)
    assert rule.window
    assert [rule.low.tolist(), rule.high.tolist(), rule.next.tolist()] == [[-2, -2], [4, 4], [False, True]]


def test_codes_by_hand():
    """A code that skips 1, and one that falls: its own weights are negated, or the test reads -x."""
    reach = Accumulators(np.array([0, 10]), np.array([3, 13]), 1)
    steps = Steps.of(reach, np.array([[0, 3], [0, 2], [2, 2], [3, 0]]))
    by_weights, by_signs = (code_rule(steps, np.zeros(2, np.int8), own) for own in (True, False))
    assert by_weights.steps.tolist() == by_signs.steps.tolist() == [[2, 2, 3], [-12, -12, -10]]
    assert [by_weights.own.tolist(), by_weights.signs.tolist()] == [[False, True], [1, 1]]
    assert [by_signs.own.tolist(), by_signs.signs.tolist()] == [[False, False], [1, -1]]


def test_ranges_of_different_length_share_a_table():
    reach = Accumulators(np.array([0, -5]), np.array([3, 5]), 1)
    assert reach.table.shape == (11, 2)
    assert reach.table[:, 0].max() == 3
    assert (reach.rows(2, 5) == reach.table[2:5]).all()
    assert [reach.union.low.tolist(), reach.union.high.tolist()] == [[-5], [5]]
    rule = sign_rule(Steps.of(reach, reach.table >= np.array([2, 0])), np.zeros(2, np.int8), True)
    assert rule.high.tolist() == [2, 0]


@pytest.mark.parametrize("most", range(1, 30, 4))
@pytest.mark.parametrize("high", [[3, 5], [0, -5]], ids=["11 rows", "one row"])
def test_every_pair_of_rows_is_in_one_block(most, high):
    reach = Accumulators(np.array([0, -5]), np.array(high), 1)
    blocks = list(reach.blocks(most))
    assert all(np.array_equal(rows, reach.table[start : start + len(rows)]) for start, rows in blocks)
    pairs = [start + row for start, rows in blocks for row in range(len(rows) - 1)]
    assert blocks and pairs == list(range(reach.count - 1))


@pytest.mark.parametrize(
    ("column", "direction"), [([1, 1, 1], 0), ([1, 1, 2], 1), ([3, 1, 1], -1), ([1, 2, 1], 2), ([False, True], 1)]
)
def test_slope(column, direction):
    assert slope(np.array(column)[:, None])[0] == direction


@settings(max_examples=100)
@given(functions(st.integers(0, 5), 3), st.lists(st.booleans(), min_size=CHANNELS, max_size=CHANNELS))
def test_turned_steps_are_those_of_the_negated_integers(function, channels):
    reach, table = function
    turned = Steps.of(reach, table).turned(np.array(channels))
    for channel, negated in enumerate(channels):
        above, _, values = turned.at(channel)
        code = np.append(turned.first[channel], values)
        for a, value in zip(reach.table[:, channel], table[:, channel], strict=True):
            assert code[np.searchsorted(above, -a if negated else a, side="right")] == value
    order = np.lexsort((turned.row, turned.channel))
    assert (order == np.arange(len(order))).all()


@given(functions(st.integers(-9, 9), 0))
def test_straight_steps_are_the_integers(function):
    reach, table = function
    assert Steps.of(reach, reach.table).straight
    assert Steps.of(reach, table).straight == (table == reach.table).all()
