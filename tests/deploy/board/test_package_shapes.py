"""`accel.json` of any shape: the driver says what is wrong, as an AcceleratorError, and touches nothing."""

import copy
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signflow.deploy.board import accelerator as driver
from signflow.deploy.board.accelerator import Accelerator, AcceleratorError

SIDE = {"dtype": "UINT8", "elem_bits": 8, "shape": [12], "stream_bits": 32, "word_elems": 4, "words": 3}
FACTS = {
    "name": "net", "board": "pynq-z2",
    "image": {"binary": False, "kind": "uint8", "order": "flat", "shape": [1, 3, 4]},
    "input": SIDE,
    "output": SIDE | {"shape": [2], "elem_bits": 7, "word_elems": 2, "words": 1},
    "predicted": {"latency": 9, "interval": 3},
    "shell": {"beat_bits": 64, "in_word_bits": 32, "in_beats": 2, "out_word_bits": 16, "out_beats": 1,
              "page_version": 1, "clock_khz": 100_000, "network_hash": "0" * 32},
}  # fmt: skip


class NoBoard:
    """A link that must not be reached with a package that is wrong."""

    def open(self, *_):
        raise RuntimeError("no board is there")

    def close(self):
        pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A package whose files are whole."""
    where = tmp_path_factory.mktemp("package")
    (where / "net.bit").write_bytes(b"bits")
    arrays = {"images": np.zeros((2, 1, 3, 4), np.uint8), "results": np.zeros((2, 2), np.int64)}
    np.savez(where / "accel.npz", **arrays)
    return where


def package(folder, **changed):
    """The "package" of accel.json."""
    here = Path(driver.__file__)
    files = {"bitstream": folder / "net.bit", "driver": here, "link": here.with_name("pynq_link.py")}
    files["vectors"] = folder / "accel.npz"
    sums = {f"{what}_sha256": hashlib.sha256(path.read_bytes()).hexdigest() for what, path in files.items()}
    return {**sums, "link": "pynq_link.py", "simulated": False, **changed}


def opened(folder, text):
    (folder / "accel.json").write_text(text)
    with pytest.raises(AcceleratorError) as found:
        Accelerator(folder / "net.bit", link=NoBoard())
    return str(found.value)


def test_a_whole_package_reaches_the_board(folder):
    assert opened(folder, json.dumps(FACTS | {"package": package(folder)})) == "no board is there"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", '"package"', "{}", '{"package": 1}', '{"package": {}}', "[" * 200_000, "\x00",
             "1" * 5000, "NaN", '{"package": null, "shell": []}', "{'package': 1}"],
)  # fmt: skip
def test_texts_that_are_no_package(folder, text):
    assert "accel.json" in opened(folder, text) or "package" in opened(folder, text)


def test_a_link_of_another_name_is_refused(folder):
    for link in ("../x", "/etc/passwd", "accelerator.py", ""):
        assert "link" in opened(folder, json.dumps(FACTS | {"package": package(folder, link=link)}))


PLACES = [(part, name) for part, fields in driver.FIELDS.items() for name in (None, *fields)]
WRONG = [None, -1, 0, 1.5, True, "", "x", [], {}, [1, -2], ["1"], [[1]], 10**30, {"a": 1}, [0]]


@pytest.mark.parametrize("part, name", PLACES)
def test_every_field_of_another_type_or_missing(folder, part, name):
    whole = FACTS | {"package": package(folder)}
    for value in (*WRONG, KeyError):
        facts = copy.deepcopy(whole)
        place, key = (facts, part) if name is None else (facts[part], name)
        if type(place[key]) is type(value) and name is not None and value not in ("", 0, -1, [], [1, -2], ["1"]):
            continue  # a value of the same type may be right
        if value is KeyError:
            del place[key]
        else:
            place[key] = value
        opened(folder, json.dumps(facts))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(whole=JSON)
def test_json_of_any_shape(folder, whole):
    opened(folder, json.dumps(whole))


@given(place=st.sampled_from([place for place in PLACES if place[1]]), value=JSON)
def test_one_field_of_any_shape(folder, place, value):
    facts = copy.deepcopy(FACTS | {"package": package(folder)})
    facts[place[0]][place[1]] = value
    opened(folder, json.dumps(facts))


def test_vectors_of_another_network_are_refused(folder, tmp_path):
    for name, arrays in {
        "no results": {"images": np.zeros((2, 1, 3, 4), np.uint8)},
        "other images": {"images": np.zeros((2, 1, 4, 4), np.uint8), "results": np.zeros((2, 2), np.int64)},
        "other results": {"images": np.zeros((2, 1, 3, 4), np.uint8), "results": np.zeros((2, 3), np.int64)},
        "objects": {"images": np.array([None]), "results": np.zeros((2, 3), np.int64)},
    }.items():
        (tmp_path / "net.bit").write_bytes(b"bits")
        np.savez(tmp_path / "accel.npz", **arrays)
        text = opened(tmp_path, json.dumps(FACTS | {"package": package(tmp_path)}))
        assert "damaged" in text, name
    (tmp_path / "accel.npz").write_bytes(b"PK\x03\x04 no archive")
    assert "damaged" in opened(tmp_path, json.dumps(FACTS | {"package": package(tmp_path)}))


def test_the_lock_file_follows_no_link(folder, tmp_path, monkeypatch):
    """Whoever may write into the temporary folder could have the driver, often root, empty any file."""
    monkeypatch.setattr(driver.tempfile, "gettempdir", lambda: str(tmp_path))
    victim, lock = tmp_path / "victim", tmp_path / "signflow-NoBoard.lock"
    victim.write_text("precious")
    lock.symlink_to(victim)
    text = json.dumps(FACTS | {"package": package(folder)})
    assert "the board's lock file cannot be opened" in opened(folder, text)
    assert victim.read_text() == "precious"
    lock.unlink()
    seen = []
    monkeypatch.setattr(NoBoard, "close", lambda _: seen.append(lock.stat().st_mode & 0o777))
    assert opened(folder, text) == "no board is there" and seen == [0o600] and not lock.exists()
