"""Coverage-guided fuzzing of everything that a file or a line can bring in (Atheris, libFuzzer for Python).

    python -m signflow.tests.campaigns.fuzz network toml --minutes 30

Each door (`door.py`) has its own process, which begins with the committed corpus and small good files, changes their
structure or their bytes, and keeps what reaches new branches. Whatever is neither right nor refused is written to
`out/fuzz/DOOR/findings`, once for each cause, and the fuzzing goes on. `out/fuzz/DOOR/kinds` has the smallest file of
every kind of verdict; ``--keep`` copies those that are new to the committed corpus, where an ordinary test opens them.
"""

import argparse
import faulthandler
import importlib
import json
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

from .door import CORPUS, ROOT, Door, Finding, corpus, judge

DOORS = "network", "weights", "package", "link", "wire", "toml", "folding"
OUT = ROOT / "out" / "fuzz"
COVER = ["signflow", "qonnx", "tomllib"]
"""Packages whose branches guide the fuzzer."""
LARGEST = 16384
"""Bytes of a file at most."""
HANGS = 90
"""Seconds after which a process that is still at one file is ended."""
ROOM = 3 << 30
"""Bytes that opening a file may allocate at most."""
COMMON = re.compile("^([a-z]+error-)?(file-)?(is-damaged-)?(not-a-valid-onnx-model-)?(node-_-operator-)?[_-]*")
"""What many kinds begin with: no part of a file's name."""
RAW = 0.2
"""Of the changes: of bytes, without regard to structure."""


def door_of(name: str) -> Door:
    """The door of that name."""
    return importlib.import_module(f"{__package__}.door_{name}").DOOR


class Campaign:
    """What one process does at its door; ``folder`` keeps what it finds."""

    def __init__(self, door: Door, folder: Path):
        self.door, self.folder = door, folder
        self.executions, self.began, self.saved = 0, time.monotonic(), 0.0
        self.kinds, self.findings = Counter(), Counter()
        self.sizes: dict[str, int] = {}

    def one(self, data: bytes) -> None:
        """Open one file; never raises."""
        faulthandler.dump_traceback_later(HANGS, exit=True)
        (self.folder / "current").write_bytes(data)
        try:
            verdict = judge(self.door, data)
            self.kinds[verdict.kind] += 1
            self._keep("kinds", verdict.kind, data, verdict.word)
        except Finding as finding:
            self.findings[finding.key] += 1
            self._keep("findings", finding.key, data, str(finding))
        faulthandler.cancel_dump_traceback_later()
        self.executions += 1
        if time.monotonic() > self.saved + 5:
            self.save()

    def _keep(self, folder: str, key: str, data: bytes, text: str) -> None:
        """The smallest file of each key, and what was said of it."""
        path = self.folder / folder / f"{key}{self.door.suffix}"
        if key not in self.sizes and path.exists():
            self.sizes[key] = path.stat().st_size
        if len(data) < self.sizes.get(key, LARGEST + 1):
            self.sizes[key] = len(data)
            path.write_bytes(data)
            path.with_name(f"{path.name}.txt").write_text(text)

    def save(self) -> None:
        """Note how far it is."""
        self.saved = time.monotonic()
        facts = {"executions": self.executions, "seconds": round(self.saved - self.began)}
        facts |= {"kinds": self.kinds, "findings": self.findings}
        (self.folder / "state.json").write_text(json.dumps(facts, indent=1))


def child(name: str, seconds: int) -> None:
    """Fuzz in this process, which ends with it."""
    import atheris

    with atheris.instrument_imports(include=COVER):
        door = door_of(name)
        for data in door.seeds().values():  # what is imported late is instrumented, too
            with suppress(Finding):
                judge(door, data)
    campaign = Campaign(door, OUT / name)
    used = int(re.search(r"VmSize:\s*(\d+)", Path("/proc/self/status").read_text())[1]) << 10
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        rng = Random(seed)
        changed = door.change(data, rng) if rng.random() >= RAW else b""
        return changed if 0 < len(changed) <= most else atheris.Mutate(data, most)

    options = {"max_total_time": seconds, "max_len": LARGEST, "len_control": 0, "cross_over": 0}
    options |= {"timeout": 2 * HANGS, "rss_limit_mb": 0, "artifact_prefix": f"{OUT / name}/"}
    words = [f"-{key}={value}" for key, value in options.items()]
    atheris.Setup([sys.argv[0], *words, str(OUT / name / "corpus")], campaign.one, custom_mutator=mutate)
    atheris.Fuzz()


def campaign(name: str, minutes: float) -> dict:
    """Fuzz a door in processes of its own, a new one where one dies; returns what was found."""
    folder, door = OUT / name, door_of(name)
    for part in ("corpus", "kinds", "findings"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for known, data in {path.name: path.read_bytes() for path in corpus(door)}.items() | door.seeds().items():
        (folder / "corpus" / known).write_bytes(data)
    began, runs = time.monotonic(), []
    while (left := round(60 * minutes - (time.monotonic() - began))) > 0:
        command = [sys.executable, "-m", f"{__package__}.fuzz", name, "--child", str(left)]
        with (folder / f"log-{len(runs)}.txt").open("w") as log:
            done = subprocess.run(command, stdout=log, stderr=log, check=False)
        runs.append(_state(folder, len(runs)))
        if done.returncode:
            died = folder / "findings" / f"died-{len(runs)}{door.suffix}"
            died.write_bytes((folder / "current").read_bytes())
            runs[-1]["findings"][died.stem] = 1
    return {"door": name, "seconds": round(time.monotonic() - began), "executions": sum(r["executions"] for r in runs),
            "edges": max(r["edges"] for r in runs), "kinds": len({k for r in runs for k in r["kinds"]}),
            "findings": sorted({k for r in runs for k in r["findings"]})}  # fmt: skip


def _state(folder: Path, run: int) -> dict:
    """What a process has noted, and the branches that libFuzzer has counted."""
    state, log = folder / "state.json", (folder / f"log-{run}.txt").read_text(errors="replace")
    facts = json.loads(state.read_text()) if state.exists() else {"executions": 0, "kinds": {}, "findings": {}}
    state.unlink(missing_ok=True)
    return facts | {"edges": max(map(int, re.findall(r"cov: (\d+)", log)), default=0)}


def keep(name: str) -> None:
    """Add to the committed corpus the smallest file for every place of the code that refuses, and for every word of
    those that are right, which it has none for yet.
    """
    door, folder = door_of(name), CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    known = {judge(door, path.read_bytes()).place for path in corpus(door)}
    found = sorted((OUT / name / "kinds").glob(f"*{door.suffix}"), key=lambda path: path.stat().st_size)
    for path in found:
        with suppress(Finding):
            verdict = judge(door, path.read_bytes())
            if verdict.place not in known:
                known.add(verdict.place)
                word = COMMON.sub("", verdict.kind)[:48].strip("-_") or verdict.kind
                free = (folder / f"{word}{end}{door.suffix}" for end in ("", *(f"-{n}" for n in range(2, 99))))
                next(place for place in free if not place.exists()).write_bytes(path.read_bytes())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("doors", nargs="*", choices=DOORS, help="[all, one after the other]")
    parser.add_argument("--minutes", type=float, default=30, help="for each [30]")
    parser.add_argument("--keep", action="store_true", help="no fuzzing: add what was found to the committed corpus")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    for name in given.doors or DOORS:
        if given.child is not None:
            child(name, given.child)
        elif given.keep:
            keep(name)
        else:
            print(json.dumps(campaign(name, given.minutes)), flush=True)


if __name__ == "__main__":
    main()
