"""The schedule of the expected variance against the values of the authors' code."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signflow.models.layers.variance import ALPHA, expected_betas

# Chen et al. 2021, released code, six digits
REACTNET_18 = [1, 1, 0.980581, 0.962250, *[0.944911, 1, 0.980581, 0.962250] * 3]
REACTNET_A = [
    *(1, 0.980581),  # 32-64
    *(0.962250, 0.944911),  # 64-128, stride 2
    *(1, 0.980581),  # 128
    *(0.962250, 0.944911),  # 128-256, stride 2
    *(1, 0.980581),  # 256
    *(0.962250, 0.944911),  # 256-512, stride 2
    *(1, 0.980581, 0.962250, 0.944911, 0.928477, 0.912871, 0.898027, 0.883883, 0.870388, 0.857493),  # 512, five times
    *(0.845154, 0.833333),  # 512-1024, stride 2
    *(1, 0.980581),  # 1024
]
STRIDES_A = [False, True, False, True, False, True, *[False] * 5, True, False]


def test_reactnet_18():
    assert expected_betas([True, False, False, False] * 4) == pytest.approx(REACTNET_18, abs=5e-7)


def test_reactnet_a():
    resets = [reset for stride in STRIDES_A for reset in (False, stride)]  # behind the second branch of a block
    assert expected_betas(resets) == pytest.approx(REACTNET_A, abs=5e-7)


@given(resets=st.lists(st.booleans(), max_size=30), alpha=st.floats(0.01, 1))
def test_counts_the_adds_since_the_last_reset(resets, alpha):
    betas = expected_betas(resets, alpha)
    for i, beta in enumerate(betas):
        since = [j for j in range(i) if resets[j]]
        adds = i - (since[-1] + 1 if since else 0)
        assert beta == pytest.approx(1 / math.sqrt(1 + adds * alpha * alpha), rel=1e-12)
    assert len(betas) == len(resets)


def test_alpha():
    assert ALPHA == 0.2
