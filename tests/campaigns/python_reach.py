"""Which tests run which functions of the mutated files, and how long each takes.

Measured, not guessed: each test file runs once, with a tracer that notes the function at every call. What was measured
is kept in `out/mutants/reach.json` and counts until the test file changes.
"""

import hashlib
import json
import os
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from .python_sites import ROOMS, ROOT, Mutant

SUITES = (
    *(f"tests/deploy/{room}" for room in ("compile", "plan", "golden", "generate")),
    *("tests/models/layers", "tests/models/networks"),
)
"""The tests that may find a mutant."""
SLOW = 20.0
"""Seconds: tests that need more are left out."""
NARROW = 2.0
"""Seconds for the tests that try first."""
KEPT = ROOT / "out" / "mutants" / "reach.json"


def digest(path: str) -> str:
    """Of the content of a file of the checkout."""
    return hashlib.sha256((ROOT / path).read_bytes()).hexdigest()


def test_files() -> list[str]:
    """All of `SUITES`."""
    return sorted(str(p.relative_to(ROOT)) for suite in SUITES for p in (ROOT / suite).rglob("test_*.py"))


def seconds() -> float:
    """Processor time of this process and of those that it has waited for."""
    return sum(os.times()[:4])


class Tracer:
    """A plugin of pytest: `tests` becomes test -> (seconds, the functions it ran as "path::qualified name")."""

    def __init__(self):
        self.tests: dict[str, tuple[float, list[str]]] = {}
        self.passed: dict[str, bool] = defaultdict(lambda: True)
        self._here = tuple(str(ROOT / room) + os.sep for room in ROOMS)
        self._ran: set[str] = set()

    def _call(self, frame, event, argument):
        code = frame.f_code
        if code.co_filename.startswith(self._here):
            name = code.co_qualname.split(".<locals>.<")[0]
            self._ran.add(f"{os.path.relpath(code.co_filename, ROOT)}::{'' if name.startswith('<') else name}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item, nextitem):
        """Trace the test, its fixtures included."""
        self._ran, start = set(), seconds()
        threading.settrace(self._call)
        sys.settrace(self._call)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)
            if self.passed[item.nodeid]:
                self.tests[item.nodeid] = (round(seconds() - start, 3), sorted(self._ran))

    def pytest_runtest_logreport(self, report):
        """A test that is skipped, or fails without any mutant, finds nothing."""
        self.passed[report.nodeid] &= report.passed


class Reach:
    """The map."""

    def __init__(self):
        self.files: dict[str, dict] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
        """Test file -> its digest, and what the `Tracer` saw."""

    def missing(self) -> list[str]:
        """Test files that are new or have changed."""
        self.files = {path: self.files[path] for path in test_files() if path in self.files}
        return [path for path in test_files() if self.files.get(path, {}).get("digest") != digest(path)]

    def add(self, path: str, tests: dict) -> None:
        """Keep what was seen of a test file."""
        self.files[path] = {"digest": digest(path), "tests": tests}
        KEPT.parent.mkdir(parents=True, exist_ok=True)
        new = KEPT.with_suffix(".new")
        new.write_text(json.dumps(self.files, indent=0))
        new.replace(KEPT)

    def stages(self, mutant: Mutant, limit: float) -> list[dict[str, float]]:
        """Test -> seconds, of those that run the mutant's function, as many as fit into `limit` seconds. If it is in no
        function, or no test runs it: of those that run any of the file, at last any of the folder.

        First those of one test file: that of the test which runs the fewest functions. Then the others, the quickest
        first, but a second case of a test function only after the first cases of all.
        """
        wanted, folder = f"{mutant.path}::{mutant.function}", f"{Path(mutant.path).parent}/"
        ways = (lambda ran: wanted in ran, lambda ran: _any(ran, f"{mutant.path}::"), lambda ran: _any(ran, folder))
        found = next(filter(None, (self._those(way) for way in ways[not mutant.function :])), {})
        if not found:
            return []
        near = min(found, key=lambda test: (found[test][1], *found[test])).split("::")[0]
        first = {test: (ran, spent) for test, (spent, ran) in found.items() if test.split("::")[0] == near}
        ranked, cases = {}, Counter()
        for test, (spent, _) in sorted(found.items(), key=lambda item: (item[1], item[0])):
            ranked[test] = (cases[test.split("[")[0]], spent)
            cases[test.split("[")[0]] += 1
        narrow = _fitting(first, NARROW)
        others = _fitting({test: rank for test, rank in ranked.items() if test not in narrow}, limit)
        return [narrow, others] if others else [narrow]

    def _those(self, way: Callable[[list[str]], bool]) -> dict[str, tuple[float, int]]:
        """Test -> (seconds, how many functions it runs)."""
        seen = [item for file in self.files.values() for item in file["tests"].items()]
        return {test: (spent, len(ran)) for test, (spent, ran) in seen if spent <= SLOW and way(ran)}


def _fitting(ranked: dict[str, tuple[int, float]], limit: float) -> dict[str, float]:
    """Test -> seconds, from test -> (rank, seconds): by rank, as many as `limit` seconds hold, one at least."""
    chosen, total = {}, 0.0
    for test, (_, spent) in sorted(ranked.items(), key=lambda item: (item[1], item[0])):
        if (total := total + spent) > limit and chosen:
            break
        chosen[test] = spent
    return chosen


def _any(names: Iterable[str], start: str) -> bool:
    return any(name.startswith(start) for name in names)
