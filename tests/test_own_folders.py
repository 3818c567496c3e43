"""Sessions of pytest in sessions of pytest: what tests leave behind fails the session."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HOOKS = Path(__file__).with_name("own_folders.py")
CONFTEST = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("own_folders", {str(HOOKS)!r})
hooks = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hooks)
pytest_configure, pytest_unconfigure = hooks.pytest_configure, hooks.pytest_unconfigure
pytest_sessionfinish = hooks.pytest_sessionfinish
"""
TIDY = """
import os, pathlib, tempfile
def test_a(tmp_path):
    (pathlib.Path.home() / "in home").touch()
    (tmp_path / "x").touch()
    assert tempfile.gettempdir() == os.environ["TMPDIR"]
    with tempfile.TemporaryDirectory():
        pass
def test_b():
    pass
"""
UNTIDY = (
    TIDY
    + """
def test_c():
    tempfile.mkdtemp(prefix="forgotten-")
"""
)


@pytest.fixture
def session(tmp_path):
    """Runs pytest on a text; (exit code, output, names left in the temporary folder and in the home around it)."""
    around = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "tmp"}
    for folder in around.values():
        folder.mkdir()

    def run(text: str, *words: str):
        (tmp_path / "conftest.py").write_text(CONFTEST)
        (tmp_path / "test_it.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", "--rootdir", tmp_path, *words, tmp_path / "test_it.py"]
        env = os.environ | {name: str(folder) for name, folder in around.items()}
        done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
        left = [path.name for folder in around.values() for path in folder.iterdir()]
        return done.returncode, done.stdout + done.stderr, left

    return run


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_tidy_session_passes_and_leaves_nothing(session, tmp_path, words):
    code, output, left = session(TIDY, *words)
    assert code == 0 and "2 passed" in output and left == [], output
    assert (tmp_path / ".pytest_cache" / "home" / "in home").exists()


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_forgotten_folder_fails_the_session_and_is_removed(session, words):
    code, output, left = session(UNTIDY, *words)
    assert code == 1 and "3 passed" in output and left == [], output
    assert "left something in the temporary folder" in output and "forgotten-" in output


def test_a_failed_session_stays_failed_and_leaves_nothing(session):
    code, output, left = session("def test_a(tmp_path):\n    assert False\n")
    assert code == 1 and "1 failed" in output and left == [], output
