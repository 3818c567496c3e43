"""ReActNet-18 and ReActNet-A, BN-free, with batch normalisation, without any, or with what else `METHODS` has.

    branch   y = alpha norm(conv(sign(beta x + b0_c)))           3x3 or 1x1, binary
    block    out = PReLU_c(y + shortcut(x) + b1_c) + b2_c        one branch each

      normalisation   norm                     alpha  beta              first layer
      bnfree          gain_c kappa_c, weights  0.2    expected_betas    standardised weights, gain_c
                      standardised
      bn-magnitude    kappa_c, BatchNorm2d     1      1                 BatchNorm2d          (the papers' "bn")
      magnitude       kappa_c                  1      1                 nothing              (the papers' "none")

A method of `signflow.models.methods` gives weights, norm and sign; the PReLUs are the network's own. The first layer
and the last have 8-bit weights and inputs (float in the papers); binary 3x3 convolutions read a border of
``pad_value``: 0, as in the papers' code, or -1 or 1. ``stream_bits`` puts the stream between the blocks and all that is
added to it on one grid of powers of two, clipped to [-8, 8), or to [-4, 4) where alpha and beta keep the variance
small; None leaves them float, as in the papers. ``statistics`` of `signflow.models.layers.ends` normalise the pixels
and say how many channels they have. Initialisation, as in the papers' code: latent weights of bnfree U(0, 0.001), all
else PyTorch's default (step two of a two-step training begins with what step one has left).

References: Liu et al., "ReActNet", ECCV 2020; Chen et al., "BNN - BN = ? Training Binary Neural Networks without Batch
Normalization", CVPR workshops 2021, with their released code.
"""

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from signflow.models.layers.binary import binary_conv
from signflow.models.layers.ends import classifier, first_conv, pixels
from signflow.models.layers.factor import Factor
from signflow.models.layers.rprelu import LearnableBias, RPReLU
from signflow.models.layers.shortcut import Residual
from signflow.models.layers.stream import on_grid, stream
from signflow.models.layers.variance import ALPHA, expected_betas
from signflow.models.methods import Method, method

REACTNET_A = (64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)  # channels behind each block; the first reads 32
REACTNET_A_HALVING = (1, 3, 5, 11)  # blocks of stride 2
FEATURE_LIMIT = 4.0  # clip range of the classifier's input


class Doubling(nn.Module):
    """ReActNet-A's way to twice the channels: two branches on the same signs, each added to x, behind one another.

    (N, C, H, W) -> (N, 2C, H, W):   y = concat(first(signs(x)) + x, second(signs(x)) + x)
    """

    def __init__(self, signs: nn.Module, first: nn.Module, second: nn.Module):
        super().__init__()
        self.signs, self.first, self.second = signs, first, second

    def forward(self, x: Tensor) -> Tensor:
        """Twice the channels of ``x``."""
        signs = self.signs(x)
        return torch.cat((self.first(signs) + x, self.second(signs) + x), dim=1)


