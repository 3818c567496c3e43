"""CIFAR archives in both original forms, written here with a few images, and what is said when they are damaged."""

import hashlib
import io
import pickle
import struct
import tarfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from signflow.models.data import Augment, DataError, cifar, load, source
from signflow.models.data.pickles import read_pickle

PER_FILE = 4


class Python2Pickler(pickle._Pickler):
    """Writes what Python 2 wrote: protocol 2, bytes as its strings, numpy's function under its old name."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, file):
        super().__init__(file, protocol=2)

    def save_string(self, obj):
        self.write(pickle.BINSTRING + struct.pack("<i", len(obj)) + obj)
        self.memoize(obj)

    dispatch[bytes] = save_string


def python2_pickle(value) -> bytes:
    out = io.BytesIO()
    Python2Pickler(out).dump(value)
    return out.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")


def pickled(dataset: str, images: np.ndarray, labels: list[int], coarse: list[int]) -> bytes:
    batch = {b"batch_label": b"some batch", b"filenames": [b"a.png"] * len(labels), b"data": images}
    batch |= {b"labels": labels} if dataset == "cifar10" else {b"fine_labels": labels, b"coarse_labels": coarse}
    return python2_pickle(batch)


def records(dataset: str, images: np.ndarray, labels: list[int], coarse: list[int]) -> bytes:
    heads = [bytes([y]) if dataset == "cifar10" else bytes([c, y]) for y, c in zip(labels, coarse, strict=True)]
    return b"".join(head + image.tobytes() for head, image in zip(heads, images, strict=True))


def contents(dataset: str, form: cifar.Form, seed: int = 1) -> dict[str, bytes]:
    """The files of a form, by path in the archive, with `PER_FILE` random images each."""
    rng, write = np.random.default_rng(seed), pickled if "python" in form.archive else records
    files = {}
    for split in ("train", "test"):
        for name in form.files[split]:
            images = rng.integers(0, 256, (PER_FILE, 3072), np.uint8)
            labels = rng.integers(0, cifar.CLASSES[dataset], PER_FILE).tolist()
            coarse = rng.integers(0, 20, PER_FILE).tolist()
            files[f"{form.folder}/{name}"] = write(dataset, images, labels, coarse)
    return files


def unpack(home, files: dict[str, bytes]) -> None:
    for name, raw in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(raw)


def pack(path, files: dict[str, bytes]) -> str:
    """Write an archive; returns its MD5 sum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        for name, raw in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            archive.addfile(member, io.BytesIO(raw))
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Folder of the data sets; the splits are as small as the files written here."""
    monkeypatch.setenv("SIGNFLOW_DATA", str(tmp_path))
    monkeypatch.setattr(cifar, "IMAGES", {"train": 5 * PER_FILE, "test": PER_FILE})
    return tmp_path


def small_train(monkeypatch, dataset: str) -> None:
    """CIFAR-100 keeps its training images in one file."""
    if dataset == "cifar100":
        monkeypatch.setattr(cifar, "IMAGES", {"train": PER_FILE, "test": PER_FILE})


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_python_and_binary_packed_and_unpacked_are_the_same(dataset, home, monkeypatch):
    small_train(monkeypatch, dataset)
    found = []
    for i, form in enumerate(cifar.FORMS[dataset]):
        files = contents(dataset, form)
        for packed in (False, True):
            monkeypatch.setenv("SIGNFLOW_DATA", str(home / f"{i}{packed}"))
            if packed:
                path = home / f"{i}{packed}" / dataset / form.archive
                monkeypatch.setitem(cifar.MD5, form.archive, pack(path, files))
            else:
                unpack(home / f"{i}{packed}" / dataset, files)
            found.append([load(dataset, split, (32, 32)) for split in ("train", "test")])
    for train, test in found:
        assert torch.equal(train[0], found[0][0][0]) and torch.equal(train[1], found[0][0][1])
        assert torch.equal(test[0], found[0][1][0]) and torch.equal(test[1], found[0][1][1])
    (images, labels), _ = found[0]
    rng = np.random.default_rng(1)
    first = rng.integers(0, 256, (PER_FILE, 3072), np.uint8)
    first_labels = rng.integers(0, cifar.CLASSES[dataset], PER_FILE)
    assert images.dtype == torch.uint8 and labels.dtype == torch.int64
    assert len(images) == len(labels) == cifar.IMAGES["train"]
    for n, channel, row, column in np.ndindex(2, 3, 32, 32):
        assert images[n, channel, row, column] == first[n, channel * 1024 + row * 32 + column]
    assert labels[:PER_FILE].tolist() == first_labels.tolist()


def test_a_source_pads_and_knows_its_classes(home):
    unpack(home / "cifar10", contents("cifar10", cifar.FORMS["cifar10"][1]))
    data = source("cifar10", "test", (36, 40), Augment())
    images, labels = load("cifar10", "test", (32, 32))
    batch = data.batch(torch.tensor([2, 0]), None)
    assert batch.shape == (2, 3, 36, 40) and len(data) == PER_FILE and data.classes == 10
    assert torch.equal(batch[:, :, 2:34, 4:36], images[[2, 0]])
    assert batch.sum(dtype=torch.int64) == images[[2, 0]].sum(dtype=torch.int64)
    assert torch.equal(data.labels, labels)


def test_a_missing_data_set_says_where_to_get_it_and_what_lies_there(home):
    with pytest.raises(DataError, match=r"cifar-10-python.tar.gz or cifar-10-binary.tar.gz .*kriz.*is not there"):
        load("cifar10", "train", (32, 32))
    (home / "cifar100").mkdir()
    (home / "cifar100" / "cifar-10-python.tar.gz").touch()
    with pytest.raises(DataError, match=r"cifar-100-python.tar.gz.*Found: .*cifar100 holds cifar-10-python.tar.gz"):
        load("cifar100", "train", (32, 32))
    with pytest.raises(DataError, match="unknown split 'sample'; cifar10 has train, test"):
        load("cifar10", "sample", (32, 32))


def test_an_unpacked_folder_that_lacks_a_file(home):
    files = contents("cifar10", cifar.FORMS["cifar10"][0])
    del files["cifar-10-batches-py/data_batch_3"]
    unpack(home / "cifar10", files)
    with pytest.raises(DataError, match=r"data_batch_3 is missing; unpack .* holds data_batch_1, data_batch_2, data_b"):
        load("cifar10", "train", (32, 32))
    load("cifar10", "test", (32, 32))


def test_a_wrong_checksum_says_found_and_expected(home):
    digest = pack(home / "cifar10/cifar-10-python.tar.gz", contents("cifar10", cifar.FORMS["cifar10"][0]))
    with pytest.raises(DataError, match=f"MD5 is {digest}, expected c58f30108f718f92721af3b95e74349a"):
        load("cifar10", "train", (32, 32))


def test_one_byte_less_is_a_wrong_checksum(home, monkeypatch):
    path = home / "cifar10/cifar-10-binary.tar.gz"
    monkeypatch.setitem(cifar.MD5, path.name, pack(path, contents("cifar10", cifar.FORMS["cifar10"][1])))
    load("cifar10", "test", (32, 32))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"MD5 is .*, expected {cifar.MD5[path.name]}"):
        load("cifar10", "test", (32, 32))


@pytest.mark.parametrize("keep", [0, 0.001, 0.5, 0.95])
def test_a_truncated_archive_is_refused_even_if_its_checksum_were_right(home, monkeypatch, keep):
    path = home / "cifar10/cifar-10-binary.tar.gz"
    pack(path, contents("cifar10", cifar.FORMS["cifar10"][1]))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    monkeypatch.setitem(cifar.MD5, path.name, hashlib.md5(path.read_bytes()).hexdigest())
    with pytest.raises(DataError, match="not a readable archive"):
        load("cifar10", "test", (32, 32))


def test_an_archive_without_the_files_is_refused(home, monkeypatch):
    path = home / "cifar100/cifar-100-binary.tar.gz"
    monkeypatch.setitem(cifar.MD5, path.name, pack(path, {"cifar-100-binary/test.bin": b""}))
    with pytest.raises(DataError, match=r"holds no cifar-100-binary/train.bin"):
        load("cifar100", "train", (32, 32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw[:-1], "no whole number of records of 3073 bytes"),
        (lambda raw: raw[:-3073], "3 images and 3 labels in test, expected 4"),
        (lambda raw: raw + raw[:3073], "5 images and 5 labels in test, expected 4"),
        (lambda raw: b"\x0a" + raw[1:], "label 10, but cifar10 has 10 classes"),
    ],
)
def test_damaged_records(home, change, message):
    files = contents("cifar10", cifar.FORMS["cifar10"][1])
    name = "cifar-10-batches-bin/test_batch.bin"
    unpack(home / "cifar10", files | {name: change(files[name])})
    with pytest.raises(DataError, match=message):
        load("cifar10", "test", (32, 32))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, 2], "no dictionary with the keys"),
        ({b"data": np.zeros((4, 3072), np.uint8)}, "no dictionary with the keys"),
        ({b"data": np.zeros((4, 3071), np.uint8), b"labels": [0] * 4}, r"no array of shape \(N, 3072\)"),
        ({b"data": b"x" * 3072, b"labels": [0] * 4}, r"no array of shape \(N, 3072\)"),
        ({b"data": np.zeros((4, 3072), np.int16), b"labels": [0] * 4}, "not one of uint8"),
        ({b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 1, -1, 2]}, "no list of integers"),
        ({b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 1, 2**70, 2]}, "no list of integers"),
        ({b"data": np.zeros((4, 3072), np.uint8), b"labels": [0, 1, 2]}, "4 images and 3 labels"),
    ],
)
def test_pickles_of_something_else(home, value, message):
    unpack(home / "cifar10", {"cifar-10-batches-py/test_batch": python2_pickle(value)})
    with pytest.raises(DataError, match=message):
        load("cifar10", "test", (32, 32))


class Attack:
    """Its pickle calls a function when it is read."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [eval, exec, __import__, getattr, np.load, np.frombuffer, pickle.loads])
