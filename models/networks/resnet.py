"""Networks with shortcuts of the ABN paper and of SD-BNN, with any normalisation of `signflow.models.methods`.

The first layer, the last and the real 1x1 convolutions of shortcuts have 8-bit weights and inputs (float in the
papers); all other convolutions are binary and read a border of ``pad_value``: 0, as in the papers' code, or -1 or 1.
``stream_bits`` puts the streams between the blocks on grids of powers of two (`signflow.models.layers.stream`), which
integer hardware computes exactly; None leaves them float, as the papers have them. ``statistics`` of
`signflow.models.layers.ends` normalise the pixels and say how many channels they have.

Initialisation, as in the authors' code: ABN's ResNet N(0, sqrt(2 / (kernel^2 out))) for binary convolutions; SD-BNN's
for small images Kaiming-normal for every layer, the attention's too; its ImageNet network U(0, 0.001) for latent
weights; all else PyTorch's default.

References: Gu et al., "Attention-Based Batch Normalization for Binary Neural Networks", Entropy 27(6):645, 2025; Xue
et al., "Self-Distribution Binary Neural Networks", Applied Intelligence 2022; Liu et al., "Bi-Real Net", ECCV 2018; the
first two with the authors' released code.
"""

from collections import OrderedDict
from collections.abc import Callable

import brevitas.nn as qnn
from torch import nn

from signflow.models.layers.asd import ASD
from signflow.models.layers.binary import binary_conv
from signflow.models.layers.ends import classifier, first_conv, pixels
from signflow.models.layers.shortcut import PickAndPad, Residual
from signflow.models.layers.standardise import INIT_RANGE
from signflow.models.layers.stream import branch, hardtanh, on_grid, stream
from signflow.models.methods import Method, method
from signflow.models.networks.vgg import fan_out_normal
from signflow.models.quant import Weight8

SHORTCUT_LIMIT = 4.0  # ABN's shortcuts and the inputs of classifiers behind BN: clip range of values of unit variance
STREAM_LIMIT = 8.0  # streams that nothing clips in the paper
Start = Callable[[nn.Module], object]
"""Initialises a layer's weights in place."""


def kaiming(layer: nn.Module) -> None:
    """N(0, sqrt(2 / fan-in))."""
    nn.init.kaiming_normal_(layer.weight)


def small(layer: nn.Module) -> None:
    """U(0, 0.001)."""
    nn.init.uniform_(layer.weight, 0, INIT_RANGE)


def default(layer: nn.Module) -> None:
    """PyTorch's."""
    layer.reset_parameters()


def _assemble(stem: list[nn.Module], blocks: list[nn.Module], head: list[nn.Module]) -> nn.Sequential:
    parts = {"stem": stem, "blocks": blocks, "head": head}
    return nn.Sequential(OrderedDict((name, nn.Sequential(*part)) for name, part in parts.items()))


def _steps(channels: int, widths: tuple[int, ...], per_stage: int) -> list[tuple[int, int, int]]:
    """(channels, output channels, stride) of every block; each stage but the first begins with stride 2."""
    steps = []
    for stage, out in enumerate(widths):
        for block in range(per_stage):
            steps.append((channels, out, 2 if stage and not block else 1))
            channels = out
    return steps


def _abn_conv(how: Method, channels: int, out: int, kernel: int = 3, stride: int = 1) -> nn.Module:
    """Binary convolution of identity gradient."""
    conv = binary_conv(channels, out, kernel, stride, estimator="identity")
    fan_out_normal(conv.weight)
    return how.weights(conv)


