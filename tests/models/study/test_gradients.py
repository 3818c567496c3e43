"""Gradient variances: closed forms against quadrature and enumeration, measurements against closed forms."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from signflow.models.study.chain import Chain, Ternary, init_std
from signflow.models.study.gradients import measure, plot_gradient_variance
from signflow.models.study.theory import (
    CASES,
    NORMS,
    Case,
    Stage,
    activation_variance,
    dense,
    predicted_profile,
    predicted_ratio,
    share_within,
    slope_power,
    weight_variance,
)

X = np.linspace(-12, 12, 240_001)
DENSITY = np.exp(-(X**2) / 2) / math.sqrt(2 * math.pi)
WIDTH, LAYERS, SAMPLES = 256, 5, 256


def gaussian_mean(values: np.ndarray) -> float:
    """E[f(z)], z ~ N(0, 1), by quadrature."""
    return float(np.trapezoid(values * DENSITY, X))


def test_moments_equal_quadrature():
    relu = np.maximum(X, 0)
    variance = gaussian_mean(relu**2) - gaussian_mean(relu) ** 2
    assert activation_variance(CASES["BinaryConnect"]) == pytest.approx(variance, rel=1e-6)
    assert slope_power(CASES["BinaryConnect"], "bn", 9) == pytest.approx(gaussian_mean(X > 0), rel=1e-4)
    for gamma in (0.5, 1.0, 2.0):
        inside = gaussian_mean(np.abs(gamma * X) <= 1)
        assert slope_power(CASES["BNN clipped"], "bn", 9, gamma) == pytest.approx(inside, rel=3e-4)
    threshold = 0.7 * gaussian_mean(np.abs(X))
    assert weight_variance(CASES["ternary"], 9) == pytest.approx(gaussian_mean(np.abs(X) >= threshold), rel=3e-4)


@pytest.mark.parametrize("fan_in", [1, 4, 9, 12])
@pytest.mark.parametrize("bound", [0.5, 1.0, 2.0, 3.0, math.sqrt(12)])
def test_window_share_equals_enumeration(fan_in, bound):
    sums = [abs(sum(signs)) for signs in itertools.product((-1, 1), repeat=fan_in)]
    assert share_within(fan_in, bound) == pytest.approx(sum(s <= bound for s in sums) / len(sums), abs=1e-12)


def test_window_share_approaches_the_gaussian_density():
    assert share_within(512, 1) == pytest.approx(math.sqrt(2 / (math.pi * 512)), rel=1e-3)
    assert share_within(513, 1) == pytest.approx(2 * math.sqrt(2 / (math.pi * 513)), rel=2e-3)


def test_ratios_of_the_table():
    ratio = {(name, norm): predicted_ratio(CASES[name], norm, 512, 512) for name in CASES for norm in NORMS}
    expected = {
        ("full precision", "none"): 1,
        ("BinaryConnect", "none"): 256,
        ("BinaryConnect", "bn"): math.pi / (math.pi - 1),
        ("BNN identity", "none"): 512,
        ("BNN identity", "scale"): 1,
        ("BNN identity", "bn"): 1,
        ("BNN clipped", "none"): 18.05,
        ("BNN clipped", "bn"): 0.683,
        ("ternary", "none"): 295.2,
        ("ternary", "bn"): 1,
    }
    assert {key: ratio[key] for key in expected} == pytest.approx(expected, rel=1e-3)
    assert predicted_ratio(CASES["BNN identity"], "bn", 256, 1024) == 4
    assert predicted_ratio(CASES["BNN identity"], "bn", 512, 512, gamma=3.0) == 9
    relu = predicted_ratio(CASES["BinaryConnect"], "bn", 512, 512, gamma=3.0)
    assert relu == pytest.approx(math.pi / (math.pi - 1))  # x grows with gamma as the gradient does


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", CASES)
def test_measured_ratio_is_within_ten_per_cent(name, norm):
    found = measure(dense([WIDTH] * (LAYERS + 1)), CASES[name], norm, SAMPLES)
    assert found.ratio == pytest.approx(predicted_ratio(CASES[name], norm, WIDTH, WIDTH), rel=0.1)
    assert len(found.delta) == LAYERS + 1 and len(found.weight) == LAYERS


def test_changing_widths_telescope():
    stages = dense([128, 512, 128, 256])
    found = measure(stages, CASES["BNN identity"], "bn", 1024)
    assert found.ratios == pytest.approx([4, 0.25, 2], rel=0.1)
    assert predicted_profile(CASES["BNN identity"], "bn", stages) == [2, 0.5, 2, 1]


@pytest.mark.parametrize("name", ["BNN identity", "BNN clipped", "ternary"])
def test_weight_gradient_follows_the_gradient_in_front(name):
    """Var(dL/dw) = B E[x^2] Var(dL/ds), and Var(delta) in front of a layer is M Var(w) Var(dL/ds)."""
    found = measure(dense([WIDTH] * 4), CASES[name], "none", SAMPLES)
    variance = weight_variance(CASES[name], WIDTH)
    expected = [SAMPLES * delta / (WIDTH * variance) for delta in found.delta[:-1]]
    assert found.weight == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("name", ["BNN clipped", "ternary"])
def test_scale_of_latent_weights_changes_nothing(name):
    stages, case = dense([64] * 4), CASES[name]
    he = init_std("He", stages[0])
    plain, shrunk = (measure(stages, case, "bn", 64, init=std) for std in (he, he / 1024))
    assert plain == shrunk  # a power of two: to the last bit


def test_convolutions_with_and_without_the_border():
    stages = [Stage(24, 24, 8), Stage(24, 48, 8, stride=2), Stage(48, 48, 4)]
    for norm in NORMS:
        found = measure(stages, CASES["BNN identity"], norm, 64)
        profile = predicted_profile(CASES["BNN identity"], norm, stages, inner=True)
        assert found.ratios == pytest.approx([a / b for a, b in itertools.pairwise(profile)], rel=0.1)
    plain = predicted_profile(CASES["BNN identity"], "none", stages)
    assert plain[2] == 9 * 48 and plain[1] / plain[2] == 9 * 48 / 4


@pytest.mark.parametrize("size", [1, 2, 5, 8])
@pytest.mark.parametrize("stride", [1, 2])
def test_taps_count_what_a_convolution_reads(size, stride):
    ones, kernel = torch.ones(1, 1, size, size), torch.ones(1, 1, 3, 3)
    out = nn.functional.conv2d(ones, kernel, stride=stride, padding=1)
    stage = Stage(7, 5, size, stride)
    assert (stage.taps, stage.out_size) == (out.sum().item(), out.shape[2])
    assert stage.inner_fan_in == pytest.approx(7 * out.mean().item())
    assert stage.inner_fan_out == pytest.approx(5 * out.sum().item() / size**2)


def test_batch_normalisation_backward_formula():
    """dL/ds = gamma / sigma (d - mean(d) - s^ mean(s^ d)), with d = dL/dz."""
    rng = torch.Generator().manual_seed(7)
    s = (torch.randn(33, 5, generator=rng, dtype=torch.float64) * 3 + 1).requires_grad_()
    d = torch.randn(33, 5, generator=rng, dtype=torch.float64)
    norm = nn.BatchNorm1d(5).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0]))
    norm(s).backward(d)
    sigma = (s.detach().var(0, unbiased=False) + norm.eps).sqrt()
    hat = (s.detach() - s.detach().mean(0)) / sigma
    expected = norm.weight.detach() / sigma * (d - d.mean(0) - hat * (hat * d).mean(0))
    torch.testing.assert_close(s.grad, expected, rtol=1e-10, atol=1e-12)


def test_real_chain_against_finite_differences():
    net = Chain(dense([5, 7, 4]), CASES["full precision"], "bn").double()
    rng = torch.Generator().manual_seed(2)
    x = torch.randn(9, 5, generator=rng, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: net(x)[-1], x)


def test_ternary_values_and_gradient():
    w = torch.tensor([0.69, 0.71, -0.69, -0.71, 1.3, -1.3, 0.0, 2.6], dtype=torch.float64)
    threshold = 0.7 * w.abs().mean().item()
    w.requires_grad_()
    t = Ternary()(w)
    assert t.tolist() == [0 if abs(v) < threshold else math.copysign(1, v) for v in w.tolist()]
    assert set(t.tolist()) == {-1, 0, 1}
    t.backward(torch.arange(8, dtype=torch.float64))
    assert w.grad.tolist() == list(range(8))


def test_plot_returns_what_it_draws():
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    found = plot_gradient_variance(axes, depth=3, width=32, norm="bn", batch=32)
    assert list(found) == list(CASES) and axes.get_yscale() == "log"
    dots = [line for line in axes.lines if line.get_marker() != "None"]
    assert [list(line.get_ydata()) for line in dots] == [m.delta for m in found.values()]


def test_errors_name_the_value_and_the_rule():
    stage = dense([4, 4])[0]
    with pytest.raises(ValueError, match=r"'ln'.*none, scale, bn"):
        predicted_ratio(CASES["ternary"], "ln", 4, 4)
    with pytest.raises(ValueError, match=r"'ln'.*none, scale, bn"):
        Chain([stage], CASES["ternary"], "ln")
    with pytest.raises(ValueError, match=r"'Hee'.*He, Xavier"):
        init_std("Hee", stage)
    with pytest.raises(ValueError, match="binary weights only"):
        replace(CASES["ternary"], activation="clipped")
    with pytest.raises(ValueError, match="quaternary"):
        Case("quaternary", "relu")
