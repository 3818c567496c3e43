"""Every method: a hidden layer computed again in numpy float64, and what the table says about itself."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from signflow.models.layers.abn import ABN
from signflow.models.layers.asd import ASD, StaticShift
from signflow.models.layers.binary import binary_conv, binary_linear
from signflow.models.layers.factor import PowerOfTwo
from signflow.models.layers.rprelu import RPReLU
from signflow.models.layers.standardise import Gain, Kappa
from signflow.models.methods import METHODS, method, root_of_fan_in
from signflow.models.quant import Weight8

CHANNELS, FAN_IN = 12, 40
EPS = 1e-5
CLOSE = 1e-5


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def array(t: torch.Tensor) -> np.ndarray:
    return t.detach().double().numpy()


def wide(v: np.ndarray, like: np.ndarray) -> np.ndarray:
    return v.reshape(1, -1, *[1] * (like.ndim - 2))


def spread(v: np.ndarray, w: np.ndarray) -> np.ndarray:
    """One value for each output channel of the weights ``w``."""
    return v.reshape(-1, *[1] * (w.ndim - 1))


def signs(v: np.ndarray) -> np.ndarray:
    return np.where(v >= 0, 1.0, -1.0)


def plain(layer: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    w = array(layer.weight)
    return signs(w), np.ones(len(w))


def mean_magnitude(layer: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    w = array(layer.weight)
    return signs(w), abs(w).reshape(len(w), -1).mean(1)


def standardised(layer: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    w = array(layer.parametrizations.weight.original)
    flat = w.reshape(len(w), -1)
    hat = (flat - flat.mean(1, keepdims=True)) / (flat.std(1, keepdims=True) + EPS) / flat.shape[1] ** 0.5
    return signs(hat).reshape(w.shape), abs(hat).mean(1)


def moved_by_their_mean(layer: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    w, alpha = array(layer.parametrizations.weight.original), array(layer.parametrizations.weight[0].alpha)
    mean = w.reshape(len(w), -1).mean(1)
    return signs(w + spread(sigmoid(alpha) * 0.01 * mean, w)), np.ones(len(w))


def normalised(z: np.ndarray, mean: torch.Tensor, var: torch.Tensor) -> np.ndarray:
    return (z - wide(array(mean), z)) / np.sqrt(wide(array(var), z) + EPS)


def asd_shift(asd: ASD, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The clipped activations and s by the docstring's formula, L = 16."""
    a = np.clip(np.rint(z * 16) / 16, -1, 15 / 16)
    flat = a.reshape(*a.shape[:2], -1)
    g = flat.sum(2) / 2 ** math.ceil(math.log2(flat.shape[2]))
    g = np.clip(np.rint(g * 128) / 128, -1, 127 / 128)
    w1, w2 = (array(m.quant_weight().value) for m in (asd.squeeze, asd.excite))
    h = np.clip(np.rint(g @ w1.T * 64) / 64, 0, 255 / 64)
    s = (np.minimum(np.floor(16 * sigmoid(h @ w2.T)), 15) + 0.5) / 16
    return a, s.reshape(*s.shape, *[1] * (a.ndim - 2))


def bn(modules: list[nn.Module], z: np.ndarray, _) -> np.ndarray:
    norm = modules[0]
    return normalised(z, norm.running_mean, norm.running_var) * wide(array(norm.weight), z) + wide(array(norm.bias), z)


def abn(modules: list[nn.Module], z: np.ndarray, _) -> np.ndarray:
    norm = modules[0]
    x = normalised(z, norm.running_mean, norm.running_var)
    x = sigmoid(x) * x
    if norm.gamma is not None:
        x = wide(array(norm.gamma), z) * x
    return x if norm.beta is None else x + wide(array(norm.beta), z)


