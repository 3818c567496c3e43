"""Networks with pads, branches, pools and groups, as people write them in Brevitas: `BLOCKS`, name -> what makes one.

Small ones, but with every habit: quantisers with float scales that training learns, shared where branches meet; biases;
scales for each channel; average pools in front of the classifier; no quantiser on the image.
"""

from functools import partial

import brevitas.nn as qnn
import torch
from brevitas.inject.enum import RestrictValueType
from brevitas.quant import (
    Int8Bias,
    Int8WeightPerChannelFloat,
    SignedBinaryActPerTensorConst,
    SignedBinaryWeightPerTensorConst,
    TruncTo8bit,
)
from torch import Tensor, nn

from .users import Normalise

CHANNEL = {"weight_quant": Int8WeightPerChannelFloat}
BINARY = {"weight_quant": SignedBinaryWeightPerTensorConst}
FIXED = {"restrict_scaling_type": RestrictValueType.POWER_OF_TWO}
IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
WIDTH = 6
"""Channels of a hidden map."""


class Sum(nn.Module):
    """One branch plus another; no branch is the map itself."""

    def __init__(self, *branches: nn.Module):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = (branch(x) for branch in self.branches)
        return sum(rest, first)


class Beside(Sum):
    """The channels of one branch behind those of another."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Squeeze(nn.Module):
    """What a layer makes of the mean over all positions, added at each of them."""

    def __init__(self):
        super().__init__()
        self.codes, self.shared = qnn.QuantIdentity(bit_width=5), qnn.QuantIdentity(bit_width=5)
        self.layer = nn.Sequential(conv(WIDTH, WIDTH, 1), nn.BatchNorm2d(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return self.shared(x) + self.shared(self.layer(self.codes(value(x).mean((2, 3), keepdim=True))))


class OptionA(nn.Module):
    """Every second pixel, and channels of zeros."""

    def __init__(self, more: int):
        super().__init__()
        self.more = more

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))


def value(x) -> Tensor:
    """The tensor of a quantised tensor, which has no mean of its own."""
    return getattr(x, "value", x)


class Mean(nn.Module):
    """Mean over all positions, as x.mean((2, 3))."""

    def forward(self, x: Tensor) -> Tensor:
        return value(x).mean((2, 3))


def conv(inputs: int, outputs: int, kernel: int = 3, bits: int = 4, bias: bool = False, **options) -> qnn.QuantConv2d:
    """A convolution that keeps the size of its map."""
    options = {"padding": kernel // 2, **options}
    return qnn.QuantConv2d(inputs, outputs, kernel, bias=bias, weight_bit_width=bits, **options)


def relu(bits: int = 4) -> qnn.QuantReLU:
    return qnn.QuantReLU(bit_width=bits, return_quant_tensor=True)


def unit(inputs: int, outputs: int, kernel: int = 3, act: int = 4, **options) -> list[nn.Module]:
    """Convolution, batch normalisation, ReLU."""
    return [conv(inputs, outputs, kernel, **options), nn.BatchNorm2d(outputs), relu(act)]


def stem(channels: int = 1, width: int = WIDTH, act: int = 4, **options) -> list[nn.Module]:
    """The image's quantiser and a first convolution of 8 bits."""
    return [qnn.QuantIdentity(bit_width=8), *unit(channels, width, act=act, bits=8, **options)]


