"""Runs tests on a mutant: in a fork of this process, which has imported what others wrote and nothing of signflow's.

Importing torch, onnx and their kin takes some seconds, a fork some milliseconds. The fork imports signflow anew, and
gets the mutated text where the import asks for the mutated file; nothing is written into the checkout. What signflow
keeps between processes is keyed by the sources on the disk, which a mutant does not change, so a mutant has a cache of
its own; only what hw/ alone makes (compiled simulations) is shared.
"""

import contextlib
import importlib
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

from .python_reach import Tracer, seconds
from .python_sites import ROOT, Mutant

OTHERS = (
    *("hypothesis", "numpy", "scipy.optimize", "torch", "torch.export", "torch.onnx", "onnx", "onnxruntime"),
    *("torch.onnx._internal.exporter._core", "torch.onnx._internal.exporter._registration", "torch.utils.data"),
    *("qonnx.core.modelwrapper", "qonnx.core.onnx_exec", "qonnx.transformation.infer_shapes", "brevitas.nn"),
    *("brevitas.export", "jinja2", "yaml", "pydantic", "matplotlib", "PIL.Image", "rich.progress", "onnxoptimizer"),
    *("pydantic.main", "bitstring", "click", "xdist.looponfail", "qonnx.custom_op.general", "pdb", "pytest_timeout"),
    *("qonnx.transformation.qcdq_to_qonnx", "qonnx.transformation.infer_datatypes", "_hypothesis_pytestplugin"),
    *(f"signflow.hw.ops.{path.stem}" for path in ROOT.glob("hw/ops/[a-z]*.py")),
)
"""Imported once."""
CACHE = ROOT / "out" / "mutants" / "cache"
SHARED = ("models", "headers", "runtime", "cells", "netlists")
HANG = 8.0
"""Seconds of processor time that a test may take beyond five times its usual ones."""
WALL = 600.0
"""Seconds after which a mutant's tests are ended in any case, for what waits and does not compute."""
MEMORY = 12 << 30
"""Bytes of addresses that a mutant may have."""


BROKEN, TOO_LONG = 99, -99
"""Exit codes: what runs the tests failed, not they; ended after `WALL`."""


@dataclass(frozen=True)
class Outcome:
    """What the tests said of a mutant."""

    verdict: str
    """killed (a test failed, or nothing could be imported), hang (it did not end; counts as killed) or survived."""
    by: str
    """The test that found it, or ""."""


class _Loader(SourceFileLoader):
    def __init__(self, name: str, mutant: Mutant):
        super().__init__(name, str(ROOT / mutant.path))
        self._mutant = mutant

    def get_code(self, fullname):
        """The mutated text; no byte code is read or written."""
        return compile(self._mutant.source, self.path, "exec")


class _Finder(MetaPathFinder):
    def __init__(self, mutant: Mutant):
        self._mutant = mutant
        self._name = ".".join(("signflow", *Path(mutant.path).with_suffix("").parts)).removesuffix(".__init__")

    def find_spec(self, fullname, path=None, target=None):
        """Of the mutated file only."""
        if fullname == self._name:
            places = [str((ROOT / self._mutant.path).parent)] if self._mutant.path.endswith("__init__.py") else None
            loader = _Loader(fullname, self._mutant)
            return spec_from_file_location(fullname, loader.path, loader=loader, submodule_search_locations=places)


class _Chosen:
    """A plugin of pytest: runs these tests only, in this order, and tells which one is running and which one failed."""

    def __init__(self, tests: dict[str, float], tell: Callable[[tuple[str, str]], None]):
        self._tests, self._tell = tests, tell

    def pytest_collection_modifyitems(self, config, items):
        """Those that were asked for, in that order."""
        order = list(self._tests)
        chosen = sorted((item for item in items if item.nodeid in self._tests), key=lambda i: order.index(i.nodeid))
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in self._tests])
        items[:] = chosen

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item, nextitem):
        """With a limit on its processor time: the signal ends the process."""
        self._tell(("runs", item.nodeid))
        _may_take(5 * self._tests[item.nodeid] + HANG)
        return (yield)

    def pytest_runtest_logreport(self, report):
        """The first that fails is the last that runs."""
        if report.failed:
            self._tell(("fails", report.nodeid))


