"""Writes errors.md by doing everything that it shows: `python docs/draw_errors.py`, two minutes."""

import ast
import contextlib
import io
import os
import re
import runpy
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

HERE = Path(__file__).parent
ROOT = HERE.parent
CASES = runpy.run_path(str(HERE / "error_cases.py"))
HEAD = """\
# Error messages, and what to do

Written by `python docs/draw_errors.py`, which does everything that stands here and collects the messages; a test holds
it current.

signflow is right or it refuses. A refusal is one message on standard error that names the value, the rule, and what to
do, and an exit code ([command.md](command.md)). Nothing is printed of Python's inside; `SIGNFLOW_TRACEBACK=1` shows it,
for a report. A message that begins with the name of a Python exception and says "this is a fault of signflow" is one:
please report it.

What may go wrong during installation is in [install.md](install.md#when-something-is-missing).
"""
BUILT = ["build", "tfc", "--no-check"]
WEIGHTS = Path("out/tfc-pynq-z2/5-accelerator/mem/MVAU_sf_2_weights.mem")


def run(words: list[str]) -> str:
    """What ``signflow`` says on standard error, without the usage that stands in front of a wrong word."""
    from signflow.deploy.command.cli import main

    result = CliRunner().invoke(main, words, prog_name="signflow")
    return "\n".join(line for line in result.stderr.splitlines() if not re.match(r"(Usage:|Try |$)", line))


@contextlib.contextmanager
def folder() -> Iterator[None]:
    """A temporary folder with the files that the commands name."""
    before, data = Path.cwd(), os.environ.pop("SIGNFLOW_DATA", None)
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        Path("own.onnx").touch()
        Path("empty.onnx").touch()
        Path("many.txt").write_text("1\n2\n3\n")
        Path("recipe.toml").write_text('net = "tfc"\nepoch = 3\n')
        Path("colour").mkdir()
        Image.new("RGB", (28, 28)).save("colour/0.png")
        np.save("few.npy", np.zeros((2, 1, 28, 28), np.uint8))
        np.save("small.npy", np.zeros((2, 1, 20, 20), np.uint8))
        np.save("floats.npy", np.zeros((2, 1, 28, 28), np.float32))
        try:
            yield
        finally:
            os.chdir(before)
            os.environ.update({"SIGNFLOW_DATA": data} if data else {})


def prepare(after: str) -> None:
    """The build that a case needs."""
    if after:
        run([*BUILT, *(["--loadable"] if after == "loaded" else [])])
    if after == "damaged":
        words = WEIGHTS.read_text().split("\n")
        words[3] = f"{int(words[3][0], 16) ^ 8:x}{words[3][1:]}"
        WEIGHTS.write_text("\n".join(words))


def refused(network: str) -> str:
    """Why a network is refused."""
    import brevitas.nn as qnn
    import torch
    from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
    from torch import nn

    import signflow

    names = {"qnn": qnn, "nn": nn, "torch": torch, "SignedBinaryActPerTensorConst": SignedBinaryActPerTensorConst}
    names["SignedBinaryWeightPerTensorConst"] = SignedBinaryWeightPerTensorConst
    exec(CASES["NAMES"], names)
    torch.manual_seed(0)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            signflow.build(eval(network, names).eval(), shape=(1, 4, 4), input="uint8/255", out="net", check=False)
    except signflow.UnsupportedError as reason:
        return str(reason)
    raise ValueError(f"{network} is not refused any more")


def entry(case) -> str:
    """A case: what was done, what was said, what to do."""
    command = case.does.startswith("signflow ")
    if command:
        prepare(case.after)
    said = run(case.does.split()[1:]) if command else f"UnsupportedError: {refused(case.does)}"
    if not said:
        raise ValueError(f"{case.does}: it works now")
    block = textwrap.fill(said, 110, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    mark = "<!-- not run: it is wrong -->\n" if command else ""
    return (
        f"{mark}```{'sh' if command else 'python'}\n{case.does}\n```\n\n```text\n{block}\n```\n\n{wrapped(case.advice)}"
    )


def wrapped(text: str) -> str:
    """Prose in lines of 120 columns."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def driver_messages() -> list[str]:
    """Every message of the driver, with `...` for what it fills in."""
    found = []
    for file in ("accelerator", "pynq_link", "serial_link"):
        for node in ast.walk(ast.parse((ROOT / "deploy" / "board" / f"{file}.py").read_text())):
            if isinstance(node, ast.JoinedStr):
                found.append("".join(p.value if isinstance(p, ast.Constant) else "..." for p in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return found


def driver() -> str:
    """The table of the driver's messages."""
    rows, messages = ["| message | what to do |", "|---|---|"], driver_messages()
    for part, advice in CASES["DRIVER"]:
        part = re.sub(r"{.*?}", "...", part)
        rows.append(f"| {next(message for message in messages if part in message)} | {advice} |")
    return "\n".join(rows)


def text(quick: bool = False) -> str:
    """The whole page; ``quick``: only what needs neither a build nor PyTorch."""
    parts = [HEAD.rstrip()]
    with folder():
        for section in CASES["SECTIONS"]:
            parts += [f"## {section.title}", wrapped(section.says)]
            networks = not section.cases[0].does.startswith("signflow ")
            if networks:
                parts += ["The examples are made of these:", f"```python\n{CASES['NAMES'].rstrip()}\n```"]
            parts += [entry(case) for case in section.cases if not quick or not (networks or case.after)]
    says = "The driver on the board ([board.md](board.md#the-driver)) raises `AcceleratorError`, with one of some 60 "
    says += "messages, `...` being values. These are the ones that people meet; the others name a damaged file or link."
    return "\n\n".join([*parts, "## On the board", wrapped(says), driver()]) + "\n"


if __name__ == "__main__":
    (HERE / "errors.md").write_text(text())
