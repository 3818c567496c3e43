"""Which images: a network's shipped sample, its test set, random pixels, or a user's own; the one place that chooses.

Everything that needs images of a network (the ladder, simulation, thresholds, a package's self-test) takes an `Images`.
"""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from signflow.deploy import known, products
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.steps import NETWORK
from signflow.models.npz import read_npy, read_npz

RANDOM_IMAGES = 64
"""Random images where no number is asked for."""
SPLITS = {"sample": "sample", "test": "test set"}
"""Splits of a data set and what they are called."""


@dataclass(frozen=True)
class Images:
    """Images for a network, and what is known of them."""

    pixels: np.ndarray
    """Integers (N, *shape) as the network's `ImageInput` takes them."""
    labels: np.ndarray | None
    """Class numbers int64 (N,), or None where nobody knows them."""
    name: str
    """What they are, for titles."""

    def __len__(self) -> int:
        return len(self.pixels)


def random(image: ImageInput, count: int, seed: int) -> Images:
    """``count`` images of independent pixels, each value as likely as another."""
    kind = image_kind(image.kind)
    pixels = np.random.default_rng(seed).choice(kind.pixels, (count, *image.shape))
    return Images(pixels.astype(np.int8 if kind.low < 0 else np.uint8), None, f"{count} random images (seed {seed})")


def of_dataset(source: str, split: str, count: int | None = None) -> Images:
    """The first ``count`` images of ``split`` ("sample": shipped with signflow, or "test") of the data set of the
    network ``source``.

    Raises DataError for a foreign file, and where the images are not here.
    """
    from signflow.models.data import DataError, load

    if source not in known.networks():
        raise DataError(f"{source} has no data set of its own: use --split random")
    spec = known.networks()[source]
    images, labels = load(spec.dataset, split, spec.input_shape[1:])
    images, labels = images[:count].numpy(), labels[:count].numpy()
    return Images(images, labels, f"{len(images):,} images of the {spec.dataset} {SPLITS[split]}")


def sample(source: str, count: int | None = None) -> Images | None:
    """The first ``count`` shipped images of the network ``source``; None where none are shipped."""
    if source not in known.networks():
        return None
    from signflow.models.data import DataError

    with suppress(DataError):
        return of_dataset(source, "sample", count)
    return None


def choose(source: str, image: ImageInput, split: str | None, count: int | None, seed: int) -> Images:
    """The first ``count`` of ``split``: "sample", "test", "random", or None for the sample where there is one, else
    random ones.
    """
    if split in SPLITS:
        return of_dataset(source, split, count)
    found = None if split == "random" else sample(source, count)
    return random(image, count or RANDOM_IMAGES, seed) if found is None else found


def images_of(work: Path, split: str | None = None, count: int | None = None, seed: int = 1) -> Images:
    """`choose` for the build in ``work``."""
    return choose(products.settings_of(work).source, ImageInput.of(products.read(work, NETWORK)), split, count, seed)


def own(image: ImageInput, pixels: np.ndarray, labels: np.ndarray | None = None, what: str = "own images") -> Images:
    """A user's own ``pixels`` (N, *shape), integers as the network reads them, and class numbers (N,).

    Raises ValueError for another shape or type, a pixel out of range, or labels that do not fit.
    """
    pixels = image.check(pixels)
    if not len(pixels):
        raise ValueError("there are no images: give one at least")
    if labels is not None:
        labels = np.asarray(labels)
        if labels.shape != (len(pixels),) or labels.dtype.kind not in "iu":
            wanted = f"{len(pixels)} images need {len(pixels)} integers"
            raise ValueError(f"labels have shape {labels.shape} and type {labels.dtype}; {wanted}")
        labels = labels.astype(np.int64)
    return Images(pixels, labels, f"{len(pixels):,} {what}")


def from_files(image: ImageInput, path: Path, labels: Path | None = None) -> Images:
    """Images of a .npy file (N, *shape), of a .npz file ("images", and "labels" where it has them), or of a folder of
    PNG files in the order of their names; ``labels``: a .npy file, the "labels" of a .npz file, or a text file of one
    number a line.

    Raises ValueError that names the file for what cannot be read, and as `own` does.
    """
    pixels, known = _pixels(image, path)
    known = known if labels is None else _labels(labels)
    return own(image, pixels, known, f"images of {path}")


def _pixels(image: ImageInput, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    if path.is_dir():
        files = sorted(path.glob("*.png"))
        if not files:
            raise ValueError(f"{path} holds no .png file")
        return np.stack([_png(image, file) for file in files]), None
    if path.suffix == ".npy":
        return _array(path), None
    if path.suffix == ".npz":
        arrays = _arrays(path, "images")
        return arrays["images"], arrays.get("labels")
    raise ValueError(f"{path} is neither a folder of PNG files nor a .npy or .npz file")


def _labels(path: Path) -> np.ndarray:
    if path.suffix == ".npz":
        return _arrays(path, "labels")["labels"]
    with _reading(path):
        return _array(path) if path.suffix == ".npy" else np.loadtxt(path, dtype=np.int64, ndmin=1)


def _array(path: Path) -> np.ndarray:
    """The array of a .npy file."""
    with _reading(path):
        return read_npy(path.read_bytes())


def _arrays(path: Path, wanted: str) -> dict[str, np.ndarray]:
    """Images and labels of a .npz file that must have ``wanted``."""
    with _reading(path):
        file = read_npz(path)
        if wanted not in file:
            raise ValueError(f"it holds {', '.join(file)}; what is read is called {wanted!r}")
    return {name: file[name] for name in ("images", "labels") if name in file}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever numpy and Pillow raise at a missing or damaged file becomes a ValueError that names it."""
    try:
        yield
    except (OSError, ValueError, EOFError, SyntaxError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _png(image: ImageInput, file: Path) -> np.ndarray:
    """One picture as uint8, grey or RGB and in the order of axes as the network reads it."""
    modes, (*area, channels) = {1: "L", 3: "RGB"}, image.map
    if len(image.shape) != 3 or channels not in modes:
        raise ValueError(f"the network reads images of shape {image.shape}: PNG files have one or three channels")
    with _reading(file), Picture.open(file) as picture:
        picture.load()
    grey, wanted = picture.mode in ("1", "L"), modes[channels]
    if picture.mode not in ("1", "L", "P", "RGB") or "transparency" in picture.info:
        rule = "the network reads 8 bits a channel without transparency"
        raise ValueError(f"{file} has pixels of the kind {picture.mode!r}, {rule}: convert it")
    if grey != (wanted == "L"):
        has = "grey" if grey else f"in colour ({picture.mode})"
        raise ValueError(f"{file} is {has}, the network reads {wanted}: convert it")
    if picture.size != (area[1], area[0]):
        size = f"{area[1]} x {area[0]}"
        raise ValueError(f"{file} is {picture.width} x {picture.height} pixels, the network reads {size}: resize it")
    pixels = np.asarray(picture.convert(wanted)).reshape(image.map)
    return pixels if image.order == "HWC" else pixels.transpose(2, 0, 1)
