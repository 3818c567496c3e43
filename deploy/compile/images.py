"""How integer images reach a network, declared once and stored in the model: their range, their scaling, and the order
in which a stream carries them.
"""

import json
from dataclasses import dataclass

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.errors import ModelFileError

INPUT_KEY = "signflow.input"


@dataclass(frozen=True)
class ImageKind:
    """One way in which integer pixels reach a network's float input."""

    datatype: str
    """FINN data type of a pixel."""
    low: int
    high: int
    divisor: float | None
    """The network sees pixel / divisor (float32 division), or the pixel itself when None."""

    @property
    def pixels(self) -> np.ndarray:
        """Every value a pixel can have, ascending, int64."""
        return np.array([-1, 1]) if self.datatype == "BIPOLAR" else np.arange(self.low, self.high + 1)


KINDS: dict[str, ImageKind] = {
    "uint8": ImageKind("UINT8", 0, 255, None),
    "uint8/255": ImageKind("UINT8", 0, 255, 255.0),
    "int8": ImageKind("INT8", -128, 127, None),
    "bipolar": ImageKind("BIPOLAR", -1, 1, None),
}


def image_kind(name: str) -> ImageKind:
    """Look up an input declaration; raises ValueError that lists the known ones."""
    if name not in KINDS:
        raise ValueError(
            f"input {name!r} is unknown; declare how images reach the network with one of: {', '.join(KINDS)}"
        )
    return KINDS[name]


@dataclass(frozen=True)
class ImageInput:
    """What a model's input expects, and in which order the accelerator's stream carries it. Stored in the model
    (`save_to`), read by `of`.
    """

    kind: str
    """A key of `KINDS`."""
    shape: tuple[int, ...]
    """Shape of one image without the batch: (C, H, W), (H, W, C) where the order says so, (C, L) or (features,)."""
    order: str = "NCHW"
    """Order of the graph's input: "NCHW" as PyTorch's, "NHWC" (pixel by pixel, channels together), "flat" (NCHW read as
    one vector), or "HWC": images come pixel by pixel, and stay so.
    """
    binary: bool = False
    """The graph input carries BIPOLAR pixels as bits: -1 -> 0, +1 -> 1."""

    @staticmethod
    def stored(model: ModelWrapper) -> bool:
        """Whether ``model`` has one."""
        return model.get_metadata_prop(INPUT_KEY) is not None

    @staticmethod
    def of(model: ModelWrapper) -> "ImageInput":
        """Read from a model; raises ModelFileError when the model was not made by `export` or `load`."""
        text = model.get_metadata_prop(INPUT_KEY)
        if text is None:
            raise ModelFileError(
                "the model declares no image input: make it with signflow.deploy.compile.export (export or load)"
            )
        fields = json.loads(text)
        return ImageInput(fields["kind"], tuple(fields["shape"]), fields["order"], fields["binary"])

    @property
    def map(self) -> tuple[int, ...]:
        """(H, W, C) of the map that an image is; (features,) of one that is none."""
        if self.order == "HWC" or len(self.shape) == 1:
            return self.shape
        return (*(self.shape[1:] if len(self.shape) == 3 else (1, self.shape[1])), self.shape[0])

    def save_to(self, model: ModelWrapper) -> None:
        """Store in the model's metadata."""
        model.set_metadata_prop(INPUT_KEY, json.dumps(self.__dict__, sort_keys=True))

    def check(self, images: np.ndarray) -> np.ndarray:
        """``images`` (N, *shape) as an integer array.

        Raises ValueError on another shape, a float type, or a pixel out of range.
        """
        kind, images = image_kind(self.kind), np.asarray(images)
        if images.shape[1:] != self.shape:
            wanted = ", ".join(map(str, self.shape))
            remedy = _remedy(images.shape, self.shape)
            raise ValueError(f"images have shape {images.shape}, the network reads (N, {wanted}){remedy}")
        if images.dtype.kind not in "iu":
            reads = f"integers {kind.low}..{kind.high}: do not scale them"
            raise ValueError(f"images have type {images.dtype}, the network reads {reads}")
        limits = np.iinfo(images.dtype)
        if kind.datatype != "BIPOLAR" and kind.low <= limits.min and limits.max <= kind.high:
            return images
        bad = (images < kind.low) | (images > kind.high)
        if kind.datatype == "BIPOLAR":
            bad |= images == 0
        if bad.any():
            first = tuple(int(i) for i in np.argwhere(bad)[0])
            allowed = "-1 or +1" if kind.datatype == "BIPOLAR" else f"{kind.low}..{kind.high}"
            raise ValueError(f"pixel {first} is {images[first]}, the network's input ({self.kind}) allows {allowed}")
        return images

    def seen(self, images: np.ndarray) -> np.ndarray:
        """Checked ``images`` as the network itself sees them: float32, divided where the declaration says so."""
        divisor, images = image_kind(self.kind).divisor, self.check(images).astype(np.float32)
        return images if divisor is None else images / np.float32(divisor)

    def stream(self, images: np.ndarray) -> np.ndarray:
        """Checked ``images`` (N, *shape) in the order and encoding of the graph input: (N, ...), int64."""
        images = self.check(images).astype(np.int64)
        if self.binary:
            images = (images + 1) // 2
        if self.order == "NHWC":
            return np.ascontiguousarray(np.moveaxis(images, 1, -1))
        return images.reshape(len(images), int(np.prod(self.shape))) if self.order == "flat" else images


def _remedy(found: tuple[int, ...], wanted: tuple[int, ...]) -> str:
    """What to do with images of shape ``found``, where that is plain."""
    if found == wanted:
        return ": give a batch, images[None]"
    if len(found) == 4 and len(wanted) == 3 and (found[3], *found[1:3]) == wanted:
        return ": channels come first, images.transpose(0, 3, 1, 2)"
    return ": give the channel, images[:, None]" if (1, *found[1:]) == wanted else ""
