"""The input quantiser as integer codes: for every pixel value, the integer that the first layer reads for it."""

from dataclasses import dataclass

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.compile.passes.evaluate import follow
from signflow.deploy.compile.passes.products import Feed
from signflow.deploy.compile.passes.regions import POOLS, Region
from signflow.deploy.compile.passes.scales import MAX_LEVELS, quantiser_scale
from signflow.deploy.compile.passes.transitions import slope

SUPPORTED = (
    "an input quantiser whose values are integers times one scale, and rise or fall with the pixel in every channel"
)


@dataclass
class Codes:
    """integer = codes[pixel, channel]; the first layer reads scale * integer, negated where ``negated``."""

    codes: np.ndarray
    """int64 (pixels, columns); rises with the pixel in every column."""
    scale: np.float32
    negated: np.ndarray
    """bool (columns,)"""
    signs: bool
    """Every integer is -1 or +1."""
    bits: bool = False
    """They become bits."""

    @property
    def feed(self) -> Feed:
        """What the first product reads."""
        if self.bits:
            return Feed.of_signs(self.scale, self.negated)
        step = 2 if self.signs else 1
        return Feed(self.codes.min(axis=0), self.codes.max(axis=0), self.scale, self.negated, step=step)

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


def _read(model: ModelWrapper, nodes: list[NodeProto], values: np.ndarray) -> Codes:
    """Codes of ``values``, float32 (pixels, columns): what the first layer reads for every pixel value, ascending.
    Raises UnsupportedError.
    """
    node = nodes[-1] if nodes else model.graph.node[0]
    magnitude = np.unique(np.abs(values))
    if len(magnitude) == 1 and magnitude[0] > 0:
        scale = np.float32(magnitude[0])
    else:
        scale = quantiser_scale(model, nodes, values)
    if scale is None:
        shown = ", ".join(f"{value:.7g}" for value in np.unique(values)[:4])
        count = len(np.unique(values))
        reason = f"pixels reach the first layer as {count} values ({shown}, ...) that are not integers times one scale"
        raise refuse(node, reason, f"raw pixels (input uint8), or {SUPPORTED}")
    codes = np.rint(values / scale).astype(np.int64)
    direction = slope(codes)
    if (direction == 2).any():
        channel = int(np.argmax(direction == 2))
        raise refuse(node, f"in channel {channel} its values both rise and fall with the pixel", SUPPORTED)
    negated = direction == -1
    codes = np.where(negated, -codes, codes)
    if codes.max() - codes.min() > MAX_LEVELS:
        raise refuse(node, f"{codes.max() - codes.min() + 1} levels", f"at most {MAX_LEVELS} levels")
    return Codes(codes, scale, negated, len(magnitude) == 1 and magnitude[0] > 0)


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
    return _read(model, nodes, follow(model, nodes, region.start, tensor, table).end)
