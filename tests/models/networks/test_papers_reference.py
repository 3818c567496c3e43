"""The papers' networks, whole and narrow, against a second implementation of each: logits and all gradients.

In training mode and float64, with float streams and the papers' padding of 0 (the defaults' grids are looked at in
`test_papers_blocks`, `test_papers_joins` and `test_papers_export`). Weights of 8-bit layers are left out of the
gradients: their scale follows the weights, in a way that is Brevitas' own.
"""

from functools import partial

import brevitas.nn as qnn
import pytest
import torch
from torch import nn

from signflow.models.layers.binary import is_binary
from signflow.models.layers.rprelu import RPReLU
from signflow.models.networks import NARROW, NETWORKS, PAPERS

from . import reference

BN, NONE = {"variant": "bn"}, {"variant": "none"}
GREY = {"statistics": "fashion-mnist"}
VGG, NARROWER = {"width": 1 / 16, "features": 16, "hidden": 32}, {"width": 0.125}
# name: (reference, options of the narrow network)
CASES = {
    "abn-binarynet": (reference.binarynet, VGG),
    "bn-binarynet": (reference.binarynet, VGG),
    "abn-binarynet-tiny": (reference.binarynet, VGG),
    "sd-vgg-small": (reference.vgg_small, NARROWER),
    "abn-resnet18": (reference.abn_resnet18, {"width": 0.1}),
    "bn-resnet18": (reference.abn_resnet18, {"width": 0.1}),
    "abn-resnet18-tiny": (reference.abn_resnet18, {"width": 0.1}),
    "sd-resnet20": (reference.sd_resnet20, {"width": 0.5}),
    "sd-resnet18": (reference.sd_resnet18, NARROWER),
    "sd-resnet18-imagenet": (reference.sd_resnet18_imagenet, NARROWER),
    "reactnet18": (reference.reactnet18, NARROWER),
    "reactnet18-bn": (partial(reference.reactnet18, **BN), NARROWER),
    "reactnet18-none": (partial(reference.reactnet18, **NONE), NARROWER),
    "reactnet-a": (reference.reactnet_a, NARROWER),
    "reactnet-a-bn": (partial(reference.reactnet_a, **BN), NARROWER),
    "reactnet-a-none": (partial(reference.reactnet_a, **NONE), NARROWER),
    "abn-resnet18-fashion": (partial(reference.abn_resnet18, **GREY), {"width": 0.1}),
    "sd-resnet20-fashion": (partial(reference.sd_resnet20, **GREY), {"width": 0.5}),
    "reactnet18-fashion": (partial(reference.reactnet18, **GREY), NARROWER),
    "reactnet18-bn-fashion": (partial(reference.reactnet18, **GREY, **BN), NARROWER),
}
SAME = {
    "abn-binarynet-w1",
    "abn-binarynet-cifar100",
    "abn-resnet18-cifar100",
    "reactnet18-cifar100",
    "bn-resnet18-fashion",
}
"""Networks that differ from one of the cases in their width, classes or pixels only."""


def narrow(name: str) -> tuple[nn.Module, torch.Tensor]:
    """The network in float64 with parameters of both signs, and images for it."""
    torch.manual_seed(sum(map(ord, name)))
    options = CASES[name][1] | ({} if "vgg" in name or "binarynet" in name else {"stream_bits": None})
    row = NETWORKS[name]
    net, bare = row.build(**options).double(), name.endswith("none")  # nothing that brings numbers back to one size
    with torch.no_grad():
        for key, p in net.named_parameters():
            if key.endswith("original"):
                p.normal_(0.02, p[0].numel() ** -0.5 if bare else 0.4)
            elif bare and "slope" in key:
                p.normal_(1, 0.3)
            elif any(part in key for part in ("bias", "beta", "slope", "alpha")):
                p.normal_(0, 0.1 if bare else 0.3)
            elif "gain" in key or (key.endswith("weight") and p.dim() == 1):
                p.normal_(1, 0.3)
    side = min(64, row.input_shape[1])
    x = torch.randint(0, 256, (4, row.input_shape[0], side, side)).double()
    if bare:  # its numbers drift away, and the classifier's 8 bits would clip them all
        with torch.no_grad():
            last = next(m for m in reversed(list(net.modules())) if isinstance(m, RPReLU))
            last.after.bias -= net.blocks(net.stem(x)).mean((0, 2, 3)).view(1, -1, 1, 1)
    return net.train(), x


def compared(net: nn.Module) -> dict[str, nn.Parameter]:
    """All parameters but the weights of 8-bit layers."""
    eight = {
        id(layer.parametrizations.weight.original if hasattr(layer, "parametrizations") else layer.weight)
        for layer in net.modules()
        if isinstance(layer, qnn.QuantConv2d | qnn.QuantLinear) and not is_binary(layer)
    }
    return {name: p for name, p in net.named_parameters() if id(p) not in eight}


@pytest.mark.parametrize("name", CASES)
def test_logits_and_gradients(name):
    net, x = narrow(name)
    parameters = compared(net)
    got, want = net(x), CASES[name][0](net, x)
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9 * want.abs().max().item())
    assert got.std(0).min() > 0  # the images are told apart
    r = torch.randn_like(got)
    ours, theirs = (torch.autograd.grad((y * r).sum(), list(parameters.values())) for y in (got, want))
    largest = max(g.abs().max().item() for g in theirs)
    for key, a, b in zip(parameters, ours, theirs, strict=True):
        scale = b.abs().max().item()
        assert (a - b).abs().max().item() <= 1e-7 * scale + 1e-12 * largest, key


def test_every_network_of_the_papers_is_a_case():
    assert set(CASES) | SAME == {*PAPERS, *NARROW}


def test_betas_of_abn_in_a_shortcut_have_no_gradient():
    """The norm behind the sum subtracts them again; so it is in the authors' code."""
    net, x = narrow("abn-resnet18")
    (reference.abn_resnet18(net, x) * torch.randn(4, 10)).sum().backward()
    others = net.blocks[1].activation[0].beta.grad.abs().max()
    for block in (net.blocks[2], net.blocks[4]):
        assert block.shortcut[2].beta.grad.abs().max() < 1e-12 * others
