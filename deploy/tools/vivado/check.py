"""All that can be said of a Vivado project folder without Vivado."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from signflow.deploy.tools import estimate as yosys
from signflow.deploy.tools.contract import FAILED, PASSED, SKIPPED, Check, lint
from signflow.deploy.tools.vivado.tcl import check_tcl

# SystemVerilog that other tools take and Vivado's synthesis does not
REFUSED = {
    r"\b(?:parameter|localparam)\s+string\b": "a parameter of type string ([Synth 8-27]): leave the type out",
    r"^\s*string\s+\w+": "a variable of type string",
    r"\b(?:class|covergroup|program)\s+\w+\s*[;(#]": "a class, covergroup or program",
}


def check(folder: Path, *, synthesis: bool = True, tick: Callable[[str], None] = lambda name: None) -> list[Check]:
    """Every check of a project folder that needs no Vivado, wherever the folder lies: (name, result, detail), where the
    result is "passed", "failed" or "not checked". ``tick`` gets the name of each check as it starts.

    Raises FileNotFoundError when the folder has no `accel.json`.
    """
    facts = json.loads((folder / "accel.json").read_text())
    steps = {"build.tcl": _tcl, "Vivado's SystemVerilog": _subset, "slang": _slang, "Verilator -Wall": lint}
    if synthesis:
        steps["yosys synth_xilinx"] = _yosys
    found = []
    for name, step in steps.items():
        tick(name)
        found.append((name, *step(folder, facts)))
    return found


def _tcl(folder: Path, facts: Mapping) -> tuple[str, str]:
    report = check_tcl(folder)
    return (SKIPPED if not report.checked else FAILED if report.problems else PASSED), report.detail


def _subset(folder: Path, facts: Mapping) -> tuple[str, str]:
    """Constructs that Vivado's synthesis is known to refuse; a text search, no proof that it takes the rest."""
    found = []
    for source in facts["sources"]:
        if not (folder / source).exists():
            found.append(f"{source} is missing")
            continue
        for number, line in enumerate((folder / source).read_text().splitlines(), 1):
            code = line.split("//")[0]
            found += [f"{source}:{number}: {why}" for pattern, why in REFUSED.items() if re.search(pattern, code)]
    shown = "; ".join(found[:3]) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")
    return (FAILED, shown) if found else (PASSED, "nothing that Vivado's synthesis is known to refuse")


def _slang(folder: Path, facts: Mapping) -> tuple[str, str]:
    try:
        import pyslang
    except ImportError:
        return SKIPPED, "slang is not installed for this Python: run `pip install pyslang`"
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    sources = " ".join(f'"{(folder / source).resolve()}"' for source in facts["sources"])
    options = pyslang.driver.CommandLineOptions()
    if not driver.parseCommandLine(f"slang --top {facts['top']} {sources}", options) or not driver.processOptions():
        return FAILED, "slang does not take the files"
    parsed = driver.parseAllSources()
    compilation = driver.createCompilation()
    errors = [d for d in compilation.getAllDiagnostics() if d.isError()]
    if parsed and not errors:
        return PASSED, f"{len(facts['sources'])} files, no error"
    engine = pyslang.DiagnosticEngine(driver.sourceManager)
    return FAILED, "; ".join(
        f"{Path(driver.sourceManager.getFileName(d.location)).name}:"
        f"{driver.sourceManager.getLineNumber(d.location)}: {engine.formatMessage(d)}"
        for d in errors[:3]
    )


def _yosys(folder: Path, facts: Mapping) -> tuple[str, str]:
    """The whole top, flattened by Yosys, with its memory images."""
    try:
        cost = yosys.synthesize_top(folder)
    except (yosys.SynthesisError, OSError) as e:
        return FAILED, str(e)
    return (
        PASSED,
        f"{cost.lut} LUT, {cost.ff} FF, {cost.bram:g} BRAM36, {cost.dsp} DSP by Yosys' count",
    )
