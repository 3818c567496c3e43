"""Files of numpy.savez, whole and damaged."""

import io
import zipfile

import numpy as np
import pytest

from signflow.models import npz

HEADER = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,), }\n"
HUGE = b"\x93NUMPY\x01\x00" + bytes([len(HEADER), 0]) + HEADER
"""A terabyte, by its header."""


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back(save, tmp_path):
    arrays = {"a": np.arange(6).reshape(2, 3), "b": np.array("text"), "c": np.asfortranarray(np.ones((2, 3), "f4"))}
    save(tmp_path / "x.npz", **arrays)
    found = npz.read_npz(tmp_path / "x.npz")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_file_of_many_zeros_is_not_unpacked(tmp_path, monkeypatch):
    """A megabyte of zip may hold a gigabyte."""
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(1 << 20, np.uint8))
    monkeypatch.setattr(npz, "MOST", 1 << 16)
    with pytest.raises(ValueError, match="its arrays have 1,048,704 bytes, 65,536 are read at most"):
        npz.read_npz(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("a.npy", b"", "this is no .npy file"),
        ("a.txt", b"", "'a.txt', which is no array"),
        ("a\n.npy", b"", "which is no array"),
        ("a.npy", HUGE, "1099511627776,. of uint8, and 0 bytes follow"),
    ],
)  # fmt: skip
def test_what_is_no_array_is_refused(name, body, words, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr(name, body)
    with pytest.raises(ValueError, match=words):
        npz.read_npz(tmp_path / "x.npz")


def test_every_damaged_byte_is_refused_or_harmless(tmp_path):
    whole = io.BytesIO()
    np.savez_compressed(whole, a=np.arange(40))
    for place in range(len(whole.getvalue())):
        changed = bytearray(whole.getvalue())
        changed[place] ^= 255
        (tmp_path / "x.npz").write_bytes(changed)
        try:
            found = npz.read_npz(tmp_path / "x.npz")
        except ValueError:
            continue
        assert all(np.array_equal(array, np.arange(40)) for array in found.values())
