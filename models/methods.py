"""What stands between two binary layers: one table `METHODS`, name -> normalisation, for every network.

    weights -> layer -> accumulators -> norm -> normalised numbers -> activation -> sign -> next layer

A method says what is done to the weights of a layer and what each of the three places behind it holds. Chains
(`signflow.models.networks.chains`) use all of it. The papers' networks have activations and shortcuts of their own and
take from a method what fits there; each says so. A new normalisation is one file in `signflow.models.layers`, one line
here, and its formula in ``tests/models/test_methods.py``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn

from signflow.models.layers.abn import ABN
from signflow.models.layers.asd import ASD, StaticShift
from signflow.models.layers.binary import sign
from signflow.models.layers.factor import PowerOfTwo
from signflow.models.layers.magnitude import latent, magnitude
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
    """One normalisation. Layers are binary, or a network's first and last with 8-bit weights."""

    title: str
    """For tables and plots."""
    norm: Callable[[nn.Module, int, bool], list[nn.Module]]
    """(layer, its output channels, whether the tensor is spatial) -> modules from accumulators to normalised
    numbers.
    """
    activation: Callable[[int, bool], list[nn.Module]] = lambda channels, spatial: []
    """(channels, spatial) -> modules between them and the sign."""
    sign: Callable[[int, str], nn.Module] = lambda channels, estimator: sign(estimator)
    """(channels, gradient estimator) -> the sign, for methods that move its threshold."""
    weights: Callable[[nn.Module], nn.Module] = lambda layer: layer
    """What is done to a layer after its construction."""
    weight_estimator: str = "clipped"
    """Gradient estimator of the weights' signs, where the network does not choose."""
    sign_estimator: str = "clipped"
    """That of the activations'."""
    centred_input: bool = False
    """Whether pixels must come centred and scaled because nothing behind the first layer does it."""
    scheduled: bool = False
    """Whether residual networks must follow the expected variance (`signflow.models.layers.variance`) because nothing
    measures it.
    """

    def signs(self, channels: int, spatial: bool, estimator: str = "") -> list[nn.Module]:
        """Modules from normalised numbers to signs; ``estimator`` overrules the method's."""
        return [*self.activation(channels, spatial), self.sign(channels, estimator or self.sign_estimator)]

    def normalise(self, layer: nn.Module, channels: int, spatial: bool) -> list[nn.Module]:
        """Modules from the accumulators of ``layer`` (pooled, where the network pools) to signs."""
        return [*self.norm(layer, channels, spatial), *self.signs(channels, spatial)]


def _bn(_, channels, spatial):
    return [batch_norm(channels, spatial)]


def _abn(form="gate+beta", **options):
    return lambda _, channels, spatial: [ABN(channels, form, **options)]


def _nothing(*_):
    return []


def _scale(layer, *_):
    return [root_of_fan_in(layer.weight[0].numel())]


def _rprelu(channels, spatial):
    return [RPReLU(channels, spatial)]


def _clipped_sign(_, estimator):
    return nn.Sequential(nn.Hardtanh(), sign(estimator))


def _asd(channels, estimator, **options):
    return ASD(channels, estimator=estimator, **options)


_sd = partial(Method, norm=_bn, weight_estimator="ede", sign_estimator="ede")

METHODS: dict[str, Method] = {
    "bn": Method("BN", _bn),
    "abn": Method("ABN", _abn()),
    "bnfree": Method(
        "BN-free",
        lambda layer, *_: [Gain(layer)],
        activation=_rprelu,
        weights=standardise,
        sign_estimator="quadratic",
        centred_input=True,
        scheduled=True,
    ),
    "sd": _sd("SD (ASD + WSD)", sign=_asd, weights=self_distribute),
    "none": Method("none", _nothing, centred_input=True),
    "scale": Method("1/sqrt(K)", _scale, centred_input=True),
    "magnitude": Method("mean |w|", lambda layer, *_: magnitude(layer), weights=latent, centred_input=True),
    "bn-magnitude": Method("BN of mean |w|", lambda layer, *to: [*magnitude(layer), batch_norm(*to)], weights=latent),
    "abn-gate": Method("ABN: gate", _abn("gate")),
    "abn-gamma": Method("ABN: gamma*gate", _abn("gamma*gate")),
    "abn-gamma-beta": Method("ABN: gamma*gate+beta", _abn("gamma*gate+beta")),
    "abn-keep": Method("ABN: last batch", _abn(convention="keep")),
    "sd-base": _sd("SD without shifts", sign=_clipped_sign),
    "sd-asd": _sd("SD: ASD", sign=_asd),
    "sd-wsd": _sd("SD: WSD", sign=_clipped_sign, weights=self_distribute),
    "sd-static": _sd("SD: static shift + WSD", sign=StaticShift, weights=self_distribute),
    "sd-wide": _sd("SD: branch of C/8", sign=partial(_asd, reduction=8), weights=self_distribute),
}


def method(name: str) -> Method:
    """Look up a method; raises ValueError that lists the known names."""
    if name not in METHODS:
        raise ValueError(f"unknown method {name!r}; known methods: {', '.join(METHODS)}")
    return METHODS[name]
