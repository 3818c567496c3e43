"""The largest scale of values that are integers times one, against the greatest common divisor."""

from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signflow.deploy.compile.passes.scales import common_scale


@given(st.lists(st.integers(-4096, 4096), min_size=1), st.integers(-60, 60))
def test_multiples_of_a_power_of_two(integers, exponent):
    largest = gcd(*integers) * 2.0**exponent
    assert common_scale(np.ldexp(np.float32(integers), exponent)) == (largest or 1)


def test_every_integer_that_a_table_may_hold():
    assert common_scale(np.arange(-4096, 4097, dtype=np.float32)) == 1


@pytest.mark.parametrize("values", [[1, 4097], [-4097, 2], np.arange(8194), [1, np.float32(0.1)]])
def test_no_scale(values):
    """Too large integers, too many of them, and what float32 divides too finely."""
    assert common_scale(np.float32(values)) is None
