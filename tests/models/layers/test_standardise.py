"""Scaled weight standardisation against numpy and against the convolution with gain kappa sign(w^) written out."""

import copy

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn
from torch.nn import functional as F

from signflow.models.layers.binary import binary_conv, binary_linear
from signflow.models.layers.standardise import Gain, standardise
from signflow.models.quant import Weight8
from signflow.models.training.agc import unit_norm

MAKE = {"conv": lambda: binary_conv(3, 4, 3), "dense": lambda: binary_linear(20, 4)}
INPUT = {"conv": (2, 3, 6, 5), "dense": (7, 20)}
KINDS = list(MAKE)


def standard(w: np.ndarray) -> np.ndarray:
    """w^ of one filter after the other."""
    out = np.empty_like(w)
    for o, f in enumerate(w):
        mean = f.sum() / f.size
        std = np.sqrt(((f - mean) ** 2).sum() / f.size)
        out[o] = f.size**-0.5 * (f - mean) / (std + 1e-5)
    return out


def kappa(w: np.ndarray) -> np.ndarray:
    return np.array([abs(f).sum() / f.size for f in standard(w)])


def pair(kind: str, seed: int = 0) -> tuple[nn.Module, Gain, np.ndarray]:
    """A standardised layer, its gain with random values of both signs, and the latent weights, all in float64."""
    torch.manual_seed(seed)
    layer = standardise(MAKE[kind]())
    gain = Gain(layer)
    layer, gain = layer.double(), gain.double()
    nn.init.normal_(gain.gain)
    return layer, gain, latent(layer).detach().numpy().copy()


def latent(layer: nn.Module) -> nn.Parameter:
    return layer.parametrizations.weight.original


