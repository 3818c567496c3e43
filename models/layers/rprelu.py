"""Learnable biases and RPReLU: a PReLU whose corner can move in both directions.

    LearnableBias   y = x + b_c                                          b starts at 0
    RPReLU          y = PReLU_c(x + b1_c) + b2_c                         slope starts at 0.25
    PReLU_c(t) = t where t >= 0, else slope_c t                          gradients exact

A negative slope makes the function V-shaped, so a sign behind it is -1 on an interval; ``min_slope=0`` excludes that.

Reference: Liu et al., "ReActNet", ECCV 2020, equation (6); shapes as in the code of Chen et al., CVPR workshops 2021
(a bias has the shape (1, C, 1, 1), which adaptive gradient clipping takes for a single unit).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LearnableBias(nn.Module):
    """y = x + b_c for (N, C, H, W), or (N, C) with ``spatial=False``."""

    def __init__(self, channels: int, spatial: bool = True):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, *[1, 1] * spatial))

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        return x + self.bias.to(x.dtype)


class RPReLU(nn.Module):
    """y = PReLU_c(x + b1_c) + b2_c; ``min_slope`` bounds the slope from below (None: unbounded, as the paper)."""

    def __init__(self, channels: int, spatial: bool = True, min_slope: float | None = None):
        super().__init__()
        self.before = LearnableBias(channels, spatial)
        self.slope = nn.Parameter(torch.full((channels,), 0.25))
        self.after = LearnableBias(channels, spatial)
        self.min_slope = min_slope

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        slope = self.slope if self.min_slope is None else self.slope.clamp(min=self.min_slope)
        return self.after(F.prelu(self.before(x), slope.to(x.dtype)))
