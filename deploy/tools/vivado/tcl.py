"""Checks `build.tcl` without Vivado: it runs in plain `tclsh`, where every Vivado command is a mock.

The mock (`hw/vivado/mock`) knows the commands and options of `commands.tcl`, the IP cores and properties of
`ips.tcl`, and a small model of project, block design and runs. What the script asks for and the tables do not have is
an error with its line. The script runs as if all went well, and must end with a bitstream; and once for everything that
can go wrong, and must end with an error and without one. None of this shows that Vivado does what the tables say.
`signflow bitstream` checks every project so: the mock is part of the package.
"""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import signflow.hw.boards
from signflow.hw.scratch import Scratch

VIVADO_DIR = Path(signflow.hw.boards.__file__).with_name("vivado")
MOCK = VIVADO_DIR / "mock" / "mock.tcl"
SCRIPT, SETTINGS = "build.tcl", "project.tcl"
TCLSH = ("tclsh", "tclsh8.6")
LIMIT = 60  # seconds; a run takes a tenth of one
NO_TCLSH = "not checked: tclsh missing (apt install tcl)"

# what goes wrong -> keys of the mock's scenario
FAULTS = {
    "negative setup slack": ("setup", "-0.05"),
    "negative hold slack": ("hold", "-0.01"),
    "a pulse that is too short": ("pulse", "0"),
    "nets without a route": ("unrouted", "2"),
    "a memory image that is not read": ("images", "0"),
    "a failed synthesis": ("synthesis", "0"),
    "a failed placement": ("implementation", "0"),
    "a routing report that cannot be read": ("route", "0"),
    "a design without timed paths": ("setup", ""),
    "a missing .hwh": ("handoff", "0"),
    "an unknown part": ("part", "0"),
    "a missing IP core": ("cores", "0"),
    "Vivado 2019.2": ("version", "2019.2"),
}
VERSIONS = ("2020.1", "2022.2", "2026.1")
VERBS = (
    "add|apply|assign|close|connect|create|current|delete|generate|get|import|launch|list|make|open|place|read|remove|"
    "report|reset|route|save|set|synth|update|validate|wait|write"
)


@dataclass(frozen=True)
class TclReport:
    """What became of a check."""

    checked: bool
    problems: tuple[str, ...]
    """One sentence each, with the line of the script; empty if all is well."""
    runs: int = 0

    @property
    def detail(self) -> str:
        """One line for people."""
        if not self.checked:
            return NO_TCLSH
        return "; ".join(self.problems) or f"{self.runs} runs in tclsh: commands, options, connections, failures"


def find_tclsh() -> str | None:
    """The Tcl shell, if there is one."""
    return next((path for name in TCLSH if (path := shutil.which(name))), None)


def check_tcl(folder: Path) -> TclReport:
    """Run the `build.tcl` of a project folder against the tables; the folder is not touched."""
    if (tclsh := find_tclsh()) is None:
        return TclReport(False, ())
    missing = [name for name in (SCRIPT, SETTINGS) if not (folder / name).exists()]
    if missing:
        return TclReport(True, tuple(f"{name} is missing in {folder}" for name in missing))
    problems = unknown_commands((folder / SCRIPT).read_text())
    for version in VERSIONS:
        problems += _good(tclsh, folder, version)
        if problems:  # what goes wrong when all goes well hides the rest
            return TclReport(True, tuple(dict.fromkeys(problems)))
    for fault, keys in FAULTS.items():
        status, found, products, _ = _run(tclsh, folder, keys)
        problems += found
        if status == 0:
            problems.append(f"{fault} does not make the script fail")
        elif any(name.endswith(".bit") for name in products):
            problems.append(f"{fault} makes the script fail, and yet it leaves a .bit")
    return TclReport(True, tuple(dict.fromkeys(problems)), len(VERSIONS) + len(FAULTS))


def _good(tclsh: str, folder: Path, version: str) -> list[str]:
    """The problems of a run in which Vivado does all that it is asked for."""
    status, problems, products, error = _run(tclsh, folder, ("version", version))
    if status and not problems:
        return [f"the script gives up with Vivado {version}: {error}"]
    if not status and sorted(Path(name).suffix for name in products) != [".bit", ".hwh"]:
        problems.append(f"the script should leave one .bit and one .hwh in build/, it left {products}")
    return problems


def unknown_commands(text: str) -> list[str]:
    """Words where a command stands that look like Vivado's and are none, also where no run comes by."""
    known = set(re.findall(r"^command (\w+)", MOCK.with_name("commands.tcl").read_text(), re.M))
    known |= set(re.findall(r"^\s*proc (\w+)", text, re.M))
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        code = re.sub(r'"[^"]*"', '""', line)  # words in messages are words
        for word in re.findall(rf"(?:^|[\[{{;])\s*((?:{VERBS})_\w+)(?![\w$])", code):
            if word not in known:
                problems.append(f"line {number}: unknown command {word}")
    return problems


def _run(tclsh: str, folder: Path, keys: tuple[str, ...]) -> tuple[int, list[str], list[str], str]:
    """One run in a copy of the folder: exit status of the script, problems found, bitstreams and handoffs it left, its
    last error line.
    """
    with Scratch("signflow-tcl-") as name:
        copy = Path(name)
        for path in folder.iterdir():
            if path.is_dir() and path.name != "build":
                (copy / path.name).symlink_to(path.resolve())
            elif path.suffix == ".tcl":
                shutil.copyfile(path, copy / path.name)
        command = [tclsh, str(MOCK), str(copy / SCRIPT), *keys]
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        try:
            done = subprocess.run(command, text=True, timeout=LIMIT, **pipes)
        except subprocess.TimeoutExpired:
            return 1, [f"the script does not end: stopped after {LIMIT} s"], [], ""
        products = sorted(path.name for path in copy.glob("build/*") if path.suffix in (".bit", ".hwh"))
    problems = [
        (f"line {number}: " if number != "0" else "") + text.replace(name, ".")
        for number, text in re.findall(r"^@problem (\d+) (.*)$", done.stdout, re.M)
    ]
    status = re.search(r"^@exit (\d+)$", done.stdout, re.M)
    if status is None:
        problems.append(f"the script did not run to an end: {done.stdout.strip()[-300:]}")
    errors = re.findall(r"^ERROR: (.*)$", done.stdout, re.M)
    return (int(status[1]) if status else 1), problems, products, errors[-1] if errors else ""
