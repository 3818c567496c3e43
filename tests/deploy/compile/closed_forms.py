"""Signs of normalised accumulators in closed form, channel by channel, beside the float32 modules that they describe.

Every method knows, for parameters (channels,) in float32 and integers a:

    reference(p)  the modules that the network runs, float32 (values, channels) -> the number in front of the sign
    exact(p, a)   the same number in float64; the sum of the absolute terms that are rounded on the way; and how far an
                  underflow may bring it to 0
    closed(p)     where the sign changes: sign(a) = first, complemented from every cut on

The cuts are those of the formulas: one threshold on a for batch normalisation and BN-free chains, up to two for ABN and
for negative slopes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from signflow.models.layers.abn import ABN, FORMS
from signflow.models.layers.rprelu import LearnableBias, RPReLU

Parameters = dict[str, np.ndarray]
NEVER = np.inf
EPS = 1e-5
LOWEST = -1.2784645427610738
"""Where x sigmoid(x) has its minimum, -DEPTH."""
DEPTH = -1 - LOWEST


@dataclass
class Cuts:
    """sign(a) = first xor [a >= cut] for both cuts."""

    first: np.ndarray
    """bool (channels,)"""
    cuts: np.ndarray
    """float64 (2, channels): integers, or NEVER."""

    def signs(self, a: np.ndarray) -> np.ndarray:
        """``a`` (values, 1) -> bool (values, channels)."""
        return self.first ^ (a >= self.cuts[0]) ^ (a >= self.cuts[1])


def where(count: int, *cases) -> Cuts:
    """Cuts of ``count`` channels from (mask, first, cut, second cut) cases, which exclude each other."""
    found = Cuts(np.zeros(count, dtype=bool), np.full((2, count), NEVER))
    seen = np.zeros(count, dtype=int)
    for mask, first, *cuts in cases:
        seen += mask
        found.first = np.where(mask, first, found.first)
        for i, cut in enumerate(cuts):
            found.cuts[i] = np.where(mask, cut, found.cuts[i])
    assert (seen == 1).all()
    return found


def signed(rng, count: int, low: float, high: float) -> np.ndarray:
    """Numbers of both signs between 10^low and 10^high, some of them 0 or powers of two."""
    numbers = rng.choice([-1, 1], count) * 10 ** rng.uniform(low, high, count)
    dyadic = rng.choice([-1, 1], count) * 2.0 ** rng.integers(-6, 7, count)
    return np.select([rng.random(count) < 0.05, rng.random(count) < 0.2], [0.0, dyadic], numbers).astype(np.float32)


def means(rng, count: int) -> np.ndarray:
    """Means on integers (ties), between them, and beyond every accumulator."""
    kinds = [rng.integers(-50, 51, count), *(rng.normal(0, width, count) for width in (9, 3e3, 1e5))]
    return np.choose(rng.integers(0, 4, count), kinds).astype(np.float32)


def close_call(rng, p: Parameters, offset: str, exact: Callable) -> Parameters:
    """A third of the channels get the ``offset`` that brings a random integer to 0, up to its rounding to float32."""
    count = len(p[offset])
    without = {name: values.astype(np.float64) for name, values in p.items()} | {offset: np.zeros(count)}
    value, *_ = exact(without, rng.integers(-20_000, 20_001, count))
    return p | {offset: np.where(rng.random(count) < 1 / 3, -value, p[offset]).astype(np.float32)}


# batch normalisation: a >= mu - beta s / gamma


def draw_norm(rng, count: int) -> Parameters:
    """gamma of both signs and 0, variances over 16 orders of magnitude."""
    return {
        "gamma": signed(rng, count, -6, 4),
        "beta": signed(rng, count, -6, 3),
        "mean": means(rng, count),
        "var": (10 ** rng.uniform(-6, 10, count)).astype(np.float32),
    }


def draw_bn(rng, count: int) -> Parameters:
    """See `draw_norm`."""
    return close_call(rng, draw_norm(rng, count), "beta", exact_bn)


def reference_bn(p: Parameters) -> nn.Module:
    """PyTorch's."""
    norm = nn.BatchNorm1d(len(p["mean"]), eps=EPS)
    values = {"weight": "gamma", "bias": "beta", "running_mean": "mean", "running_var": "var"}
    norm.load_state_dict({k: torch.tensor(p[v]) for k, v in values.items()}, strict=False)
    return norm.eval()


