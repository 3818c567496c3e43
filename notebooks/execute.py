"""Execute the notebooks of this folder and store their outputs, or check that the stored ones are what a run gives.

    python notebooks/execute.py [NAME ...]           all, or 00_ladder 50_papers ...: run, and store the outputs
    python notebooks/execute.py --check [NAME ...]   run, compare, store nothing; exit code 1 where something differs

A notebook runs as it is, in a new folder with nothing but `accelerator.py` of this one. What is stored is the same for
the same code: progress bars and warnings are left out, pictures have 64 colours, and an address or a path of a machine
is refused, with its cell. Times of a run show up in the check.

A cell with the tag `trained` shows what came out of a training in float, whose last bits differ between processors:
`compare` takes its words and leaves out its figures and pictures. Every other cell must be equal, its pictures to the
pixel where matplotlib and processor are those of the stored run.
"""

import argparse
import base64
import hashlib
import io
import os
import platform
import re
import shutil
import sys
import tempfile
from itertools import zip_longest
from pathlib import Path

import matplotlib
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

HERE = Path(__file__).resolve().parent
STAND_IN, COLOURS = "accelerator.py", 64
FIGURE = re.compile(r"\d[\d.,]*")
PRIVATE = (
    (re.compile(r" at 0x[0-9a-f]+>"), "the address of an object: end the line with a semicolon, or assign it"),
    (re.compile(r"/(?:tmp|home|root|usr|Users)/"), "a path of this machine"),
)


def execute(path: Path, folder: Path | None = None) -> NotebookNode:
    """The notebook `path` with the outputs of a run in `folder` [a new one], as they are stored.

    Raises nbclient's CellExecutionError when a cell fails, ValueError for an output that cannot be stored.
    """
    book = nbformat.read(path, 4)
    with tempfile.TemporaryDirectory(prefix="signflow-") as scratch:
        place = Path(folder or scratch)
        if not (place / STAND_IN).exists():  # a package has a driver of that name
            shutil.copy(HERE / STAND_IN, place)
        where = {"metadata": {"path": str(place)}}
        kernel = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}  # imports from here
        client = NotebookClient(book, timeout=3600, resources=where, record_timing=False, coalesce_streams=True)
        client.execute(env=kernel)
    for number, cell in enumerate(book.cells):
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _passing(output)]
            for output in cell.outputs:
                _settle(output, f"{path.stem}, cell {number}")
    book.metadata = NotebookNode(
        kernelspec=book.metadata.kernelspec,
        language_info={"name": "python"},
        signflow={"sources": sources(book), "pictures": f"matplotlib {matplotlib.__version__}, {platform.machine()}"},
    )
    return book


def sources(book: NotebookNode) -> str:
    """SHA-256 of the code: another one than the stored means that a cell was edited and not run."""
    code = [cell.source for cell in book.cells if cell.cell_type == "code"]
    return hashlib.sha256("\0".join(code).encode()).hexdigest()


def compare(stored: NotebookNode, now: NotebookNode) -> list[str]:
    """The first line that differs of every cell with one; both from `execute`, of the same file."""
    exact = stored.metadata["signflow"]["pictures"] == now.metadata["signflow"]["pictures"]
    different = []
    for number, (one, other) in enumerate(zip(stored.cells, now.cells, strict=True)):
        lines = zip_longest(_said(one, exact), _said(other, exact))
        different += [f"cell {number}: stored {a!r}, now {b!r}" for a, b in lines if a != b][:1]
    return different


def _passing(output: NotebookNode) -> bool:
    """Whether an output belongs to the run alone: a progress bar, a warning of some library, a script for the page."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    shown = "image/png" in data or data.get("text/plain", "").strip() not in ("", "Output()")
    return output.get("name") == "stderr" or not shown


def _settle(output: NotebookNode, where: str) -> None:
    """Make an output what is stored of it."""
    data = output.get("data", {})
    if "image/png" in data:
        data["image/png"] = _small(data["image/png"])
    for text in (output.get("text", ""), data.get("text/plain", "")):
        for pattern, what in PRIVATE:
            if found := pattern.search(text):
                raise ValueError(f"{where} shows {what}: {text[max(0, found.start() - 60) : found.end() + 20]!r}")


def _small(png: str) -> str:
    """The picture with `COLOURS` colours; base64 in and out."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    buffer = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _said(cell: NotebookNode, exact: bool) -> list[str]:
    """What must be equal of the outputs of a cell, line by line."""
    trained = "trained" in cell.metadata.get("tags", [])
    said = []
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        text = output.get("text", "") + data.get("text/plain", "")
        said += (FIGURE.sub("#", text) if trained else text).split("\n")
        if "image/png" in data:
            said.append(_pixels(data["image/png"]) if exact and not trained else "a picture")
    return said


def _pixels(png: str) -> str:
    """Of a picture: size, and a hash of its pixels."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    return f"picture {picture.size} {hashlib.sha256(picture.tobytes()).hexdigest()}"


def main() -> int:
    """The command."""
    known = sorted(path.stem for path in HERE.glob("*.ipynb"))
    words = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    words.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)} [all]")
    words.add_argument("--check", action="store_true", help="compare with the stored outputs, store nothing")
    asked = words.parse_args()
    if unknown := set(asked.names) - {*known}:
        words.error(f"no notebook {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    os.environ.setdefault("SIGNFLOW_DATA", str(HERE.parent / "data"))
    os.environ["SIGNFLOW_DEVICE"] = "simulated"
    failed = False
    for name in asked.names or known:
        path = HERE / f"{name}.ipynb"
        book = execute(path)
        if asked.check:
            different = compare(nbformat.read(path, 4), book)
            failed |= bool(different)
            print("\n".join([f"{name}: {'differs' if different else 'equal'}", *different]), flush=True)
        else:
            nbformat.write(book, path)
            print(f"{name}: {path.stat().st_size / 1000:.0f} kB", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
