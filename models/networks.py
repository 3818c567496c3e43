"""The networks as plain modules, and one table `NETWORKS`: name -> how to build it, what it reads, what it is trained
on.

Images enter as uint8 values 0..255 in a float tensor; their scaling belongs to the network. Float parameters exist only
in front of a sign, where a
threshold swallows them, and the logits are integer accumulators times a power of two, so that float32 holds them
exactly.

Topologies: `tfc`, `sfc`, `lfc`, `cnv` of FINN (Umuroglu et al., FPGA 2017; Brevitas ``bnn_pynq``), with one difference
in `cnv`: the maximum is taken
over accumulators before the normalisation instead of over signs behind it. In hardware both are the same OR of
threshold bits; in training the gradient
then reaches the largest accumulator instead of the first +1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from signflow.models.layers.binary import binary_conv, binary_linear, sign
from signflow.models.layers.scale import PowerOfTwo

CNV_CHANNELS = (64, 64, 128, 128, 256, 256)
CNV_POOLED = (1, 3)  # 2x2 maximum after these convolutions
CNV_HIDDEN = (512, 512)


class Shift(nn.Module):
    """y = x - offset: centres the pixels in front of the input's sign."""

    def __init__(self, offset: float):
        super().__init__()
        self.offset = offset

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x - self.offset


def _logits(in_features: int, classes: int) -> list[nn.Module]:
    """Last layer: integer accumulators, scaled by the power of two nearest to 1/sqrt(fan-in)."""
    return [binary_linear(in_features, classes), PowerOfTwo(-round(math.log2(math.sqrt(in_features))))]


def mlp(width: int, classes: int = 10, pixels: int = 784, depth: int = 3) -> nn.Sequential:
    """Dense network pixels-width x depth-classes: (N, 1, 28, 28) pixels 0..255, binarised at 127.5 as FINN's -> (N,
    classes) logits.
    """
    layers: list[nn.Module] = [nn.Flatten(), Shift(127.5), sign()]
    features = pixels
    for _ in range(depth):
        layers += [binary_linear(features, width), nn.BatchNorm1d(width), sign()]
        features = width
    return nn.Sequential(*layers, *_logits(features, classes))


def cnv(in_channels: int = 1, classes: int = 10, width: float = 1.0) -> nn.Sequential:
    """FINN's CNV: (N, in_channels, 32, 32) pixels 0..255 -> (N, classes) logits; six 3x3 convolutions, two pools, three
    dense layers.
    """
    layers: list[nn.Module] = []
    channels = in_channels
    for i, out in enumerate(CNV_CHANNELS):
        out = int(out * width)
        layers.append(binary_conv(channels, out, 3))
        if i in CNV_POOLED:
            layers.append(nn.MaxPool2d(2))
        layers += [nn.BatchNorm2d(out), sign()]
        channels = out
    layers.append(nn.Flatten())
    for out in CNV_HIDDEN:
        out = int(out * width)
        layers += [binary_linear(channels, out), nn.BatchNorm1d(out), sign()]
        channels = out
    return nn.Sequential(*layers, *_logits(channels, classes))


@dataclass(frozen=True)
class Network:
    """One row of `NETWORKS`."""

    build: Callable[[], nn.Module]
    """Makes the network with fresh weights."""
    input_shape: tuple[int, int, int]
    """(channels, height, width) of the uint8 image."""
    dataset: str
    """What the shipped weights are trained on: a name of `signflow.models.data`."""


NETWORKS: dict[str, Network] = {
    "tfc": Network(lambda: mlp(64), (1, 28, 28), "fashion-mnist"),
    "sfc": Network(lambda: mlp(256), (1, 28, 28), "fashion-mnist"),
    "lfc": Network(lambda: mlp(1024), (1, 28, 28), "fashion-mnist"),
    "cnv": Network(lambda: cnv(1), (1, 32, 32), "fashion-mnist"),
    "cnv-cifar": Network(lambda: cnv(3), (3, 32, 32), "cifar10"),
}


def network(name: str) -> Network:
    """Look up a network; raises ValueError that lists the known names."""
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; known networks: {', '.join(NETWORKS)}")
    return NETWORKS[name]


def predict(net: nn.Module, images: Tensor, batch: int = 250) -> Tensor:
    """Float logits (N, classes) of uint8 ``images`` (N, C, H, W), in eval mode and plain float32 arithmetic (the top
    rung of the ladder).
    """
    net.eval()
    with torch.inference_mode():
        return torch.cat([net(part.float()) for part in images.split(batch)])
