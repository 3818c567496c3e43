"""Thresholds by enumeration = the float32 reference at every accumulator = closed forms, for every static method.

Rounding in the reference moves some thresholds by an accumulator or more against the closed form. Every such
accumulator is explained: the exact value there is 0 within `ROUNDINGS` float32 roundings of the terms it is made of.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from signflow.deploy.compile.passes.transitions import Accumulators, Steps, code_rule, sign_rule
from signflow.models.layers.asd import ASD

from .closed_forms import METHODS, Method, Parameters

REACH, BLOCK = 20_000, 100
ROUNDING, ROUNDINGS = 2.0**-23, 1
"""A sign may differ where the exact value is within so many roundings of all terms of the sum; measured: 0.55."""


def hardware(steps: Steps, a: np.ndarray) -> np.ndarray:
    """The signs that the thresholds of `sign_rule` give for ``a`` (values, 1): bool (values, channels)."""
    rule = sign_rule(steps, np.zeros(len(steps.first), dtype=np.int8), own=True)
    x = np.where(rule.own, -a, a)
    return ((x < rule.low) | (x >= rule.high)) ^ rule.next


@dataclass
class Comparison:
    """Channels by what was found in them, and the accumulators at which reference and closed form differ."""

    channels: int = 0
    changes: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    """Channels whose sign changes 0, 1, 2 times, and more often."""
    moved: int = 0
    """Channels with a sign that only rounding explains."""
    ended: int = 0
    """Channels with a sign that only an underflow explains."""
    roundings: float = 0.0
    """How many float32 roundings of its terms the exact value lies away from 0, at worst."""

    def explain(self, method: Method, p: Parameters, a: np.ndarray, wrong: np.ndarray) -> None:
        """``wrong`` (values, channels): where reference and closed form differ."""
        row, channel = np.nonzero(wrong)
        value, size, underflow = method.exact({k: v[channel] for k, v in p.items()}, a[row, 0])
        rounded = np.maximum(np.abs(value) - underflow, 0) / (ROUNDING * size + 1e-300)
        self.roundings = max(self.roundings, rounded.max(initial=0))
        by_underflow = (np.abs(value) <= underflow) & (underflow > 0)
        self.moved += len(set(channel[~by_underflow]))
        self.ended += len(set(channel[by_underflow]))


def compare(method: Method, channels: int, shift: int = 0) -> Comparison:
    """Every accumulator of random channels; the closed form's cuts are moved by ``shift``."""
    rng, a, found = np.random.default_rng(0), np.arange(-REACH, REACH + 1)[:, None], Comparison(channels)
    for _ in range(0, channels, BLOCK):
        p = method.draw(rng, BLOCK)
        with torch.no_grad():
            bits = method.reference(p)(torch.from_numpy(a.astype(np.float32)).expand(-1, BLOCK)).numpy() >= 0
        steps = Steps.of(Accumulators(np.full(BLOCK, -REACH), np.full(BLOCK, REACH), 1), bits)
        assert (hardware(steps, a) == bits).all()
        for count in steps.counts:
            found.changes[min(count, 3)] += 1
        p = {name: values.astype(np.float64) for name, values in p.items()}
        closed = method.closed(p)
        closed.cuts += shift
        found.explain(method, p, a, closed.signs(a) != bits)
    return found


