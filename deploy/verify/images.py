"""Which images: a network's shipped sample, its test set, or random pixels; the one place that chooses.

Everything that needs images of a network (the ladder, simulation, thresholds, a package's self-test) takes an `Images`.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from signflow.deploy import products
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.steps import NETWORK
from signflow.models.data import DataError, load
from signflow.models.networks import NETWORKS

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
    if source not in NETWORKS:
        raise DataError(f"{source} has no data set of its own: use --split random")
    spec = NETWORKS[source]
    images, labels = load(spec.dataset, split, spec.input_shape[1:])
    images, labels = images[:count].numpy(), labels[:count].numpy()
    return Images(images, labels, f"{len(images):,} images of the {spec.dataset} {SPLITS[split]}")


def sample(source: str, count: int | None = None) -> Images | None:
    """The first ``count`` shipped images of the network ``source``; None where none are shipped."""
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
