"""Initial weights of the papers' networks against the rules in the authors' code, layer by layer.

Every rule is a distribution: the bounds of a uniform one hold for each weight, a standard deviation up to six of its
standard errors.
"""

import math
from functools import partial

import brevitas.nn as qnn
import pytest
import torch
from torch import Tensor, nn

from signflow.models.layers.asd import ASD
from signflow.models.layers.binary import is_binary
from signflow.models.networks.reactnet import reactnet18, reactnet_a
from signflow.models.networks.resnet import abn_resnet18, sd_resnet18, sd_resnet18_imagenet, sd_resnet20
from signflow.models.networks.vgg import binarynet, vgg_small


def normal(std: float, w: Tensor) -> None:
    error = std / math.sqrt(2 * w.numel())
    assert abs(w.std().item() - std) < 6 * error and abs(w.mean().item()) < 6 * std / math.sqrt(w.numel())
    assert w.abs().max() > 1.9 * std or w.numel() < 100  # no uniform distribution


def uniform(low: float, high: float, w: Tensor) -> None:
    assert low <= w.min() and w.max() <= high * (1 + 1e-6)
    error = (high - low) / math.sqrt(w.numel())
    assert abs(w.mean().item() - (low + high) / 2) < 2 * error
    assert abs(w.std().item() - (high - low) / math.sqrt(12)) < 3 * error


def default(w: Tensor) -> None:
    """PyTorch's: U(-1/sqrt(fan-in), 1/sqrt(fan-in))."""
    bound = w[0].numel() ** -0.5
    uniform(-bound, bound, w)


def fan_out(w: Tensor) -> None:
    normal(math.sqrt(2 / (w.shape[0] * w[0, 0].numel())), w)


def kaiming(w: Tensor) -> None:
    normal(math.sqrt(2 / w[0].numel()), w)


small = partial(uniform, 0.0, 1e-3)
dense = partial(normal, 0.01)

# name: (network, rule of binary layers, of other convolutions, of the attention, of the last layer)
RULES = {
    "binarynet": (lambda **o: binarynet(width=0.5, hidden=64, **o), default, default, None, default),
    "abn-resnet18": (lambda **o: abn_resnet18(width=0.4, **o), fan_out, default, None, default),
    "vgg-small": (lambda **o: vgg_small(width=0.5, **o), fan_out, fan_out, dense, dense),
    "sd-resnet20": (sd_resnet20, kaiming, kaiming, kaiming, kaiming),
    "sd-resnet18": (lambda **o: sd_resnet18(width=0.25, **o), kaiming, kaiming, kaiming, kaiming),
    "sd-imagenet": (lambda **o: sd_resnet18_imagenet(width=0.25, **o), small, default, default, default),
    "reactnet18": (lambda **o: reactnet18(width=0.25, **o), small, small, None, default),
    "reactnet18-bn": (
        lambda **o: reactnet18(width=0.25, normalisation="bn-magnitude", **o), default, default, None, default,
    ),
    "reactnet18-none": (
        lambda **o: reactnet18(width=0.25, normalisation="magnitude", **o), default, default, None, default,
    ),
    "reactnet-a": (lambda **o: reactnet_a(width=0.25, **o), small, small, None, default),
}  # fmt: skip


def latent(layer: nn.Module) -> Tensor:
    parts = getattr(layer, "parametrizations", None)
    return (layer.weight if parts is None else parts.weight.original).detach()


@pytest.mark.parametrize("name", RULES)
def test_initial_weights(name):
    torch.manual_seed(11)
    build, binary, real, attention, last = RULES[name]
    net = build()
    shifts = {layer for m in net.modules() if isinstance(m, ASD) for layer in (m.squeeze, m.excite)}
    layers = [m for m in net.modules() if isinstance(m, qnn.QuantConv2d | qnn.QuantLinear)]
    counts = dict.fromkeys(("binary", "attention", "real", "last"), 0)
    for layer in layers:
        if layer in shifts:
            kind, rule = "attention", attention
        elif is_binary(layer):
            kind, rule = "binary", binary
        else:
            kind, rule = ("real", real) if isinstance(layer, qnn.QuantConv2d) else ("last", last)
        counts[kind] += 1
        rule(latent(layer))
    assert counts["binary"] > 4 and counts["real"] > 0 and counts["last"] == 1
    assert bool(counts["attention"]) == (attention is not None)


def test_vgg_begins_with_biases_of_zero_and_a_shift_of_one_half():
    """As the authors' does: the attention says 0 but for noise, whatever the image."""
    torch.manual_seed(12)
    net = vgg_small(width=0.25)
    assert not net[-1].bias.any()
    shifts = [m.shift(torch.rand(4, m.squeeze.in_features, 4, 4) * 2 - 1) for m in net.modules() if isinstance(m, ASD)]
    assert all((abs(s - 0.5) <= 1 / 16).all() for s in shifts)
