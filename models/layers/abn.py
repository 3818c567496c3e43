"""ABN: batch normalisation whose scale is a gate that every normalised value makes for itself.

    xh = (x - mean_c) / sqrt(var_c + eps)            mean, biased variance over batch and positions
    forward   y = [gamma_c] sigmoid(xh) xh [+ beta_c]
    gradient  exact: d(sigmoid(xh) xh)/dxh = s (1 + xh (1 - s)), s = sigmoid(xh); through mean and variance as in BN

The attention map sigmoid(xh) has the shape of x: query, key and value are all the normalised value itself. It stands
where BN has gamma; beta, which decides the sign, stays. sigmoid(xh) xh is not monotone (minimum -0.2785 at -1.2785), so
a sign behind it is +1 outside an interval of accumulators, not always above one.

Reference: Gu, Jia, Wu, Zhang, "Attention-Based Batch Normalization for Binary Neural Networks", Entropy 27(6):645,
2025, and the authors' released code, which keeps beta and leaves gamma unused: the default form here.

In front of a sign hardware takes all of it as thresholds. In front of a multi-bit stream `ABN.put_on_grid` splits it:

    x -> Q(xh) -> Q(sigmoid(q) q) -> [gamma_c] g [+ beta_c]       Q: multiples of ``step`` in [-4, 4)

The first part rises with x, the second is one table of 8 / step entries for all channels, the third rises or falls with
g. Q costs accuracy only through its step; values of unit variance leave [-4, 4) once in 16,000.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signflow.models.layers.channels import per_channel
from signflow.models.layers.stream import stream

FORMS = ("gate", "gate+beta", "gamma*gate", "gamma*gate+beta")
CONVENTIONS = ("torch", "keep")
LIMIT = 4.0  # range of normalised and gated values on a grid


class ABN(nn.Module):
    """Attention-based batch normalisation of (N, C) or (N, C, H, W).

    ``form``: which affine parameters join the gate; gamma starts at 1, beta at 0. ``momentum`` with ``convention``
    "torch": running = (1 - momentum) running + momentum batch; "keep": the authors' opposite, running = momentum
    running + (1 - momentum) batch, under which evaluation sees little more than the last batch. The running variance is
    the biased one. Two deviations from the authors' code: running statistics are buffers (saved, detached), and a
    2-D input is gated as well (theirs falls back to plain BN there).

    Raises ValueError for an unknown form or convention.
    """

    def __init__(
        self,
        channels: int,
        form: str = "gate+beta",
        momentum: float = 0.1,
        convention: str = "torch",
        eps: float = 1e-5,
    ):
        super().__init__()
        for name, value, known in (("form", form, FORMS), ("convention", convention, CONVENTIONS)):
            if value not in known:
                raise ValueError(f"{name} = {value!r}; known: {', '.join(known)}")
        self.form, self.eps = form, eps
        self.update = momentum if convention == "torch" else 1 - momentum
        self.gamma = nn.Parameter(torch.ones(channels)) if "gamma" in form else None
        self.beta = nn.Parameter(torch.zeros(channels)) if "beta" in form else None
        self.to_code, self.to_gated_code = nn.Identity(), nn.Identity()
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def put_on_grid(self, step: float) -> None:
        """Round normalised and gated values to multiples of ``step``, a power of two, in [-4, 4)."""
        bits = round(math.log2(2 * LIMIT / step))
        self.to_code, self.to_gated_code = stream(bits, LIMIT), stream(bits, LIMIT)

    def _normalise(self, x: Tensor) -> Tensor:
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, eps=self.eps)
        mean, var = torch.zeros_like(self.running_mean), torch.ones_like(self.running_var)
        normalised = F.batch_norm(x, mean, var, training=True, momentum=1.0, eps=self.eps)
        count = x.numel() / x.shape[1]
        self.running_mean.lerp_(mean, self.update)
        self.running_var.lerp_(var * ((count - 1) / count), self.update)
        return normalised

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        y = self.to_gated_code(F.silu(self.to_code(self._normalise(x))))
        if self.gamma is not None:
            y = y * per_channel(self.gamma, y)
        if self.beta is not None:
            y = y + per_channel(self.beta, y)
        return y

    def extra_repr(self) -> str:
        """Shown by ``print(net)``."""
        return f"{self.running_mean.numel()}, form={self.form!r}"
