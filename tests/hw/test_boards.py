"""Boards: ours are whole, a user's file adds to them, and every field that cannot be is refused with its rule."""

import json
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from signflow.hw.boards import FILE, Board, BoardError, board, boards

from ..own_boards import OWN  # noqa: TID252 - the tests are no package that could be named

MINE = f"""
[pynq-z2]
clock_mhz = 125

["my-board_2.1"]
{OWN}clock_mhz = 83.5
lut_share = 0.5
"""


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "boards.toml"
    path.write_text(text)
    return path


def test_ours_are_those_of_the_file():
    rows = tomllib.loads(FILE.read_text())
    assert {name: asdict(b) for name, b in boards().items()} == {
        name: {"name": name, "lut_share": 0.8, "uram": 0} | row for name, row in rows.items()
    }


def test_a_file_adds_boards_and_overrides_fields(tmp_path):
    found = boards(own(tmp_path, MINE))
    assert found["pynq-z2"] == replace(board("pynq-z2"), clock_mhz=125)
    assert asdict(found["my-board_2.1"]) == {"name": "my-board_2.1", "uram": 0} | tomllib.loads(MINE)["my-board_2.1"]
    assert {k: v for k, v in found.items() if k in boards() and k != "pynq-z2"} == {
        k: v for k, v in boards().items() if k != "pynq-z2"
    }


def test_an_accelerator_knows_its_board_without_the_file(tmp_path):
    ours, mine = board("pynq-z2"), boards(own(tmp_path, MINE.replace("my-board_2.1", "mine")))["mine"]
    for target in (ours, replace(ours, clock_mhz=50), replace(ours, lut=50_000), mine):
        facts = json.loads(json.dumps(target.facts()))
        assert Board.of(facts) == target and ("target" in facts) == (target in (replace(ours, lut=50_000), mine))
    assert ours.facts() == {"board": "pynq-z2", "part": "xc7z020clg400-1", "clock_mhz": 100}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("[pynq-z2]\nclock_mhz = -5", r"'pynq-z2': clock_mhz = -5, it must be a finite number of MHz above 0"),
        ("[pynq-z2]\nclock_mhz = nan", "clock_mhz = nan, it must be a finite number"),
        ("[pynq-z2]\nclock_mhz = inf", "clock_mhz = inf, it must be a finite number"),
        ("[pynq-z2]\nclock_mhz = true", "clock_mhz = True, it must be"),
        ('[pynq-z2]\nclock_mhz = "100"', "clock_mhz = '100', it must be"),
        ("[pynq-z2]\nlut = 0", "lut = 0, it must be a whole number above 0"),
        ("[pynq-z2]\nlut = 5.5", r"lut = 5\.5, it must be a whole number"),
        ("[pynq-z2]\ndsp = -1", "dsp = -1, it must be a whole number, 0 or more"),
        ("[pynq-z2]\nstream_bits = 48", "stream_bits = 48, it must be a power of two from 8 to 1024"),
        ("[pynq-z2]\nlut_share = 1.5", r"lut_share = 1\.5, it must be above 0 and at most 1"),
        ('[pynq-z2]\ndevice = "xc9"', "device = 'xc9', it must be one of 'xc7', 'xcup', 'ecp5'"),
        ('[pynq-z2]\nlink = "pcie"', "link = 'pcie', it must be one of 'pynq', 'serial'"),
        ('[pynq-z2]\nlink = "serial"', "stream_bits = 128, with link = 'serial' it must be 8"),
        ('[pynq-z2]\npart = "a b"', "part = 'a b', it must be letters"),
        ('["../x"]\nlut = 1', r"board '\.\./x' lacks device, toolchain"),
        ("[pynq-z2]\nclock = 5", r"has no field 'clock' \(did you mean clock_mhz\?\); fields: device"),
        (
            "[mine]\nlut = 5",
            "board 'mine' lacks device, toolchain, link, part, ff, bram18, dsp, stream_bits, ",
        ),
        ("lut = 5", "lut = 5 stands outside of a table"),
        ("[mine", "Expected"),
    ],
)
def test_what_cannot_be_is_refused_with_file_value_and_rule(tmp_path, text, rule):
    path = own(tmp_path, text)
    with pytest.raises(BoardError, match=rule) as error:
        boards(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_name_that_leaves_the_folder_is_refused():
    with pytest.raises(BoardError, match=r"name = '\.\./x', it must be letters"):
        replace(board("pynq-z2"), name="../x")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BoardError, match=r"none\.toml"):
        boards(tmp_path / "none.toml")


def test_an_unknown_board_names_the_nearest():
    with pytest.raises(BoardError, match=r"unknown board 'pynqz2' \(did you mean pynq-z2\?\); known boards: pynq-z1, "):
        board("pynqz2")
    with pytest.raises(BoardError, match="unknown board 'xyz'; known boards"):
        board("xyz")


@pytest.mark.parametrize(
    ("name", "clock", "bits"),
    [("pynq-z2", 100, 128), ("pynq-z2", 125, 128), ("pynq-z2", 126, 64), ("pynq-z2", 300, 64),
     ("zcu104", 187.5, 128), ("zcu104", 100, 128), ("ulx3s", 40, 8)],
)  # fmt: skip
def test_the_widest_beat_is_what_the_memory_port_takes_at_a_multiple_of_the_clock(name, clock, bits):
    assert replace(board(name), clock_mhz=clock).widest_beat == bits


def test_a_serial_line_takes_ten_bits_for_a_byte():
    facts = {"input": {"stream_bits": 8, "words": 784}, "output": {"stream_bits": 24, "words": 10}}
    facts["predicted"] = {"interval": 784}
    assert board("ulx3s").link_cycles(facts) == 784 * 10 * 20  # 2 Mbaud at 40 MHz
