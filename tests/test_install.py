"""What pyproject.toml declares is what the code imports, and requirements.lock is made of it."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import signflow.deploy
from signflow.deploy.command import start

from .test_architecture import imports

ROOT = Path(signflow.deploy.__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
UV = PROJECT["tool"]["uv"]
LOCK = (ROOT / "requirements.lock").read_text()
ON_THE_BOARD = {"pynq", "pynqmetadata"}
"""Imported by the library for boards and their simulation, whose users have it; a group of its own here."""


def requirements(words) -> list[Requirement]:
    return [Requirement(word) for word in words]


DECLARED = requirements(PROJECT["project"]["dependencies"])
GROUPS = requirements(word for group in PROJECT["dependency-groups"].values() for word in group)
NOTEBOOKS = requirements(PROJECT["project"]["optional-dependencies"]["notebooks"])
EXPLORE = requirements(PROJECT["project"]["optional-dependencies"]["explore"])


def locked() -> dict[str, list[str]]:
    """Name -> versions (more than one where they depend on the Python)."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, re.M):
        found.setdefault(name, []).append(version)
    return found


def test_every_import_of_the_library_is_declared():
    known = importlib.metadata.packages_distributions()
    names = {word.name for word in DECLARED + EXPLORE} | {Requirement(start.ENGINE).name} | ON_THE_BOARD
    for folder in ("models", "deploy", "hw"):
        for path in (ROOT / folder).rglob("*.py"):
            tops = {name.split(".")[0] for name in imports(path)} - set(sys.stdlib_module_names)
            for top in tops - {"signflow", "accelerator", "pynq_link", "serial_link"}:
                makers = {canonicalize_name(maker) for maker in known.get(top, [])}
                assert makers & names, f"{path}: {top} is of {makers or 'nothing'}, which pyproject.toml does not name"


def test_the_wheel_has_every_file():
    setup = PROJECT["tool"]["setuptools"]
    packages, data = set(setup["packages"]), setup["package-data"]
    for path in (path for folder in ("models", "deploy", "hw") for path in (ROOT / folder).rglob("*.*")):
        if path.suffix in (".md", ".pyc") or path.is_dir():
            continue
        name = ".".join(("signflow", *path.parent.relative_to(ROOT).parts))
        if path.suffix == ".py":
            assert name in packages, f"{path}: {name} is not among the packages of pyproject.toml"
        else:
            owner = next(name for name in (name.rsplit(".", k)[0] for k in range(4)) if name in packages)
            inside = path.relative_to(ROOT.joinpath(*owner.split(".")[1:]))
            assert any(inside.match(pattern) for pattern in data.get(owner, [])), f"{path} is not in the wheel"


def test_the_engine_is_the_one_of_its_group():
    assert PROJECT["dependency-groups"]["engine"] == [start.ENGINE]


@pytest.mark.parametrize("word", [*DECLARED, *GROUPS, *NOTEBOOKS], ids=str)
def test_the_lock_holds_what_is_asked_for(word):
    if word.name == "torch":
        assert str(word.specifier).startswith("==") and "torch" not in locked(), "the Makefile installs it by itself"
    elif word.name != "signflow":
        assert all(version in word.specifier for version in locked()[canonicalize_name(word.name)])


def test_the_lock_pins_by_hash_and_names_no_place():
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    for entry in entries:
        assert re.match(r"[\w.-]+==[^\s;]+( ; .+)? \\\n( +--hash=sha256:[0-9a-f]{64}( \\\n)?)+$", entry), entry
    assert len(entries) == sum(len(versions) for versions in locked().values()) > 100
    assert "://" not in LOCK and "file:" not in LOCK


def test_what_is_excluded_and_what_torch_brings_is_not_locked():
    assert not set(UV["exclude-dependencies"]) & set(locked())
    assert not [name for name in locked() if name.startswith(("cbcbox", "cuda-", "nvidia-", "triton"))]


def wishes() -> list[tuple[str, Requirement]]:
    """(package, what it asks for) of all that is installed here and locked, without extras."""
    found = []
    for name in set(locked()) & {canonicalize_name(d.metadata["Name"]) for d in importlib.metadata.distributions()}:
        wanted = requirements(importlib.metadata.requires(name) or [])
        found += [(name, w) for w in wanted if w.marker is None or w.marker.evaluate({"extra": ""})]
    return found


def test_pip_check_would_complain_of_nothing_but_exclusions_and_overrides():
    free = {"torch", *UV["exclude-dependencies"], *(word.name for word in requirements(UV["override-dependencies"]))}
    for name, wish in wishes():
        if (wanted := canonicalize_name(wish.name)) not in free:
            versions = locked().get(wanted, [])
            assert any(version in wish.specifier for version in versions), f"{name} asks for {wish}: {versions}"


def test_every_override_and_exclusion_is_needed():
    """One that nobody's wish contradicts would hide the next that does."""
    for override in requirements(UV["override-dependencies"]):
        asked = [wish for _, wish in wishes() if canonicalize_name(wish.name) == override.name]
        assert any(version not in wish.specifier for version in locked()[override.name] for wish in asked), override
    assert set(UV["exclude-dependencies"]) <= {canonicalize_name(wish.name) for _, wish in wishes()}


# the command without its packages


@pytest.fixture
def bare(tmp_path):
    """Runs `signflow` as a wheel installed without dependencies: the sources, their metadata, and Python's own library;
    (exit code, output).
    """
    (tmp_path / "signflow").symlink_to(ROOT)
    info = tmp_path / "signflow-0.dist-info"
    info.mkdir()
    heads = [f"Requires-Dist: {word}" for word in DECLARED]
    heads += [f'Requires-Dist: {word} ; extra == "notebooks"' for word in NOTEBOOKS]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", "Name: signflow", "Version: 0", *heads, ""]))

    def run(*installed: str):
        for word in installed:
            folder = tmp_path / f"{Requirement(word).name.replace('-', '_')}-1.dist-info"
            folder.mkdir()
            (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: {Requirement(word).name}\nVersion: 1\n")
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import signflow.deploy.command.start as s; s.main()"
        done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    return run


def test_a_bare_wheel_says_in_one_line_what_to_install(bare):
    code, output = bare()
    assert code == 1 and output.count("\n") == 1 and output.startswith("error: packages are missing: run `pip install ")
    assert all(str(word) in output for word in DECLARED) and "ipykernel" not in output
    assert output.endswith(f" && pip install --no-deps {start.ENGINE}`\n")


def test_only_what_is_missing_is_named(bare):
    code, output = bare(*(str(word) for word in DECLARED if word.name != "click"), start.ENGINE)
    (click,) = [str(word) for word in DECLARED if word.name == "click"]
    assert (code, output) == (1, f"error: packages are missing: run `pip install '{click}'`\n")


def test_the_engine_alone_is_installed_without_what_it_asks_for(bare):
    code, output = bare(*map(str, DECLARED))
    assert (code, output) == (1, f"error: packages are missing: run `pip install --no-deps {start.ENGINE}`\n")


def test_with_everything_there_the_command_begins():
    assert start.missing() == ""
