"""The quantisers, each defined once and named by meaning.

All are Brevitas quantisers, so that ``brevitas.export.export_qonnx`` writes them as standard QONNX nodes: the binary
ones as ``BipolarQuant`` of unit scale, the 8-bit ones as ``Quant`` with a power of two as scale.

The binary ones differ from Brevitas' own in one point: sign and gradient are one fused function
(`signflow.models.estimators`) that keeps the dtype of its input, which makes training under bf16 autocast about 1.5
times faster. ``BinaryAct.let(estimator="ede")`` chooses another gradient than the clipped one.
"""

import math

import torch
from brevitas.core.bit_width import BitWidthConst
from brevitas.core.utils import StatelessBuffer
from brevitas.inject import ExtendedInjector
from brevitas.proxy import ActQuantProxyFromInjector, WeightQuantProxyFromInjector
from brevitas.quant.fixed_point import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint,
)
from torch import Tensor, nn

from signflow.models.estimators import estimator as estimator_by_name


class SignQuant(nn.Module):
    """Brevitas tensor quantiser around an estimator: returns (values, scale 1, zero point 0, bit width 1)."""

    def __init__(self, estimator: str = "clipped"):
        super().__init__()
        self.estimator = estimator_by_name(estimator)
        self.scale = StatelessBuffer(torch.tensor(1.0))
        self.zero_point = StatelessBuffer(torch.tensor(0.0))
        self.bit_width = BitWidthConst(1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Quantise ``x`` (any shape)."""
        return self.estimator(x), self.scale(), self.zero_point(), self.bit_width()


class _Binary(ExtendedInjector):
    tensor_quant = SignQuant
    estimator = "clipped"
    signed = True
    narrow_range = True
    requires_input_scale = False


class BinaryWeight(_Binary):
    """Weights in {-1, +1}, no scale. The latent weights stay float."""

    proxy_class = WeightQuantProxyFromInjector


class BinaryAct(_Binary):
    """Activations in {-1, +1}, no scale."""

    proxy_class = ActQuantProxyFromInjector
    passthrough_act = True
    act_impl = None


class Weight8(Int8WeightPerTensorFixedPoint):
    """8-bit weights, -127..127 times one power of two per tensor that follows the largest weight."""


def fixed_act(bits: int, limit: float, signed: bool = True) -> type[ExtendedInjector]:
    """Integers of ``bits`` bits on the fixed range [-limit, limit) or [0, 2 limit): the step is limit * 2^(1 - bits).

    ``limit`` must be a power of two, so that every value and every sum of values is exact in float32. Rounds half to
    even; outside the range the value is clipped and the gradient is 0 (a hard tanh, or a hard ReLU).
    """
    if limit <= 0 or math.log2(limit) % 1:
        raise ValueError(f"limit = {limit}: must be a power of two")
    base = Int8ActPerTensorFixedPoint if signed else Uint8ActPerTensorFixedPoint
    top = limit if signed else 2 * limit
    return base.let(bit_width=bits, scaling_impl_type="const", scaling_init=float(top))
