"""What may kill a mutant of the RTL, the narrowest first; each says by what, or "" where it does not."""

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import pyslang

import signflow.deploy
from signflow.deploy.tools import prove
from signflow.deploy.tools.mutants import Mutant
from signflow.deploy.tools.yosys import SynthesisError
from signflow.hw.ops.base import RtlInstance

from .rtl_equal import equal

ROOT = Path(signflow.deploy.__file__).resolve().parents[1]
PATIENCE = (2, 20)
"""Seconds for a first look at a case, and for one at what is left."""
OUTSIDE = ("index-oob", "range-oob", "range-width-oob")
"""Constant indices out of range, which Yosys refuses."""
ERRORS = (pyslang.DiagnosticSeverity.Error, pyslang.DiagnosticSeverity.Fatal)
BUILDING = threading.Lock()
LIMIT = 900
"""Seconds for the tests of a module; a simulation that then still runs hangs."""
TESTS = {
    "sf_accpool": "accpool",
    "sf_accumulate": "mvau",
    "sf_add": "add",
    "sf_add3": "popcount cells",
    "sf_adder_tree": "mvau",
    "sf_argmax": "labelselect",
    "sf_axi_lite": "axi_lite",
    "sf_beats_to_words": "framing",
    "sf_carry": "popcount cells",
    "sf_compress": "popcount",
    "sf_concat": "concat",
    "sf_counter": "popcount cells",
    "sf_crc32": "crc",
    "sf_dot": "mvau",
    "sf_dot_binary": "popcount mvau",
    "sf_dot_count": "mvau",
    "sf_dot_integer": "mvau",
    "sf_dot_numbers": "mvau",
    "sf_dot_planes": "mvau",
    "sf_dot_product": "mvau",
    "sf_dot_steps": "popcount mvau",
    "sf_duplicate": "duplicate",
    "sf_dwc": "dwc",
    "sf_fifo": "fifo",
    "sf_interleave": "interleave",
    "sf_link_reply": "serial_link",
    "sf_link_request": "serial_link",
    "sf_loader": "loader",
    "sf_lut": "lookup thresholding",
    "sf_lut_pair": "cells popcount",
    "sf_maxpool": "maxpool",
    "sf_memory": "loader load lookup mvau",
    "sf_mvau": "mvau",
    "sf_mvau_planes": "mvau",
    "sf_pad_channels": "padchannels",
    "sf_replay_fifo": "serial_link",
    "sf_replicate": "replicate",
    "sf_requantise": "requantise",
    "sf_ring": "convolutioninputgenerator",
    "sf_round": "round",
    "sf_serial_link": "serial_link",
    "sf_slip_rx": "serial_link",
    "sf_slip_tx": "serial_link",
    "sf_status_page": "status_page",
    "sf_steps": "mvau",
    "sf_swg": "convolutioninputgenerator border_convolution",
    "sf_swg_parallel": "convolutioninputgenerator border_convolution",
    "sf_swg_places": "convolutioninputgenerator border_convolution",
    "sf_thresholds": "thresholding load",
    "sf_uart_rx": "uart",
    "sf_uart_tx": "uart",
    "sf_words_to_beats": "framing",
}
"""The narrowest tests of tests/hw that simulate a module."""
LINT = "tests/hw/test_lint.py"
"""Verilator's warnings come before them."""


@dataclass(frozen=True)
class Judge:
    """``kills(mutant, work)`` says by what; ``files(module)`` are those on which the answer hangs."""

    kills: Callable[[Mutant, Path], str]
    files: Callable[[str], Sequence[Path]]

    def key(self, mutant: Mutant, killed: bool) -> str:
        """The same as long as the answer is: that it is killed while the modules are the same, else all files."""
        files = sources(mutant.module) if killed else self.files(mutant.module)
        texts = [mutant.old, mutant.new, *(path.read_text() for path in files)]
        return sha256("\0".join(texts).encode()).hexdigest()[:16]


def _refuses(mutant: Mutant, work: Path) -> str:
    """Why a case of its proof does not elaborate: then it is no mutant."""
    source = mutant.write(_own(work))
    return next(filter(None, (_error(case, source) for case in prove.cases([mutant.module]))), "")


def _error(case: prove.Case, source: Path) -> str:
    driver = pyslang.driver.Driver()
    driver.addStandardArgs()
    words = [*(f"-Werror={kind}" for kind in OUTSIDE), *prove.sources(case, [source]).split()]
    options = "slang " + " ".join(f'"{word}"' for word in words)
    if not driver.parseCommandLine(options, pyslang.driver.CommandLineOptions()):
        raise RuntimeError(f"slang refuses the options {options}")
    if not (driver.processOptions() and driver.parseAllSources()):
        return "it does not parse"
    found = driver.createCompilation().getAllDiagnostics()
    wrong = (one for one in found if driver.diagEngine.getSeverity(one.code, one.location) in ERRORS)
    return next((str(one.code) for one in wrong), "")


