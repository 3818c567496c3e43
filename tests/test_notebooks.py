"""What the notebooks store is what their cells give: the quick ones run in every run, the others in the slow one."""

import ast
import re
import runpy
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from signflow.models.data import FILES, SAMPLE, data_dir, read_idx

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
SCRIPT = runpy.run_path(NOTEBOOKS / "execute.py")
execute, compare, sources = (SCRIPT[name] for name in ("execute", "compare", "sources"))
MOST_CELLS, FIRST_LINES, MOST_BYTES = 17, 5, 300_000
DRAWS = re.compile(r"plt\.subplots|display\(draw")
PYTHON = {"json", "os", "sys", "tempfile", "warnings", "zipfile", "pathlib"}
ON_A_BOARD = PYTHON | {"numpy", "matplotlib", "accelerator", "serial_link"}
"""What the board notebook may import there: the standard library, what PYNQ brings, and the drivers beside it."""
ALL_EQUAL = "10,000 logits of 1,000 images, 0 differ from PyTorch's"


@pytest.fixture(autouse=True)
def simulated(tmp_path, monkeypatch):
    """No board, and all temporary files in a folder of the test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("SIGNFLOW_DEVICE", "simulated")


def stored(name: str) -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4)


def said(book: nbformat.NotebookNode) -> str:
    """Everything the cells printed."""
    return "".join(o.get("text", "") for c in book.cells for o in c.get("outputs", []))


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_outputs_are_stored_and_those_of_the_code(path):
    book = nbformat.read(path, 4)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert book.metadata.signflow.sources == sources(book), "edited, not executed: `make notebooks`"
    pictures = [cell for cell in code if any("image/png" in o.get("data", {}) for o in cell.outputs)]
    assert pictures == [cell for cell in code if DRAWS.search(cell.source)]
    assert path.stat().st_size < MOST_BYTES


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_is_short_and_begins_with_few_lines(path):
    book = nbformat.read(path, 4)
    assert len(book.cells) <= MOST_CELLS
    first = next(cell for cell in book.cells if cell.cell_type == "code").source
    assert sum(bool(line) for line in first.splitlines()) <= FIRST_LINES
    assert ("from accelerator import Accelerator" if path.stem == "30_board" else "import signflow\n") in first


def test_the_ladder_holds(tmp_path):
    now = execute(NOTEBOOKS / "00_ladder.ipynb", tmp_path)
    assert compare(stored("00_ladder"), now) == []
    rungs = re.findall(r" +[\d,]+ images +[\d,]+ logits compared +(\d+) differ", said(now))
    assert rungs == ["0"] * 6


def test_the_papers(tmp_path):
    assert compare(stored("50_papers"), execute(NOTEBOOKS / "50_papers.ipynb", tmp_path)) == []


def test_the_board_notebook_makes_a_package_and_runs_in_it(tmp_path):
    """In the repository it makes a package; the same code, in the folder of that package, runs there."""
    book = stored("30_board")
    assert ALL_EQUAL in said(book)
    assert compare(book, execute(NOTEBOOKS / "30_board.ipynb", tmp_path)) == []
    (package,) = tmp_path.glob("out/*/package")
    board = tmp_path / "board"
    shutil.copytree(package, board)
    packed = nbformat.read(board / "30_board.ipynb", 4)
    assert sources(packed) == sources(book)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in packed.cells)
    driver = (board / "accelerator.py").read_bytes()
    now = execute(board / "30_board.ipynb", board)
    assert compare(book, now) == []
    assert (board / "accelerator.py").read_bytes() == driver
    assert len(list(tmp_path.rglob("package"))) == 1


def test_the_board_notebook_needs_nothing_that_a_board_lacks():
    tree = ast.parse("\n".join(cell.source for cell in stored("30_board").cells if cell.cell_type == "code"))
    found = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
    found |= {n.module.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    assert found <= ON_A_BOARD


def test_training_runs(fashion_files, tmp_path):
    """Two epochs on 800 of the shipped 1,000 images, in the place of Fashion-MNIST's."""
    images, labels = (read_idx(SAMPLE / f"sample-{kind}-ubyte.gz") for kind in ("images-idx3", "labels-idx1"))
    fashion_files((images[:800], labels[:800]), (images[800:], labels[800:]))
    book = stored("10_train")
    first = next(cell for cell in book.cells if cell.cell_type == "code")
    assert "EPOCHS = 6" in first.source
    first.source = first.source.replace("EPOCHS = 6", "EPOCHS = 2")
    nbformat.write(book, tmp_path / "10_train.ipynb")
    now = execute(tmp_path / "10_train.ipynb")
    different = {int(line.split()[1][:-1]) for line in compare(book, now)}
    assert different <= {2}  # the images of the data set


