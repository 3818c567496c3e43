"""The magnitude of binary weights against the released code's layer written out, with and without BN behind it."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signflow.models.layers.binary import binary_conv
from signflow.models.methods import METHODS


def code_weight(w: Tensor) -> Tensor:
    """kappa sign(w) with the gradient 1 where |w| <= 1: the convolution weight of ReActNet's released code."""
    kappa = w.detach().abs().mean((1, 2, 3), keepdim=True)
    through = w.clamp(-1, 1)
    return (kappa * torch.where(w >= 0, 1.0, -1.0)).detach() - through.detach() + through


@pytest.mark.parametrize("name", ["magnitude", "bn-magnitude"])
def test_forward_and_gradients_are_those_of_the_released_code(name):
    torch.manual_seed(1)
    how = METHODS[name]
    layer = how.weights(binary_conv(6, 5, 3)).double()
    behind = nn.Sequential(*how.norm(layer, 5, True)).double()
    latent = layer.parametrizations.weight.original
    nn.init.normal_(latent, std=0.7)  # some beyond the clip
    x = torch.randn(4, 6, 7, 7).sign().double().requires_grad_()
    r = torch.randn(4, 5, 5, 5).double()
    for _ in range(2):  # a second pass must not find anything of the first
        y = behind(layer(x))
        got = torch.autograd.grad((y * r).sum(), (latent, x))
        want_y = F.conv2d(x, code_weight(latent))
        if name == "bn-magnitude":
            want_y = F.batch_norm(want_y, None, None, training=True, eps=1e-5)
        want = torch.autograd.grad((want_y * r).sum(), (latent, x))
        torch.testing.assert_close(y, want_y, rtol=1e-12, atol=1e-12)
        for a, b in zip(got, want, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-11)
    assert (got[0] == 0).any() and got[0].abs().max() > 1e-3


def test_a_batch_norm_hides_kappa_from_the_forward_pass_only():
    """What the twin would be without kappa: the same numbers but for eps, kappa times smaller gradients."""
    torch.manual_seed(2)
    with_kappa, plain = (METHODS[n].weights(binary_conv(6, 5, 3)).double() for n in ("bn-magnitude", "bn"))
    latent = with_kappa.parametrizations.weight.original
    nn.init.uniform_(latent, -0.1, 0.1)
    plain.weight.data.copy_(latent.data)
    kappa = latent.detach().abs().mean((1, 2, 3), keepdim=True)
    x, r = torch.randn(8, 6, 9, 9).sign().double(), torch.randn(8, 5, 7, 7).double()
    gradients = []
    for name, layer, w in (("bn-magnitude", with_kappa, latent), ("bn", plain, plain.weight)):
        norm = METHODS[name].norm(layer, 5, True)
        norm[-1].eps = 1e-30
        y = nn.Sequential(*norm).double()(layer(x))
        gradients.append((y, torch.autograd.grad((y * r).sum(), w)[0]))
    (y, g), (y0, g0) = gradients
    torch.testing.assert_close(y, y0, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(g * kappa, g0, rtol=1e-9, atol=1e-12)


def test_the_real_step_has_no_magnitude():
    layer = METHODS["magnitude"].weights(binary_conv(3, 4, 3))
    norm = METHODS["magnitude"].norm(layer, 4, True)[0]
    layer.weight_quant.disable_quant = True
    x = torch.randn(2, 3, 5, 5)
    w = layer.parametrizations.weight.original
    torch.testing.assert_close(norm(layer(x)), F.conv2d(x, w))
    (gradient,) = torch.autograd.grad(norm(layer(x)).sum(), w)
    torch.testing.assert_close(gradient, torch.autograd.grad(F.conv2d(x, w).sum(), w)[0])
