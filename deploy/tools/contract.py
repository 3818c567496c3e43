"""What a tool chain is: the contract between a board's project folder and what makes its bitstream."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from signflow.hw.sim import verilator
from signflow.hw.sim.toolchain import SimError, ToolMissingError

PASSED, FAILED, SKIPPED = "passed", "failed", "not checked"
Check = tuple[str, str, str]
"""(name, one of the three results, detail)"""
Say = Callable[[str], None]
"""Called with what begins now."""


@dataclass(frozen=True)
class Summary:
    """A table for people, as data: columns, rows, a line or more below."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str


@dataclass(frozen=True)
class Toolchain:
    """A way from a project folder to a bitstream, registered in `signflow.deploy.tools.TOOLCHAINS`.

    ``files(facts)`` gives what its tools need in the folder, relative name -> text, from the project's `accel.json`.
    ``check(project, synthesis, say)`` says all that can be said without running it; ``synthesis``: also what takes
    long. ``build(project, planned, synthesised, say)`` makes ``build/<name>.bit`` and returns a dict for JSON:
    ``planned`` (LUT, BRAM18, URAM, DSP) is the estimate of the plan, ``synthesised`` what `7-report.json` says or None.
    ``summary(result)`` is that dict for people. Every function raises a RuntimeError that says what to do.
    """

    name: str
    devices: Sequence[str]
    """Devices of `signflow.hw.boards.Board` that it makes bitstreams for."""
    files: Callable[[Mapping], dict[str, str]]
    check: Callable[[Path, bool, Say], list[Check]]
    build: Callable[[Path, Mapping[str, int], Mapping | None, Say], dict]
    summary: Callable[[Mapping], Summary]


def lint(project: Path, facts: Mapping, *models: Path) -> tuple[str, str]:
    """Result and detail of Verilator with all warnings on; ``models`` are of cells that the sources instantiate."""
    try:
        verilator.lint(facts["top"], [*(project / source for source in facts["sources"]), *models])
    except ToolMissingError as e:
        return SKIPPED, str(e)
    except SimError as e:
        return FAILED, str(e)
    return PASSED, "no warning"
