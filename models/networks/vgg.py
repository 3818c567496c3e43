"""Networks without shortcuts: BinaryNet of the ABN paper and VGG-small of SD-BNN.

The first layer and the last have 8-bit weights and inputs (float in the papers); every other layer has weights and
inputs in {-1, +1}. Binary convolutions read a border of ``pad_value``: 0, as in the papers' code, or -1 or 1.
``statistics`` of `signflow.models.layers.ends` normalise the pixels and say how many channels they have.

Initialisation, as in the authors' code: BinaryNet PyTorch's default; VGG-small N(0, sqrt(2 / (9 out))) for every
convolution and N(0, 0.01) for every dense layer, those of the attention too, with biases of 0.

References: Gu et al., "Attention-Based Batch Normalization for Binary Neural Networks", Entropy 27(6):645, 2025; Xue
et al., "Self-Distribution Binary Neural Networks", Applied Intelligence 2022; both with the authors' released code.
"""

import math

import brevitas.nn as qnn
from torch import Tensor, nn

from signflow.models.layers.binary import binary_conv, binary_linear, sign
from signflow.models.layers.ends import classifier, first_conv, pixels
from signflow.models.methods import Method, method


def abn_conv(how: Method, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """Binary convolution as the ABN paper's: identity gradient, no clipping, PyTorch's initialisation."""
    conv = binary_conv(in_channels, out_channels, kernel, stride, estimator="identity")
    conv.reset_parameters()
    return how.weights(conv)


def fan_out_normal(weight: Tensor) -> Tensor:
    """N(0, sqrt(2 / (kernel^2 out))) for ``weight`` (out, in, kernel, kernel), in place."""
    return nn.init.normal_(weight, std=math.sqrt(2 / (weight.shape[0] * weight[0, 0].numel())))


def _abn_dense(in_features: int, out_features: int) -> list[nn.Module]:
    layer = binary_linear(in_features, out_features, estimator="identity")
    layer.reset_parameters()
    return [layer, nn.BatchNorm1d(out_features)]


def binarynet(
    classes: int = 10,
    width: float = 3.0,
    size: int = 32,
    normalisation: str = "abn",
    pad_value: float = 0.0,
    features: int = 512,
    hidden: int = 1024,
    statistics: str = "imagenet",
) -> nn.Sequential:
    """BinaryNet: (N, C, size, size) pixels 0..255 -> (N, classes) logits; six convolutions, three dense layers.

    Convolutions 128, 128, 256, 256, 512 times ``width``, then ``features``; ``size`` a multiple of 8; width 1 is about
    FINN's CNV. ``normalisation`` of `signflow.models.methods` stands behind the convolutions; the two hidden dense
    layers have BN, as in the authors' code.

    Besides the 8-bit ends, deviations from the authors' code: no biases in front of a normalisation (which subtracts
    them), no LogSoftmax at the end (the loss has one). Hardtanh and sign with identity gradient are one clipped sign.
    """
    how, (a, b, c) = method(normalisation), (int(n * width) for n in (128, 256, 512))
    first = how.weights(first_conv(statistics, a))
    layers: list[nn.Module] = [*pixels(statistics), first, *how.norm(first, a, True), *how.signs(a, True, "clipped")]
    channels = a
    for out, pooled in ((a, True), (b, False), (b, True), (c, False), (features, True)):
        conv = abn_conv(how, channels, out)
        layers += [nn.ConstantPad2d(1, pad_value), conv, *[nn.MaxPool2d(2)] * pooled]
        layers += [*how.norm(conv, out, True), *how.signs(out, True, "clipped")]
        channels = out
    layers += [nn.Flatten(), *_abn_dense(features * (size // 8) ** 2, hidden), sign(), *_abn_dense(hidden, hidden)]
    return nn.Sequential(*layers, *classifier(hidden, classes, 1.0, bias=False), nn.BatchNorm1d(classes, affine=False))


def vgg_small(
    classes: int = 10,
    width: float = 1.0,
    normalisation: str = "sd",
    pad_value: float = 0.0,
    statistics: str = "imagenet",
) -> nn.Sequential:
    """VGG-small with ASD and WSD, or another ``normalisation`` of `signflow.models.methods`: (N, C, 32, 32) pixels
    0..255 -> (N, classes) logits; six convolutions, one dense.

    Hardtanh and `ASD` are one layer here, so the mean is taken over 5-bit values (see `signflow.models.layers.asd`).
    """
    how, channels = method(normalisation), int(128 * width)
    first = first_conv(statistics, channels)
    fan_out_normal(first.weight)
    first = how.weights(first)
    layers: list[nn.Module] = [*pixels(statistics), first, *how.norm(first, channels, True)]
    for times, pooled in ((1, True), (2, False), (2, True), (4, False), (4, True)):
        out = int(128 * times * width)
        layers += [*how.signs(channels, True, "ede-vgg"), nn.ConstantPad2d(1, pad_value)]
        conv = binary_conv(channels, out, 3, estimator="ede-vgg")
        fan_out_normal(conv.weight)
        conv = how.weights(conv)
        layers += [conv, *[nn.MaxPool2d(2)] * pooled, *how.norm(conv, out, True)]
        channels = out
    net = nn.Sequential(*layers, nn.Flatten(), *classifier(channels * 16, classes, 1.0))
    for layer in net.modules():
        if isinstance(layer, qnn.QuantLinear):
            nn.init.normal_(layer.weight, std=0.01)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net
