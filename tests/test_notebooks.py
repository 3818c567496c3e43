"""Every notebook is executed as it is: small in every run, as large as for people in the slow one."""

import ast
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from signflow.models.data import SAMPLE, read_idx

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
MOST_CELLS, FIRST_LINES = 15, 5
DRAWS = re.compile(r"plt\.subplots|display\(")
SMALL = {"SIGNFLOW_NOTEBOOK_EPOCHS": "2", "SIGNFLOW_NOTEBOOK_NET": "tfc", "SIGNFLOW_NOTEBOOK_NETS": "sfc tfc"}
PYTHON = {"json", "os", "sys", "tempfile", "warnings", "zipfile", "pathlib"}
ON_A_BOARD = PYTHON | {"numpy", "matplotlib", "accelerator", "serial_link"}
"""What the board notebook may import there: the standard library, what PYNQ brings, and the drivers beside it."""
ALL_EQUAL = "10,000 logits of 1,000 images, 0 differ from PyTorch's"


@pytest.fixture
def sample_as_data(fashion_files, tmp_path, monkeypatch):
    """Fashion-MNIST's four files, cut from the shipped 1,000 images: 800 to train with, 200 to test."""
    images, labels = (read_idx(SAMPLE / f"sample-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    fashion_files((images[:800], labels[:800]), (images[800:], labels[800:]))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SIGNFLOW_DEVICE", "simulated")


@pytest.fixture
def small(sample_as_data, monkeypatch):
    """The notebooks with small networks."""
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)


def run(path: Path, folder: Path) -> nbformat.NotebookNode:
    """The executed notebook; every cell that draws has a picture, and no other."""
    book = nbformat.read(path, 4)
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    pictures = [c for c in book.cells if any("image/png" in o.get("data", {}) for o in c.get("outputs", []))]
    assert pictures == [c for c in book.cells if c.cell_type == "code" and DRAWS.search(c.source)]
    return book


def said(book: nbformat.NotebookNode) -> str:
    """Everything the cells printed."""
    return "".join(o.get("text", "") for c in book.cells for o in c.get("outputs", []))


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebook_is_short_and_stored_without_outputs(path):
    book = nbformat.read(path, 4)
    assert len(book.cells) <= MOST_CELLS
    assert not any(cell.get("outputs") for cell in book.cells)
    first = next(cell for cell in book.cells if cell.cell_type == "code")
    assert sum(bool(line) for line in first.source.splitlines()) <= FIRST_LINES


def test_training_runs(small):
    run(NOTEBOOKS / "10_train.ipynb", NOTEBOOKS)


def test_the_ladder_holds(small, tmp_path):
    text = said(run(NOTEBOOKS / "00_ladder.ipynb", tmp_path))
    assert len(re.findall(r" +[\d,]+ images +[\d,]+ logits compared +0 differ", text)) == 6  # six rungs, no mismatch


@pytest.mark.slow
def test_foldings_are_built_as_predicted(small, tmp_path):
    text = said(run(NOTEBOOKS / "20_build.ipynb", tmp_path))
    assert text.count("simulated: +0\n") == 2  # latency and interval


@pytest.mark.slow
def test_a_network_of_ones_own(small, tmp_path):
    text = said(run(NOTEBOOKS / "40_your_own_network.ipynb", tmp_path))
    assert len(re.findall(r" images +[\d,]+ logits 0 differ", text)) == 6
    assert "Sigmoid" in text and "are not integers times one scale" in text  # the refusal


def test_the_board_notebook_makes_a_package_and_runs_in_it(small, tmp_path):
    """In the repository it makes a package; the same file, in the folder of that package, runs there."""
    assert ALL_EQUAL in said(run(NOTEBOOKS / "30_board.ipynb", tmp_path))
    (package,) = tmp_path.glob("out/*/package")
    board = tmp_path / "board"
    shutil.copytree(package, board)
    assert (board / "30_board.ipynb").read_bytes() == (NOTEBOOKS / "30_board.ipynb").read_bytes()
    assert ALL_EQUAL in said(run(board / "30_board.ipynb", board))
    assert len(list(tmp_path.rglob("package"))) == 1


def test_the_board_notebook_needs_nothing_that_a_board_lacks():
    book = nbformat.read(NOTEBOOKS / "30_board.ipynb", 4)
    tree = ast.parse("\n".join(cell.source for cell in book.cells if cell.cell_type == "code"))
    elsewhere = next(node for node in tree.body if isinstance(node, ast.If))  # makes the package where there is none
    assert "accel.json" in ast.unparse(elsewhere.test)
    tree.body.remove(elsewhere)
    found = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    found |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert found <= ON_A_BOARD


@pytest.mark.slow
@pytest.mark.parametrize("name", ["00_ladder", "20_build", "30_board"])
def test_notebook_runs_as_people_run_it(sample_as_data, tmp_path, name):
    text = said(run(NOTEBOOKS / f"{name}.ipynb", tmp_path))
    assert name != "30_board" or ALL_EQUAL in text
