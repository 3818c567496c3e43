"""Convolution and dense layers with weights in {-1, +1}, and the sign activation between them.

forward   conv2d(x, sign(w))  or  x @ sign(w).T          (no bias, no scale: the result of +-1 or integer inputs is an
integer)
gradient  clipped straight-through estimator (`signflow.models.quant`)
"""

import brevitas.nn as qnn
from torch import nn

from signflow.models.quant import BinaryAct, BinaryWeight

INIT_STD = 0.1  # latent weights start small against their clip range [-1, 1], so that few steps can flip them


def binary_conv(in_channels: int, out_channels: int, kernel: int) -> nn.Module:
    """Unpadded convolution, stride 1: (N, in_channels, H, W) -> (N, out_channels, H-kernel+1, W-kernel+1)."""
    layer = qnn.QuantConv2d(in_channels, out_channels, kernel, bias=False, weight_quant=BinaryWeight)
    nn.init.normal_(layer.weight, std=INIT_STD)
    return layer


def binary_linear(in_features: int, out_features: int) -> nn.Module:
    """Dense layer: (N, in_features) -> (N, out_features)."""
    layer = qnn.QuantLinear(in_features, out_features, bias=False, weight_quant=BinaryWeight)
    nn.init.normal_(layer.weight, std=INIT_STD)
    return layer


def sign() -> nn.Module:
    """Activation in {-1, +1}, any shape."""
    return qnn.QuantIdentity(act_quant=BinaryAct)
