"""The house rules that a machine can check: imports point one way, and the root is a package only as `signflow`."""

import ast
from pathlib import Path

import pytest

import signflow.deploy

ROOT = Path(signflow.deploy.__file__).resolve().parents[1]
FORBIDDEN = {
    "models": ("signflow.deploy", "signflow.hw", "finn", "qonnx"),
    "hw": ("signflow.deploy", "signflow.models", "torch", "brevitas"),
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_point_one_way(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        for name in imports(path):
            assert not any(name == bad or name.startswith(bad + ".") for bad in FORBIDDEN[folder]), (path, name)


def test_only_the_engine_boots_finn():
    for path in sorted((ROOT / "deploy").rglob("*.py")):
        if path.name != "engine.py":
            assert "finn.xsi" not in {i.rsplit(".", 1)[0] for i in imports(path)} | imports(path), path


def test_the_root_is_no_package_of_its_own():
    assert not (ROOT / "__init__.py").exists()