@dataclass(frozen=True)
class Builder:
    """Makes the parts of one network."""

    how: Method
    pad_value: float
    stream_bits: int | None

    def quantiser(self) -> nn.Module:
        """The stream's grid."""
        return stream(self.stream_bits, 4.0 if self.how.scheduled else 8.0)

    def scaled(self, factor: float) -> list[nn.Module]:
        """Multiplication by ``factor`` = alpha or beta, where the method has one."""
        return [Factor(factor)] if self.how.scheduled else []

    def signs(self, channels: int, beta: float) -> list[nn.Module]:
        """sign(beta x + b0_c)."""
        return [*self.scaled(beta), LearnableBias(channels), self.how.sign(channels, "quadratic")]

    def conv(self, channels: int, out: int, kernel: int, stride: int, factor: float) -> list[nn.Module]:
        """factor norm(conv(signs)) on the stream's grid."""
        conv = binary_conv(channels, out, kernel, stride)
        conv.reset_parameters()
        padding = [nn.ConstantPad2d(kernel // 2, self.pad_value)] if kernel > 1 else []
        norm = self.how.norm(conv := self.how.weights(conv), out, True)
        return [*padding, conv, *on_grid([*norm, *self.scaled(factor)], self.quantiser())]

    def activation(self, channels: int) -> nn.Module:
        """RPReLU, back to the stream's grid and range."""
        return nn.Sequential(RPReLU(channels), self.quantiser())

    def block(self, channels: int, out: int, kernel: int, stride: int, beta: float) -> Residual:
        """One branch and its shortcut; where ``out`` differs from ``channels`` the shortcut is a binary 1x1 convolution
        of the real map, where only the stride does it is the mean of 2x2 pixels.

        The papers' 1x1 convolution reads beta x; here beta multiplies its result, which is the same.
        """
        branch = nn.Sequential(*self.signs(channels, beta), *self.conv(channels, out, kernel, stride, ALPHA))
        shortcut = None
        if stride > 1:
            ends = [*self.scaled(beta), self.quantiser()] if out == channels else self.conv(channels, out, 1, 1, beta)
            shortcut = nn.Sequential(nn.AvgPool2d(2), *ends)
        return Residual(branch, shortcut, self.activation(out))

    def doubling(self, channels: int, beta: float) -> nn.Sequential:
        """`Doubling` and the activation behind it."""
        halves = [nn.Sequential(*self.conv(channels, channels, 1, 1, ALPHA)) for _ in range(2)]
        return nn.Sequential(
            Doubling(nn.Sequential(*self.signs(channels, beta)), *halves), self.activation(2 * channels)
        )

    def stem(self, channels: int, kernel: int, stride: int, statistics: str) -> list[nn.Module]:
        """First layer; no activation behind it."""
        conv = self.how.weights(first_conv(statistics, channels, kernel, stride))
        return [*pixels(statistics), conv, *on_grid(self.how.norm(conv, channels, True), self.quantiser())]


def _assemble(stem: list[nn.Module], blocks: list[nn.Module], features: int, classes: int) -> nn.Sequential:
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *classifier(features, classes, FEATURE_LIMIT)]
    parts = {"stem": stem, "blocks": blocks, "head": head}
    return nn.Sequential(OrderedDict((name, nn.Sequential(*part)) for name, part in parts.items()))


def reactnet18(
    classes: int = 10,
    normalisation: str = "bnfree",
    width: float = 1.0,
    statistics: str = "cifar10",
    pad_value: float = 0.0,
    stream_bits: int | None = 6,
) -> nn.Sequential:
    """ReActNet-18: (N, C, H, W) pixels 0..255 -> (N, classes); 16 blocks of one 3x3 convolution, 64 to 512 channels
    times ``width``.

    For "imagenet" the first layer is 7x7 of stride 2 with a maximum over 3x3 behind it (H and W multiples of 32), else
    3x3 without (multiples of 8).
    """
    build = Builder(method(normalisation), pad_value, stream_bits)
    widths = [int(n * width) for n in (64, 128, 256, 512)]
    large = statistics == "imagenet"
    stem = build.stem(widths[0], *((7, 2) if large else (3, 1)), statistics) + [nn.MaxPool2d(3, 2, 1)] * large
    betas = iter(expected_betas([True, False, False, False] * 4))
    blocks, channels = [], widths[0]
    for stage, out in enumerate(widths):
        for block in range(4):
            blocks.append(build.block(channels, out, 3, 2 if stage and not block else 1, next(betas)))
            channels = out
    return _assemble(stem, blocks, channels, classes)


def reactnet_a(
    classes: int = 1000,
    normalisation: str = "bnfree",
    width: float = 1.0,
    statistics: str = "imagenet",
    pad_value: float = 0.0,
    stream_bits: int | None = 6,
) -> nn.Sequential:
    """ReActNet-A, MobileNet's shape: (N, C, H, W) pixels 0..255 -> (N, classes), H and W multiples of 32; 13 blocks of
    a 3x3 branch and a 1x1 branch (two where the channels double), 32 to 1024 channels times ``width``.
    """
    build = Builder(method(normalisation), pad_value, stream_bits)
    channels = int(32 * width)
    stem = build.stem(channels, 3, 2, statistics)
    strides = [2 if i in REACTNET_A_HALVING else 1 for i in range(len(REACTNET_A))]
    betas = iter(expected_betas([reset for stride in strides for reset in (False, stride == 2)]))
    blocks = []
    for out, stride in zip((int(n * width) for n in REACTNET_A), strides, strict=True):
        blocks.append(build.block(channels, channels, 3, stride, next(betas)))
        doubles = out != channels
        blocks.append(build.doubling(channels, next(betas)) if doubles else build.block(out, out, 1, 1, next(betas)))
        channels = out
    return _assemble(stem, blocks, channels, classes)