def _own(work: Path) -> Path:
    """A folder of this thread."""
    return work / threading.current_thread().name


def _proof(mutant: Mutant, work: Path) -> str:
    return _refuted(mutant, work, [mutant.module])


def _users(mutant: Mutant, work: Path) -> str:
    return _refuted(mutant, work, users(mutant.module))


def _patient(mutant: Mutant, work: Path) -> str:
    """The proof of its module once more, with more time, in the cases where it is not proved to change nothing."""
    differ = [
        case for case in by_size(mutant.module, work) if case.sums or not equal(mutant, case, _own(work) / "equal")
    ]
    return _fault(mutant, work, differ, PATIENCE[1])


def _refuted(mutant: Mutant, work: Path, modules: Sequence[str]) -> str:
    """The first case that refutes it, and the property that fails."""
    return next(filter(None, (_fault(mutant, work, by_size(m, work), PATIENCE[0]) for m in modules)), "")


def _fault(mutant: Mutant, work: Path, cases: Sequence[prove.Case], patience: int) -> str:
    source = mutant.write(_own(work))
    for case in cases:
        try:
            name = prove.fault(case, _own(work) / case.name, [source], patience, work / "sound" / case.name)
        except SynthesisError as error:
            name = str(error).splitlines()[1].strip()
        if name:
            return f"{case.module} {case.parameters}: {name}"
    return ""


def by_size(module: str, work: Path) -> list[prove.Case]:
    """The cases of a module as it is, made once in ``sound``, the smallest first."""
    with BUILDING:
        return _by_size(module, work)


@cache
def _by_size(module: str, work: Path) -> list[prove.Case]:
    plain = [case for case in prove.cases([module]) if not case.sums]
    for case in plain:
        prove.build(case, work / "sound" / case.name)
    plain.sort(key=lambda case: (work / "sound" / case.name / "model.aig").stat().st_size)
    return plain + [case for case in prove.cases([module]) if case.sums]


@cache
def users(module: str) -> list[str]:
    """Modules whose proofs contain it, the narrowest first."""
    parts = {m: RtlInstance(m, {}).modules for m in prove.modules()}
    assumed = {m: prove.lines("assumes", prove.Case(m, "").file.read_text()) for m in parts}
    found = [m for m in parts if module in parts[m] and m != module and module not in assumed[m]]
    return sorted(found, key=lambda m: (len(parts[m]), m))


def _tests(mutant: Mutant, work: Path) -> str:
    """The first test that fails in a copy of the project with this fault."""
    tree = _own(work) / "signflow"
    shutil.rmtree(tree, ignore_errors=True)
    for folder in ("deploy", "hw", "models", "tests"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("__init__.py", "pyproject.toml"):
        shutil.copy(ROOT / file, tree)
    mutant.write(tree / "hw" / "rtl")
    lint = f"{LINT}::test_verilator_wall[{mutant.module}]"
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", lint, *files(mutant.module)]
    options = {"cwd": tree, "env": os.environ | {"PYTHONPATH": str(tree.parent)}, "capture_output": True, "text": True}
    try:
        told = subprocess.run(command, **options, check=False, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return f"{TESTS[mutant.module]} hangs"
    if told.returncode == 0:
        return ""
    if failed := re.search(r"^(?:FAILED|ERROR) tests/hw/(test_\S+)", told.stdout, re.MULTILINE):
        return failed[1]
    raise RuntimeError(f"pytest cannot run {' '.join(command)}: {told.stdout[-2000:]}{told.stderr[-2000:]}")


def files(module: str) -> list[str]:
    """Its tests, in the project."""
    return [f"tests/hw/test_{name}.py" for name in TESTS[module].split()]


def sources(module: str) -> list[Path]:
    """Of the module and its parts."""
    return [prove.RTL / f"{m}.sv" for m in RtlInstance(module, {}).modules]


def _read_by_proofs(module: str) -> list[Path]:
    return [*sources(module), prove.Case(module, "").file]


def _equal(mutant: Mutant, work: Path) -> str:
    """In how many cases of its proof it is proved to be the module that it was made of, as "2 of 3"."""
    told = [equal(mutant, case, _own(work) / "equal") for case in by_size(mutant.module, work) if not case.sums]
    return f"{sum(told)} of {len(told)}"


JUDGES = {
    "elaborates": Judge(_refuses, _read_by_proofs),
    "proof": Judge(_proof, _read_by_proofs),
    "users": Judge(_users, lambda m: [file for one in (m, *users(m)) for file in _read_by_proofs(one)]),
    "patient": Judge(_patient, _read_by_proofs),
    "tests": Judge(_tests, lambda m: [*_read_by_proofs(m), *(ROOT / file for file in (LINT, *files(m)))]),
    "equal": Judge(_equal, _read_by_proofs),
}
KILLERS = ("proof", "patient", "users", "tests")
"""Those that kill; the first of all says what is no mutant, the last what is an equivalent."""
