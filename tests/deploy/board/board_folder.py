"""Packages for the driver's tests: built, unpacked, spoilt."""

import hashlib
import json
import shutil
import zipfile
from dataclasses import asdict
from pathlib import Path

from signflow.deploy import flow
from signflow.deploy.board.package import package, zipped
from signflow.deploy.generate.project import write_project
from signflow.deploy.verify.check import mark
from signflow.hw import boards


def build(settings: flow.Settings, work: Path) -> Path:
    """The steps up to the accelerator, taken for checked without compiling it for simulation; returns ``work``."""
    work.mkdir(parents=True, exist_ok=True)
    flow.write_json(asdict(settings), work / "settings.json")
    for step in ("export", "streamline", "lower", "fold", "generate"):
        flow.run(step, settings, work)
    mark(work, {"result": "passed", "images": {"RTL simulation": 1}})
    return work


def packed(settings: flow.Settings, work: Path) -> Path:
    """The built network's package, unpacked; returns the bitstream's path."""
    project = write_project(work / flow.ACCELERATOR, boards.board(settings.board), work / "8-project")
    return unpack(package(work, project, work / "package.zip"), work / "package")


def unpack(archive: Path, folder: Path) -> Path:
    with zipfile.ZipFile(archive) as files:
        files.extractall(folder)
    return next(folder.glob("*.bit"))


def copy(bitfile: Path, folder: Path) -> Path:
    shutil.copytree(bitfile.parent, folder)
    return folder / bitfile.name


def change_image(bitfile: Path, change) -> None:
    """``change(files)`` edits the files of a simulation image, name -> bytes."""
    with zipfile.ZipFile(bitfile) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    bitfile.write_bytes(zipped(files))


def rehash(bitfile: Path) -> None:
    """Make accel.json believe in the files as they are now."""
    path = bitfile.with_name("accel.json")
    facts = json.loads(path.read_text())
    for what, name in (("bitstream", bitfile.name), ("driver", "accelerator.py"), ("vectors", "accel.npz")):
        facts["package"][f"{what}_sha256"] = hashlib.sha256(bitfile.with_name(name).read_bytes()).hexdigest()
    path.write_text(json.dumps(facts))
