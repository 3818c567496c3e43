"""How the variance of the back-propagated gradient changes from layer to layer at initialisation, in closed form.

Layer l:  s = W x,  z = norm(s),  x' = phi(z),  delta = dLoss/dx.  W has i.i.d. centred entries, fan-in K (inputs of an
output) and fan-out M (outputs that read an input); p = E[phi'(z)^2]. Then Var(delta) in front of the layer, divided by
Var(delta) behind it, is

    none    M Var(w) p                        binary weights have Var(w) = 1 instead of 1/K: it explodes
    scale   M Var(w) p / K                    s multiplied by 1/sqrt(K)
    bn      (M / K) gamma^2 p / Var(x)        batch normalisation divides by sqrt(K Var(w) Var(x)): Var(w) cancels

The argument is that of Sari, Belbahri and Nia, "How Does Batch Normalization Help Binary Training?" (arXiv 1909.09139);
the formulas are our derivation of it.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

TERNARY_THRESHOLD = 0.7
"""Latent weights below this multiple of their mean magnitude become 0 (Li et al., "Ternary Weight Networks", 2016)."""

NORMS = ("none", "scale", "bn")


@dataclass(frozen=True)
class Case:
    """What is quantised in a layer, and the slope that training takes for its activation."""

    weights: str
    """``he`` (real, variance 2/K), ``binary`` or ``ternary``."""
    activation: str
    """``relu``, or a sign with gradient estimator ``identity`` or ``clipped`` (`signflow.models.estimators`)."""

    def __post_init__(self):
        if self.weights not in ("he", "binary", "ternary") or self.activation not in ("relu", "identity", "clipped"):
            raise ValueError(f"{self}: weights are he, binary or ternary; the activation is relu, identity or clipped")
        if self.activation == "clipped" and self.weights != "binary":
            raise ValueError(f"{self}: the clipped estimator has a closed form for binary weights only")


CASES = {
    "full precision": Case("he", "relu"),
    "BinaryConnect": Case("binary", "relu"),
    "BNN identity": Case("binary", "identity"),
    "BNN clipped": Case("binary", "clipped"),
    "ternary": Case("ternary", "identity"),
}


@dataclass(frozen=True)
class Stage:
    """Shape of one layer: dense, or (``size`` > 0) a 3x3 convolution with one ring of zeros around its input."""

    inputs: int
    outputs: int
    size: int = 0
    """Height and width of the input map; 0: dense."""
    stride: int = 1

    @property
    def out_size(self) -> int:
        """Height and width of the output map."""
        return (self.size - 1) // self.stride + 1

    @property
    def fan_in(self) -> float:
        """Inputs of one output, zeros of the border included: K or 9 Cin."""
        return 9 * self.inputs if self.size else self.inputs

    @property
    def fan_out(self) -> float:
        """Outputs that read one input, far from the border: M or 9 Cout / stride^2."""
        return 9 * self.outputs / self.stride**2 if self.size else self.outputs

    @property
    def taps(self) -> int:
        """Kernel positions that fall on the map and not on the zeros around it, summed over all output pixels."""
        centres = range(0, self.size, self.stride)
        return sum(0 <= c + d < self.size for c in centres for d in (-1, 0, 1)) ** 2

    @property
    def inner_fan_in(self) -> float:
        """Fan-in without the zeros, on average over the output map: Cin taps / out_size^2."""
        return self.inputs * self.taps / self.out_size**2 if self.size else self.fan_in

    @property
    def inner_fan_out(self) -> float:
        """Fan-out on average over the input map, border included: Cout taps / size^2."""
        return self.outputs * self.taps / self.size**2 if self.size else self.fan_out


def dense(widths: list[int] | tuple[int, ...]) -> list[Stage]:
    """Dense layers between consecutive ``widths``."""
    return [Stage(a, b) for a, b in pairwise(widths)]


def weight_variance(case: Case, fan_in: float) -> float:
    """Var(w) of the weights the layer computes with; ternary: the share of latent Gaussian weights above the threshold,
    erfc(0.7 / sqrt(pi)) = 0.5765.
    """
    if case.weights == "he":
        return 2 / fan_in
    return 1.0 if case.weights == "binary" else math.erfc(TERNARY_THRESHOLD / math.sqrt(math.pi))


def activation_variance(case: Case) -> float:
    """Var(x) for z ~ N(0, 1): 1 behind a sign, 1/2 - 1/(2 pi) behind a ReLU."""
    return 0.5 - 0.5 / math.pi if case.activation == "relu" else 1.0


def share_within(fan_in: int, bound: float) -> float:
    """P(|s| <= bound) for a sum s of ``fan_in`` independent fair signs: exact, on the integers of fan_in's parity.

    For bound = 1 and even K this is C(K, K/2) / 2^K ~ sqrt(2 / (pi K)); odd K hit the window twice as often.
    """
    bound = min(bound, fan_in)
    ones = range(math.ceil((fan_in - bound) / 2), math.floor((fan_in + bound) / 2) + 1)
    log_power = math.lgamma(fan_in + 1) - fan_in * math.log(2)
    return sum(math.exp(log_power - math.lgamma(k + 1) - math.lgamma(fan_in - k + 1)) for k in ones)


def slope_power(case: Case, norm: str, fan_in: int, gamma: float = 1.0) -> float:
    """p = E[phi'(z)^2]: 1/2 (ReLU), 1 (identity), P(|z| <= 1) (clipped)."""
    if case.activation != "clipped":
        return 0.5 if case.activation == "relu" else 1.0
    if norm == "bn":
        return math.erf(1 / (gamma * math.sqrt(2)))
    return share_within(fan_in, 1.0 if norm == "none" else math.sqrt(fan_in))


def predicted_ratio(case: Case, norm: str, fan_in: float, fan_out: float, gamma: float = 1.0) -> float:
    """Var(delta) in front of a layer / Var(delta) behind it (formulas above); ``gamma`` is that of batch normalisation.

    Layers before this one have the same ``case`` and ``norm``. Raises ValueError for an unknown ``norm``.
    """
    if norm not in NORMS:
        raise ValueError(f"unknown norm {norm!r}; known: {', '.join(NORMS)}")
    p = slope_power(case, norm, round(fan_in), gamma)
    if norm == "bn":
        before = activation_variance(case) * (gamma**2 if case.activation == "relu" else 1.0)
        return fan_out / fan_in * gamma**2 * p / before
    ratio = fan_out * weight_variance(case, fan_in) * p
    return ratio / fan_in if norm == "scale" else ratio


def predicted_profile(case: Case, norm: str, stages: list[Stage], inner: bool = False) -> list[float]:
    """Var(delta^l) / Var(delta^L) for l = 0 .. L, the product of the ratios.

    ``inner`` leaves the zeros around the maps of convolutions out: fewer outputs read a pixel at the border, and batch
    normalisation divides by what really arrives.
    """
    profile = [1.0]
    for stage in reversed(stages):
        fan_in = stage.inner_fan_in if inner and norm == "bn" else stage.fan_in
        fan_out = stage.inner_fan_out if inner else stage.fan_out
        profile.append(profile[-1] * predicted_ratio(case, norm, fan_in, fan_out))
    return profile[::-1]
