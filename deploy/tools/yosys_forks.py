"""A program, run by `signflow.deploy.tools.yosys.run` in a process of its own: several designs through Yosys.

The state of Yosys (numbers in names, the order in which names were first seen) moves a figure by a few LUTs. So the
cell library is read once, and every design is made in a fork of that state: what stands beside it cannot reach it.

The work folder holds ``plan.json``: how many forks at a time, the commands before the fork, those of each design.
Design k leaves ``<k>.log``; standard output says "@done k" or "@failed k" as each ends. When standard input is closed,
as by the death of who started it, all ends.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from pyosys import libyosys as ys


def main() -> None:
    """Work through ``plan.json``."""
    _end_with_input()
    plan, design, running = json.loads(Path("plan.json").read_text()), ys.Design(), {}
    for line in plan["before"]:
        ys.run_pass(line, design)
    for number, lines in enumerate(plan["designs"]):
        if len(running) == plan["jobs"]:
            _wait(running)
        sys.stdout.flush()
        if (process := os.fork()) == 0:
            _make(design, number, lines)
        running[process] = number
    while running:
        _wait(running)


def _end_with_input() -> None:
    """Fork a process that waits for the end of standard input, and then kills this session: the forks and their ABC."""
    if os.fork() == 0:
        os.closerange(1, 3)
        os.read(0, 1)
        os.killpg(0, signal.SIGKILL)


def _make(design: ys.Design, number: int, lines: Sequence[str]) -> None:
    """Run the commands of a design and end the process; Yosys ends it itself, with status 1, at an error."""
    log = os.open(f"{number}.log", os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for line in lines:
        ys.run_pass(line, design)
    os._exit(0)


def _wait(running: dict[int, int]) -> None:
    """Wait for any of the forks and say what became of its design."""
    process, status = os.wait()
    print(f"@{'failed' if status else 'done'} {running.pop(process)}", flush=True)


if __name__ == "__main__":
    main()
