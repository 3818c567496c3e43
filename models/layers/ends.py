"""The two ends of a residual or wide network: pixels in, logits out, both with 8-bit operands.

    first   x_q = Q8((pixel / 255 - mean_c) / std_c), range [-4, 4)      y = conv(x_q, Q8(W))        zero padding
    last    x_q = Q8(x), range [-limit, limit)                           y = x_q Q8(W)^T + bias
    gradient   straight through the quantisers inside their ranges

The papers keep both layers in floating point: the 8 bits (6 for the 8,192 features of `sd-vgg-small`) are the deviation
that lets hardware compute them in integers. With a power of two as scale of both operands every sum below 2^24 steps is
exact in float32, whatever the order of summation; the bias is added behind the complete sum for the same reason.
"""

import brevitas.nn as qnn
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signflow.models.quant import Weight8, fixed_act

PIXEL_LIMIT = 4.0  # no normalised pixel of the statistics below reaches 2.7

STATISTICS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ((0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "fashion-mnist": ((0.2860,), (0.3530,)),
}


def statistics_of(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and standard deviations of the channels, of pixels 0..1; raises ValueError for an unknown key."""
    if name not in STATISTICS:
        raise ValueError(f"statistics = {name!r}; known: {', '.join(STATISTICS)}")
    return STATISTICS[name]


class Pixels(nn.Module):
    """(N, C, H, W) of 0..255 -> normalised with the mean and standard deviation of ``statistics``, a key of
    `STATISTICS`, which says C as well; the same shape. Raises ValueError for an unknown key.
    """

    def __init__(self, statistics: str):
        super().__init__()
        mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in statistics_of(statistics))
        self.register_buffer("offset", 255 * mean, persistent=False)
        self.register_buffer("scale", 1 / (255 * std), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        return (x - self.offset) * self.scale


def pixels(statistics: str) -> list[nn.Module]:
    """Normalisation and 8-bit quantiser of the input."""
    return [Pixels(statistics), qnn.QuantIdentity(act_quant=fixed_act(8, PIXEL_LIMIT))]


def first_conv(statistics: str, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """8-bit weights behind `pixels` of the same ``statistics``, zero padding of kernel // 2, PyTorch's initialisation:
    (N, C, H, W) -> (N, out_channels, H / stride, W / stride).
    """
    channels, padding = len(statistics_of(statistics)[0]), kernel // 2
    return qnn.QuantConv2d(
        channels, out_channels, kernel, stride=stride, padding=padding, bias=False, weight_quant=Weight8
    )


class Dense8(qnn.QuantLinear):
    """Dense layer of 8-bit weights whose bias joins behind the complete sum."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True):
        super().__init__(in_features, out_features, bias=bias, weight_quant=Weight8)

    def inner_forward_impl(self, x: Tensor, quant_weight: Tensor, quant_bias: Tensor | None) -> Tensor:
        """Brevitas' hook: the arithmetic on quantised operands."""
        y = F.linear(x, quant_weight)
        return y if quant_bias is None else y + quant_bias


def feature_bits(in_features: int) -> int:
    """Bits of the features that a last layer reads: 8, or fewer where its sums would leave the 2^24 steps that float32
    counts, with weights of 32 steps on average (`Weight8` has 127): 6 for 8,192 features.
    """
    return min(8, (2**24 // (32 * in_features) - 1).bit_length())


def classifier(in_features: int, classes: int, limit: float, bias: bool = True) -> list[nn.Module]:
    """Quantiser of `feature_bits` on [-limit, limit) and the last layer: (N, in_features) -> (N, classes)."""
    quantiser = qnn.QuantIdentity(act_quant=fixed_act(feature_bits(in_features), limit))
    return [quantiser, Dense8(in_features, classes, bias)]
