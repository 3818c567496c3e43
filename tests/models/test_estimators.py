"""The four gradient estimators against their definitions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from signflow.models.estimators import ESTIMATORS, ErrorDecay, estimator

FLOATS = st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=20)
T_START, K_START = 1e-3, 1e3
SLOPES = {
    "identity": lambda x: 1.0,
    "clipped": lambda x: float(-1 <= x <= 1),
    "quadratic": lambda x: 2 + 2 * x if -1 <= x < 0 else 2 - 2 * x if 0 <= x < 1 else 0.0,
    "ede": lambda x: K_START * T_START * (1 - math.tanh(T_START * x) ** 2),
    "ede-vgg": lambda x: 10 * 0.1 * (1 - math.tanh(0.1 * x) ** 2),
}


@pytest.mark.parametrize("name", ESTIMATORS)
@given(values=FLOATS)
def test_sign_and_its_slope(name, values):
    x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    y = estimator(name)(x)
    y.backward(torch.full_like(y, 3.0))
    assert y.tolist() == [1.0 if v >= 0 else -1.0 for v in values]
    assert x.grad.tolist() == pytest.approx([3.0 * SLOPES[name](v) for v in values], abs=1e-12)


def test_sign_of_zero_is_plus_one_and_keeps_the_dtype():
    for name in ESTIMATORS:
        sign = estimator(name)
        assert sign(torch.tensor([0.0, -0.0])).tolist() == [1, 1]
        x = torch.zeros(2, dtype=torch.bfloat16, requires_grad=True)
        sign(x).sum().backward()
        assert sign(x).dtype == x.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("progress", [0.0, 0.25, 0.5, 0.9, 1.0])
def test_error_decay_follows_its_schedule(progress):
    ede = ErrorDecay(t_min=1e-1)
    ede.set_progress(progress)
    t = 10 ** (math.log10(1e-1) + progress * (math.log10(10) - math.log10(1e-1)))
    k = max(1 / t, 1)
    x = torch.linspace(-3, 3, 13, dtype=torch.float64, requires_grad=True)
    ede(x).sum().backward()
    assert x.grad.tolist() == pytest.approx([k * t * (1 - math.tanh(t * v) ** 2) for v in x.tolist()], abs=1e-12)


def test_unknown_estimator_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'ste'.*identity, clipped, quadratic, ede"):
        estimator("ste")
