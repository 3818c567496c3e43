"""The fixed-range and the 8-bit quantisers against integer arithmetic."""

import math

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.models.quant import Weight8, fixed_act

GRIDS = [(8, 1.0, True), (5, 1.0, True), (2, 0.5, True), (8, 4.0, False), (4, 1.0, False), (3, 8.0, False)]


def act(*args, **options):
    return qnn.QuantIdentity(act_quant=fixed_act(*args, **options)).eval()


@pytest.mark.parametrize("floor", [False, True])
@pytest.mark.parametrize(("bits", "limit", "signed"), GRIDS)
def test_grid_rounding_and_clipping(bits, limit, signed, floor):
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    step = limit / (high + 1)
    eighths = np.arange(8 * (low - 3), 8 * (high + 4) + 1)  # every value in eighths of a step, ties among them
    down, rest = eighths >> 3, eighths & 7
    rounded = down if floor else down + ((rest > 4) | ((rest == 4) & (down & 1 == 1)))
    got = act(bits, limit, signed, floor=floor)(torch.tensor(eighths / 8 * step, dtype=torch.float32))
    np.testing.assert_array_equal(got.detach().double().numpy() / step, np.clip(rounded, low, high))


@pytest.mark.parametrize(("bits", "limit", "signed"), GRIDS)
def test_gradient_passes_in_the_closed_range_only(bits, limit, signed):
    low = -limit if signed else 0.0
    inside = [low, limit, *np.linspace(low, limit, 9)[1:-1]]
    outside = [low * (1 + 1e-6) - 1e-30, limit * (1 + 1e-6), low - 3, limit + 3]
    x = torch.tensor(inside + outside, dtype=torch.float32, requires_grad=True)
    (act(bits, limit, signed)(x) * 5).sum().backward()
    assert x.grad.tolist() == [5.0] * len(inside) + [0.0] * len(outside)


@pytest.mark.parametrize("limit", [0, -1.0, 3.0, 0.3])
def test_limit_must_be_a_power_of_two(limit):
    with pytest.raises(ValueError, match=rf"limit = {limit}: must be a power of two"):
        fixed_act(8, limit)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dtype_stays(dtype):
    assert act(8, 1.0)(torch.linspace(-2, 2, 9, dtype=dtype)).dtype == dtype


@settings(max_examples=60)
@given(values=st.lists(st.floats(-3, 3, width=32), min_size=6, max_size=6).filter(lambda v: max(map(abs, v)) > 1e-3))
def test_eight_bit_weights_are_integers_times_a_power_of_two(values):
    layer = qnn.QuantLinear(3, 2, bias=False, weight_quant=Weight8)
    layer.weight.data.copy_(torch.tensor(values).view(2, 3))
    quantised = layer.quant_weight()
    largest = max(abs(v) for v in values)
    scale = 2.0 ** (math.ceil(math.log2(largest)) - 7)
    assert quantised.scale.item() == scale
    want = np.clip(np.rint(np.float64(values) / scale), -127, 127)
    np.testing.assert_array_equal(quantised.value.detach().double().numpy().ravel() / scale, want)
    x = torch.tensor([[1.0, -2.0, 3.0]])
    np.testing.assert_array_equal(layer(x).detach().double().numpy()[0], want.reshape(2, 3) @ [1, -2, 3] * scale)
