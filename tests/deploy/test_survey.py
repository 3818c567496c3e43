"""The survey: what it says of a board is what a build for it finds; what it found is kept; why not, in few words."""

import re
import time
from dataclasses import replace

import pytest

from signflow.deploy import survey
from signflow.deploy.plan import fit, fold
from signflow.hw.boards import board
from signflow.hw.ops.folding import FoldingError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return survey.hardware(survey.untrained("tfc"), tmp_path_factory.mktemp("tfc"))


def test_a_board_gets_the_folding_of_a_build(model):
    found = survey.on_board(model, board("ulx3s"))
    fit.fold_to_board(model, board("ulx3s"))
    assert found.cycles == fold.interval(model) and found.needed == fit.buffered_cost(model)
    assert found.fps == 40e6 / found.cycles and found.limit == "input stream" and not found.reason


@pytest.mark.parametrize("bits", [8, 64])
def test_nothing_is_faster_than_the_fastest(model, bits):
    least = survey.fastest(model, bits)
    fold.fold_to_cycles(model, least, bits)
    with pytest.raises(FoldingError):
        fold.fold_to_cycles(model, least - 1, bits)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"lut": 300}, r"LUT [\d,]+ of 240"),
        ({"lut": 300, "bram18": 0}, r"weights 0.1 of 0.0 Mbit"),  # not even all LUTs would hold them
        ({"lut": 2500, "bram18": 1}, r"weights 0.1 of 0.0 Mbit"),
    ],
)
def test_what_is_too_much_of_what(model, change, reason):
    found = survey.on_board(model, replace(board("pynq-z2"), **change))
    assert not found.needed and re.fullmatch(reason, found.reason)


def test_only_ultraram_has_room(tmp_path):
    model = survey.hardware(survey.untrained("sfc"), tmp_path)
    small = replace(board("zcu104"), lut=9000, bram18=2, uram=96)
    found = survey.on_board(model, small)
    assert not found.reason and found.needed["URAM"] > 0 and found.needed["BRAM18"] <= 2
    assert survey.on_board(survey.hardware(survey.untrained("sfc"), tmp_path), replace(small, uram=0)).reason


def test_what_was_found_is_kept(tmp_path, monkeypatch):
    one = survey.Found(
        "", 5, 64_000, {"kv260": survey.Fit("", 98, 2e6, {"LUT": 1, "BRAM18": 3, "URAM": 2, "DSP": 0}, "LUT")}
    )
    other, asked, seen = survey.Found("Conv c: no"), [], []

    def on_boards(name, *_):
        asked.append(name)
        return {"one": one, "other": other}[name]

    monkeypatch.setattr(survey, "on_boards", on_boards)
    for _ in range(2):
        found = survey.survey(["one", "other"], tmp_path, tick=lambda *words: seen.append(words))
        assert found == {"one": one, "other": other} and asked == ["one", "other"]
    assert seen == 2 * [(0, "one"), (1, "other")]
    text = survey.page(found)
    assert "| one | 5 | 0.06 | kv260 |" in text and "| other |  |  | Conv c: no |" in text
    assert "| one | 98 | 2,000,000 | 1 | 1.5 | 2 | 0 | LUT |" in text and "kv260 (xck26-sfvc784-2LV-c)" in text


def test_patience_ends(tmp_path, monkeypatch):
    def forever(*_):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pass

    monkeypatch.setattr(survey, "hardware", forever)
    assert survey.on_boards("tfc", tmp_path, ["kv260"], 0.2).reason == "more than 0.2 s of processor time"
    with survey.patience(0.05):
        pass
    time.sleep(0.1)  # no alarm is left