def bnfree(modules: list[nn.Module], z: np.ndarray, kappa: np.ndarray) -> np.ndarray:
    gain, rprelu = modules[:2]
    x = z * wide(array(gain.gain).ravel() * kappa, z) + wide(array(rprelu.before.bias).ravel(), z)
    return np.where(x >= 0, x, wide(array(rprelu.slope), z) * x) + wide(array(rprelu.after.bias).ravel(), z)


def bn_of_magnitude(modules: list[nn.Module], z: np.ndarray, kappa: np.ndarray) -> np.ndarray:
    return bn(modules[1:], z * wide(kappa, z), kappa)


def asd(modules: list[nn.Module], z: np.ndarray, _) -> np.ndarray:
    a, s = asd_shift(modules[1], bn(modules, z, _))
    return a + s


def static_shift(modules: list[nn.Module], z: np.ndarray, _) -> np.ndarray:
    return bn(modules, z, _) + wide(sigmoid(array(modules[1].shift)), z)


@dataclass(frozen=True)
class Formula:
    """What a hidden layer of a method computes, written down from its paper."""

    numbers: Callable[[list[nn.Module], np.ndarray, np.ndarray], np.ndarray]
    """(modules behind the layer, its accumulators, kappa) -> what the sign sees."""
    weights: Callable[[nn.Module], tuple[np.ndarray, np.ndarray]] = plain
    """Layer in training -> the signs of its weights, and kappa."""
    exact: bool = False
    """Whether rounding cannot move what the sign sees across 0."""


FORMULAS = {
    "bn": Formula(bn),
    "abn": Formula(abn),
    "bnfree": Formula(bnfree, standardised),
    "sd": Formula(asd, moved_by_their_mean),
    "none": Formula(lambda modules, z, kappa: z, exact=True),
    "scale": Formula(lambda modules, z, kappa: z * 2.0 ** -round(math.log2(FAN_IN) / 2), exact=True),
    "magnitude": Formula(lambda modules, z, kappa: z * wide(kappa, z), mean_magnitude, exact=True),
    "bn-magnitude": Formula(bn_of_magnitude, mean_magnitude),
    "abn-gate": Formula(abn),
    "abn-gamma": Formula(abn),
    "abn-gamma-beta": Formula(abn),
    "abn-keep": Formula(abn),
    "sd-base": Formula(bn),
    "sd-asd": Formula(asd),
    "sd-wsd": Formula(bn, moved_by_their_mean),
    "sd-static": Formula(static_shift, moved_by_their_mean),
    "sd-wide": Formula(asd, moved_by_their_mean),
}
"""One line for each line of `METHODS`."""


def formula(name: str) -> Formula:
    if name not in FORMULAS:
        pytest.fail(f"no formula for {name!r}: add a line to FORMULAS in tests/models/test_methods.py", pytrace=False)
    return FORMULAS[name]


def hidden(name: str, spatial: bool) -> tuple[nn.Module, list[nn.Module], torch.Tensor]:
    """A hidden layer after some steps of running statistics, with random parameters of both signs, and an input."""
    torch.manual_seed(sum(map(ord, name)))
    how = method(name)
    layer = binary_conv(10, CHANNELS, 2, estimator=how.weight_estimator) if spatial else None
    layer = how.weights(layer or binary_linear(FAN_IN, CHANNELS, estimator=how.weight_estimator))
    modules = how.normalise(layer, CHANNELS, spatial)
    x = torch.randn(64, 10, 6, 5).sign() if spatial else torch.randn(1500, FAN_IN).sign()
    for _ in range(3):
        nn.Sequential(layer, *modules)(x[torch.randint(0, len(x), (50,))])
    with torch.no_grad():
        for module in modules:
            for p in [] if isinstance(module, ASD) else module.parameters():
                p.add_(0.3 * torch.randn_like(p))
    return layer.eval(), [m.eval() for m in modules], x


