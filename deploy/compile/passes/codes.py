"""The input quantiser as integer codes: for every pixel value, the integer that the first layer reads for it."""

from dataclasses import dataclass, replace

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.dialect.base import EXACT
from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.compile.passes.evaluate import follow
from signflow.deploy.compile.passes.products import Feed
from signflow.deploy.compile.passes.regions import POOLS, Region
from signflow.deploy.compile.passes.rounding import grain
from signflow.deploy.compile.passes.scales import MAX_LEVELS, TOLERANCE, quantiser_scale
from signflow.deploy.compile.passes.transitions import slope

FINEST = 255
"""Steps between two pixels: a mean with two decimals has a hundred."""
FLOAT = 2.0**-22
"""Relative distance at which a padding's value is a code: a few roundings of what normalises pixels."""
SUPPORTED = (
    "an input quantiser whose values are integers times one scale, and rise or fall with the pixel in every channel"
)


@dataclass
class Codes:
    """integer = codes[pixel, channel]; the first layer reads scale * integer, negated where ``negated``."""

    codes: np.ndarray
    """int64 (pixels, columns); rises with the pixel in every column."""
    scale: float
    offset: np.ndarray
    """float64 (columns,): what is added to scale * integer."""
    negated: np.ndarray
    """bool (columns,)"""
    signs: bool
    """Every integer is -1 or +1."""
    error: float
    """The network's numbers differ from scale * integer + offset by at most this ..."""
    grain: float
    """... and are multiples of this."""
    bits: bool = False
    """They become bits."""
    finer: int = 1
    """The pixels are this many steps apart, so that a padding's value is an integer too."""

    @property
    def feed(self) -> Feed:
        """What the first product reads."""
        if self.bits:
            return Feed.of_signs(self.scale, self.negated)
        ends, step = (self.codes.min(axis=0), self.codes.max(axis=0)), 2 if self.signs else 1
        return Feed(*ends, self.scale, self.negated, self.grain, step=step, offset=self.offset, error=self.error)

    def with_values(self, values: list[float], weights: int) -> "Codes":
        """The same on a grid fine enough for ``values``, which Pads put beside the image, where one of up to `FINEST`
        steps a pixel has them all, and exact sums of so many codes as ``weights`` says.
        """
        steps = EXACT // max(1, weights * int(np.abs(self.codes).max()))
        exact = np.subtract.outer(values, self.offset) / self.scale
        room = FLOAT * (np.abs(self.offset) + self.scale * np.abs(self.codes).max()) / self.scale
        for finer in range(1, min(steps, FINEST) + 1) if not self.signs else ():
            if (np.abs(exact * finer - np.rint(exact * finer)) <= room * finer).all():
                return replace(self, codes=self.codes * finer, scale=self.scale / finer, finer=finer)
        return self

    @property
    def table(self) -> np.ndarray:
        """int64 (columns or 1, pixels)"""
        rows = self.codes.T
        return rows[:1] if (rows == rows[:1]).all() else rows

    def thresholds(self, pixels: np.ndarray) -> np.ndarray:
        """int64 (columns, levels - 1): step k is the smallest pixel whose code reaches the lowest code + k + 1; past
        the last pixel if none does.
        """
        low, high = int(self.codes.min()), int(self.codes.max())
        levels = [1] if self.bits else range(low + 1, max(high, low + 1) + 1)
        past = pixels[-1] + 1
        rows = [
            np.where((reached := self.codes >= level).any(axis=0), pixels[np.argmax(reached, axis=0)], past)
            for level in levels
        ]
        return np.stack(rows, axis=1)


def _read(model: ModelWrapper, nodes: list[NodeProto], values: np.ndarray, pixels: np.ndarray) -> Codes:
    """Codes of ``values``, float32 (pixels, columns): what the first layer reads for every pixel value, ascending.
    Raises UnsupportedError.
    """
    node = nodes[-1] if nodes else model.graph.node[0]
    magnitude, offset = np.unique(np.abs(values)), np.zeros(values.shape[1])
    signs = len(magnitude) == 1 and bool(magnitude[0] > 0)
    scale = float(magnitude[0]) if signs else quantiser_scale(model, nodes, values)
    if scale is None:
        scale, offset = _line(node, values, pixels)
    codes = np.rint((values.astype(np.float64) - offset) / scale).astype(np.int64)
    error = float(np.abs(codes * scale + offset - values).max())
    direction = slope(codes)
    if (direction == 2).any():
        channel = int(np.argmax(direction == 2))
        raise refuse(node, f"in channel {channel} its values both rise and fall with the pixel", SUPPORTED)
    negated = direction == -1
    codes = np.where(negated, -codes, codes)
    if codes.max() - codes.min() > MAX_LEVELS:
        raise refuse(node, f"{codes.max() - codes.min() + 1} levels", f"at most {MAX_LEVELS} levels")
    return Codes(codes, scale, offset, negated, signs, error, grain(values))


def _line(node: NodeProto, values: np.ndarray, pixels: np.ndarray) -> tuple[float, np.ndarray]:
    """(a, b (columns,)) with values = +-a * pixel + b: normalised pixels. Raises UnsupportedError."""
    v, p = values.astype(np.float64), pixels.astype(np.float64)[:, None]
    factor = (v[-1] - v[0]) / (p[-1] - p[0])
    offset = (v - factor * p).mean(axis=0)
    if (np.abs(v - factor * p - offset) > TOLERANCE * np.abs(v).max()).any():
        shown = ", ".join(f"{value:.7g}" for value in np.unique(values)[:4])
        count = len(np.unique(values))
        reason = f"pixels reach the first layer as {count} values ({shown}, ...) that are not integers times one scale"
        raise refuse(node, reason, f"pixels times a factor, plus an offset per channel, or {SUPPORTED}")
    sizes = np.abs(factor)
    if np.ptp(sizes) > TOLERANCE * sizes.max():
        shown = ", ".join(f"{size:.7g}" for size in sizes[:4])
        reason = (
            f"its channels multiply pixels by different factors ({shown}): their sums are no integers times a scale"
        )
        raise refuse(node, reason, "one standard deviation for all channels (means may differ), or an input quantiser")
    return float(sizes.mean()), offset


def read_image(model: ModelWrapper, region: Region) -> Codes:
    """Enumerate the image's region (`regions.walk`, region 0) over every value of a pixel, per channel. Raises
    UnsupportedError.
    """
    if len(region.exits) != 1:
        reason = f"the image is read in {len(region.exits)} ways: {', '.join(region.exits)}"
        raise refuse(model.graph.node[0], reason, "one quantiser for the image")
    tensor = next(iter(region.exits))
    nodes = region.path(tensor)
    if any(node.op_type in POOLS for node in nodes):
        raise refuse(next(n for n in nodes if n.op_type in POOLS), "it pools pixels", "MaxPool behind the first layer")
    pixels = image_kind(ImageInput.of(model).kind).pixels
    channels = model.get_tensor_shape(region.start)[1]
    table = np.repeat(pixels.astype(np.float32)[:, None], channels, axis=1)
    return _read(model, nodes, follow(model, nodes, region.start, tensor, table).end, pixels)
