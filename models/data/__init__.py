"""Data sets as uint8 images (N, C, H, W) with pixels 0..255 and int64 labels (N,).

`load` gives the whole split of a data set that fits in memory, `source` any data set in batches, augmented.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from signflow.models.data.augment import Augment, augment
from signflow.models.data.files import DataError, data_dir
from signflow.models.data.idx import (
    CLASSES,
    FILES,
    SAMPLE,
    SAMPLE_IMAGES,
    fashion_mnist,
    fetch,
    mnist,
    read_idx,
    sha256,
)
from signflow.models.data.sources import MemorySource, Source

__all__ = [
    "CLASSES",
    "DATASETS",
    "FILES",
    "SAMPLE",
    "SAMPLE_IMAGES",
    "Augment",
    "DataError",
    "Dataset",
    "MemorySource",
    "Source",
    "augment",
    "data_dir",
    "fetch",
    "load",
    "pad_to",
    "read_idx",
    "sha256",
    "source",
]


@dataclass(frozen=True)
class Dataset:
    """How a data set is read."""

    classes: int
    read: Callable[[str], tuple[Tensor, Tensor]]
    """All of a split: (images, labels), uint8 and int64."""


DATASETS = {
    "mnist": Dataset(10, mnist),
    "fashion-mnist": Dataset(10, fashion_mnist),
}


def pad_to(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Zero-pad (N, C, H, W) centrally to the given (height, width); an image that is larger raises DataError."""
    dh, dw = size[0] - images.shape[2], size[1] - images.shape[3]
    if dh < 0 or dw < 0:
        raise DataError(f"images of {tuple(images.shape[2:])} do not fit the network's input {size}")
    return torch.nn.functional.pad(images, (dw // 2, dw - dw // 2, dh // 2, dh - dh // 2))


def _dataset(name: str) -> Dataset:
    if name not in DATASETS:
        raise DataError(f"data set {name!r} has no loader; available: {', '.join(DATASETS)}")
    return DATASETS[name]


def load(dataset: str, split: str, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """(images, labels) of a data set by name, images padded to ``size``; raises DataError with the known names."""
    images, labels = _dataset(dataset).read(split)
    return pad_to(images, size), labels


def source(dataset: str, split: str, size: tuple[int, int], augment: Augment) -> Source:
    """The split of a data set by name as a `Source` of images of ``size`` (height, width); raises DataError."""
    images, labels = load(dataset, split, size)
    return MemorySource(images, labels, _dataset(dataset).classes, augment)
