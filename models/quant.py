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
from brevitas.quant.fixed_point import Int8WeightPerTensorFixedPoint
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


class _Grid(torch.autograd.Function):
    """Rounding to integers times a step inside [low, high]; the gradient passes where low <= x <= bound."""

    @staticmethod
    def forward(ctx, x: Tensor, grid: "GridQuant") -> Tensor:
        ctx.save_for_backward(x)
        ctx.low, ctx.bound = grid.low, grid.bound
        y = x / grid.step
        return (y.floor_() if grid.floor else y.round_()).mul_(grid.step).clamp_(grid.low, grid.high)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        eps = torch.finfo(x.dtype).eps  # the kernel's bounds are exclusive
        low = ctx.low * (1 + eps) if ctx.low else -torch.finfo(x.dtype).tiny
        return torch.ops.aten.hardtanh_backward(grad, x, low, ctx.bound * (1 + eps)), None


class GridQuant(nn.Module):
    """Brevitas tensor quantiser to ``bits`` bits on [-limit, limit) or [0, limit): see `fixed_act`."""

    def __init__(self, bits: int, limit: float, signed: bool, floor: bool):
        super().__init__()
        self.step = limit * 2.0 ** (signed - bits)
        self.low, self.bound, self.high, self.floor = -limit if signed else 0.0, limit, limit - self.step, floor
        self.scale = StatelessBuffer(torch.tensor(self.step))
        self.zero_point = StatelessBuffer(torch.tensor(0.0))
        self.bit_width = BitWidthConst(bits)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Quantise ``x`` (any shape)."""
        return _Grid.apply(x, self), self.scale(), self.zero_point(), self.bit_width()


class _Fixed(ExtendedInjector):
    proxy_class = ActQuantProxyFromInjector
    tensor_quant = GridQuant
    narrow_range = False
    requires_input_scale = False
    passthrough_act = True
    act_impl = None


def fixed_act(bits: int, limit: float, signed: bool = True, floor: bool = False) -> type[ExtendedInjector]:
    """Brevitas activation quantiser: integers of ``bits`` bits on the fixed range [-limit, limit), unsigned [0, limit).

    forward   round(x / step) step, clipped to the range; step = limit 2^(1 - bits), unsigned limit 2^-bits
    backward  1 where x lies in the closed range, else 0                      (a hard tanh, or a hard ReLU)

    Rounds half to even, or down with ``floor``. ``limit`` must be a power of two (else ValueError), so that every value
    and every sum of values is exact in float32.
    """
    if limit <= 0 or math.log2(limit) % 1:
        raise ValueError(f"limit = {limit}: must be a power of two")
    rounding = "floor" if floor else "round"
    return _Fixed.let(
        bits=bits, bit_width=bits, limit=float(limit), signed=signed, floor=floor, float_to_int_impl_type=rounding
    )
