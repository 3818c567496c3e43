"""TinyImageNet and ImageNet: folders of JPEG files, decoded when a batch asks for them.

ImageNet (ILSVRC 2012): ``train/<wnid>/*.JPEG``, ``val/<wnid>/*.JPEG`` (the 50,000 validation images sorted into their
classes). TinyImageNet (Stanford CS231n): ``train/<wnid>/images/*.JPEG``, ``val/images/*.JPEG`` with
``val/val_annotations.txt``, ``wnids.txt``. Classes are numbered in the order of their wnids. The split ``test`` is the
validation folder: the labels of the real test images were never published.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from signflow.models.data.augment import Augment, crop_box, crop_draws, cut
from signflow.models.data.files import DataError, check_split, data_dir, found_in, missing
from signflow.models.data.sources import Source

FOLDERS = {"train": "train", "test": "val"}
THREADS = min(8, os.cpu_count() or 1)
Listing = tuple[list[str], list[int]]


@dataclass(frozen=True)
class FolderSet:
    """What is known about a data set of folders."""

    classes: int
    images: dict[str, int]
    """Number of images of each split."""
    unpacked: str
    """Folder that unpacking the original archive makes in the data set's own; "" where there is none."""
    margin: float
    """For evaluation the shorter side is scaled to this multiple of the input size before the centre is cut out."""
    advice: str
    listing: Callable[["FolderSet", Path, str], Listing]
    """Paths below the root, and labels, of a split."""


def _class_folders(spec: FolderSet, folder: Path) -> list[str]:
    """The wnids, sorted: the folders in ``folder``, as many as there are classes."""
    if not folder.is_dir():
        raise missing(folder, spec.advice)
    with os.scandir(folder) as entries:
        wnids = sorted(e.name for e in entries if e.is_dir())
    if len(wnids) != spec.classes:
        raise DataError(
            f"{folder}: {len(wnids)} class folders, expected {spec.classes}; {spec.advice}. Found: {found_in(folder)}"
        )
    return wnids


def _by_class(spec: FolderSet, root: Path, folder: str, inner: str = "") -> Listing:
    """``folder/<wnid>/inner/*.JPEG``, classes and files sorted."""
    paths, labels = [], []
    for label, wnid in enumerate(_class_folders(spec, root / folder)):
        below = os.path.join(folder, wnid, inner)
        if not (root / below).is_dir():
            raise missing(root / below, spec.advice)
        names = sorted(name for name in os.listdir(root / below) if name.upper().endswith(".JPEG"))
        paths += [os.path.join(below, name) for name in names]
        labels += [label] * len(names)
    return paths, labels


def _imagenet(spec: FolderSet, root: Path, split: str) -> Listing:
    return _by_class(spec, root, FOLDERS[split])


def _tiny_imagenet(spec: FolderSet, root: Path, split: str) -> Listing:
    """The training folder by class; the validation images as `val_annotations.txt` says (file, wnid, box)."""
    for name in ("wnids.txt", "val/val_annotations.txt"):
        if not (root / name).is_file():
            raise missing(root / name, spec.advice)
    wnids = sorted((root / "wnids.txt").read_text().split())
    if len(wnids) != spec.classes:
        raise DataError(f"{root / 'wnids.txt'}: {len(wnids)} classes, expected {spec.classes}; {spec.advice}")
    if split == "train":
        if (folders := _class_folders(spec, root / "train")) != wnids:
            differing = sorted(set(folders) ^ set(wnids))
            raise DataError(f"{root}: wnids.txt and the folders in train/ differ in {', '.join(differing[:8])}")
        return _by_class(spec, root, "train", "images")
    number = {wnid: label for label, wnid in enumerate(wnids)}
    paths, labels = [], []
    for line in (root / "val/val_annotations.txt").read_text().splitlines():
        name, wnid = (line.split("\t") + [""])[:2]
        if wnid not in number:
            raise DataError(f"{root / 'val/val_annotations.txt'}: {line!r} names no class of wnids.txt; {spec.advice}")
        paths.append(os.path.join("val", "images", name))
        labels.append(number[wnid])
    return paths, labels


