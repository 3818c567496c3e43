"""`SumPool`, the operator: against its formula, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.deploy.compile.sum_pool import DOMAIN, window_sums

from .normal_forms import model_of, run, whole
from .onnx_networks import node

small = st.integers(1, 4)


@given(*[small] * 6)
@settings(max_examples=40, deadline=None, derandomize=True)
def test_sums_of_windows(h, w, kh, kw, sh, sw):
    x = whole(1, 2, h + kh, w + kw)
    y = window_sums(x, [kh, kw], [sh, sw])
    assert y.shape == (1, 2, h // sh + 1, w // sw + 1) and y.dtype == np.float32
    for c, i, j in np.ndindex(*y.shape[1:]):
        terms = [x[0, c, i * sh + u, j * sw + v] for u in range(kh) for v in range(kw)]
        assert y[0, c, i, j] == sum(map(int, terms))


def test_qonnx_knows_it():
    pool = node("SumPool", "t", "y", domain=DOMAIN, kernel_shape=[2, 3], strides=[1, 2])
    model = model_of([node("Neg", "x", "t"), pool], [1, 2, 4, 7])
    assert model.get_tensor_shape("y") == [1, 2, 3, 3]
    x = whole(1, 2, 4, 7)
    np.testing.assert_array_equal(run(model, x)["y"], window_sums(-x, [2, 3], [1, 2]))


@pytest.mark.parametrize("shape", [(1, 2, 1, 9), (1, 2, 9), (1, 1, 2, 3, 4)])
def test_maps_that_hold_no_window(shape):
    with pytest.raises(ValueError, match=r"SumPool with kernel \[2, 2\] reads a map of shape"):
        window_sums(np.zeros(shape, np.float32), [2, 2], [1, 1])