@pytest.mark.parametrize("channels", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", METHODS)
def test_enumeration_reference_and_closed_form(name, channels):
    """The enumeration is the reference everywhere; so is the closed form, but for rounding and underflow."""
    found = compare(METHODS[name], channels)
    assert found.roundings <= ROUNDINGS
    assert max(i for i, count in enumerate(found.changes) if count) == METHODS[name].changes
    assert (found.ended > 0) == name.startswith("abn")
    assert found.moved < 0.2 * channels  # a third of the channels was made to be a close call
    assert (found.moved > 0) == (name not in ("scale", "abn gate", "abn gamma*gate"))


@pytest.mark.parametrize("shift", [-1, 1])
@pytest.mark.parametrize("name", METHODS)
def test_one_accumulator_beside_is_found(name, shift):
    """No rounding explains a threshold that is off by one."""
    method = METHODS[name]
    assert compare(method, 200, shift).roundings > 1000 * ROUNDINGS


def outside(x, low, high):
    return (x < low) | (x >= high)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_pools_of_windows(count):
    """[max >= T] = OR [a >= T], [max < T] = AND [a < T], and the window of a maximum from the largest count of passed
    thresholds: every window of small integers, every pair of thresholds.
    """
    values, thresholds = range(-3, 4), range(-4, 6)
    a = np.array(list(itertools.product(values, repeat=count)))
    for low, high in itertools.combinations_with_replacement(thresholds, 2):
        largest, smallest = a.max(axis=1), a.min(axis=1)
        passed = (a >= low).astype(int) + (a >= high)
        assert ((largest >= high) == (a >= high).any(axis=1)).all()
        assert ((largest < low) == (a < low).all(axis=1)).all()
        assert ((smallest < low) == (a < low).any(axis=1)).all()
        assert ((smallest >= high) == (a >= high).all(axis=1)).all()
        assert (outside(largest, low, high) == (passed.max(axis=1) != 1)).all()
        assert (outside(smallest, low, high) == (passed.min(axis=1) != 1)).all()
        assert (outside(a, low, high) == (passed != 1)).all()


def test_pool_of_window_bits_is_no_window_of_the_pool():
    """What the OR of finished windows would give is something else: the counts must be pooled."""
    a = np.array([-5, 1])
    assert outside(a, -2, 3).any() and not outside(a.max(), -2, 3)


def test_self_distribution_adds_codes():
    """sign(a + s) = [code + level >= 0], all 32 codes of a and 16 levels of s, through the layer's own quantisers."""
    layer = ASD(1)
    codes, levels = np.meshgrid(np.arange(-16, 16), np.arange(16), indexing="ij")
    a, s = (torch.from_numpy(codes / 16).float(), torch.from_numpy(levels / 16).float())
    assert (layer.clip(a) == a).all() and (layer.level(s) == s).all()
    assert (layer.clip(a - 1e-3 / 16) == a).all() and (layer.level(s + 0.999 / 16) == s).all()
    signs = layer.sign(layer.clip(a) + (layer.level(s) + 0.5 / 16)).detach().numpy()
    assert np.array_equal(signs, np.where(codes + levels >= 0, 1, -1))


@pytest.mark.parametrize("exponent", range(-18, -5))
def test_levels_of_the_sigmoid(exponent):
    """floor(16 sigmoid(u)) counts u >= logit(k / 16), for u on every grid that 8-bit weights and activations make."""
    codes, layer = np.arange(-REACH, REACH + 1), ASD(1)
    levels = layer.level(torch.sigmoid(torch.from_numpy(codes).float() * 2.0**exponent)).detach().numpy() * 16
    reach = Accumulators(np.array([-REACH]), np.array([REACH]), 1)
    rule = code_rule(Steps.of(reach, levels.astype(np.int64)[:, None]), np.zeros(1, dtype=np.int8), own=True)
    found = rule.lowest + (rule.steps[0] <= codes[:, None]).sum(axis=1)
    assert np.array_equal(found, levels)
    k = np.arange(1, 16)
    closed = np.ceil(np.log(k / (16 - k)) / 2.0**exponent)
    wrong = np.flatnonzero((closed <= codes[:, None]).sum(axis=1) != levels)
    sigmoid = 1 / (1 + np.exp(-codes[wrong] * 2.0**exponent))
    assert (np.abs(16 * sigmoid - np.rint(16 * sigmoid)) <= 16 * ROUNDING * sigmoid).all()
    assert len(wrong) <= 15
    assert found[REACH] == 8
