"""Every notebook is executed as it is, on a small data set made of the shipped sample."""

import gzip
import struct
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from signflow.models.data import SAMPLE, read_idx

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
MOST_CELLS = 15


@pytest.fixture
def sample_as_data(tmp_path, monkeypatch):
    """Fashion-MNIST's four files, cut from the shipped 1,000 images: 800 to train with, 200 to test."""
    (tmp_path / "fashion-mnist").mkdir()
    for kind in ("images-idx3", "labels-idx1"):
        values = read_idx(SAMPLE / f"sample-{kind}-ubyte.gz")
        for prefix, part in (("train", values[:800]), ("t10k", values[800:])):
            head = struct.pack(">HBB", 0, 8, part.ndim) + struct.pack(f">{part.ndim}I", *part.shape)
            (tmp_path / f"fashion-mnist/{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(head + part.tobytes()))
    monkeypatch.setenv("SIGNFLOW_DATA", str(tmp_path))
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
