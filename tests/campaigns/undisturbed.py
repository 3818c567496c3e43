"""What a verb does when nobody disturbs it: its products, how long it takes, what it needs."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from signflow.tests.campaigns.sandbox import PLACES, Disk, Run
from signflow.tests.campaigns.verbs import VERBS, products, write_inputs


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody disturbed."""

    template: Path
    """The disk before it."""
    products: dict[str, str]
    written: set[str]
    seconds: float
    memory: int
    """Bytes of address space on top of what this process has."""
    room: int
    """Bytes that it needs at most."""


def undisturbed(verb: str, disk: Disk, base: Path) -> Undisturbed:
    """Run ``verb`` on a fresh disk after the one that must precede it; what it needs and does is kept in ``base``."""
    what, template = VERBS[verb], base / verb
    if not template.exists():
        caches = _after(verb, disk, base) / "cache" if what.cold else None
        disk.fill(_after(what.after, disk, base) if what.after else base / "nothing")
        for entries in caches.iterdir() if caches else ():
            if entries.name not in what.cold:
                shutil.copytree(entries, disk.folder / "cache" / entries.name)
        _keep(disk, template)
    if (told := template / "undisturbed.json").exists():
        row = json.loads(told.read_text())
        return Undisturbed(template, **row | {"written": set(row["written"])})
    disk.fill(template)
    before, own = disk.used, Run(disk, ["--version"], "size").end().memory
    ended = Run(disk, what.words, verb).end()
    if ended.code:
        sys.exit(f"{verb} undisturbed: exit code {ended.code}\n{ended.text}")
    memory, room = max(0, ended.memory - own), max(1, ended.used - before)
    row = {"products": products(disk.folder / "out"), "written": sorted(disk.written())}
    told.write_text(json.dumps(row | {"seconds": ended.seconds, "memory": memory, "room": room}))
    return undisturbed(verb, disk, base)


def _after(verb: str, disk: Disk, base: Path) -> Path:
    """The disk after ``verb``, as a template."""
    if not (template := base / f"after-{verb}").exists():
        disk.fill(base / "nothing")
        if (ended := Run(disk, VERBS[verb].words, "first").end()).code:
            sys.exit(f"{verb}: exit code {ended.code}\n{ended.text}")
        _keep(disk, template)
    return template


def _keep(disk: Disk, template: Path) -> None:
    for place in PLACES:
        shutil.copytree(disk.folder / place, template.with_suffix(".new") / place)
    template.with_suffix(".new").rename(template)


def empty(base: Path) -> None:
    """Keep a disk on which nothing has been done below ``base``."""
    if not (template := base / "nothing").exists():
        new = template.with_suffix(".new")
        for place in PLACES:
            (new / place).mkdir(parents=True)
        write_inputs(new)
        new.rename(template)
