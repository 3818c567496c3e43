"""Self-distribution: WSD against numpy, ASD against a re-computation in nothing but integers."""

import math

import numpy as np
import pytest
import torch

from signflow.models.estimators import ESTIMATORS, ErrorDecay
from signflow.models.layers.asd import ASD, LEVELS, StaticShift
from signflow.models.layers.binary import binary_conv, binary_linear
from signflow.models.layers.wsd import self_distribute

EXACT = 2**24  # float32 holds every integer below

# (channels, height, width), reduction, levels; no height: the dense form
CASES = [
    ((16, 32, 32), 16, 16),
    ((16, 30, 30), 16, 16),
    ((8, 14, 14), 2, 16),
    ((32, 5, 5), 8, 8),
    ((128, 1, 1), 16, 4),
    ((7, 3, 9), 16, 2),
    ((24, 6, 1), 5, 32),
    ((64,), 16, 16),
    ((10,), 3, 64),
]


def round_shift(n: np.ndarray, shift: int) -> np.ndarray:
    """n / 2^shift rounded half to even, int64; a negative shift multiplies."""
    if shift <= 0:
        return n << -shift
    down, rest, half = n >> shift, n & ((1 << shift) - 1), 1 << (shift - 1)
    return down + ((rest > half) | ((rest == half) & (down & 1 == 1)))


def weights_of(layer: torch.nn.Module) -> tuple[np.ndarray, int]:
    """8-bit weights of a dense layer, from its latent ones: integers, and e of their scale 2^-e."""
    w = layer.weight.detach().double().numpy()
    e = 7 - math.ceil(math.log2(abs(w).max()))
    return np.clip(np.rint(w * 2.0**e), -127, 127).astype(np.int64), e


def integer_asd(layer: ASD, z: np.ndarray) -> dict[str, np.ndarray]:
    """ASD of z (N, C, ...) with integer arithmetic behind the first rounding; every intermediate by its name."""
    levels, bits = layer.levels, layer.levels.bit_length() - 1
    a = np.clip(np.rint(z.astype(np.float64) * levels), -levels, levels - 1).astype(np.int64)
    total = a.reshape(*a.shape[:2], -1).sum(2)
    positions = math.prod(a.shape[2:])
    k = 0
    while 1 << k < positions:
        k += 1
    g = np.clip(round_shift(total, bits + k - 7), -128, 127)  # total / (levels 2^k) in steps of 1/128
    (w1, e1), (w2, e2) = weights_of(layer.squeeze), weights_of(layer.excite)
    first = g @ w1.T  # in steps of 2^-(7 + e1)
    h = np.clip(round_shift(first, 7 + e1 - 6), 0, 255)  # in steps of 1/64
    u = h @ w2.T  # in steps of 2^-(6 + e2)
    edges = [math.log(i / (levels - i)) * 2 ** (6 + e2) for i in range(1, levels)]  # where the sigmoid is i / levels
    level = sum((u >= math.ceil(edge)).astype(np.int64) for edge in edges)
    shift = (2 * level + 1).reshape(*level.shape, *[1] * (a.ndim - 2))  # in steps of 1 / (2 levels)
    return {"a": a, "total": total, "first": first, "u": u, "level": level, "y": np.where(2 * a + shift >= 0, 1, -1)}


def random_asd(shape: tuple[int, ...], reduction: int, levels: int, seed: int) -> tuple[ASD, torch.Tensor]:
    """A layer in eval mode, weights large enough to move all levels, and inputs that leave [-1, 1]."""
    torch.manual_seed(seed)
    asd = ASD(shape[0], reduction, levels).eval()
    with torch.no_grad():
        asd.squeeze.weight.mul_(4 * torch.rand(()) + 1)
        asd.excite.weight.mul_(4 * torch.rand(()) + 1)
    z = torch.randn(8, *shape) + torch.randn(8, shape[0], *[1] * (len(shape) - 1))
    z[0] = (z[0] * 2 * levels).round() / (2 * levels)  # on the ties of the first rounding
    return asd, z