def apply(kind: str, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return F.conv2d(x, w) if kind == "conv" else x @ w.T


def wide(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values.reshape(-1, *[1] * (like.dim() - 1))


@pytest.mark.parametrize("kind", KINDS)
def test_standardised_weights(kind):
    layer, _, w = pair(kind)
    assert (w >= 0).all() and w.max() <= 1e-3 and w.std() > 1e-4  # latent weights start in U(0, 0.001)
    np.testing.assert_allclose(layer.weight.detach(), standard(w), rtol=1e-9, atol=1e-15)
    flat = layer.weight.detach().flatten(1).numpy()
    np.testing.assert_allclose(flat.mean(1), 0, atol=1e-15)
    np.testing.assert_allclose((flat**2).sum(1), 1, rtol=0.1)  # variance 1/N; eps is a few per cent of 0.001's spread


@pytest.mark.parametrize("kind", KINDS)
def test_layer_and_gain_are_the_papers_convolution(kind):
    layer, gain, w = pair(kind)
    x = torch.randn(INPUT[kind]).sign().double()
    binary = gain.gain.detach().flatten().numpy() * kappa(w)
    signs = np.where(w - w.reshape(4, -1).mean(1).reshape(-1, *[1] * (w.ndim - 1)) >= 0, 1.0, -1.0)
    want = apply(kind, x, torch.tensor(binary.reshape(-1, *[1] * (w.ndim - 1)) * signs))
    acc = layer(x)
    assert torch.equal(acc, apply(kind, x, torch.tensor(signs)))
    np.testing.assert_allclose(gain(acc).detach(), want, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gain.kappa, kappa(w), rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_those_of_the_papers_estimator(kind, seed):
    """d(kappa sign(w^))/dw^ = 1 where |w^| <= 1, and exact derivatives for everything else; kappa is a constant."""
    layer, gain, w = pair(kind, seed)
    x = torch.randn(INPUT[kind], dtype=torch.float64, requires_grad=True)
    y = gain(layer(x))
    weights = torch.randn_like(y)
    got = torch.autograd.grad((y * weights).sum(), (latent(layer), gain.gain, x))

    free = torch.tensor(w, requires_grad=True)
    g = gain.gain.detach().clone().requires_grad_()
    z = x.detach().clone().requires_grad_()
    flat = free.reshape(4, -1)
    mean = flat.mean(1, keepdim=True)
    std = ((flat - mean) ** 2).mean(1, keepdim=True).sqrt()
    hat = ((flat - mean) / (std + 1e-5) / flat.shape[1] ** 0.5).reshape(w.shape)
    fixed = torch.tensor(kappa(w)).reshape(g.shape) * torch.where(hat >= 0, 1.0, -1.0)
    through = hat.clamp(-1, 1)
    y = apply(kind, z, g * (fixed.detach() - through.detach() + through))
    want = torch.autograd.grad((y * weights).sum(), (free, g, z))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * b.abs().max().item())


@pytest.mark.parametrize("kind", KINDS)
def test_real_step_uses_the_standardised_weights_and_exact_gradients(kind):
    layer, gain, w = pair(kind)
    layer.weight_quant.disable_quant = True
    x = torch.randn(INPUT[kind], dtype=torch.float64)
    want = apply(kind, x, gain.gain.detach() * torch.tensor(standard(w)))
    np.testing.assert_allclose(gain(layer(x)).detach(), want, rtol=1e-9, atol=1e-12)
    assert gain.kappa.tolist() == [1.0] * 4

    def function(w, g):
        values = {"parametrizations.weight.original": w}
        return torch.func.functional_call(gain, {"gain": g}, (torch.func.functional_call(layer, values, (x,)),))

    big = torch.randn(w.shape, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (big, gain.gain.detach().requires_grad_()))


def test_eight_bit_layers_have_no_kappa():
    torch.manual_seed(0)
    layer = standardise(qnn.QuantLinear(20, 4, bias=False, weight_quant=Weight8)).double()
    gain = Gain(layer).double()
    x = torch.randn(7, 20, dtype=torch.float64)
    y = gain(layer(x))
    hat = standard(latent(layer).detach().numpy())
    scale = 2.0 ** (np.ceil(np.log2(abs(hat).max())) - 7)
    np.testing.assert_allclose(y.detach(), x.numpy() @ (np.rint(hat / scale) * scale).T, rtol=1e-12, atol=1e-12)
    weight = torch.randn(4, 20, dtype=torch.float64)
    (got,) = torch.autograd.grad((layer.weight * weight).sum(), latent(layer))
    free = latent(layer).detach().clone().requires_grad_()
    std, mean = torch.std_mean(free, 1, correction=0, keepdim=True)
    (want,) = torch.autograd.grad((((free - mean) / (std + 1e-5) / 20**0.5) * weight).sum(), free)
    np.testing.assert_allclose(got, want, rtol=1e-9)
    assert gain.kappa.tolist() == [1.0] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_kappa_follows_the_weights_and_the_step(kind):
    layer, gain, w = pair(kind)
    layer.weight_quant.disable_quant = True
    gain.refresh()
    layer.weight_quant.disable_quant = False
    with torch.no_grad():
        latent(layer).mul_(torch.rand_like(latent(layer)) + 0.5)
    acc = torch.ones(2, 4, *[1] * (len(INPUT[kind]) - 2), dtype=torch.float64)
    now = kappa(latent(layer).detach().numpy())
    np.testing.assert_allclose(gain(acc)[0].detach().flatten(), gain.gain.detach().flatten() * now, rtol=1e-12)
    assert abs(now - kappa(w)).min() > 1e-6


def test_two_forward_passes_before_a_backward_pass():
    layer, gain, _ = pair("dense")
    x = torch.randn(2, 7, 20, dtype=torch.float64)
    (gain(layer(x[0])) * gain(layer(x[1]))).sum().backward()
    assert latent(layer).grad.abs().sum() > 0


@settings(max_examples=50)
@given(w=hnp.arrays(np.float32, (3, 8), elements=st.integers(-1000, 1000).map(lambda i: i / 1000)))
def test_signs_are_those_of_the_centred_weights(w):
    layer = standardise(binary_linear(8, 3))
    latent(layer).data.copy_(torch.tensor(w))
    centred = w.astype(np.float64) - w.astype(np.float64).mean(1, keepdims=True)
    clear = abs(centred) > 1e-6
    np.testing.assert_array_equal((layer.weight >= 0).numpy()[clear], (centred >= 0)[clear])


def test_every_gain_is_a_unit_and_belongs_to_the_gain_alone():
    for kind, shape in (("conv", (4, 1, 1, 1)), ("dense", (4, 1))):
        layer = standardise(MAKE[kind]())
        gain = Gain(layer)
        assert gain.gain.shape == shape and (gain.gain == 1).all()
        assert unit_norm(gain.gain).numel() == 4
        assert [name for name, _ in gain.named_parameters()] == ["gain"]
        assert set(gain.state_dict()) == {"gain", "kappa"}
        assert [name for name, _ in layer.named_parameters()] == ["parametrizations.weight.original"]


def test_a_copy_follows_its_own_layer():
    layer = standardise(binary_linear(8, 4))
    net = nn.Sequential(layer, Gain(layer))
    twin = copy.deepcopy(net)
    with torch.no_grad():
        latent(twin[0]).pow_(4)
    before = net[1].kappa.clone()
    twin(torch.ones(1, 8)), net(torch.ones(1, 8))
    assert torch.equal(net[1].kappa, before) and not torch.equal(twin[1].kappa, before)