def classifier(features: int, **options) -> list[nn.Module]:
    """Mean over all positions, then a dense layer of 8 bits."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), qnn.QuantIdentity(bit_width=8), last(features, **options)]


def last(features: int, **options) -> qnn.QuantLinear:
    return qnn.QuantLinear(features, 10, bias=True, weight_bit_width=8, **options)


def chain(*modules: nn.Module, shape: tuple[int, ...] | None = None) -> nn.Sequential:
    """The network; ``shape`` of an image, where it is no square of 8 x 8."""
    net = nn.Sequential(*modules)
    if shape is not None:
        net.shape = shape
    return net


def padded(*front: nn.Module, act: int = 4, channels: int = 1, **options) -> nn.Sequential:
    """Two padded convolutions, the second with stride 2, then all positions into a dense layer."""
    hidden = unit(WIDTH, WIDTH, act=act, stride=2, **options)
    first = unit(channels, WIDTH, act=act, **{**options, "bits": 8})
    return chain(*front, *first, *hidden, nn.Flatten(), last(WIDTH * 16))


def block(quantiser: nn.Module, inputs: int = WIDTH, outputs: int = WIDTH, stride: int = 1, **options) -> nn.Module:
    """A residual block whose two branches share ``quantiser``; a 1 x 1 convolution where the shapes differ."""
    branch = [*unit(inputs, outputs, stride=stride, **options), conv(outputs, outputs, **options)]
    short = [] if (inputs, stride) == (outputs, 1) else [conv(inputs, outputs, 1, stride=stride, **options)]
    short += [nn.BatchNorm2d(outputs)] * bool(short)
    return Sum(nn.Sequential(*branch, nn.BatchNorm2d(outputs), quantiser), nn.Sequential(*short, quantiser))


def residual(**options) -> nn.Sequential:
    """Two blocks, the second of stride 2."""
    shared = [qnn.QuantIdentity(bit_width=5, **options) for _ in range(2)]
    second = [block(shared[1], WIDTH, 8, 2), relu()]
    return chain(*stem(), block(shared[0]), relu(), *second, *classifier(8))


def option_a() -> nn.Sequential:
    """The shortcut of ResNets for CIFAR-10."""
    shared = qnn.QuantIdentity(bit_width=5)
    branch = [*unit(WIDTH, 8, stride=2), conv(8, 8), nn.BatchNorm2d(8), shared]
    return chain(*stem(), Sum(nn.Sequential(*branch), nn.Sequential(shared, OptionA(2))), relu(), *classifier(8))


def separable(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    """MobileNet's: one filter for each channel, then 1 x 1."""
    depthwise = unit(inputs, inputs, groups=inputs, stride=stride, **CHANNEL)
    return [*depthwise, *unit(inputs, outputs, 1, **CHANNEL)]


def inverted() -> nn.Sequential:
    """MobileNet v2's block: wide inside, narrow and signed outside."""
    shared = qnn.QuantIdentity(bit_width=6)
    wide = [*unit(WIDTH, 12, 1), *unit(12, 12, groups=12), conv(12, WIDTH, 1), nn.BatchNorm2d(WIDTH), shared]
    return chain(*stem(), Sum(nn.Sequential(*wide), shared), conv(WIDTH, 8), nn.BatchNorm2d(8), relu(), *classifier(8))


def dense_net() -> nn.Sequential:
    """Two layers whose results are put beside what they read; one quantiser for all."""
    shared = relu()
    grow = lambda inputs: Beside(nn.Sequential(), nn.Sequential(conv(inputs, 4), nn.BatchNorm2d(4), shared))  # noqa: E731
    first = [qnn.QuantIdentity(bit_width=8), conv(1, WIDTH, bits=8), nn.BatchNorm2d(WIDTH), shared]
    return chain(*first, grow(WIDTH), grow(WIDTH + 4), *unit(WIDTH + 8, 8, 1), *classifier(8))


def row() -> nn.Sequential:
    """One dimension, as for sensors."""
    one = lambda i, o, **options: [qnn.QuantConv1d(i, o, 3, bias=False, weight_bit_width=4, **options),  # noqa: E731
                                   nn.BatchNorm1d(o), relu()]  # fmt: skip
    body = [*one(2, WIDTH, padding=1), nn.MaxPool1d(2), *one(WIDTH, 8, stride=2), nn.Flatten()]
    return chain(qnn.QuantIdentity(bit_width=8), *body, last(24), shape=(2, 16))


