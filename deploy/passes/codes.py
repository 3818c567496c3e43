"""The input quantiser as integer codes: for every pixel value, the integer that the first layer reads for it."""

from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import gcd

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.images import ImageInput, image_kind
from signflow.deploy.passes.chain import POOLS, QUANTISERS, Stage
from signflow.deploy.passes.errors import refuse
from signflow.deploy.passes.evaluate import follow
from signflow.deploy.passes.products import Feed
from signflow.deploy.passes.transitions import slope

MAX_LEVELS = 4096
"""More levels than this would be a table wider than any image format needs."""
SUPPORTED = (
    "an input quantiser whose values are integers times one scale, and rise or fall with the pixel in every channel"
)


def integer_type(low: int, high: int) -> str:
    """Smallest UINTn or INTn, n >= 2, that holds low..high (one bit is left to BINARY and BIPOLAR, which mean more than
    a range).
    """
    if low >= 0:
        return f"UINT{max(2, high.bit_length())}"
    return f"INT{max(2, (-low - 1).bit_length() + 1, high.bit_length() + 1)}"


@dataclass
class Codes:
    """integer = codes[pixel, channel]; the first layer reads scale * integer, negated where ``negated``."""

    codes: np.ndarray
    """int64 (pixels, columns); rises with the pixel in every column."""
    scale: np.float32
    negated: np.ndarray
    """bool (columns,)"""
    bipolar: bool

    @property
    def datatype(self) -> str:
        """Smallest FINN data type that holds every code."""
        if self.bipolar:
            return "BIPOLAR"
        return integer_type(int(self.codes.min()), int(self.codes.max()))

    @property
    def feed(self) -> Feed:
        """What the first product reads."""
        if self.bipolar:
            return Feed.of_signs(self.scale, self.negated)
        return Feed(self.codes.min(axis=0), self.codes.max(axis=0), self.scale, self.negated)

    def thresholds(self, pixels: np.ndarray) -> np.ndarray:
        """int64 (columns, levels - 1): step k is the smallest pixel whose code reaches the lowest code + k + 1; past
        the last pixel if none does.
        """
        low, high = (-1, 1) if self.bipolar else (int(self.codes.min()), int(self.codes.max()))
        levels = [1] if self.bipolar else range(low + 1, high + 1)
        past = pixels[-1] + 1
        rows = [
            np.where((reached := self.codes >= level).any(axis=0), pixels[np.argmax(reached, axis=0)], past)
            for level in levels
        ]
        return np.stack(rows, axis=1)


def _common_scale(values: np.ndarray) -> tuple[np.float32, np.ndarray] | None:
    """Largest s with values = s * integers exactly, and the integers; None if there is no such float32."""
    fractions = [Fraction(float(value)) for value in np.unique(values)]
    denominator = reduce(lambda a, b: a * b // gcd(a, b), (f.denominator for f in fractions))
    numerators = [int(f * denominator) for f in fractions]
    divisor = reduce(gcd, numerators) or 1
    scale = Fraction(divisor, denominator)
    if np.float32(float(scale)) != scale or max(map(abs, numerators)) // divisor > MAX_LEVELS:
        return None
    return np.float32(float(scale)), np.rint(values.astype(np.float64) / float(scale)).astype(np.int64)


def _quantiser_scale(model: ModelWrapper, stage: Stage, values: np.ndarray) -> tuple[np.float32, np.ndarray] | None:
    """The scale that the stage's Quant node states, where float32(scale * integer) gives every value."""
    for node in reversed(stage.nodes):
        if node.op_type in QUANTISERS:
            scale = model.get_initializer(node.input[1])
            if scale.size == 1:
                scale = np.float32(scale.flat[0])
                codes = np.rint(values / scale).astype(np.int64)
                if (codes.astype(np.float32) * scale == values).all():
                    return scale, codes
    return None


def _read(model: ModelWrapper, stage: Stage, values: np.ndarray) -> Codes:
    """Codes of ``values``, float32 (pixels, columns): what the first layer reads for every pixel value, ascending.
    Raises UnsupportedError.
    """
    node = stage.nodes[-1] if stage.nodes else model.graph.node[0]
    magnitude = np.unique(np.abs(values))
    if len(magnitude) == 1 and magnitude[0] > 0:
        found = (np.float32(magnitude[0]), np.sign(values).astype(np.int64))
    else:
        found = _common_scale(values) or _quantiser_scale(model, stage, values)
    if found is None:
        shown = ", ".join(f"{value:.7g}" for value in np.unique(values)[:4])
        count = len(np.unique(values))
        reason = f"pixels reach the first layer as {count} values ({shown}, ...) that are not integers times one scale"
        raise refuse(node, reason, f"raw pixels (input uint8), or {SUPPORTED}")
    scale, codes = found
    direction = slope(codes)
    if (direction == 2).any():
        channel = int(np.argmax(direction == 2))
        raise refuse(node, f"in channel {channel} its values both rise and fall with the pixel", SUPPORTED)
    negated = direction == -1
    codes = np.where(negated, -codes, codes)
    if codes.max() - codes.min() > MAX_LEVELS:
        raise refuse(node, f"{codes.max() - codes.min() + 1} levels", f"at most {MAX_LEVELS} levels")
    return Codes(codes, scale, negated, len(magnitude) == 1 and magnitude[0] > 0)


def read_image(model: ModelWrapper, stage: Stage) -> Codes:
    """Enumerate the image's stage (`chain.walk`, stage 0) over every value of a pixel, per channel. Raises
    UnsupportedError.
    """
    if any(node.op_type in POOLS for node in stage.nodes):
        raise refuse(
            next(n for n in stage.nodes if n.op_type in POOLS), "it pools pixels", "MaxPool behind the first layer"
        )
    pixels = image_kind(ImageInput.of(model).kind).pixels
    channels = model.get_tensor_shape(stage.start)[1]
    table = np.repeat(pixels.astype(np.float32)[:, None], channels, axis=1)
    return _read(model, stage, follow(model, stage, table).end)
