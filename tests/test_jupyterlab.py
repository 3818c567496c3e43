"""The notebooks in a real JupyterLab, where it is installed, in a real browser: every stored output is seen."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
WHOLE = {"windowingMode": "none"}
"""JupyterLab draws all cells, not only those in the window."""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("jupyterlab") is None, reason="no JupyterLab (pip install jupyterlab)"),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of a JupyterLab whose folder holds copies of the notebooks."""
    root = tmp_path_factory.mktemp("lab")
    shutil.copytree(NOTEBOOKS, root / "notebooks", ignore=shutil.ignore_patterns("out", "__pycache__"))
    settings = root / "settings" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)
    (settings / "tracker.jupyterlab-settings").write_text(json.dumps(WHOLE))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [f"--LabApp.user_settings_dir={root / 'settings'}", f"--LabApp.workspaces_dir={root / 'workspaces'}"]
    words += [f"--port={port}", "--ip=127.0.0.1", "--no-browser", "--allow-root", "--IdentityProvider.token="]
    home = {f"JUPYTER_{name}_DIR": str(root / name) for name in ("CONFIG", "DATA", "RUNTIME")}
    command = [sys.executable, "-m", "jupyterlab", *words, str(root / "notebooks")]
    log = root / "log"
    with open(log, "w") as out:
        server = subprocess.Popen(command, env=os.environ | home, stdout=out, stderr=out)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5)
                break
            except OSError:
                assert server.poll() is None, log.read_text()[-2000:]
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/lab/tree"
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_every_output_is_seen(lab, browser, path):
    book = nbformat.read(path, 4)
    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    texts = [output.text.split("\n")[0] for output in outputs if output.output_type == "stream"]
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{lab}/{path.name}?reset")  # without what the test before has left open
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function(f"document.querySelectorAll('.jp-Notebook .jp-Cell').length === {len(book.cells)}")
    page.wait_for_function(f"document.querySelectorAll('.jp-OutputArea img').length === {pictures}")
    wide = "found => found.every(one => one.complete && one.naturalWidth > 100 && one.clientWidth > 100)"
    assert page.locator(".jp-OutputArea img").evaluate_all(wide)
    shown = page.locator(".jp-Notebook").inner_text()
    assert [line for line in texts if " ".join(line.split()) not in " ".join(shown.split())] == []
    page.locator(".jp-RenderedMarkdown h1").first.wait_for(state="visible")
    assert errors == []
    page.close()
