"""Requantisation by one multiplication: what is found against brute force, and layers of the papers' normalisations.

python -m signflow.tests.deploy.compile.test_lines prints the table of layers.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.deploy.compile.passes.lines import Corridor, _roundest, line_rule
from signflow.deploy.compile.passes.transitions import Accumulators, Steps

CHANNELS = 3
ENDS = (-1024, 1023)


@st.composite
def layers(draw):
    """(integers of every channel, one table of codes): lines with a bend in some, any order of codes in others."""
    step, high = draw(st.sampled_from([1, 2])), draw(st.integers(0, 4))
    low = np.array([draw(st.integers(-9, 9)) for _ in range(CHANNELS)])
    counts = [draw(st.integers(1, 9)) for _ in range(CHANNELS)]
    columns = []
    for a, count in zip(low, counts, strict=True):
        x = a + step * np.arange(count)
        slope, offset = draw(st.floats(-2, 2)), draw(st.floats(-9, 9))
        bend = draw(st.sampled_from([0, 0, 0, 0.3, -3]))
        line = np.floor(slope * x + bend * np.maximum(x, 0) + offset)
        column = np.clip(line, -1, high).astype(int).tolist()
        columns.append(column + [column[-1]] * (max(counts) - count))
    return Accumulators(low, low + step * (np.array(counts) - 1), step), np.array(columns).T


def lines(x, y, low, high, shift, most) -> list[int]:
    """Every M from -most to most for which some B gives all codes, by trying B."""
    found = []
    for m in range(-most, most + 1):
        beyond = abs(m) * int(x[-1] - x[0])  # the first code may be clipped from there
        offsets = np.arange((low << shift) - beyond - 1, (high + 2 << shift) + beyond) - m * x[0]
        codes = np.clip((x * m + offsets[:, None]) >> shift, low, high)
        found += [m] if (codes == y).all(axis=1).any() else []
    return found


@settings(max_examples=150, deadline=None)
@given(layers(), st.integers(0, 3))
def test_the_smallest_factor_of_every_shift_is_what_brute_force_finds(layer, shift):
    reach, table = layer
    steps, low, high = Steps.of(reach, table), int(table.min()), int(table.max())
    for channel in range(CHANNELS):
        x = np.arange(reach.low[channel], reach.high[channel] + 1, reach.step)
        steepest = (high - low + 1) << shift  # one step of x is enough for all codes
        found = lines(x, table[: len(x), channel], low, high, shift, steepest)
        corridor = Corridor.of(steps, channel, low, high)
        least = None if corridor is None else corridor.least(shift)
        assert least == (min(map(abs, found)) if found else None)
        if least is not None:
            assert corridor.line(shift)[0] in found and corridor.shift() <= shift


@settings(max_examples=150, deadline=None)
@given(layers())
def test_a_layer_has_a_line_exactly_if_every_channel_has_one(layer):
    reach, table = layer
    steps, low, high = Steps.of(reach, table), int(table.min()), int(table.max())
    corridors = [Corridor.of(steps, channel, low, high) for channel in range(CHANNELS)]
    shifts = [None if corridor is None else corridor.shift() for corridor in corridors]
    rule = line_rule(steps, ENDS)
    assert (rule is None) == (None in shifts)
    if rule is not None:
        assert rule.shift == max(shifts) and (rule.low, rule.high) == (low, high)
        np.testing.assert_array_equal(rule.codes(reach.table), table)


def test_by_hand():
    """The first step of a sign at 10; thirds, which need 4 bits behind the point: 5 a + 5 in 16ths."""
    reach, x = Accumulators(np.array([0]), np.array([15]), 1), np.arange(16)[:, None]
    rule = line_rule(Steps.of(reach, (x >= 10).astype(int)), ENDS)
    assert (rule.factor.tolist(), rule.offset.tolist(), rule.shift) == ([1], [-9], 0)
    rule = line_rule(Steps.of(reach, x // 3), ENDS)
    assert (rule.factor.tolist(), rule.offset.tolist(), rule.shift) == ([5], [5], 4)
    rule = line_rule(Steps.of(reach, 7 - x // 3), ENDS)
    assert (rule.factor.tolist(), rule.shift) == ([-5], 4)
    assert line_rule(Steps.of(reach, np.where(x < 9, x // 3, x - 6)), ENDS) is None  # it bends
    assert line_rule(Steps.of(reach, np.abs(x - 8)), ENDS) is None  # it turns back


@given(st.integers(-300, 300), st.integers(0, 40))
def test_the_offset_has_most_zeros_at_its_end(low, more):
    zeros = lambda n: 99 if n == 0 else (n & -n).bit_length()  # noqa: E731
    found = _roundest(low, low + more)
    assert low <= found <= low + more and zeros(found) == max(zeros(n) for n in range(low, low + more + 1))


def test_a_sum_wider_than_the_hardware_has_no_line():
    """A slope of 2^-20 beside a jump by 1,000: each alone has a line, both at one shift take 50 bits and more."""
    slow, fast = (0, 1), (2**19, 1000)
    ends = np.array([0, 0]), np.array([2**20, 2**20])
    for kept in ([slow], [fast], [slow, fast]):
        reach = Accumulators(ends[0][: len(kept)], ends[1][: len(kept)], 1)
        first = np.zeros(len(kept), dtype=np.int64)
        rows, values = (np.array(part) for part in zip(*((row + 3, value) for row, value in kept), strict=True))
        rule = line_rule(Steps(reach, first, np.arange(len(kept)), rows, values), (0, 2**20))
        assert (rule is None) == (len(kept) == 2)


def normalised(rng, kind: str, fan_in: int, bits: int, step: float, channels: int) -> np.ndarray:
    """Codes (values, channels) of all popcounts of a random layer, in float32 and PyTorch's order."""
    f = np.float32
    x = (2 * np.arange(fan_in + 1) - fan_in)[:, None].astype(np.float32)
    draw = lambda low, high: rng.uniform(low, high, channels)  # noqa: E731
    if kind == "BN-free":  # alpha gain kappa x
        y = x * (np.abs(rng.normal(1, 0.4, channels)).astype(f) * f(0.8 / np.sqrt(fan_in))) * f(0.2)
    else:
        gamma = rng.choice([-1, 1], channels) * (np.abs(rng.normal(0, 1, channels)) + 0.05)
        scale = (gamma / np.sqrt(fan_in * draw(0.3, 2) + 1e-5)).astype(f)
        mean, beta = (rng.normal(0, s, channels).astype(f) for s in (np.sqrt(fan_in) / 2, 0.5))
        y = (x - mean) * scale + beta
    if kind == "RPReLU":  # PReLU between two shifts
        shift, back = (rng.normal(0, 0.3, channels).astype(f) for _ in range(2))
        y = y - shift
        y = np.where(y > 0, y, y * draw(0.05, 1).astype(f)) + back
    end = 1 << bits - 1
    return np.clip(np.rint(y / f(step)), -end, end - 1).astype(np.int64)