@pytest.mark.parametrize("spatial", [True, False])
@pytest.mark.parametrize("name", METHODS)
def test_hidden_layer(name, spatial):
    known, (layer, modules, x) = formula(name), hidden(name, spatial)
    w, kappa = known.weights(layer)
    with torch.no_grad():
        acc = layer(x)
        y = nn.Sequential(*modules)(acc).numpy()
    if spatial:
        windows = np.lib.stride_tricks.sliding_window_view(x.double().numpy(), (2, 2), axis=(2, 3))
        z = np.einsum("ncijhw,ochw->noij", windows, w)
    else:
        z = x.double().numpy() @ w.T
    np.testing.assert_array_equal(acc.numpy(), z)
    v = known.numbers(modules, z, kappa)
    clear = np.ones(v.shape, bool) if known.exact else abs(v) >= CLOSE
    np.testing.assert_array_equal(y[clear], signs(v)[clear])
    assert (~clear).sum() <= 0.002 * clear.size
    assert 0.02 < (y > 0).mean() < 0.98  # both signs occur


def test_a_method_without_a_formula_is_told_where_to_write_one():
    with pytest.raises(
        pytest.fail.Exception, match=r"no formula for '\?': add a line to FORMULAS in tests/models/test_me"
    ):
        formula("?")
    assert set(FORMULAS) <= set(METHODS)


ORDER = {
    "bn": [nn.BatchNorm2d],
    "abn": [ABN],
    "bnfree": [Gain, RPReLU],
    "sd": [nn.BatchNorm2d, ASD],
    "sd-static": [nn.BatchNorm2d, StaticShift],
    "sd-base": [nn.BatchNorm2d],
    "none": [],
    "scale": [PowerOfTwo],
    "magnitude": [Kappa],
    "bn-magnitude": [Kappa, nn.BatchNorm2d],
}


@pytest.mark.parametrize("name", ORDER)
def test_modules_between_accumulators_and_sign(name):
    how = METHODS[name]
    modules = how.normalise(how.weights(binary_conv(4, 6, 3)), 6, True)
    assert [type(m) for m in modules][: len(ORDER[name])] == ORDER[name]


def test_only_self_distribution_clips_its_window_by_a_hard_tanh():
    """EDE starts as the identity: without the hard tanh of the authors' networks nothing would bound the gradient."""
    for name in [n for n in METHODS if n.startswith("sd")]:
        z = torch.tensor([[-3.0], [-0.5], [0.5], [3.0]], requires_grad=True)
        METHODS[name].normalise(METHODS[name].weights(binary_linear(4, 1)), 1, False)[1](z).sum().backward()
        assert (z.grad.flatten() != 0).tolist() == [False, True, True, False], name


def test_affine_forms_of_the_ablation():
    forms = {n: METHODS[n].normalise(None, 3, True)[0].form for n in METHODS if n.startswith("abn")}
    assert forms == {
        "abn": "gate+beta",
        "abn-gate": "gate",
        "abn-gamma": "gamma*gate",
        "abn-gamma-beta": "gamma*gate+beta",
        "abn-keep": "gate+beta",
    }


ROOTS = [(9, -2), (64, -3), (90, -3), (91, -3), (128, -4), (784, -5), (2304, -6)]


@pytest.mark.parametrize(("fan_in", "exponent"), ROOTS)
def test_root_of_fan_in(fan_in, exponent):
    assert root_of_fan_in(fan_in).exponent == exponent
    assert abs(math.log2(fan_in) / 2 + exponent) <= 0.5


def test_branch_weights_have_eight_bits():
    for layer in (ASD(16).squeeze, ASD(16).excite):
        assert issubclass(layer.weight_quant.quant_injector, Weight8)
        quantised = layer.quant_weight()
        integers = quantised.value / quantised.scale
        assert torch.equal(integers, integers.round()) and integers.abs().max() <= 127
        assert math.log2(quantised.scale.item()) % 1 == 0


def test_unknown_method_lists_the_known_ones():
    with pytest.raises(ValueError, match=rf"unknown method '\?'; known methods: {', '.join(METHODS)}$"):
        method("?")
