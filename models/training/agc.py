"""Adaptive gradient clipping: no unit of a parameter moves far compared with its own size, as an optimiser wrapper.

For a parameter p with gradient g, with unit-wise norms ||.|| (one norm for a vector, one for each index of dimension 0
for anything with more dimensions: a filter is a unit):

    M = clip * max(||p||, 1e-3)          g <- g * M / max(||g||, 1e-6)   where ||g|| >= M, else unchanged

Brock et al., "High-Performance Large-Scale Image Recognition Without Normalization" (2021), equation (3), in the form
in which Chen et al., "BNN - BN = ?" (2021) use it for binary networks: every parameter but the classifier's.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

SMALLEST_PARAMETER = 1e-3
SMALLEST_GRADIENT = 1e-6


def unit_norm(x: Tensor) -> Tensor:
    """Euclidean norm of each unit of ``x``: a scalar for up to one dimension, else (n, 1, ..., 1) over all but the
    first.
    """
    if x.ndim <= 1:
        return x.norm()
    return x.flatten(1).norm(dim=1).view(-1, *[1] * (x.ndim - 1))


def clipped(gradient: Tensor, parameter: Tensor, clip: float) -> Tensor:
    """``gradient`` with every unit at most ``clip`` times as long as the unit of ``parameter``; same shape."""
    limit = clip * unit_norm(parameter).clamp(min=SMALLEST_PARAMETER)
    norm = unit_norm(gradient)
    return torch.where(norm >= limit, gradient * (limit / norm.clamp(min=SMALLEST_GRADIENT)), gradient)


def exclude_named(part: str) -> Callable[[str], bool]:
    """The rule of the paper's code: leave out the parameters whose name contains ``part``."""
    return lambda name: part in name


EXCLUDE_FC = exclude_named("fc")


def exclude_classifier(net: nn.Module) -> Callable[[str], bool]:
    """The same meaning for any network: leave out the parameters of its last layer, the last module whose weight has
    two dimensions or more. Raises ValueError when there is none.
    """
    layers = [name for name, m in net.named_modules() if getattr(getattr(m, "weight", None), "ndim", 0) >= 2]
    if not layers:
        raise ValueError("adaptive gradient clipping: the network has no layer with a weight matrix")
    return lambda name: name.startswith(f"{layers[-1]}." if layers[-1] else "")


class AdaptiveGradientClipping:
    """An optimiser that clips the gradients of ``named_parameters`` before each step of the wrapped ``optimiser``.

    ``clip`` is the paper's lambda (0.02 in its ImageNet runs); ``exclude(name)`` says which parameters are left alone.
    State and parameter groups are those of the wrapped optimiser.
    """

    def __init__(
        self,
        optimiser: torch.optim.Optimizer,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        clip: float,
        exclude: Callable[[str], bool] = EXCLUDE_FC,
    ):
        if clip <= 0:
            raise ValueError(f"adaptive gradient clipping: clip = {clip}, it must be positive")
        self.optimiser, self.clip = optimiser, clip
        self.parameters = [p for name, p in named_parameters if not exclude(name)]

    @property
    def param_groups(self) -> list[dict]:
        """Of the wrapped optimiser."""
        return self.optimiser.param_groups

    @torch.no_grad()
    def step(self) -> None:
        """Clip, then step."""
        for p in self.parameters:
            if p.grad is not None:
                p.grad.copy_(clipped(p.grad, p, self.clip))
        self.optimiser.step()

    def zero_grad(self) -> None:
        """Of the wrapped optimiser."""
        self.optimiser.zero_grad()

    def state_dict(self) -> dict:
        """Of the wrapped optimiser."""
        return self.optimiser.state_dict()

    def load_state_dict(self, state: dict) -> None:
        """Of the wrapped optimiser."""
        self.optimiser.load_state_dict(state)