def warm_up(names: tuple[str, ...] = OTHERS) -> None:
    """Import `names`, before the first fork: what others wrote, and hw/ops, which stands below all that is mutated."""
    for name in names:
        importlib.import_module(name)
    if "torch.onnx" in names:
        quick_exports = importlib.import_module("signflow.tests.quick_exports")
        quick_exports.install()
        quick_exports.ONNXRegistry.from_torchlib()
        sys.dont_write_bytecode, sys.pycache_prefix = False, str(CACHE / "bytes")
    ours = [name for name in sys.modules if name.startswith(("signflow.deploy", "signflow.models"))]
    if ours:
        raise RuntimeError(f"{', '.join(ours)} must not be imported before a mutant is")


def try_stages(mutant: Mutant, stages: list[dict[str, float]]) -> Outcome:
    """Run the tests of each stage (test -> its usual seconds) until one fails."""
    for tests in stages:
        outcome = _try(mutant, tests)
        if outcome.verdict != "survived":
            return outcome
    return Outcome("survived", "")


def _try(mutant: Mutant, tests: dict[str, float]) -> Outcome:
    events, code = _fork(lambda tell: _run(mutant, list(tests), [_Chosen(tests, tell)]))
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        raise RuntimeError(f"no such tests: {', '.join(tests)}")
    last = next((test for word, test in reversed(events) if word in ("fails", "runs")), "import")
    if code == 0:
        return Outcome("survived", "")
    return Outcome("hang" if code in (-signal.SIGXCPU, TOO_LONG) else "killed", last)


def trace(path: str) -> dict[str, tuple[float, list[str]]]:
    """What a `Tracer` sees of the test file `path`."""

    def run(tell):
        tracer = Tracer()
        code = _run(None, [path], [tracer], CACHE)
        tell(("tests", tracer.tests))
        return code

    events, code = _fork(run)
    if not events:
        raise RuntimeError(f"{path}: the tests ended with exit code {code}")
    return dict(events)["tests"]


def _run(mutant: Mutant | None, tests: list[str], plugins: list, cache: Path | None = None) -> int:
    """pytest in this process, which then ends; its exit code."""
    if mutant is not None:
        _may_take(3 * HANG)
        sys.meta_path.insert(0, _Finder(mutant))
    if cache is None:
        cache = Path(tempfile.gettempdir()) / "cache"
        for kind in SHARED:
            (CACHE / kind).mkdir(parents=True, exist_ok=True)
            cache.mkdir(exist_ok=True)
            (cache / kind).symlink_to(CACHE / kind)
    os.environ["SIGNFLOW_CACHE"] = str(cache)
    os.chdir(ROOT)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(ROOT)]
    stop = ["-x"] if mutant is not None else []
    return int(pytest.main([*options, *stop, *sorted({test.split("::")[0] for test in tests})], plugins))


def _may_take(more: float) -> None:
    """End this process if it computes for so many seconds from now on."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds() + more) + 1, resource.RLIM_INFINITY))


def _fork(run: Callable[[Callable], int]) -> tuple[list, int]:
    """(what `run(tell)` told, its exit code or minus the signal that ended it), from a process group of its own with a
    temporary folder of its own; what it prints goes to `out/mutants/last-PROCESS.log`.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    CACHE.mkdir(parents=True, exist_ok=True)
    folder, log = tempfile.mkdtemp(prefix="signflow-mutant-"), CACHE.parent / f"last-{os.getpid()}.log"

    def body():
        os.setsid()
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        tempfile.tempdir = folder
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        try:
            os._exit(run(there.send))
        except BaseException:
            traceback.print_exc()
            os._exit(BROKEN)

    process = context.Process(target=body)
    process.start()
    there.close()
    events, ended = [], False
    try:
        while here.poll(WALL):
            events.append(here.recv())
    except EOFError:
        process.join(WALL)
        ended = process.exitcode is not None
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    here.close()
    shutil.rmtree(folder, ignore_errors=True)
    if ended and process.exitcode in (BROKEN, -signal.SIGKILL):
        raise RuntimeError(f"the tests could not be run (exit code {process.exitcode}): see {log}")
    return events, process.exitcode if ended else TOO_LONG
