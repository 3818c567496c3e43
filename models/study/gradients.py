"""Gradient variance per layer at initialisation, measured and beside the theory (`signflow.models.study.theory`).

An i.i.d. Gaussian dLoss/dx^L of variance 1 goes backward through a chain whose input is drawn like the output of one of
its own layers: the sign or the ReLU of a standard Gaussian. Double precision, because 512^20 does not fit into float32.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from signflow.models.study.chain import Chain
from signflow.models.study.theory import CASES, Case, Stage, dense, predicted_profile

MARKERS = dict(zip(CASES, "osD^v", strict=True))
COLOURS = dict(zip(CASES, ("tab:gray", "tab:orange", "tab:blue", "tab:purple", "tab:green"), strict=True))


@dataclass(frozen=True)
class Measurement:
    """Variances of one backward pass."""

    delta: list[float]
    """Var(dLoss/dx^l), l = 0 .. L."""
    weight: list[float]
    """Var(dLoss/dw^l) of the latent weights, l = 1 .. L (summed over the batch, not averaged)."""

    @property
    def ratio(self) -> float:
        """Geometric mean of Var(delta^(l-1)) / Var(delta^l)."""
        return (self.delta[0] / self.delta[-1]) ** (1 / len(self.weight))

    @property
    def ratios(self) -> list[float]:
        """Var(delta^(l-1)) / Var(delta^l), l = 1 .. L."""
        return [a / b for a, b in pairwise(self.delta)]


def measure(
    stages: list[Stage], case: Case, norm: str, batch: int = 1024, seed: int = 1, init: str | float = "He"
) -> Measurement:
    """Build the chain, send ``batch`` random inputs forward and a random gradient backward, all from ``seed``."""
    net = Chain(stages, case, norm, init, seed).double()
    rng = torch.Generator().manual_seed(seed + 1_000_003)
    first, last = stages[0], stages[-1]
    x = _noise(batch, first.inputs, first.size, rng)
    x = x.relu() if case.activation == "relu" else torch.where(x >= 0, 1.0, -1.0).double()
    outputs = [x.requires_grad_()] + net(x)
    for output in outputs:
        output.retain_grad()
    outputs[-1].backward(_noise(batch, last.outputs, last.size and last.out_size, rng))
    return Measurement(
        [output.grad.var().item() for output in outputs], [layer.weight.grad.var().item() for layer in net.layers]
    )


def _noise(batch: int, channels: int, size: int, rng: torch.Generator) -> Tensor:
    shape = (batch, channels, size, size) if size else (batch, channels)
    return torch.randn(shape, generator=rng, dtype=torch.float64)


def plot_gradient_variance(
    axes, depth: int = 10, width: int = 256, norm: str = "none", batch: int = 256, seed: int = 1
) -> dict[str, Measurement]:
    """Draw Var(delta^l) of all cases into matplotlib ``axes``: measured marks over predicted lines, log scale.

    Returns the measurements by case. 10 layers of width 256 take about a second.
    """
    stages = dense([width] * (depth + 1))
    found = {name: measure(stages, case, norm, batch, seed) for name, case in CASES.items()}
    plot_profiles(axes, {name: measurement.delta for name, measurement in found.items()}, width, norm)
    return found


def plot_profiles(axes, profiles: dict[str, list[float]], width: int, norm: str) -> None:
    """Draw measured ``profiles``, Var(delta^l) for l = 0 .. L by case, over the predicted ones."""
    for name, delta in profiles.items():
        colour = COLOURS[name]
        axes.semilogy(predicted_profile(CASES[name], norm, dense([width] * len(delta))), color=colour, lw=1.2)
        axes.semilogy(delta, MARKERS[name], color=colour, mfc="none", ms=6, label=name)
    titles = {"none": "no normalisation", "scale": "scaled by 1/sqrt(K)", "bn": "batch normalisation"}
    axes.set(xlabel="layer l (0: input)", title=f"{titles[norm]}, {len(delta) - 1} layers of {width}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
