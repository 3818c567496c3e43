"""The house rules that a machine can check: imports point one way, rooms stand on the rooms below them, and what
computes does not print.
"""

import ast
import importlib.util
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import signflow
import signflow.deploy

ROOT = Path(signflow.deploy.__file__).resolve().parents[1]
ROOMS = (
    *(
        "names",
        "steps",
        "compile",
        "golden",
        "plan",
        "generate",
        "known",
        "products",
        "tools",
        "verify",
        "finn",
        "pictures",
        "flow",
        "survey",
        "board",
        "explore",
        "page",
        "bench",
    ),
    *("accelerator", "command"),
)
"""The rooms of deploy/, each importing only what stands before it."""
SCREEN = ("rich", "click")
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


def test_the_door_costs_nothing_until_it_is_used():
    """``import signflow`` loads nothing of ours, and every public name is found where it is said to live."""
    words = "import sys, signflow; print([m for m in sys.modules if m.startswith('signflow.') or m == 'torch'])"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, cwd=ROOT.parent)
    assert done.stdout.strip() == "[]", done.stderr
    for name in signflow.__all__:
        assert getattr(signflow, name).__doc__


def house():
    """`docs/draw_house.py`, which knows rooms and arrows."""
    spec = importlib.util.spec_from_file_location("draw_house", ROOT / "docs" / "draw_house.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_rooms_stand_on_the_rooms_below_them():
    rooms, arrows = house().arrows_of(ROOT)
    assert set(rooms) <= {*ROOMS, "models", "hw"}
    for above, below in arrows:
        if above in ROOMS and below in ROOMS:
            assert ROOMS.index(below) < ROOMS.index(above), f"{above} imports {below}"
    assert house().floors_of(rooms, arrows)[1] == []


def test_the_picture_of_the_house_is_current():
    draw = house()
    rooms, arrows = draw.arrows_of(ROOT)
    floors, back = draw.floors_of(rooms, arrows)
    wanted = draw.picture(floors, arrows, back)
    assert (ROOT / "docs" / "house.svg").read_text() == wanted, "run: python docs/draw_house.py"


def prints(path: Path) -> bool:
    """It writes to the screen: a print that names no file."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    plain = [call for call in calls if "file" not in [keyword.arg for keyword in call.keywords]]
    return "print" in [call.func.id for call in plain if isinstance(call.func, ast.Name)]


def test_the_page_of_the_api_is_current():
    script = runpy.run_path(str(ROOT / "docs" / "draw_api.py"))
    assert (ROOT / "docs" / "api.md").read_text() == script["text"](), "run: python docs/draw_api.py"
    told = {name for names in script["GROUPS"].values() for name in names}
    assert told | {"__version__"} == set(signflow.__all__)


def test_the_page_of_the_command_is_current():
    script = runpy.run_path(str(ROOT / "docs" / "draw_command.py"))
    assert (ROOT / "docs" / "command.md").read_text() == script["text"](), "run: python docs/draw_command.py"


def test_prose_has_lines_of_120_columns():
    """In all Markdown; tables, pictures and blocks of code are as wide as they need."""
    folders = (".", "docs", "docker", "hw/rtl", "models/samples")
    for path in (path for folder in folders for path in ROOT.glob(f"{folder}/*.md")):
        prose = re.sub(r"^```.*?^```", "", path.read_text(), flags=re.M | re.S).splitlines()
        assert not [line for line in prose if len(line) > 120 and not line.startswith(("|", "![", "    "))], path


def test_only_the_command_prints():
    for path in sorted((ROOT / "deploy").rglob("*.py")):
        if path.relative_to(ROOT / "deploy").parts[0] == "command" or path.name in ("yosys_forks.py", "serve.py"):
            continue  # the latter are programs of their own, which answer on their standard output
        assert not {name.split(".")[0] for name in imports(path)} & set(SCREEN), path
        assert not prints(path), path
