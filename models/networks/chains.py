"""Chains: FINN's `tfc`, `sfc`, `lfc`, `cnv` (Umuroglu et al., FPGA 2017; Brevitas ``bnn_pynq``), with any normalisation
of `signflow.models.methods`.

Float parameters exist only in front of a sign, where a threshold swallows them, and the logits are integer accumulators
times a power of two, so that float32 holds them exactly.

One difference to FINN in `cnv`: the maximum is taken over accumulators before the normalisation instead of over signs
behind it. In hardware both are the same OR of threshold bits; in training the gradient then reaches the largest
accumulator instead of the first +1.
"""

from torch import Tensor, nn

from signflow.models.layers.binary import binary_conv, binary_linear, sign
from signflow.models.layers.factor import PowerOfTwo
from signflow.models.methods import Method, method, root_of_fan_in

CNV_CHANNELS = (64, 64, 128, 128, 256, 256)
CNV_POOLED = (1, 3)  # 2x2 maximum after these convolutions
CNV_HIDDEN = (512, 512)


class Shift(nn.Module):
    """y = x - offset: centres the pixels."""

    def __init__(self, offset: float):
        super().__init__()
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x - self.offset


def _logits(in_features: int, classes: int) -> list[nn.Module]:
    """Last layer, the same for all methods: accumulators, scaled by the power of two nearest to 1/sqrt(fan-in)."""
    return [binary_linear(in_features, classes), root_of_fan_in(in_features)]


def _hidden(features: int, out: int, how: Method) -> list[nn.Module]:
    layer = how.weights(binary_linear(features, out, estimator=how.weight_estimator))
    return [layer, *how.normalise(layer, out, False)]


def mlp(width: int, classes: int = 10, pixels: int = 784, depth: int = 3, normalisation: str = "bn") -> nn.Sequential:
    """Dense network pixels-width x depth-classes: (N, 1, 28, 28) pixels 0..255, binarised at 127.5 as FINN's -> (N,
    classes) logits.
    """
    layers: list[nn.Module] = [nn.Flatten(), Shift(127.5), sign()]
    features = pixels
    for _ in range(depth):
        layers += _hidden(features, width, method(normalisation))
        features = width
    return nn.Sequential(*layers, *_logits(features, classes))


def cnv(in_channels: int = 1, classes: int = 10, width: float = 1.0, normalisation: str = "bn") -> nn.Sequential:
    """FINN's CNV: (N, in_channels, 32, 32) pixels 0..255 -> (N, classes) logits; six 3x3 convolutions, two pools, three
    dense layers.
    """
    how = method(normalisation)
    layers: list[nn.Module] = [Shift(128), PowerOfTwo(-7)] if how.centred_input else []
    channels = in_channels
    for i, out in enumerate(CNV_CHANNELS):
        out = int(out * width)
        layer = how.weights(binary_conv(channels, out, 3, estimator=how.weight_estimator))
        layers.append(layer)
        if i in CNV_POOLED:
            layers.append(nn.MaxPool2d(2))
        layers += how.normalise(layer, out, True)
        channels = out
    layers.append(nn.Flatten())
    for out in CNV_HIDDEN:
        out = int(out * width)
        layers += _hidden(channels, out, how)
        channels = out
    return nn.Sequential(*layers, *_logits(channels, classes))