def test_a_pickle_that_calls_functions_is_refused_before_it_does(home, function):
    raw = pickle.dumps({b"data": Attack(function, "1/0"), b"labels": []}, protocol=2)
    unpack(home / "cifar10", {"cifar-10-batches-py/test_batch": raw})
    with pytest.raises(DataError, match="which has no place in a file of plain arrays"):
        load("cifar10", "test", (32, 32))


def test_a_pickle_cannot_change_the_reader():
    """BUILD on a class would set its attributes, were it not for their own __setstate__."""
    for name in (b"numpy\nndarray", b"numpy\ndtype", b"numpy.core.multiarray\n_reconstruct"):
        with pytest.raises(DataError):
            read_pickle(b"c" + name + b"\n}(S'value'\nS'owned'\nub.", "attack")
    good = python2_pickle({b"a": np.arange(6, dtype=np.uint8).reshape(2, 3)})
    assert read_pickle(good, "good")[b"a"].tolist() == [[0, 1, 2], [3, 4, 5]]


@settings(max_examples=60)
@given(array=arrays(np.uint8, st.tuples(st.integers(0, 4), st.integers(0, 5))), fortran=st.booleans())
def test_arrays_come_back_as_they_were(array, fortran):
    array = np.asfortranarray(array) if fortran else array
    value = {b"data": array, b"labels": [1, 2, 300], b"name": b"x" * 300}
    back = read_pickle(python2_pickle(value), "here")
    assert np.array_equal(back.pop(b"data"), array) and back == {k: v for k, v in value.items() if k != b"data"}


@settings(max_examples=200)
@given(data=st.data())
def test_damaged_pickles_raise_nothing_but_a_data_error(data):
    raw = bytearray(python2_pickle({b"data": np.arange(12, dtype=np.uint8), b"labels": [3, 1]}))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_pickle(bytes(raw[: data.draw(st.integers(0, len(raw)))]), "here")
    except DataError as e:
        assert "here: not a readable pickle" in str(e)
