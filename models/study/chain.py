"""A plain chain of equal layers, the simplest network that shows what a normalisation does to gradients.

Layer:  s = W x (dense, or 3x3 convolution with a ring of zeros),  z = s | s / sqrt(K) | BN(s),  x' = phi(z).
Weights are real, binary or ternary; whatever they are, their gradient reaches the latent weights unchanged.
"""

import math

import torch
from torch import Tensor, nn

from signflow.models.estimators import estimator
from signflow.models.study.theory import NORMS, TERNARY_THRESHOLD, Case, Stage

INITS = {
    "He": lambda stage: math.sqrt(2 / stage.fan_in),
    "Xavier": lambda stage: math.sqrt(2 / (stage.fan_in + stage.fan_out)),
}
"""Standard deviation of the latent weights by name of the initialisation."""


def init_std(init: str | float, stage: Stage) -> float:
    """Standard deviation of a layer's latent weights: a name of `INITS` or a number; else ValueError."""
    if isinstance(init, str) and init not in INITS:
        raise ValueError(f"unknown initialisation {init!r}; known: {', '.join(INITS)}, or a number")
    return INITS[init](stage) if isinstance(init, str) else init


class Ternary(nn.Module):
    """t(w) = +1 where w >= d, -1 where w < -d, else 0, with d = 0.7 mean|w|; the gradient passes as it is.

    Written as the mean of two signs, sign(w - d) and sign(w + d), each with slope 1.
    """

    def __init__(self):
        super().__init__()
        self.sign = estimator("identity")

    def forward(self, w: Tensor) -> Tensor:
        """Any shape."""
        d = TERNARY_THRESHOLD * w.detach().abs().mean()
        return (self.sign(w - d) + self.sign(w + d)) / 2


class Scale(nn.Module):
    """z = s / sqrt(K): one positive constant, which no sign sees; only the gradient does."""

    def __init__(self, fan_in: float):
        super().__init__()
        self.root = math.sqrt(fan_in)

    def forward(self, s: Tensor) -> Tensor:
        """Any shape."""
        return s / self.root


def _norm(norm: str, stage: Stage) -> nn.Module:
    if norm not in NORMS:
        raise ValueError(f"unknown norm {norm!r}; known: {', '.join(NORMS)}")
    if norm == "bn":
        return nn.BatchNorm2d(stage.outputs) if stage.size else nn.BatchNorm1d(stage.outputs)
    return nn.Identity() if norm == "none" else Scale(stage.fan_in)


class Layer(nn.Module):
    """One layer: (N, inputs) -> (N, outputs), or maps (N, inputs, H, W) -> (N, outputs, H/stride, W/stride)."""

    def __init__(self, stage: Stage, case: Case, norm: str, std: float, rng: torch.Generator):
        super().__init__()
        self.stage = stage
        shape = (stage.outputs, stage.inputs, 3, 3) if stage.size else (stage.outputs, stage.inputs)
        self.weight = nn.Parameter(torch.randn(shape, generator=rng) * std)
        quantisers = {"he": nn.Identity, "binary": lambda: estimator("identity"), "ternary": Ternary}
        self.quantise = quantisers[case.weights]()
        self.norm = _norm(norm, stage)
        self.phi = nn.ReLU() if case.activation == "relu" else estimator(case.activation)

    def forward(self, x: Tensor) -> Tensor:
        """phi(norm(W x))."""
        w = self.quantise(self.weight)
        if self.stage.size:
            s = nn.functional.conv2d(x, w, stride=self.stage.stride, padding=1)
        else:
            s = nn.functional.linear(x, w)
        return self.phi(self.norm(s))


class Chain(nn.Module):
    """Layers of equal ``case`` and ``norm``. The same ``seed`` draws the same weights up to the scale of ``init``, and
    so the same signs.
    """

    def __init__(self, stages: list[Stage], case: Case, norm: str, init: str | float = "He", seed: int = 1):
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.layers = nn.ModuleList(Layer(s, case, norm, init_std(init, s), rng) for s in stages)

    def forward(self, x: Tensor) -> list[Tensor]:
        """All outputs x^1 .. x^L."""
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs
