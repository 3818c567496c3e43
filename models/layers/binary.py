"""Convolution and dense layers with weights in {-1, +1}, and the sign activation between them.

forward   conv2d(x, sign(w))  or  x @ sign(w).T          (no bias, no scale: the result of +-1 or integer inputs is an
integer)
gradient  a straight-through estimator by name (`signflow.models.estimators`; default: clipped)
"""

import brevitas.nn as qnn
from torch import nn

from signflow.models.quant import BinaryAct, BinaryWeight, SignQuant

INIT_STD = 0.1  # latent weights start small against their clip range [-1, 1], so that few steps can flip them


def is_binary(module: nn.Module) -> bool:
    """Whether ``module`` is a layer whose weights have a quantiser of signs (switched on or off)."""
    return isinstance(getattr(getattr(module, "weight_quant", None), "tensor_quant", None), SignQuant)


def binary_conv(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, estimator: str = "clipped"
) -> nn.Module:
    """Unpadded convolution: (N, in_channels, H, W) -> (N, out_channels, (H-kernel)//stride+1, (W-kernel)//stride+1).

    Padding is a layer of its own (``nn.ConstantPad2d``): with -1 it stays inside the binary alphabet, with 0 it does
    what the papers' code does.
    """
    quant = BinaryWeight.let(estimator=estimator)
    layer = qnn.QuantConv2d(in_channels, out_channels, kernel, stride=stride, bias=False, weight_quant=quant)
    nn.init.normal_(layer.weight, std=INIT_STD)
    return layer


def binary_linear(in_features: int, out_features: int, estimator: str = "clipped") -> nn.Module:
    """Dense layer: (N, in_features) -> (N, out_features)."""
    layer = qnn.QuantLinear(in_features, out_features, bias=False, weight_quant=BinaryWeight.let(estimator=estimator))
    nn.init.normal_(layer.weight, std=INIT_STD)
    return layer


def sign(estimator: str = "clipped") -> nn.Module:
    """Activation in {-1, +1}, any shape."""
    return qnn.QuantIdentity(act_quant=BinaryAct.let(estimator=estimator))
