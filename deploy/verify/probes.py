"""Images that ask much of an accelerator: for every channel of the first layer the two that drive its sum to its ends,
all pixels smallest, all largest, real ones, random ones.
"""

from collections.abc import Iterator
from itertools import zip_longest

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.verify.images import Images, random, sample

PRODUCTS = ("MatMul", "XnorPopcountMatMul")
EACH = 256
"""Real images, and random ones."""


def _first_products(integer: ModelWrapper) -> Iterator[tuple[np.ndarray, tuple[int, int] | None]]:
    """(weights (inputs, channels), kernel of the windows or None) of the products that read the image itself, or what
    a threshold that rises makes of its pixels.
    """
    windows = {integer.graph.input[0].name: None}
    for node in integer.graph.node:
        if node.input[0] not in windows:
            continue
        kernel = windows[node.input[0]]
        if node.op_type in PRODUCTS:
            yield integer.get_initializer(node.input[1]), kernel
        elif node.op_type == "Im2Col":
            windows[node.output[0]] = tuple(getCustomOp(node).get_nodeattr("kernel_size"))
        elif node.op_type in ("MultiThreshold", "Flatten", "Border"):
            windows[node.output[0]] = kernel


def extremes(integer: ModelWrapper) -> np.ndarray:
    """Images (2 * channels, *shape): pixels largest where the weight of a first layer's channel is positive, smallest
    elsewhere, and the other way round. A window's pattern is repeated over the whole image.
    """
    image = ImageInput.of(integer)
    pixels, found = image_kind(image.kind).pixels, [np.empty((0, *image.shape), dtype=np.int64)]
    for weights, kernel in _first_products(integer):
        positive = weights.T > 0
        if image.order in ("NHWC", "HWC"):
            height, width, channels = image.map
            rows, columns = kernel or ((height, width) if len(weights) == np.prod(image.shape) else (1, 1))
            repeats = (1, -(-height // rows), -(-width // columns), 1)
            positive = np.tile(positive.reshape(-1, rows, columns, channels), repeats)[:, :height, :width]
            positive = np.moveaxis(positive, -1, 1) if image.order == "NHWC" else positive
        both = np.stack([positive, ~positive], axis=1).reshape(-1, *image.shape)
        found.append(np.where(both, pixels[-1], pixels[0]))
    return np.concatenate(found)


def _spread(count: int) -> np.ndarray:
    """0..count - 1 in an order whose every beginning lies evenly over the whole: bits reversed."""
    bits = max(1, (count - 1).bit_length())
    order = np.array([int(f"{k:0{bits}b}"[::-1], 2) for k in range(1 << bits)])
    return order[order < count]


def probes(source: str, integer: ModelWrapper) -> Images:
    """The images that `check` runs, every beginning of them a fair mixture: the two flat ones, then in turns extremes,
    random ones, and real ones where some are shipped with signflow.
    """
    image = ImageInput.of(integer)
    ends, noise, real = extremes(integer), random(image, EACH, seed=0).pixels, sample(source, EACH)
    pixels = image_kind(image.kind).pixels
    flat = np.broadcast_to(pixels[[0, -1]].reshape(2, *(1 for _ in image.shape)), (2, *image.shape))
    kinds = [ends[_spread(len(ends))], noise, noise[:0] if real is None else real.pixels]
    turns = [one for turn in zip_longest(*kinds) for one in turn if one is not None]
    every = np.stack([*flat, *turns]).astype(noise.dtype)
    return Images(every, None, f"{len(every)} images that probe it")
