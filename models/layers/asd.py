"""Activation self-distribution: a sign whose threshold the input itself moves, exact in integers.

    paper      g = mean over positions of hardtanh(z)      s = sigmoid(W2 relu(W1 g)) in (0, 1)      y = sign(z + s)
    here, with L levels and Q(bits, range) the quantisers of `signflow.models.quant`:
      a = Q_log2(2L)(z)            multiples of 1/L in [-1, 1): hardtanh and quantiser in one
      g = Q_8(2^-k sum a)          k = ceil(log2(positions)): the sum is an integer / L, the division a shift
      h = Q_u8(W1 g), [0, 4)       W1 (C/r, C), 8-bit weights, no bias
      u = W2 h                     W2 (C, C/r), 8-bit weights, no bias
      s = (floor(L sigmoid(u)) + 1/2) / L      L levels strictly inside (0, 1)
      y = sign(a + s)              never 0: a lies on multiples of 1/L, s half-way between them
    gradient   straight through the quantisers inside their ranges; the sign's estimator by name

Every step is exact in float32 (integers below 2^24 times powers of two, for up to 1032 channels), hence equal in
integer hardware. s > 0 moves signs only towards +1. `StaticShift` is the paper's ablation: one learned s per channel
instead of the branch.

Deviations from the released code: the 8-bit branch (their weights and means are float), the division by the next power
of two where the number of positions is none, and the dense form (positions = 1), which the paper does not have.

Reference: Xue et al., "Self-Distribution Binary Neural Networks", Applied Intelligence 2022 (arXiv 2103.02394).
"""

import math

import brevitas.nn as qnn
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signflow.models.layers.binary import sign
from signflow.models.layers.channels import per_channel
from signflow.models.quant import Weight8, fixed_act

LEVELS = 16


class ASD(nn.Module):
    """Sign with an input-dependent threshold, (N, C) or (N, C, H, W) -> the same shape in {-1, +1}.

    ``reduction`` r: the branch has max(1, C // r) hidden units (the paper: 16 for CIFAR, 8 for ImageNet). ``levels`` L:
    a power of two. Raises ValueError when it is none.
    """

    def __init__(self, channels: int, reduction: int = 16, levels: int = LEVELS, estimator: str = "ede"):
        super().__init__()
        if levels < 2 or levels & (levels - 1):
            raise ValueError(f"levels = {levels}: must be a power of two, 2 or more")
        bits, hidden = int(math.log2(levels)), max(1, channels // reduction)
        self.levels = levels
        self.clip = qnn.QuantIdentity(act_quant=fixed_act(bits + 1, 1.0))
        self.mean = qnn.QuantIdentity(act_quant=fixed_act(8, 1.0))
        self.squeeze = qnn.QuantLinear(channels, hidden, bias=False, weight_quant=Weight8)
        self.relu = qnn.QuantIdentity(act_quant=fixed_act(8, 4.0, signed=False))
        self.excite = qnn.QuantLinear(hidden, channels, bias=False, weight_quant=Weight8)
        self.level = qnn.QuantIdentity(act_quant=fixed_act(bits, 1.0, signed=False, floor=True))
        self.sign = sign(estimator)
        for layer in (self.squeeze, self.excite):
            nn.init.kaiming_normal_(layer.weight)

    def shift(self, a: Tensor) -> Tensor:
        """s (N, C) of the clipped activations ``a``."""
        if a.dim() > 2:
            positions = math.prod(a.shape[2:])
            a = a.flatten(2).sum(2) * 2.0 ** -math.ceil(math.log2(positions))
        u = self.excite(self.relu(self.squeeze(self.mean(a))))
        return self.level(torch.sigmoid(u)) + 0.5 / self.levels

    def forward(self, z: Tensor) -> Tensor:
        """Same shape as ``z``."""
        a = self.clip(z)
        s = self.shift(a).to(a.dtype)
        return self.sign(a + s.view(*s.shape, *[1] * (a.dim() - 2)))


class StaticShift(nn.Module):
    """y = sign(hardtanh(z) + sigmoid(b_c)): self-distribution without the input's say; b starts at 0.

    The hard tanh changes no sign, but z gets no gradient outside [-1, 1], as in `ASD`.
    """

    def __init__(self, channels: int, estimator: str = "ede"):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.sign = sign(estimator)

    def forward(self, z: Tensor) -> Tensor:
        """Same shape as ``z``."""
        return self.sign(F.hardtanh(z) + per_channel(torch.sigmoid(self.shift), z))
