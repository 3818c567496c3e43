"""The page of the network that several tests build once, opened in a browser."""

import shutil
from pathlib import Path

import pytest

from signflow.deploy.accelerator import Accelerator
from signflow.deploy.steps import RESULTS


@pytest.fixture(scope="session")
def page(mini, tmp_path_factory):
    """(the page of `mini`, which nobody measured yet, its accelerator)."""
    work = shutil.copytree(mini[1], tmp_path_factory.mktemp("page") / "mini", ignore=shutil.ignore_patterns(*RESULTS))
    acc, seen = Accelerator(work), []
    path = acc.page(tmp_path_factory.mktemp("page") / "mini.html", lambda *step: seen.append(step))
    assert [done for _, done, _ in seen] == list(range(len(seen)))
    return path, acc


@pytest.fixture
def opened(browser, request):
    """Opens a page (that of `page`) in a window of a width and theme; afterwards nothing may stand in the browser's
    console.
    """
    errors = []

    def open_page(width: int, theme: str = "light", path: Path | None = None):
        shown = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=theme)
        shown.on("console", lambda message: errors.append(message.text))
        shown.on("pageerror", lambda error: errors.append(str(error)))
        shown.on(
            "request", lambda request: errors.append(request.url) if request.url[:5] not in ("file:", "data:") else 0
        )
        shown.goto((path or request.getfixturevalue("page")[0]).as_uri())
        return shown

    yield open_page
    assert errors == []
