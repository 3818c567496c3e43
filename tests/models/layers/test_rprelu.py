"""RPReLU and the learnable bias against numpy; shapes as adaptive gradient clipping wants them."""

import numpy as np
import pytest
import torch

from signflow.models.layers.rprelu import LearnableBias, RPReLU

SHAPES = [(5, 4), (3, 4, 2, 6)]


def reference(x: np.ndarray, b1, slope, b2) -> np.ndarray:
    y = np.empty_like(x)
    for c in range(x.shape[1]):
        t = x[:, c] + b1[c]
        y[:, c] = np.where(t >= 0, t, slope[c] * t) + b2[c]
    return y


def layer(spatial: bool, slope: np.ndarray, rng: np.random.Generator, **options) -> tuple[RPReLU, np.ndarray]:
    rprelu, biases = RPReLU(4, spatial, **options).double(), rng.normal(size=(2, 4))
    rprelu.before.bias.data.copy_(torch.tensor(biases[0]).view_as(rprelu.before.bias))
    rprelu.after.bias.data.copy_(torch.tensor(biases[1]).view_as(rprelu.after.bias))
    rprelu.slope.data.copy_(torch.tensor(slope))
    return rprelu, biases


@pytest.mark.parametrize("shape", SHAPES)
def test_formula_for_slopes_of_both_signs(shape):
    rng = np.random.default_rng(0)
    slope = np.array([0.25, -0.5, 0.0, 1.5])
    rprelu, (b1, b2) = layer(len(shape) == 4, slope, rng)
    x = rng.normal(size=shape)
    np.testing.assert_allclose(rprelu(torch.tensor(x)).detach(), reference(x, b1, slope, b2), rtol=1e-12, atol=1e-12)
    bias = rprelu.before
    assert torch.equal(bias(torch.tensor(x)), torch.tensor(x + b1.reshape(1, 4, *[1] * (len(shape) - 2))))


@pytest.mark.parametrize("shape", SHAPES)
def test_smallest_slope(shape):
    rng = np.random.default_rng(1)
    slope = np.array([0.25, -0.5, -1e-9, 0.01])
    rprelu, (b1, b2) = layer(len(shape) == 4, slope, rng, min_slope=0.01)
    x = rng.normal(size=shape)
    want = reference(x, b1, np.array([0.25, 0.01, 0.01, 0.01]), b2)
    np.testing.assert_allclose(rprelu(torch.tensor(x)).detach(), want, rtol=1e-12, atol=1e-12)
    assert rprelu.slope.tolist() == slope.tolist()  # the bound lies on the function, not on the parameter


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients(shape):
    torch.manual_seed(2)
    rprelu, _ = layer(len(shape) == 4, np.array([0.25, -0.5, 0.1, 1.5]), np.random.default_rng(2))
    names = [name for name, _ in rprelu.named_parameters()]
    assert names == ["slope", "before.bias", "after.bias"]
    values = [p.detach().clone().requires_grad_() for p in rprelu.parameters()]

    def function(x, *parameters):
        return torch.func.functional_call(rprelu, dict(zip(names, parameters, strict=True)), (x,))

    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (x, *values))


def test_start_and_units():
    for spatial, shape in ((True, (1, 4, 1, 1)), (False, (1, 4))):
        rprelu = RPReLU(4, spatial)
        assert rprelu.before.bias.shape == rprelu.after.bias.shape == LearnableBias(4, spatial).bias.shape == shape
        assert not rprelu.before.bias.any() and not rprelu.after.bias.any()
        assert rprelu.slope.tolist() == [0.25] * 4


def test_dtype_of_the_input_stays():
    x = torch.randn(2, 4, 3, 3, dtype=torch.bfloat16)
    assert RPReLU(4)(x).dtype == LearnableBias(4)(x).dtype == torch.bfloat16