KINDS = [
    ("BN", 5, 1 / 8), ("BN", 6, 1 / 16), ("BN", 7, 1 / 32), ("BN", 8, 1 / 64), ("BN", 9, 1 / 128),
    ("BN-free", 5, 1 / 4), ("BN-free", 6, 1 / 8), ("BN-free", 8, 1 / 32),
    ("RPReLU", 5, 1 / 8), ("RPReLU", 8, 1 / 64),
]  # fmt: skip


def fitted(kind: str, bits: int, step: float, fan_in: int, channels: int):
    """(steps, the channels that have a line, their rule as a layer of its own)."""
    table = normalised(np.random.default_rng(fan_in + bits), kind, fan_in, bits, step, channels)
    everyone = np.zeros(channels, dtype=np.int64)
    steps = Steps.of(Accumulators(everyone, everyone + fan_in, 1), table)
    ends = int(table.min()), int(table.max())
    corridors = [Corridor.of(steps, channel, *ends) for channel in range(channels)]
    have = np.array([corridor is not None and corridor.shift() is not None for corridor in corridors])
    part = table[:, have]
    if not have.any():
        return steps, have, None, part
    fit = Steps.of(Accumulators(everyone[have], everyone[have] + fan_in, 1), part)
    return steps, have, line_rule(fit, (0, 2 * fan_in)), part


@pytest.mark.parametrize("fan_in", [144, 4608])
@pytest.mark.parametrize(("kind", "bits", "step"), KINDS)
def test_layers_of_the_papers(kind, bits, step, fan_in):
    """Channels without a bend have lines, whose factors have 26 bits at most; some with a bend have none."""
    _, have, rule, table = fitted(kind, bits, step, fan_in, 24)
    assert have.all() if kind != "RPReLU" else not have.all()
    if rule is None:
        return
    np.testing.assert_array_equal(rule.codes(np.arange(fan_in + 1)[:, None]), table)
    assert np.abs(rule.factor).max() < 2**26


def main() -> None:
    """The table for the note: 200 channels a layer."""
    for kind, bits, step in KINDS:
        for fan_in in (144, 576, 4608):
            steps, have, rule, _ = fitted(kind, bits, step, fan_in, 200)
            print(f"{kind} {bits} bits, K {fan_in}: {have.sum()} of 200,", end=" ")
            if rule is None:
                continue
            m, b = (int(np.abs(values).max()).bit_length() + 1 for values in (rule.factor, rule.offset))
            print(f"S {rule.shift}, M {m}, B {b} bits,", end=" ")
            print(f"thresholds {steps.counts.mean():.0f} on average, {steps.counts.max()} at most")


if __name__ == "__main__":
    main()