def abn_resnet18(
    classes: int = 10,
    width: float = 1.0,
    size: int = 32,
    normalisation: str = "abn",
    pad_value: float = 0.0,
    stream_bits: int | None = 5,
    statistics: str = "imagenet",
) -> nn.Sequential:
    """The ABN paper's ResNet-18: (N, C, size, size) pixels 0..255 -> (N, classes); three stages of two blocks, 80, 160,
    320 channels times ``width``; ``size`` a multiple of 32.

        block   y = HT(norm(conv(sign(HT(norm(conv(sign(x)))))) + shortcut(x)))    the last block without its HT(norm())
        shortcut(x) = x, or norm(1x1 conv(sign(x))) where the shape changes

    ``normalisation`` of `signflow.models.methods`: its weights, norm and sign, and its activation in front of the
    second sign. A norm that needs its layer finds, behind a sum, the convolution that is a part of it. Quantisers of a
    stream, [-1, 1) and [-4, 4) for a shortcut's norm, and ABN's own grid in front of them fall away with
    ``stream_bits`` None. The LogSoftmax at the end is left to the loss.

    The beta of a shortcut's ABN has no gradient but that of rounding and clipping: the norm behind the sum subtracts
    every channel's mean. So it is in the authors' code, too.
    """
    how, widths = method(normalisation), tuple(int(n * width) for n in (80, 160, 320))
    first = how.weights(first_conv(statistics, widths[0]))
    stem = [*pixels(statistics), first, *on_grid(how.norm(first, widths[0], True), hardtanh(stream_bits))]
    steps = _steps(widths[0], widths, 2)
    blocks = []
    for i, (channels, out, stride) in enumerate(steps):
        one, two = _abn_conv(how, channels, out, 3, stride), _abn_conv(how, out, out)
        layers = [how.sign(channels, "identity"), nn.ConstantPad2d(1, pad_value), one, *how.norm(one, out, True)]
        layers += [*how.signs(out, True, "clipped"), nn.ConstantPad2d(1, pad_value), two]
        shortcut = activation = None
        if stride > 1:
            conv = _abn_conv(how, channels, out, 1, stride)
            ends = on_grid(how.norm(conv, out, True), stream(stream_bits, SHORTCUT_LIMIT))
            shortcut = nn.Sequential(how.sign(channels, "identity"), conv, *ends)
        if i < len(steps) - 1:
            activation = nn.Sequential(*on_grid(how.norm(two, out, True), hardtanh(stream_bits)))
        blocks.append(Residual(nn.Sequential(*layers), shortcut, activation))
    features = widths[-1] * (size // 32) ** 2
    pooled = [nn.AvgPool2d(8), nn.Flatten(), nn.BatchNorm1d(features)]
    return _assemble(stem, blocks, [*pooled, *classifier(features, classes, 1.0), nn.BatchNorm1d(classes)])


def _sd_layer(
    how: Method,
    channels: int,
    out: int,
    stride: int,
    pad_value: float,
    start: Start = kaiming,
    estimators: tuple[str, str] = ("ede", "ede"),
) -> list[nn.Module]:
    """ASD (with the Hardtanh in front of it), binary convolution with WSD, BN, or what else ``how`` has in these
    places; gradient estimators of the activations' signs and of the weights'.
    """
    conv = binary_conv(channels, out, 3, stride, estimators[1])
    start(conv)
    signs, conv = how.signs(channels, True, estimators[0]), how.weights(conv)
    return [*signs, nn.ConstantPad2d(1, pad_value), conv, *how.norm(conv, out, True)]


def _sd_stem(
    how: Method, statistics: str, channels: int, start: Start = kaiming, kernel: int = 3, stride: int = 1
) -> list[nn.Module]:
    conv = first_conv(statistics, channels, kernel, stride)
    start(conv)
    conv = how.weights(conv)
    return [*pixels(statistics), conv, *how.norm(conv, channels, True)]


def _sd_head(features: int, classes: int, normalise: bool, start: Start = kaiming) -> list[nn.Module]:
    last = classifier(features, classes, SHORTCUT_LIMIT)
    start(last[-1])
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), *[nn.BatchNorm1d(features)] * normalise, *last]


def _real_shortcut(how: Method, channels: int, out: int, stride: int, start: Start = kaiming) -> list[nn.Module]:
    """1x1 convolution of 8-bit weights and norm."""
    conv = qnn.QuantConv2d(channels, out, 1, stride=stride, bias=False, weight_quant=Weight8)
    start(conv)
    conv = how.weights(conv)
    return [conv, *how.norm(conv, out, True)]