@pytest.mark.slow
@pytest.mark.parametrize("name", ["20_build", "40_your_own_network", "60_inside_finn"])
def test_the_long_ones(tmp_path, name):
    now = execute(NOTEBOOKS / f"{name}.ipynb", tmp_path)
    assert compare(stored(name), now) == []
    text = said(now)
    if name == "20_build":
        assert text.count("simulated: +0\n") == 2  # latency and interval
    elif name == "60_inside_finn":
        assert text.count(" 0 differ from PyTorch's\n") == text.count("differ") == 7
    else:
        assert len(re.findall(r" images +[\d,]+ logits 0 differ", text)) == 6
        assert "Sigmoid" in text and "are not integers times one scale" in text  # the refusal


@pytest.mark.slow
def test_the_ladder_and_the_board_with_convolutions(tmp_path):
    book = stored("00_ladder")
    first = next(cell for cell in book.cells if cell.cell_type == "code")
    assert '"tfc"' in first.source
    first.source = first.source.replace('"tfc"', '"cnv"')
    nbformat.write(book, tmp_path / "00_ladder.ipynb")
    assert said(execute(tmp_path / "00_ladder.ipynb", tmp_path)).count("compared   0 differ") == 6
    standing_in = (NOTEBOOKS / "accelerator.py").read_text()
    assert 'NET = "tfc"' in standing_in
    (tmp_path / "accelerator.py").write_text(standing_in.replace('NET = "tfc"', 'NET = "cnv"'))
    assert ALL_EQUAL in said(execute(NOTEBOOKS / "30_board.ipynb", tmp_path))


@pytest.mark.slow
@pytest.mark.skipif(not (data_dir() / "fashion-mnist" / next(iter(FILES))).exists(), reason="`signflow data` first")
def test_training_gives_what_is_stored(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNFLOW_DATA", str(data_dir().resolve()))
    assert compare(stored("10_train"), execute(NOTEBOOKS / "10_train.ipynb", tmp_path)) == []


def notebook(*code: str) -> nbformat.NotebookNode:
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=[new_code_cell(text) for text in code], metadata={"kernelspec": kernel})


def executed(book: nbformat.NotebookNode, path: Path) -> nbformat.NotebookNode:
    nbformat.write(book, path)
    return execute(path)


DRAWING = "from matplotlib import pyplot as plt\n_, ax = plt.subplots(figsize=(2, 1))\nax.plot([0, {}]);"
PASSING = "import sys, warnings; print('bar', file=sys.stderr); print(6 * 7); warnings.warn('odd')"


def test_a_run_is_compared_with_what_is_stored(tmp_path):
    """A figure, a picture, an output more; where a training decides, only the words."""
    first = executed(notebook(PASSING, DRAWING.format(1), "print('loss 0.25 of 7')"), tmp_path / "a.ipynb")
    assert [[o.output_type for o in cell.outputs] for cell in first.cells] == [["stream"], ["display_data"], ["stream"]]
    assert first.cells[0].outputs[0].text == "42\n"
    assert compare(first, first) == []
    other = executed(notebook(PASSING.replace("7", "8"), DRAWING.format(2), "print('loss 0.5 of 7')"), tmp_path / "b")
    assert [line.split(":")[0] for line in compare(first, other)] == ["cell 0", "cell 1", "cell 2"]
    for cell in [*first.cells[1:], *other.cells[1:]]:
        cell.metadata.tags = ["trained"]
    assert [line.split(":")[0] for line in compare(first, other)] == ["cell 0"]
    other.cells[2].outputs[0].text = "loss 0.5 at 7\n"
    assert [line.split(":")[0] for line in compare(first, other)] == ["cell 0", "cell 2"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<matplotlib.text.Text at 0x7f0a5c2b>", "the address of an object"),
        ("in /home/you/x", "a path of this machine"),
    ],
)
def test_what_only_this_machine_has_is_refused(text, what):
    for output in (
        new_output("stream", text=f"a\n{text}\n"),
        new_output("execute_result", {"text/plain": text}, execution_count=1),
    ):
        with pytest.raises(ValueError, match=f"c, cell 1 shows {what}"):
            SCRIPT["_settle"](output, "c, cell 1")