@pytest.mark.parametrize(("shape", "reduction", "levels"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_asd_equals_integer_arithmetic(shape, reduction, levels, seed):
    asd, z = random_asd(shape, reduction, levels, seed)
    with torch.no_grad():
        want, got = integer_asd(asd, z.numpy()), asd(z)
        s = asd.shift(asd.clip(z)).numpy().astype(np.float64)
    np.testing.assert_array_equal(asd.clip(z).detach().double().numpy() * levels, want["a"])
    np.testing.assert_array_equal((s * levels - 0.5), want["level"])
    np.testing.assert_array_equal(got.numpy(), want["y"])
    assert got.shape == z.shape
    assert max(abs(want[name]).max() for name in ("total", "first", "u")) < EXACT


@pytest.mark.parametrize(("shape", "reduction", "levels"), CASES)
def test_shift_lies_inside_the_unit_interval_and_never_ties(shape, reduction, levels):
    asd, z = random_asd(shape, reduction, levels, 9)
    for scale in (1.0, 100.0):  # 100: the branch saturates
        with torch.no_grad():
            asd.excite.weight.mul_(scale)
            a = asd.clip(z)
            s = asd.shift(a).view(*z.shape[:2], *[1] * (z.dim() - 2))
            y = asd(z)
        assert s.min() > 0 and s.max() < 1
        assert ((a + s).abs() * 2 * levels >= 1).all()  # at least half a step away from zero
        assert (y[a >= 0] == 1).all()  # a positive shift turns no +1 into -1
        tie = ((z * levels).frac().abs() - 0.5).abs() < 1e-4
        assert (y == torch.where(z >= -s, 1, -1))[~tie].all()  # rounding z moves nothing over its threshold


def test_levels_really_move():
    asd, z = random_asd((16, 6, 6), 4, 16, 1)
    level = integer_asd(asd, z.numpy())["level"]
    assert len(np.unique(level)) > 8


@pytest.mark.parametrize("levels", [2, 8, 16])
def test_level_code_compare_is_the_direct_compare(levels):
    """The code counts the thresholds -s_l that a value passes: +1 iff code >= L - level."""
    for a in range(-levels, levels):  # in steps of 1 / levels
        code = sum(2 * a >= -(2 * i + 1) for i in range(levels))
        for level in range(levels):
            assert (code >= levels - level) == (2 * a + 2 * level + 1 >= 0)


def test_hidden_width_and_margin():
    assert ASD(16, 16).squeeze.weight.shape == (1, 16) and ASD(16, 16).excite.weight.shape == (16, 1)
    assert ASD(8, 16).squeeze.weight.shape == (1, 8)
    assert ASD(64, 8).squeeze.weight.shape == (8, 64)
    assert ASD(10, 3).squeeze.weight.shape == (3, 10)  # integer division
    assert sum(p.numel() for p in ASD(128).parameters()) == 2 * 128 * 8
    assert LEVELS == 16
    assert 1032 * 127 * 128 < EXACT <= 1033 * 127 * 128  # the bound that the docstring gives


@pytest.mark.parametrize("levels", [0, 1, 12, 17])
def test_levels_must_be_a_power_of_two(levels):
    with pytest.raises(ValueError, match=f"levels = {levels}: must be a power of two, 2 or more"):
        ASD(8, levels=levels)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gradient_of_asd(estimator):
    """Straight through the quantisers, zero where they clip, by the chain rule written out in numpy."""
    torch.manual_seed(0)
    asd = ASD(4, 2, 16, estimator).double()
    z = (0.7 * torch.randn(3, 4, 2, 3, dtype=torch.float64)).requires_grad_()
    r = torch.randn(3, 4, 2, 3, dtype=torch.float64)
    (asd(z) * r).sum().backward()

    known = integer_asd(asd, z.detach().numpy())
    slope = asd.sign.act_quant.fused_activation_quant_proxy.tensor_quant.estimator.double()
    x = torch.tensor(known["a"] / 16 + (known["level"] + 0.5)[..., None, None] / 16, requires_grad=True)
    (slope(x) * r).sum().backward()
    up = x.grad.numpy()
    (w1, e1), (w2, e2) = weights_of(asd.squeeze), weights_of(asd.excite)
    u = known["u"] * 2.0 ** -(6 + e2)
    hidden = known["first"] * 2.0 ** -(7 + e1)
    sigmoid = 1 / (1 + np.exp(-u))
    ds = up.sum((2, 3)) * sigmoid * (1 - sigmoid)
    dh = ds @ (w2 * 2.0**-e2) * ((hidden >= 0) & (hidden <= 4))
    dg = dh @ (w1 * 2.0**-e1) / 8  # six positions: divided by 8
    inside = abs(z.detach().numpy()) <= 1
    np.testing.assert_allclose(z.grad, (up + dg[..., None, None]) * inside, rtol=1e-9, atol=1e-12)
    h = np.clip(np.rint(np.maximum(hidden, 0) * 64), 0, 255) / 64
    g = np.clip(np.rint(known["total"] / 16 / 8 * 128), -128, 127) / 128
    for layer, want in ((asd.excite, ds.T @ h), (asd.squeeze, dh.T @ g)):
        w = layer.weight.detach().abs().numpy()
        rest = w < w.max()  # the largest weight also sets the scale, and Brevitas tells it so
        np.testing.assert_allclose(layer.weight.grad.numpy()[rest], want[rest], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 2, 5)])
