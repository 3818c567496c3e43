"""Float values as integers times one scale: exactly, or as float32 rounds such products.

The tolerant `search` cannot take one integer for another: two fractions with numerators below 2^8 differ by more than
2^-16 of their value, and it accepts 2^-20. So it finds the integers of the quantiser that made the values, divided by
what they have in common. What the values differ from integer * scale enters the bound of `rounding`.
"""

from fractions import Fraction
from math import floor, gcd, lcm

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.regions import POOLS, QUANTISERS, SHAPES

MAX_LEVELS = 4096
"""More levels than this would be a table wider than any quantiser needs."""
SEARCHED = 255
"""Largest integer of `search`: eight bits, wherever their zero point lies."""
TOLERANCE = 2.0**-20
"""Relative distance from integer * scale at which a float32 value is still recognised: 16 roundings."""


def common_scale(values: np.ndarray) -> np.float32 | None:
    """Largest float32 s with values = s * integers exactly, at most MAX_LEVELS in magnitude; None if there is none."""
    found = np.unique(values)
    if len(found) > 2 * MAX_LEVELS + 1:
        return None
    fractions = [Fraction(float(value)) for value in found]
    scale = _gcd(fractions) or Fraction(1)
    if np.float32(float(scale)) != scale or max(abs(f / scale) for f in fractions) > MAX_LEVELS:
        return None
    return np.float32(float(scale))


def search(values: np.ndarray) -> float | None:
    """Largest real s with values = s * integers up to `TOLERANCE` of every value, at most SEARCHED in magnitude; 1 if
    all are 0, None if there is none.
    """
    found = np.unique(np.abs(values.astype(np.float64)))
    found = found[found > 0]
    if not len(found) or len(found) > SEARCHED:
        return None if len(found) else 1.0
    for smallest in range(1, int(SEARCHED * found[0] / found[-1] * (1 + TOLERANCE)) + 1):
        integers = np.rint(found * (smallest / found[0]))
        scales = found / integers
        if scales.max() - scales.min() <= TOLERANCE * scales.min():
            return float(scales.max() + scales.min()) / 2
    return None


def scale_and_offset(values: np.ndarray, scale: Fraction | None = None) -> tuple[np.float32, float] | None:
    """``scale``, or else the largest s, and an offset in [0, s) with values = s * integers + offset exactly; None if
    float32 has none.
    """
    fractions = [Fraction(float(value)) for value in np.unique(values)]
    scale = scale or _gcd([f - fractions[0] for f in fractions]) or Fraction(1)
    offset = fractions[0] - scale * floor(fractions[0] / scale)
    codes = [(f - offset) / scale for f in fractions]
    if np.float32(float(scale)) != scale or any(c.denominator > 1 or abs(c) > MAX_LEVELS for c in codes):
        return None
    return np.float32(float(scale)), float(offset)


def grid(model: ModelWrapper, nodes: list[NodeProto], values: np.ndarray) -> tuple[np.float32, float] | None:
    """Scale and offset, as `scale_and_offset`, of the Quant that ``values`` come from, if only additions follow it:
    also where few of its codes occur.
    """
    for node in reversed(nodes):
        if node.op_type in ("Quant", "Trunc"):
            scale = _stated(model, node)
            return scale_and_offset(values, Fraction(float(scale.flat[0]))) if scale.size == 1 else None
        if node.op_type not in ("Add", "Sub", *POOLS, *SHAPES):
            return None
    return None


def quantiser_scale(model: ModelWrapper, nodes: list[NodeProto], values: np.ndarray) -> float | None:
    """s with values = s * integers: exactly, or else the scale that the last quantiser of ``nodes`` states, where
    float32(s * integer) gives every value, or else by `search`. None if there is none.
    """
    exact = common_scale(values)
    if exact is not None:
        return float(exact)
    for node in reversed(nodes):
        if node.op_type in QUANTISERS:
            scale = _stated(model, node)
            if scale.size == 1:
                scale = np.float32(scale.flat[0])
                if (np.rint(values / scale).astype(np.float32) * scale == values).all():
                    return float(scale)
    return search(values)


def no_scale(model: ModelWrapper, nodes: list[NodeProto], channels: list[np.ndarray]) -> tuple[str, str]:
    """(reason, what is supported) where there is no `quantiser_scale` of the values of all ``channels``."""
    scales = [quantiser_scale(model, nodes, values) for values in channels]
    other = next((c for c, scale in enumerate(scales) if scale != scales[0]), None)
    if other is not None and None not in scales:
        reason = f"it has a scale for each channel, {scales[0]:.6g} in channel 0 and {scales[other]:.6g} in {other}"
        supported = "one scale for all channels: a depthwise layer can hold the others in its weights"
        return f"{reason}, and the next layer sums them", supported
    values = np.unique(np.concatenate(channels))
    shown = ", ".join(f"{value:.6g}" for value in values[:6])
    reason = f"the next layer reads {len(values)} values ({shown}) that are not integers times one scale"
    return reason, "BipolarQuant, or Quant with one scale"


def _stated(model: ModelWrapper, quantiser: NodeProto) -> np.ndarray:
    """The scale of its results: that of what it reads, unless a Trunc gives another."""
    return model.get_initializer(quantiser.input[4 if len(quantiser.input) > 5 else 1])


def _gcd(fractions: list[Fraction]) -> Fraction:
    """Greatest common divisor; 0 if all are 0."""
    denominator = lcm(*(f.denominator for f in fractions))
    return Fraction(gcd(*(int(f * denominator) for f in fractions)), denominator)
