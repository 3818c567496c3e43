"""The tests have a home and a temporary folder of their own, and fail if they leave anything in the latter.

The home lies in ``.pytest_cache`` of the checkout, so what was compiled in it once serves again, and nothing of the
tests comes into the user's. The hooks work in the process that was started by hand; the workers of xdist inherit both
folders, and have ended when it looks at them. (`--basetemp DIR` keeps the folders of the tests.)
"""

import os
import tempfile
from pathlib import Path

import pytest

from signflow.hw.scratch import Scratch

HOME = Path(".pytest_cache") / "home"
# torch makes this folder at its import, which is before `pytest_configure`; it would stay in the temporary folder
os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(__file__).resolve().parents[1] / HOME / ".cache" / "torchinductor")

OWN = pytest.StashKey[Scratch]()
ALLOWED = "pytest-of-"
"""What the name of pytest's own folders begins with; `pytest_unconfigure` removes them."""


def pytest_configure(config: pytest.Config) -> None:
    """Point everything that writes to a home or a temporary folder to those of the tests."""
    if hasattr(config, "workerinput"):
        return
    home = config.rootpath / HOME
    home.mkdir(parents=True, exist_ok=True)
    config.stash[OWN] = Scratch("signflow-tests-")
    for name in [name for name in os.environ if name.startswith("XDG_")]:
        del os.environ[name]
    os.environ.update(HOME=str(home), TMPDIR=config.stash[OWN].name)
    tempfile.tempdir = None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The session fails if the temporary folder holds anything but pytest's own."""
    if (own := session.config.stash.get(OWN, None)) is None:
        return
    left = sorted(path.name for path in Path(own.name).iterdir() if not path.name.startswith(ALLOWED))
    if left:
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        reporter.section("the tests left something in the temporary folder", red=True)
        reporter.line("\n".join(left))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the temporary folder."""
    if (own := config.stash.get(OWN, None)) is not None:
        own.cleanup()