def exact_bn(p: Parameters, a):
    """gamma (a - mu) / s + beta; rounded are a gamma / s, mu gamma / s and beta."""
    scale = p["gamma"] / np.sqrt(p["var"] + EPS)
    size = np.abs(scale) * (np.abs(a) + np.abs(p["mean"])) + np.abs(p["beta"])
    return scale * (a - p["mean"]) + p["beta"], size, 0.0


def closed_bn(p: Parameters) -> Cuts:
    """One threshold, in the direction of gamma."""
    gamma, beta = p["gamma"], p["beta"]
    with np.errstate(divide="ignore", invalid="ignore"):
        tau = p["mean"] - beta * np.sqrt(p["var"] + EPS) / gamma
    return where(
        len(gamma),
        (gamma > 0, False, np.ceil(tau)),
        (gamma < 0, True, np.floor(tau) + 1),
        (gamma == 0, beta >= 0),
    )


# ABN: gamma f(xh) + beta with f(x) = x sigmoid(x), xh = (a - mu) / s


def draw_abn(form: str) -> Callable:
    """Half of the betas in the range where they make windows."""

    def draw(rng, count: int) -> Parameters:
        p = draw_norm(rng, count)
        small = (rng.normal(0, 0.2, count) * (p["gamma"] if "gamma" in form else 1)).astype(np.float32)
        p["beta"] = np.where(rng.random(count) < 0.5, small, p["beta"])
        p["gamma"] = p["gamma"] if "gamma" in form else np.ones(count, dtype=np.float32)
        if "beta" in form:
            return close_call(rng, p, "beta", exact_abn)
        return p | {"beta": np.zeros(count, dtype=np.float32)}

    return draw


def reference_abn(form: str) -> Callable:
    """The layer of that form."""

    def reference(p: Parameters) -> nn.Module:
        norm = ABN(len(p["mean"]), form, eps=EPS)
        values = {"gamma": "gamma", "beta": "beta", "running_mean": "mean", "running_var": "var"}
        norm.load_state_dict({k: torch.tensor(p[v]) for k, v in values.items() if k in norm.state_dict()})
        return norm.eval()

    return reference


def sigmoid(x: np.ndarray) -> np.ndarray:
    """float64, without overflow."""
    return torch.sigmoid(torch.from_numpy(x)).numpy()


def exact_abn(p: Parameters, a):
    """The rounding of xh counts with the slope of f. Below xh = -88.7, exp(-xh) is infinite in float32, and f is -0."""
    std = np.sqrt(p["var"] + EPS)
    x = (a - p["mean"]) / std
    gate = sigmoid(x)
    slope = gate * (1 + x * (1 - gate))
    size = np.abs(slope) * (np.abs(a) + np.abs(p["mean"])) / std + np.abs(x * gate)
    underflow = np.where(x < -88, np.maximum(np.abs(p["gamma"] * x * gate), 1e-300), 0.0)
    return p["gamma"] * x * gate + p["beta"], np.abs(p["gamma"]) * size + np.abs(p["beta"]), underflow


