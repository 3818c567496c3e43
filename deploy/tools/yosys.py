"""Yosys, run in a process of its own: any number of designs, none of which can influence another."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

YOSYS = "pyosys==0.70"
FORKS = Path(__file__).with_name("yosys_forks.py")


class SynthesisError(RuntimeError):
    """Yosys is missing or refused the design; the message holds its first error."""


def share() -> Path:
    """Folder of the installed Yosys' cell libraries. Raises SynthesisError."""
    spec = importlib.util.find_spec("pyosys")
    if spec is None or not spec.origin:
        raise SynthesisError(f"Yosys is not installed for this Python: run `pip install {YOSYS}`")
    return Path(spec.origin).parent / "share"


def run(
    before: Sequence[str],
    designs: Sequence[tuple[str, Sequence[str]]],
    work: Path,
    jobs: int,
    done: Callable[[int], None] = lambda number: None,
) -> None:
    """Run the commands of every design, (name, lines), each in a fork of the state that the lines ``before`` lead to,
    ``jobs`` at a time in the folder ``work``.

    ``done`` gets a design's number as it ends; when it raises, all ends. Raises SynthesisError at the first that fails.
    """
    share()
    plan = {"before": list(before), "designs": [list(lines) for _, lines in designs], "jobs": jobs}
    (work / "plan.json").write_text(json.dumps(plan))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    output, ended = [], 0
    command = [sys.executable, str(FORKS)]
    with subprocess.Popen(command, cwd=work, text=True, errors="replace", start_new_session=True, **pipes) as process:
        try:
            for line in process.stdout:
                word, _, number = line.strip().partition(" ")
                if word == "@failed":
                    name, log = designs[int(number)][0], work / f"{number}.log"
                    raise SynthesisError(_explain(name, log.read_text(errors="replace")))
                if word == "@done":
                    done(int(number))
                    ended += 1
                output.append(line)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # the forks and their ABC, too
            raise
    if ended < len(designs):
        raise SynthesisError(_explain("the cell library", "".join(output)))


def _explain(name: str, log: str) -> str:
    rows = [row for row in log.splitlines() if row.strip()]
    first = next((k for k, row in enumerate(rows) if "error:" in row.lower()), max(0, len(rows) - 8))
    return "\n  ".join([f"Yosys refuses {name}:", *rows[first : first + 8]])
