"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009) from the original python or binary archives, packed or unpacked.

Both forms hold the same images, planes R, G, B of 32 x 32 pixels row by row. Binary: records of 1 label (CIFAR-100:
coarse label, fine label) and 3072 pixels. Python: pickles, read by an unpickler that knows nothing but what these files
contain. The first of `FORMS` that is there is read, unpacked before packed; an archive must have its published MD5 sum,
unpacked files the right number of images.
"""

import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from signflow.models.data.files import DataError, check_md5, check_split, data_dir, found_in
from signflow.models.data.pickles import read_pickle

SITE = "https://www.cs.toronto.edu/~kriz/cifar.html"
MD5 = {
    "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
    "cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530",
    "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
    "cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8",
}
IMAGES = {"train": 50_000, "test": 10_000}
CLASSES = {"cifar10": 10, "cifar100": 100}
PIXELS = 3 * 32 * 32
Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Form:
    """One of the forms in which a data set is distributed."""

    archive: str
    folder: str
    """Folder in the archive, and what unpacking it makes."""
    files: dict[str, tuple[str, ...]]
    """Files of each split, in order."""
    decode: Callable[[bytes, str], Arrays]
    """Contents of a file and its name to images (N, 3072) and labels (N,)."""


def _from_pickle(raw: bytes, name: str, label_key: bytes) -> Arrays:
    batch = read_pickle(raw, name)
    if not isinstance(batch, dict) or not {b"data", label_key} <= batch.keys():
        raise DataError(f"{name}: no dictionary with the keys b'data' and {label_key}; not a CIFAR batch")
    images, labels = batch[b"data"], batch[label_key]
    if not isinstance(images, np.ndarray) or images.shape[1:] != (PIXELS,):
        raise DataError(f"{name}: b'data' is no array of shape (N, {PIXELS})")
    if not isinstance(labels, list) or not all(isinstance(y, int) and 0 <= y < 256 for y in labels):
        raise DataError(f"{name}: {label_key} is no list of integers 0..255")
    return images, np.array(labels, np.int64)


def _from_records(raw: bytes, name: str, label_bytes: int) -> Arrays:
    width = label_bytes + PIXELS
    if len(raw) % width:
        raise DataError(f"{name}: {len(raw)} bytes are no whole number of records of {width} bytes; truncated?")
    records = np.frombuffer(raw, np.uint8).reshape(-1, width)
    return records[:, label_bytes:], records[:, label_bytes - 1].astype(np.int64)


FORMS = {
    "cifar10": (
        Form(
            "cifar-10-python.tar.gz",
            "cifar-10-batches-py",
            {"train": tuple(f"data_batch_{i}" for i in range(1, 6)), "test": ("test_batch",)},
            partial(_from_pickle, label_key=b"labels"),
        ),
        Form(
            "cifar-10-binary.tar.gz",
            "cifar-10-batches-bin",
            {"train": tuple(f"data_batch_{i}.bin" for i in range(1, 6)), "test": ("test_batch.bin",)},
            partial(_from_records, label_bytes=1),
        ),
    ),
    "cifar100": (
        Form(
            "cifar-100-python.tar.gz",
            "cifar-100-python",
            {"train": ("train",), "test": ("test",)},
            partial(_from_pickle, label_key=b"fine_labels"),
        ),
        Form(
            "cifar-100-binary.tar.gz",
            "cifar-100-binary",
            {"train": ("train.bin",), "test": ("test.bin",)},
            partial(_from_records, label_bytes=2),
        ),
    ),
}


def read_cifar(dataset: str, split: str) -> tuple[Tensor, Tensor]:
    """``cifar10`` or ``cifar100``, ``train`` (50,000) or ``test`` (10,000): images (N, 3, 32, 32), labels (N,), for
    CIFAR-100 the fine ones. Raises DataError.
    """
    check_split(dataset, split, tuple(IMAGES))
    home = data_dir() / dataset
    for form in FORMS[dataset]:
        if (home / form.folder).is_dir():
            return _tensors(home / form.folder, _unpacked(home, form, split), dataset, split)
        if (home / form.archive).is_file():
            check_md5(home / form.archive, MD5[form.archive], f"download it again from {SITE}")
            return _tensors(home / form.archive, _packed(home, form, split), dataset, split)
    archives = " or ".join(form.archive for form in FORMS[dataset])
    raise DataError(
        f"{dataset} is missing; put {archives} from {SITE} into {home}, packed or unpacked (SIGNFLOW_DATA names another"
        f" folder than data/). Found: {found_in(home)}"
    )


def _tensors(place: Path, parts: list[Arrays], dataset: str, split: str) -> tuple[Tensor, Tensor]:
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    if not len(images) == len(labels) == IMAGES[split]:
        raise DataError(
            f"{place}: {len(images)} images and {len(labels)} labels in {split}, expected {IMAGES[split]}; get it again"
            f" from {SITE}"
        )
    if labels.max() >= CLASSES[dataset]:
        raise DataError(f"{place}: label {labels.max()}, but {dataset} has {CLASSES[dataset]} classes; damaged")
    return torch.from_numpy(images.reshape(-1, 3, 32, 32)), torch.from_numpy(labels)


def _unpacked(home: Path, form: Form, split: str) -> list[Arrays]:
    folder = home / form.folder
    for name in form.files[split]:
        if not (folder / name).is_file():
            raise DataError(
                f"{folder / name} is missing; unpack {form.archive} from {SITE} again. Found: {found_in(folder)}"
            )
    return [form.decode((folder / name).read_bytes(), str(folder / name)) for name in form.files[split]]


def _packed(home: Path, form: Form, split: str) -> list[Arrays]:
    """The files of a split straight from the archive, which is read once from beginning to end."""
    path = home / form.archive
    wanted = {f"{form.folder}/{name}": None for name in form.files[split]}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                if member.name in wanted and member.isfile():
                    wanted[member.name] = archive.extractfile(member).read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as e:
        raise DataError(f"{path}: not a readable archive ({e}); download it again from {SITE}") from e
    if absent := [name for name, raw in wanted.items() if raw is None]:
        raise DataError(f"{path}: holds no {', '.join(absent)}; download it again from {SITE}")
    return [form.decode(raw, f"{path}:{name}") for name, raw in wanted.items()]
