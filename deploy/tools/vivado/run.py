"""A PYNQ board's project folder -> bitstream with Vivado: what the folder needs, the run, the checks without Vivado.

`files` writes `build.tcl`, its settings, a Makefile and a README into the project; `run` starts Vivado there, `results`
reads its reports. Where there is no Vivado, `check` shows what can be shown without it, and VendorStepMissing says with
which command the folder is finished elsewhere.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from signflow.deploy.tools.contract import Say, Summary, Toolchain
from signflow.deploy.tools.vivado.check import check
from signflow.deploy.tools.vivado.reports import ReportError, compare, parse_folder
from signflow.deploy.tools.vivado.tcl import SCRIPT, SETTINGS, VIVADO_DIR, TclReport, check_tcl
from signflow.deploy.tools.vivado.texts import makefile, readme, settings

LOG = "build/vivado.log"
COMMAND = f"-mode batch -nojournal -log {LOG} -source {SCRIPT}"


class VivadoError(RuntimeError):
    """Vivado failed or refused; the message holds the first error lines and the log's name."""


class VendorStepMissing(RuntimeError):
    """Everything is done but the step that needs Vivado."""

    exit_code = 3

    def __init__(self, folder: Path):
        self.folder, self.command = folder, f"make -C {folder} bitstream VIVADO=/path/to/vivado"
        super().__init__(
            f"Vivado is not on this machine (no VIVADO=, no `vivado` on PATH). The project in {folder} is complete: "
            f"copy it to where Vivado is, or give VIVADO=, and finish it with\n  {self.command}"
        )


def files(facts: Mapping) -> dict[str, str]:
    """What Vivado needs in a project folder, relative name -> text; ``facts`` are those of its `accel.json`.

    Nothing in them depends on where the folder lies.
    """
    return {
        SCRIPT: (VIVADO_DIR / SCRIPT).read_text(),
        SETTINGS: settings(facts),
        "Makefile": makefile(facts, COMMAND),
        "README.md": readme(facts),
    }


def find_vivado() -> str | None:
    """The program: `$VIVADO`, else `vivado` on PATH, else None. Raises VivadoError if `$VIVADO` is no program."""
    if wanted := os.environ.get("VIVADO"):
        if path := shutil.which(wanted):
            return path
        raise VivadoError(f"VIVADO={wanted} is not a program: give the path of Vivado's `bin/vivado`")
    return shutil.which("vivado")


def run(folder: Path, tick: Callable[[str], None] = lambda line: None, estimate: Mapping | None = None) -> dict:
    """Make the bitstream in a project folder; returns `results`, set against ``estimate``.

    ``tick`` is called with every progress line of the script; everything else goes to build/vivado.log. Takes from ten
    minutes to hours. Raises VendorStepMissing without Vivado, VivadoError when it fails.
    """
    if (vivado := find_vivado()) is None:
        raise VendorStepMissing(folder)
    (folder / "build").mkdir(exist_ok=True)
    errors: list[str] = []
    command = [vivado, *COMMAND.split()]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=folder, text=True, errors="replace", start_new_session=True, **pipes) as process:
        try:
            for line in process.stdout:
                if line.startswith("signflow: "):
                    tick(line.removeprefix("signflow: ").rstrip())
                elif line.startswith("ERROR"):
                    errors.append(line.rstrip())
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # with the runs that Vivado has started
            raise
    name = json.loads((folder / "accel.json").read_text())["name"]
    missing = [f"build/{name}{end}" for end in (".bit", ".hwh") if not (folder / "build" / f"{name}{end}").exists()]
    if process.returncode or missing:
        cause = errors[:6] or [f"it left no {' and no '.join(missing)}" if missing else "no error line was printed"]
        raise VivadoError("\n  ".join([f"Vivado failed (status {process.returncode}), see {folder / LOG}:", *cause]))
    return results(folder, estimate)


def results(folder: Path, estimate: Mapping | None = None) -> dict:
    """What Vivado reports of a finished project: resources, slacks, power, and beside them the ``estimate`` of Yosys
    (the content of `7-report.json`). Raises VivadoError when reports are missing or unreadable.
    """
    try:
        found = parse_folder(folder / "build")
    except ReportError as e:
        raise VivadoError(str(e)) from e
    return found | {"estimate": compare(found, estimate)}


def summary(found: Mapping) -> Summary:
    """`results` for people: resources beside Yosys' estimate, clock, power."""

    def text(value: float | None) -> str:
        return "" if value is None else f"{value:,g}"

    rows = [[key, text(r["vivado"]), text(r["yosys"]), text(r["ratio"])] for key, r in found["estimate"].items()]
    slack = f"slack {text(found['wns_ns'])} ns setup, {text(found['whs_ns'])} ns hold"
    clock = f"{text(found['actual_clock_mhz'])} MHz, constraints {'met' if found['met'] else 'not met'}, {slack}"
    power = f"{found['power_w']:g} W, confidence {found['power_confidence']}"
    return Summary(f"Vivado {found['vivado']}", ("cells", "used", "Yosys", "ratio"), rows, f"{clock}\n{power}")


def _check(project: Path, synthesis: bool, say: Say) -> list:
    return check(project, synthesis=synthesis, tick=say)


def _build(project: Path, planned: Mapping[str, int], synthesised: Mapping | None, say: Say) -> dict:
    return run(project, say, synthesised)


TOOLCHAIN = Toolchain("vivado", ("xc7", "xcup"), files, _check, _build, summary)

__all__ = [
    "TOOLCHAIN", "TclReport", "VendorStepMissing", "VivadoError", "check", "check_tcl", "files", "find_vivado",
    "results", "run", "summary",
]  # fmt: skip