def sd_resnet20(
    classes: int = 10,
    width: float = 1.0,
    normalisation: str = "sd",
    pad_value: float = 0.0,
    stream_bits: int | None = 5,
    statistics: str = "imagenet",
) -> nn.Sequential:
    """SD-BNN's ResNet-20: (N, C, 32, 32) pixels 0..255 -> (N, classes); 18 binary convolutions, a shortcut around each.

    y = HT(BN(conv(ASD(x))) + x)       16, 32, 64 channels times ``width``; option A where the shape changes
    """
    how, widths = method(normalisation), tuple(int(n * width) for n in (16, 32, 64))
    blocks = []
    for channels, out, stride in _steps(widths[0], widths, 6):
        shortcut = PickAndPad(channels, out) if stride > 1 else None
        layers = on_grid(_sd_layer(how, channels, out, stride, pad_value), branch(stream_bits, 1.0))
        blocks.append(Residual(nn.Sequential(*layers), shortcut, hardtanh(stream_bits)))
    stem = on_grid(_sd_stem(how, statistics, widths[0]), hardtanh(stream_bits))
    return _assemble(stem, blocks, _sd_head(widths[-1], classes, normalise=True))


def sd_resnet18(
    classes: int = 10,
    width: float = 1.0,
    normalisation: str = "sd",
    pad_value: float = 0.0,
    stream_bits: int | None = 5,
    statistics: str = "imagenet",
) -> nn.Sequential:
    """SD-BNN's ResNet-18 for small images: (N, C, 32, 32) pixels 0..255 -> (N, classes); four stages of two blocks, 64
    to 512 channels times ``width``.

        y = HT(BN(conv(ASD(BN(conv(ASD(x)))))) + shortcut(x)),   shortcut(x) = x, or BN(real 1x1 conv(x))
    """
    how, widths = method(normalisation), tuple(int(n * width) for n in (64, 128, 256, 512))
    blocks = []
    for channels, out, stride in _steps(widths[0], widths, 2):
        second = on_grid(_sd_layer(how, out, out, 1, pad_value), branch(stream_bits, 1.0))
        layers = nn.Sequential(*_sd_layer(how, channels, out, stride, pad_value), *second)
        shortcut = None
        if stride > 1:
            shortcut = nn.Sequential(*on_grid(_real_shortcut(how, channels, out, stride), branch(stream_bits, 1.0)))
        blocks.append(Residual(layers, shortcut, hardtanh(stream_bits)))
    stem = on_grid(_sd_stem(how, statistics, widths[0]), hardtanh(stream_bits))
    return _assemble(stem, blocks, _sd_head(widths[-1], classes, normalise=True))


def sd_resnet18_imagenet(
    classes: int = 1000,
    width: float = 1.0,
    normalisation: str = "sd-wide",
    pad_value: float = 0.0,
    stream_bits: int | None = 8,
    statistics: str = "imagenet",
) -> nn.Sequential:
    """SD-BNN on the ResNet-18 of Bi-Real Net: (N, C, H, W) pixels 0..255 -> (N, classes), H and W multiples of 32; 16
    binary convolutions, a shortcut around each.

        y = PReLU_c(BN(conv(ASD(x))) + shortcut(x)),   shortcut(x) = x, or BN(real 1x1 conv(AvgPool2(x)))

    Gradients: piecewise quadratic for activations, clipped for weights (no error decay). The stream, unbounded in the
    paper, is clipped to [-8, 8) with ``stream_bits``; 8 bits have the step of ASD's own code, 1/16. ASD takes the mean
    of values clipped to [-1, 1), the paper of all values.
    """
    how, widths = method(normalisation), tuple(int(n * width) for n in (64, 128, 256, 512))
    blocks = []
    for channels, out, stride in _steps(widths[0], widths, 4):
        layers = _sd_layer(how, channels, out, stride, pad_value, small, ("quadratic", "clipped"))
        layers = on_grid(layers, branch(stream_bits, STREAM_LIMIT))
        shortcut = None
        if stride > 1:
            real = on_grid(_real_shortcut(how, channels, out, 1, default), branch(stream_bits, STREAM_LIMIT))
            shortcut = nn.Sequential(nn.AvgPool2d(2), *real)
        activation = nn.Sequential(nn.PReLU(out), stream(stream_bits, STREAM_LIMIT))
        blocks.append(Residual(nn.Sequential(*layers), shortcut, activation))
    stem = on_grid(_sd_stem(how, statistics, widths[0], default, 7, 2), stream(stream_bits, STREAM_LIMIT))
    head = _sd_head(widths[-1], classes, normalise=False, start=default)
    net = _assemble([*stem, nn.MaxPool2d(3, 2, 1)], blocks, head)
    for layer in [layer for m in net.modules() if isinstance(m, ASD) for layer in (m.squeeze, m.excite)]:
        default(layer)
    return net