SETS = {
    "tiny-imagenet": FolderSet(
        200,
        {"train": 100_000, "test": 10_000},
        "tiny-imagenet-200",
        1.0,
        "unpack tiny-imagenet-200.zip (http://cs231n.stanford.edu/tiny-imagenet-200.zip) in data/tiny-imagenet",
        _tiny_imagenet,
    ),
    "imagenet": FolderSet(
        1000,
        {"train": 1_281_167, "test": 50_000},
        "",
        256 / 224,
        "get ILSVRC 2012 (https://image-net.org, registration needed) and put its images into"
        " data/imagenet/train/<wnid>/ and data/imagenet/val/<wnid>/",
        _imagenet,
    ),
}


def evaluation_view(image: Image.Image, size: tuple[int, int], margin: float) -> Image.Image:
    """The centre of an image as it is evaluated: scaled bilinearly, aspect kept, until it just covers ``margin`` times
    (height, width) = ``size``, then cut. For 224 x 224 and margin 256/224: shorter side to 256, centre 224.
    """
    height, width = (round(margin * side) for side in size)
    if image.width * height <= image.height * width:
        scaled = (width, width * image.height // image.width)
    else:
        scaled = (height * image.width // image.height, height)
    if scaled != image.size:
        image = image.resize(scaled, Image.Resampling.BILINEAR)
    left, top = round((image.width - size[1]) / 2), round((image.height - size[0]) / 2)
    return image.crop((left, top, left + size[1], top + size[0]))


class FolderSource(Source):
    """JPEG files that are opened when a batch asks for them; only their names stay in memory.

    Grey and CMYK files become RGB. With a generator and `Augment.resized_crop` a random part of the whole image is
    scaled to ``size``; otherwise the view is that of the evaluation. Decoding runs in `THREADS` threads, the draws are
    made before, so the result does not depend on them. A file that cannot be decoded raises DataError.
    """

    def __init__(self, dataset: str, split: str, size: tuple[int, int], augment: Augment):
        check_split(dataset, split, tuple(FOLDERS))
        spec = SETS[dataset]
        self.root = data_dir() / dataset
        if spec.unpacked and (self.root / spec.unpacked).is_dir():
            self.root /= spec.unpacked
        self.paths, labels = spec.listing(spec, self.root, split)
        if len(labels) != spec.images[split]:
            raise DataError(
                f"{self.root / FOLDERS[split]}: {len(labels)} images, expected {spec.images[split]}; {spec.advice}"
            )
        self.labels, self.classes = torch.tensor(labels), spec.classes
        self.size, self.margin, self.augment = size, spec.margin, augment

    def batch(self, indices: Tensor, rng: torch.Generator | None) -> Tensor:
        """See `Source.batch`."""
        paths = [self.paths[i] for i in indices.tolist()]
        area = self.augment.resized_crop if rng is not None else None
        draws = crop_draws(len(paths), rng) if area else [None] * len(paths)
        with ThreadPoolExecutor(THREADS) as pool:
            arrays = list(pool.map(self._view, paths, draws))
        images = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()
        return images if rng is None else self.augment.finish(images, rng)

    def _view(self, path: str, draws: Tensor | None) -> np.ndarray:
        """One image (H, W, 3), evaluated or, with ``draws``, cut at random."""
        try:
            with Image.open(self.root / path) as file:
                image = file.convert("RGB")
        except OSError as e:
            raise DataError(f"{self.root / path}: cannot be decoded ({e}); unpack the data set again") from e
        if draws is None:
            return np.asarray(evaluation_view(image, self.size, self.margin))
        box = crop_box(image.height, image.width, self.augment.resized_crop, draws)
        return np.asarray(cut(image, box, self.size))
