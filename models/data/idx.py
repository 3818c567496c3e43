"""MNIST and Fashion-MNIST, which come as four IDX archives each.

Fashion-MNIST (Xiao et al., 2017, MIT licence): the SHA-256 sums of the unpacked contents are checked when the files are
fetched (Debian packs the same bytes anew). `fetch` takes them from the Debian package ``dataset-fashion-mnist`` (no
root needed: the package is downloaded and unpacked, not installed) or else from the public address of its authors. The
first `SAMPLE_IMAGES` test images ship with signflow, so that the demo and the tests need no download.

MNIST (LeCun, Cortes, Burges): nothing is fetched; the published MD5 sums are checked when the archives are read.
"""

import gzip
import hashlib
import os
import shutil
import subprocess
import urllib.request
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from signflow.models.data.files import DataError, check_md5, check_split, data_dir, missing
from signflow.models.files import beside

SAMPLE = Path(__file__).parents[1] / "samples"
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
MNIST_MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of uint8 (format: LeCun's MNIST page); shape as in its header. Raises DataError when it
    is not one.
    """
    try:
        with gzip.open(path) as f:
            raw = f.read()
    except (OSError, EOFError, zlib.error) as e:
        raise DataError(f"{path}: not a readable gzip file ({e}); get it again") from e
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != IDX_DTYPE_UINT8:
        raise DataError(f"{path}: not an IDX file of uint8 (it starts with {raw[:4].hex()}, not 000008..)")
    if len(raw) < 4 + 4 * raw[3]:
        raise DataError(f"{path}: the IDX header announces {raw[3]} dimensions, the file ends before them")
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
    except (OSError, EOFError, zlib.error):
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
    with beside(folder) as tmp:
        errors = []
        for source in (_from_package, _from_web):
            try:
                found = source(tmp, say)
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


def fashion_mnist(split: str) -> tuple[Tensor, Tensor]:
    """Fashion-MNIST ``train`` (60,000), ``test`` (10,000) or ``sample`` (first 1,000 of test, shipped): images
    (N, 1, 28, 28), labels (N,). Raises DataError.
    """
    check_split("Fashion-MNIST", split, ("train", "test", "sample"))
    folder = SAMPLE if split == "sample" else data_dir() / "fashion-mnist"
    return _pair(folder, split, "run `signflow data` once", {})


def mnist(split: str) -> tuple[Tensor, Tensor]:
    """MNIST ``train`` (60,000) or ``test`` (10,000): images (N, 1, 28, 28), labels (N,). Raises DataError."""
    check_split("MNIST", split, ("train", "test"))
    folder = data_dir() / "mnist"
    advice = f"put {', '.join(MNIST_MD5)} of MNIST (http://yann.lecun.com/exdb/mnist/ or a mirror) into {folder}"
    return _pair(folder, split, advice, MNIST_MD5)


def _pair(folder: Path, split: str, advice: str, md5: dict[str, str]) -> tuple[Tensor, Tensor]:
    """(images, labels) of the two archives of a split, verified as far as ``md5`` knows them."""
    prefix = {"train": "train", "test": "t10k", "sample": "sample"}[split]
    paths = [folder / f"{prefix}-images-idx3-ubyte.gz", folder / f"{prefix}-labels-idx1-ubyte.gz"]
    for path in paths:
        if not path.exists():
            raise missing(path, advice)
        if path.name in md5:
            check_md5(path, md5[path.name], advice)
    images, labels = (torch.from_numpy(read_idx(path).copy()) for path in paths)
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels):
        raise DataError(
            f"{folder}: images {tuple(images.shape)} and labels {tuple(labels.shape)} of {split} do not belong"
            f" together; {advice}"
        )
    return images[:, None], labels.long()