def test_static_shift(shape):
    rng = np.random.default_rng(0)
    layer = StaticShift(3, "quadratic").double()
    assert layer.shift.tolist() == [0.0] * 3
    b, z = rng.normal(size=3), rng.normal(size=shape)
    layer.shift.data.copy_(torch.tensor(b))
    t = torch.tensor(z, requires_grad=True)
    y = layer(t)
    wide = (1, 3, *[1] * (len(shape) - 2))
    s = 1 / (1 + np.exp(-b)).reshape(wide)
    np.testing.assert_array_equal(y.detach(), np.where(z >= -s, 1, -1))
    y.sum().backward()
    slope = np.maximum(2 - 2 * abs(np.clip(z, -1, 1) + s), 0)
    np.testing.assert_allclose(t.grad, slope * (abs(z) < 1), rtol=1e-9, atol=1e-12)
    others = tuple(i for i in range(len(shape)) if i != 1)
    np.testing.assert_allclose(layer.shift.grad, (slope * s * (1 - s)).sum(others), rtol=1e-9)


@pytest.mark.parametrize("make", [lambda: binary_conv(3, 5, 3), lambda: binary_linear(11, 5)])
def test_wsd(make):
    torch.manual_seed(0)
    layer = self_distribute(make()).double()
    latent, shift = layer.parametrizations.weight.original, layer.parametrizations.weight[0]
    w = latent.detach().numpy()
    wide = (5, *[1] * (w.ndim - 1))
    mean = np.array([f.sum() / f.size for f in w]).reshape(wide)
    assert shift.alpha.tolist() == [0.0] * 5
    np.testing.assert_allclose(layer.weight.detach(), w + 0.005 * mean, rtol=1e-12, atol=1e-15)
    alpha = np.random.default_rng(1).normal(size=5)
    shift.alpha.data.copy_(torch.tensor(alpha))
    s = 1 / (1 + np.exp(-alpha)).reshape(wide)
    np.testing.assert_allclose(layer.weight.detach(), w + s * 0.01 * mean, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(layer.quant_weight().value.detach(), np.where(w + s * 0.01 * mean >= 0, 1, -1))

    r = torch.randn(w.shape, dtype=torch.float64)
    (layer.weight * r).sum().backward()
    assert torch.equal(latent.grad, r)  # the mean carries no gradient
    per_filter = (r.numpy() * 0.01 * mean).reshape(5, -1).sum(1)
    np.testing.assert_allclose(shift.alpha.grad, (s * (1 - s)).ravel() * per_filter, rtol=1e-9)


def test_wsd_moves_signs_only_near_zero_and_towards_the_mean():
    layer = self_distribute(binary_linear(4, 1))
    latent = layer.parametrizations.weight.original
    latent.data.copy_(torch.tensor([[1.0, 1.0, -0.001, -0.1]]))  # mean 0.47: the shift is 0.0024
    assert layer.quant_weight().value.tolist() == [[1, 1, 1, -1]]


def test_wsd_leaves_the_real_weights_of_step_one_alone():
    """As the authors' code for ImageNet; the shares stay parameters, without a gradient."""
    torch.manual_seed(1)
    layer = self_distribute(binary_conv(3, 5, 3))
    layer.weight_quant.disable_quant = True
    latent, shift = layer.parametrizations.weight.original, layer.parametrizations.weight[0]
    assert torch.equal(layer.weight, latent)
    layer(torch.randn(2, 3, 6, 6)).sum().backward()
    assert shift.alpha.grad.tolist() == [0.0] * 5 and latent.grad.any()
    layer.weight_quant.disable_quant = False
    assert not torch.equal(layer.weight, latent)


def test_progress_reaches_the_signs():
    asd = ASD(4)
    found = [m for m in asd.modules() if hasattr(m, "set_progress")]
    assert len(found) == 1 and isinstance(found[0], ErrorDecay)
    found[0].set_progress(0.25)
    assert found[0].t == pytest.approx(1e-2)