def binary() -> nn.Sequential:
    """Bits inside, padded with zeros, a shortcut around every convolution, 8 bits at both ends."""
    sign = partial(qnn.QuantIdentity, act_quant=SignedBinaryActPerTensorConst)
    layer = lambda stride: [sign(), conv(WIDTH, WIDTH, 3, 1, stride=stride, **BINARY), nn.BatchNorm2d(WIDTH)]  # noqa: E731
    shared = [qnn.QuantIdentity(bit_width=5) for _ in range(2)]
    down = nn.Sequential(nn.AvgPool2d(2), sign(), conv(WIDTH, WIDTH, 1, 1, **BINARY), nn.BatchNorm2d(WIDTH), shared[1])
    blocks = [Sum(nn.Sequential(*layer(1), shared[0]), shared[0]), Sum(nn.Sequential(*layer(2), shared[1]), down)]
    return chain(*stem(), *blocks, sign(), nn.Flatten(), last(WIDTH * 16))


def imagenet() -> nn.Sequential:
    """The stem of ResNets: 7 x 7 with stride 2, then an overlapping pool."""
    first = [qnn.QuantIdentity(bit_width=8), *unit(3, WIDTH, 7, bits=8, stride=2)]
    return chain(*first, nn.MaxPool2d(3, 2, 1), *unit(WIDTH, 8), *classifier(8), shape=(3, 16, 16))


BLOCKS = {
    "padding": lambda: padded(qnn.QuantIdentity(bit_width=8)),
    "padding and bias": lambda: padded(qnn.QuantIdentity(bit_width=8), bias=True),
    "padding, quantised bias": lambda: padded(
        qnn.QuantIdentity(bit_width=8, return_quant_tensor=True), bias=True, bias_quant=Int8Bias
    ),
    "padding, 2 bits": lambda: padded(qnn.QuantIdentity(bit_width=8), bits=2, act=2),
    "padding, 3 bits, scale per channel": lambda: padded(qnn.QuantIdentity(bit_width=8), bits=3, act=3, **CHANNEL),
    "padding of pixels": lambda: padded(bits=3),
    "padding of normalised pixels": lambda: padded(Normalise([0.5], [0.5]), bits=3),
    "padding, normalised": lambda: padded(Normalise(*IMAGENET), qnn.QuantIdentity(bit_width=8), channels=3),
    "residual, float scales": residual,
    "residual, powers of two": lambda: residual(**FIXED),
    "residual, option A": option_a,
    "residual, binary": binary,
    "average pool": lambda: chain(*stem(), nn.AvgPool2d(2), *unit(WIDTH, 8), *classifier(8)),
    "average pool, truncated": lambda: chain(
        *stem(), qnn.TruncAvgPool2d(2, trunc_quant=TruncTo8bit, float_to_int_impl_type="FLOOR"), *classifier(WIDTH)
    ),
    "mean of logits": lambda: chain(*stem(), conv(WIDTH, 10, 1, bias=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    "Hardswish": lambda: chain(
        *stem()[:-1], nn.Hardswish(), qnn.QuantIdentity(bit_width=4), *unit(WIDTH, 8), *classifier(8)
    ),
    "GELU": lambda: chain(*stem()[:-1], nn.GELU(), qnn.QuantIdentity(bit_width=4), *unit(WIDTH, 8), *classifier(8)),
    "mean, then 1 x 1": lambda: chain(
        *stem(),
        nn.AdaptiveAvgPool2d(1),
        qnn.QuantIdentity(bit_width=8),
        conv(WIDTH, 8, 1),
        nn.BatchNorm2d(8),
        qnn.QuantIdentity(bit_width=8),
        nn.Flatten(),
        last(8),
    ),
    "squeeze and add": lambda: chain(*stem(), Squeeze(), relu(), *classifier(WIDTH)),
    "mean": lambda: chain(*stem(), *unit(WIDTH, 8), Mean(), last(8)),
    "MobileNet": lambda: chain(*stem(3), *separable(WIDTH, 8), *separable(8, 12, 2), *classifier(12)),
    "MobileNet v2": inverted,
    "groups": lambda: chain(*stem(), *unit(WIDTH, 9, groups=3), *unit(9, 8, groups=1), *classifier(8)),
    "dilation": lambda: chain(*stem(), *unit(WIDTH, 8, dilation=2, padding=2), *classifier(8)),
    "DenseNet": dense_net,
    "rows": row,
    "ImageNet's stem": imagenet,
}
