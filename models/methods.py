"""What stands between two binary layers of a chain: one table `METHODS`, name -> normalisation.

A method says two things: what is done to the weights of a binary layer, and which modules lead from its accumulators
(pooled, where the network pools) to the next signs. `signflow.models.networks.chains` builds networks from it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from signflow.models.layers.abn import ABN
from signflow.models.layers.asd import ASD, StaticShift
from signflow.models.layers.binary import sign
from signflow.models.layers.factor import PowerOfTwo
from signflow.models.layers.rprelu import RPReLU
from signflow.models.layers.standardise import Gain, standardise
from signflow.models.layers.wsd import self_distribute


def batch_norm(channels: int, spatial: bool) -> nn.Module:
    """PyTorch's batch normalisation of (N, C, H, W) or (N, C)."""
    return (nn.BatchNorm2d if spatial else nn.BatchNorm1d)(channels)


def root_of_fan_in(fan_in: int) -> PowerOfTwo:
    """Multiplication by the power of two nearest to 1/sqrt(fan-in)."""
    return PowerOfTwo(-round(math.log2(fan_in) / 2))


@dataclass(frozen=True)
class Method:
    """One way to train a chain of binary layers."""

    title: str
    """For tables and plots."""
    normalise: Callable[[nn.Module, int, bool], list[nn.Module]]
    """(binary layer, its output channels, whether the tensor is spatial) -> modules from accumulators to signs."""
    weights: Callable[[nn.Module], nn.Module] = lambda layer: layer
    """What is done to a binary layer after its construction."""
    estimator: str = "clipped"
    """Gradient estimator of the weights' signs."""
    centred_input: bool = False
    """Whether pixels must come centred and scaled because nothing behind the first layer does it."""


def _bn(_, channels, spatial):
    return [batch_norm(channels, spatial), sign()]


def _abn(form):
    return lambda _, channels, spatial: [ABN(channels, form), sign()]


def _bnfree(layer, channels, spatial):
    return [Gain(layer), RPReLU(channels, spatial), sign("quadratic")]


def _sd(activation):
    return lambda _, channels, spatial: [batch_norm(channels, spatial), activation(channels)]


def _clipped_sign(_):
    return nn.Sequential(nn.Hardtanh(), sign("ede"))


def _scale(layer, *_):
    return [root_of_fan_in(layer.weight[0].numel()), sign()]


METHODS: dict[str, Method] = {
    "bn": Method("BN", _bn),
    "abn": Method("ABN", _abn("gate+beta")),
    "bnfree": Method("BN-free", _bnfree, standardise, centred_input=True),
    "sd": Method("SD (ASD + WSD)", _sd(ASD), self_distribute, "ede"),
    "none": Method("none", lambda *_: [sign()], centred_input=True),
    "scale": Method("1/sqrt(K)", _scale, centred_input=True),
    "abn-gate": Method("ABN: gate", _abn("gate")),
    "abn-gamma": Method("ABN: gamma*gate", _abn("gamma*gate")),
    "abn-gamma-beta": Method("ABN: gamma*gate+beta", _abn("gamma*gate+beta")),
    "sd-base": Method("SD without shifts", _sd(_clipped_sign), estimator="ede"),
    "sd-asd": Method("SD: ASD", _sd(ASD), estimator="ede"),
    "sd-wsd": Method("SD: WSD", _sd(_clipped_sign), self_distribute, "ede"),
    "sd-static": Method("SD: static shift + WSD", _sd(StaticShift), self_distribute, "ede"),
}


def method(name: str) -> Method:
    """Look up a method; raises ValueError that lists the known names."""
    if name not in METHODS:
        raise ValueError(f"unknown method {name!r}; known methods: {', '.join(METHODS)}")
    return METHODS[name]
