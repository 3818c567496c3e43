"""A few images with the logits that every rung of the ladder gives them."""

import base64
import io

import numpy as np
from PIL import Image as Picture

from signflow.deploy.verify.images import Images
from signflow.deploy.verify.rungs import Rungs


def samples(rungs: Rungs, images: Images) -> list[dict]:
    """For each of ``images`` its picture, its class, the logits of every rung, and whether all stand for the same
    integers. Runs the RTL.
    """
    chosen = [rung for rung in (rungs.torch(), rungs.qonnx(), rungs.golden(), rungs.rtl()) if rung is not None]
    integers = {rung.name: rung.run(images.pixels) for rung in chosen}
    first = next(iter(integers.values()))
    logits = {name: _logits(rungs, name, found, images.pixels) for name, found in integers.items()}
    return [
        {
            "picture": picture(images.pixels[k]),
            "label": None if images.labels is None else int(images.labels[k]),
            "found": int(logits["RTL simulation"][k].argmax()),
            "logits": {name: [float(value) for value in rows[k]] for name, rows in logits.items()},
            "integers": [int(value) for value in integers["RTL simulation"][k]],
            "equal": all((rows[k] == first[k]).all() for rows in integers.values()),
        }
        for k in range(len(images))
    ]


def _logits(rungs: Rungs, name: str, integers: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """What a rung itself gives: floats of its own, or its integers through the recorded head."""
    if name == "PyTorch":
        return rungs.torch_logits(pixels)
    if name == "QONNX":
        return rungs.qonnx_logits(pixels)
    return rungs.head(integers)


def picture(pixels: np.ndarray) -> str | None:
    """An image (channels, height, width) of one or three channels as a data URI (PNG), its values stretched to grey
    levels; None for what is no picture.
    """
    if pixels.ndim != 3 or len(pixels) not in (1, 3):
        return None
    low, high = int(pixels.min()), int(pixels.max())
    grey = (255 * (pixels.astype(np.float64) - low) / max(1, high - low)).astype(np.uint8)
    file = io.BytesIO()
    Picture.fromarray(grey[0] if len(grey) == 1 else grey.transpose(1, 2, 0)).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
