"""Every notebook is executed as it is, on a small data set made of the shipped sample."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from signflow.models.data import SAMPLE, read_idx

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
MOST_CELLS = 15


@pytest.fixture
def sample_as_data(fashion_files, tmp_path, monkeypatch):
    """Fashion-MNIST's four files, cut from the shipped 1,000 images: 800 to train with, 200 to test."""
    images, labels = (read_idx(SAMPLE / f"sample-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    fashion_files((images[:800], labels[:800]), (images[800:], labels[800:]))
    monkeypatch.setenv("SIGNFLOW_NOTEBOOK_EPOCHS", "2")
    monkeypatch.setenv("TMPDIR", str(tmp_path))


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_notebook_runs(path, sample_as_data, tmp_path):
    book = nbformat.read(path, 4)
    assert len(book.cells) <= MOST_CELLS
    assert not any(cell.get("outputs") for cell in book.cells), "notebooks are stored without outputs"
    NotebookClient(book, timeout=300, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    pictures = [c for c in book.cells if any("image/png" in o.get("data", {}) for o in c.get("outputs", []))]
    assert len(pictures) == sum("plt." in cell.source for cell in book.cells if cell.cell_type == "code")
