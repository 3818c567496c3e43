"""Float values as integers times one scale, exactly."""

from fractions import Fraction
from functools import reduce
from math import floor, gcd

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.regions import POOLS, QUANTISERS, SHAPES

MAX_LEVELS = 4096
"""More levels than this would be a table wider than any quantiser needs."""


def common_scale(values: np.ndarray) -> np.float32 | None:
    """Largest float32 s with values = s * integers exactly, at most MAX_LEVELS in magnitude; None if there is none."""
    fractions = [Fraction(float(value)) for value in np.unique(values)]
    scale = _gcd(fractions) or Fraction(1)
    if np.float32(float(scale)) != scale or max(abs(f / scale) for f in fractions) > MAX_LEVELS:
        return None
    return np.float32(float(scale))


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
        if node.op_type == "Quant":
            scale = model.get_initializer(node.input[1])
            return scale_and_offset(values, Fraction(float(scale.flat[0]))) if scale.size == 1 else None
        if node.op_type not in ("Add", "Sub", *POOLS, *SHAPES):
            return None
    return None


def quantiser_scale(model: ModelWrapper, nodes: list[NodeProto], values: np.ndarray) -> np.float32 | None:
    """s with values = s * integers: exactly, or else the scale that the last quantiser of ``nodes`` states, where
    float32(s * integer) gives every value. None if there is neither.
    """
    exact = common_scale(values)
    if exact is not None:
        return exact
    for node in reversed(nodes):
        if node.op_type in QUANTISERS:
            scale = model.get_initializer(node.input[1])
            if scale.size == 1:
                scale = np.float32(scale.flat[0])
                if (np.rint(values / scale).astype(np.float32) * scale == values).all():
                    return scale
    return None


def _gcd(fractions: list[Fraction]) -> Fraction:
    """Greatest common divisor; 0 if all are 0."""
    denominator = reduce(lambda a, b: a * b // gcd(a, b), (f.denominator for f in fractions))
    return Fraction(reduce(gcd, (int(f * denominator) for f in fractions)), denominator)
