"""Data sets as uint8 images (N, C, H, W) with pixels 0..255 and int64 labels (N,).

`load` gives the whole split of a data set that fits in memory, `source` any data set in batches, augmented.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from signflow.models.data import cifar
from signflow.models.data.augment import Augment, augment
from signflow.models.data.files import DataError, data_dir
from signflow.models.data.folders import SETS, FolderSource
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
    "FolderSource",
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
    read: Callable[[str], tuple[Tensor, Tensor]] | None = None
    """All of a split: (images, labels), uint8 and int64; None: too large for that, only a `FolderSource`."""


DATASETS = {
    "mnist": Dataset(10, mnist),
    "fashion-mnist": Dataset(10, fashion_mnist),
    **{name: Dataset(classes, partial(cifar.read_cifar, name)) for name, classes in cifar.CLASSES.items()},
    **{name: Dataset(spec.classes) for name, spec in SETS.items()},
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
    """(images, labels) of a data set by name, images padded to ``size``; raises DataError with the known names, and for
    the data sets that only `source` reads.
    """
    if (read := _dataset(dataset).read) is None:
        raise DataError(f"{dataset} is not loaded into memory; read it in batches: signflow.models.data.source")
    images, labels = read(split)
    return pad_to(images, size), labels


def source(dataset: str, split: str, size: tuple[int, int], augment: Augment) -> Source:
    """The split of a data set by name as a `Source` of images of ``size`` (height, width).

    Images of data sets in memory are padded to ``size``, those of the folder data sets scaled and cut. Splits:
    ``train`` and ``test`` (of TinyImageNet and ImageNet the validation images), and ``sample`` of Fashion-MNIST.
    Raises DataError.
    """
    if _dataset(dataset).read is None:
        return FolderSource(dataset, split, size, augment)
    images, labels = load(dataset, split, size)
    return MemorySource(images, labels, _dataset(dataset).classes, augment)
