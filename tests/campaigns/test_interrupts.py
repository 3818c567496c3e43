"""The campaign of interruptions: every verb is tried with everything, and what is wrong is seen."""

import json
import signal

import pytest

from signflow.tests.campaigns import interrupts
from signflow.tests.campaigns.interrupts import KINDS, Event, events, faults
from signflow.tests.campaigns.sandbox import Ended
from signflow.tests.campaigns.verbs import VERBS, products


def test_two_hundred_events_hold_every_verb_with_every_kind():
    drawn = events(200, 0)
    assert {(event.verb, event.kind) for event in drawn} == {(verb, kind) for verb in VERBS for kind in KINDS}
    assert drawn == events(200, 0) != events(200, 1) and [event.number for event in drawn] == list(range(200))


LATE = "Exception ignored in: <function remove>\nTraceback (most recent call last):\n  File a\n\nKeyboardInterrupt: \n"


@pytest.mark.parametrize(
    "kind, code, text, wrong",
    [
        ("kill", -signal.SIGKILL, "", ""),
        ("kill", 1, "error: x", "exit code 1"),
        ("terminate", 143, "interrupted", ""),
        ("terminate", -signal.SIGTERM, "", "exit code -15"),
        ("interrupt", 130, "interrupted", ""),
        ("interrupt", 0, LATE, ""),
        ("interrupt", 1, "Traceback (most recent call last):\nKeyboardInterrupt\n", "a traceback"),
        ("full", 1, "error: No space left on device", ""),
        ("full", 1, "oh", "without a reason"),
        ("memory", 1, "error: MemoryError: \nthis is a fault of signflow: ...", "a traceback"),
        ("memory", -signal.SIGSEGV, "", "exit code -11"),
        ("twice", 1, "error: out is in use by process 1", ""),
    ],
)
def test_how_a_disturbed_command_may_end(kind, code, text, wrong):
    found = faults(Event(0, "train", kind), Ended(code, text, 1.0, 0, 0))
    assert wrong in found[0] if wrong else not found
    left = faults(Event(0, "train", kind), Ended(code, text, 1.0, 0, 0, ["g++ -c a.cpp"]))
    assert left[0] == "still runs: g++ -c a.cpp"


def test_products_are_compared_without_their_times_and_with_everything_else(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"seconds": 1, "rows": [{"seconds": 2, "wrong": 0}]}))
    (tmp_path / "log.csv").write_text("epoch,loss,seconds\n1,0.5,3.0\n")
    (tmp_path / "train.log").write_text("one run")
    before = products(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({"seconds": 3, "rows": [{"seconds": 4, "wrong": 0}]}))
    (tmp_path / "log.csv").write_text("epoch,loss,seconds\n1,0.5,9.0\n")
    (tmp_path / "train.log").write_text("two runs")
    assert products(tmp_path) == before and set(before) == {"a.json", "log.csv"}
    (tmp_path / "log.csv").write_text("epoch,loss,seconds\n1,0.6,9.0\n")
    (tmp_path / "left").mkdir()
    changed = products(tmp_path)
    assert {name for name in changed if changed[name] != before.get(name)} == {"log.csv", "left/"}


def test_the_table_counts_what_had_no_fault():
    shown = interrupts.table([Event(0, "data", "kill"), Event(1, "data", "kill", faults=["left: tmp/a"])])
    assert next(iter(shown.columns[1].cells)) == "1/2"