def bisect(falls: bool, low: np.ndarray, high: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The x in low..high with f(x) = target, f falling or rising there."""
    for _ in range(300):
        middle = (low + high) / 2
        right = (middle * sigmoid(middle) < target) != falls  # the root lies right of the middle
        low, high = np.where(right, middle, low), np.where(right, high, middle)
    return (low + high) / 2


def closed_abn(p: Parameters) -> Cuts:
    """f >= -B (gamma > 0) or f <= -B (gamma < 0), B = beta / gamma: f falls to -0.278 and rises from there."""
    gamma, beta, std = p["gamma"], p["beta"], np.sqrt(p["var"] + EPS)
    b = np.divide(beta, gamma, out=np.zeros_like(beta), where=gamma != 0)
    zeros = np.zeros_like(b)
    left = p["mean"] + std * bisect(True, zeros - 800, zeros + LOWEST, -b)
    right = bisect(False, np.where(b > 0, LOWEST, 0), np.where(b > 0, 0, -2 * b), -b)
    right = p["mean"] + std * np.where(b == 0, 0, right)
    up, down, dip = gamma > 0, gamma < 0, (b > 0) & (b < DEPTH)
    return where(
        len(b),
        (up & (b <= 0), False, np.ceil(right)),
        (up & dip, True, np.floor(left) + 1, np.ceil(right)),
        (up & (b >= DEPTH), True),
        (down & (b <= 0), True, np.floor(right) + 1),
        (down & dip, False, np.ceil(left), np.floor(right) + 1),
        (down & (b >= DEPTH), False),
        (gamma == 0, beta >= 0),
    )


# BN-free chain: beta (PReLU(k a + b1) + b2) + b0


def draw_bnfree(rng, count: int) -> Parameters:
    """Gains and slopes of both signs and 0; biases also on the grid of the gains (ties)."""
    p = {
        "k": signed(rng, count, -6, 2),
        "b1": signed(rng, count, -4, 3),
        "slope": signed(rng, count, -2, 1),
        "b2": signed(rng, count, -4, 3),
        "factor": np.abs(rng.choice([1, 0.980581, 0.944911, 0.5], count)).astype(np.float32),
        "b0": signed(rng, count, -4, 1),
    }
    return close_call(rng, p, "b0", exact_bnfree)


def reference_bnfree(p: Parameters) -> Callable:
    """Gain, RPReLU, factor of the next block, bias in front of the sign."""
    relu, bias = RPReLU(len(p["k"]), spatial=False), LearnableBias(len(p["k"]), spatial=False)
    with torch.no_grad():
        for parameter, name in (
            (relu.before.bias, "b1"), (relu.slope, "slope"), (relu.after.bias, "b2"), (bias.bias, "b0")
        ):  # fmt: skip
            parameter.copy_(torch.tensor(p[name]).view_as(parameter))
    return lambda x: bias(relu(x * torch.tensor(p["k"])) * torch.tensor(p["factor"]))


def exact_bnfree(p: Parameters, a):
    """Rounded are k a, b1, b2 and b0."""
    u = p["k"] * a + p["b1"]
    steepest = np.maximum(np.abs(p["slope"]), 1)
    size = p["factor"] * ((np.abs(p["k"] * a) + np.abs(p["b1"])) * steepest + np.abs(p["b2"])) + np.abs(p["b0"])
    return p["factor"] * (np.where(u >= 0, u, p["slope"] * u) + p["b2"]) + p["b0"], size, 0.0


def closed_bnfree(p: Parameters) -> Cuts:
    """PReLU(u) >= t, t = -b0 / beta - b2, on u = k a + b1; a slope below 0 makes a V."""
    t, k, slope = -p["b0"] / p["factor"] - p["b2"], p["k"], p["slope"]
    with np.errstate(divide="ignore", invalid="ignore"):
        at = (np.where(t >= 0, t, t / slope) - p["b1"]) / k  # the right arm; the left one where t < 0
        other = (t / slope - p["b1"]) / k  # the left arm of the V
    zero, up, down = k == 0, k > 0, k < 0
    vee, always = (t > 0) & (slope < 0), (t <= 0) & (slope <= 0)
    one = ~vee & ~always
    return where(
        len(k),
        (zero, exact_bnfree(p, 0)[0] >= 0),
        (~zero & always, True),
        (up & one, False, np.ceil(at)),
        (down & one, True, np.floor(at) + 1),
        (up & vee, True, np.floor(other) + 1, np.ceil(at)),
        (down & vee, True, np.floor(at) + 1, np.ceil(other)),
    )


# plain scale: k a


def draw_scale(rng, count: int) -> Parameters:
    """Down to denormal numbers."""
    return {"k": np.where(rng.random(count) < 0.5, signed(rng, count, -44, 30), signed(rng, count, -3, 1))}


def reference_scale(p: Parameters) -> Callable:
    """One multiplication."""
    return lambda x: x * torch.tensor(p["k"])


def exact_scale(p: Parameters, a):
    """No rounding can change its sign."""
    return p["k"] * a, np.abs(p["k"] * a), 0.0


def closed_scale(p: Parameters) -> Cuts:
    """Threshold 0 whatever the scale."""
    k = p["k"]
    return where(len(k), (k > 0, False, 0), (k < 0, True, 1), (k == 0, True))


@dataclass(frozen=True)
class Method:
    """One normalisation; see the module's docstring."""

    draw: Callable
    reference: Callable
    exact: Callable
    closed: Callable
    changes: int
    """How often a sign changes over the integers, at most."""


METHODS = {
    "bn": Method(draw_bn, reference_bn, exact_bn, closed_bn, 1),
    "bnfree": Method(draw_bnfree, reference_bnfree, exact_bnfree, closed_bnfree, 2),
    "scale": Method(draw_scale, reference_scale, exact_scale, closed_scale, 1),
    **{f"abn {form}": Method(draw_abn(form), reference_abn(form), exact_abn, closed_abn, 2) for form in FORMS},
}
