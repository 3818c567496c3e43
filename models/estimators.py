"""Sign activations that differ only in the gradient they pretend to have: one forward, four backwards.

    forward    q(x) = +1 if x >= 0 else -1                       (sign(0) = +1, as qonnx BipolarQuant)
    backward   dq/dx = d(x), where d is, by name,
      identity   1                                                Bengio et al. 2013; ABN's released code
      clipped    1 where |x| <= 1, else 0                         Hubara et al. 2016, equation (4)
      quadratic  2 + 2x on [-1, 0), 2 - 2x on [0, 1), else 0      Bi-Real Net (Liu et al. 2018), equation (6)
      ede        k t (1 - tanh(t x)^2)                            IR-Net (Qin et al. 2020), equations (9)-(11)

The error decay estimator (ede) changes over training: at progress p = epoch / epochs,
t = t_min (t_max / t_min)^p and k = max(1/t, 1), from nearly the identity to nearly the derivative of the sign.
"""

import torch
from torch import Tensor, nn


class _Sign(torch.autograd.Function):
    """sign with a chosen backward; any shape, any float dtype. One fused function: nothing but x is kept.

    Both directions are two vector operations at most: they cost a tenth of a comparison, which goes through bool.
    """

    @staticmethod
    def forward(ctx, x: Tensor, backward) -> Tensor:
        ctx.save_for_backward(x)
        ctx.estimate = backward
        return torch.copysign(torch.ones((), dtype=x.dtype, device=x.device), x + 0.0)  # -0 + 0 = +0

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return ctx.estimate(grad, x), None


class Estimator(nn.Module):
    """Base of the four: ``forward`` is the sign, `estimate` what training takes for its derivative."""

    def forward(self, x: Tensor) -> Tensor:
        """+1 where ``x >= 0``, else -1, in the shape and dtype of ``x``."""
        return _Sign.apply(x, self.estimate)

    def estimate(self, grad: Tensor, x: Tensor) -> Tensor:
        """``grad`` times the estimated slope d(x), same shape."""
        raise NotImplementedError


class Identity(Estimator):
    """d = 1."""

    def estimate(self, grad: Tensor, x: Tensor) -> Tensor:
        """``grad`` itself."""
        return grad


class Clipped(Estimator):
    """d = 1 where |x| <= 1, else 0."""

    def estimate(self, grad: Tensor, x: Tensor) -> Tensor:
        """``grad`` where |x| <= 1, that is, below the next larger number of the dtype, as the kernel compares."""
        bound = 1 + torch.finfo(x.dtype).eps
        return torch.ops.aten.hardtanh_backward(grad, x, -bound, bound)


class Quadratic(Estimator):
    """d = 2 - 2|x| inside [-1, 1), else 0: the slope of a piecewise quadratic approximation of the sign."""

    def estimate(self, grad: Tensor, x: Tensor) -> Tensor:
        """``grad`` under a triangle of height 2."""
        return grad * (2 - 2 * x.abs()).clamp_(min=0)


class ErrorDecay(Estimator):
    """d = k t (1 - tanh(t x)^2) with t growing from ``t_min`` to ``t_max`` over training, k = max(1/t, 1).

    ``t_min`` is 0.001 in SD-BNN's ResNets (the default) and 0.1 in its VGG-small; ``t_max`` is 10. A network that was
    never told its progress stands at 0.
    """

    def __init__(self, t_min: float = 1e-3, t_max: float = 10.0):
        super().__init__()
        self.t_min, self.t_max = t_min, t_max
        self.set_progress(0.0)

    def set_progress(self, progress: float) -> None:
        """Move to ``progress`` = epoch / epochs in [0, 1]."""
        self.t = self.t_min * (self.t_max / self.t_min) ** progress
        self.k = max(1 / self.t, 1.0)

    def estimate(self, grad: Tensor, x: Tensor) -> Tensor:
        """``grad`` under a bump of height k t around 0."""
        return torch.ops.aten.tanh_backward(grad, torch.tanh(x * self.t)) * (self.k * self.t)

    def extra_repr(self) -> str:
        """Shown by ``print(net)``."""
        return f"t_min={self.t_min}, t_max={self.t_max}"


ESTIMATORS = {
    "identity": Identity,
    "clipped": Clipped,
    "quadratic": Quadratic,
    "ede": ErrorDecay,
    "ede-vgg": lambda: ErrorDecay(t_min=0.1),
}


def estimator(name: str) -> Estimator:
    """A fresh estimator by name; raises ValueError that lists the known names."""
    if name not in ESTIMATORS:
        raise ValueError(f"unknown gradient estimator {name!r}; known: {', '.join(ESTIMATORS)}")
    return ESTIMATORS[name]()
