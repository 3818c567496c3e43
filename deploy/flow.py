"""The steps from a network to a compiled accelerator, in order, each with a numbered product in ``out/<net>-<board>/``.

A step reads the product of the one before it, so a build can start anywhere that has been reached once (``--from``).
Products are written under a temporary name and
renamed when whole: after an interruption every file that exists is good.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from qonnx.transformation.general import GiveReadableTensorNames

from signflow.deploy.compile import lower, streamline
from signflow.deploy.compile.export import export, load, save
from signflow.deploy.compile.passes.rounding import notes_of
from signflow.deploy.generate.accelerator import generate
from signflow.deploy.plan import buffer, fit, fold, graph, timing
from signflow.deploy.products import (
    ACCELERATOR,
    FOLDED,
    HARDWARE,
    INTEGER,
    NETWORK,
    SYNTHESISED,
    VERIFIED,
    FlowError,
    Settings,
    accelerator,
    read,
    settings_of,
    torch_network,
    write_json,
)
from signflow.hw.boards import board
from signflow.hw.sim import verilator
from signflow.models.networks import network

__all__ = [
    "ACCELERATOR",
    "FOLDED",
    "HARDWARE",
    "INTEGER",
    "NETWORK",
    "STEPS",
    "SYNTHESISED",
    "VERIFIED",
    "FlowError",
    "Settings",
    "accelerator",
    "build",
    "read",
    "settings_of",
    "torch_network",
    "write_json",
]


def step_export(settings: Settings, work: Path) -> None:
    """Brevitas or a foreign QONNX file -> QONNX with a declared image input."""
    net = torch_network(settings)
    if net is not None:
        save(export(net, network(settings.source).input_shape, "uint8"), work / NETWORK)
        return
    if not Path(settings.source).exists() and Path(settings.source).suffix != ".onnx":
        network(settings.source)  # raises with the list of names
    if not settings.input:
        raise FlowError(
            f"{settings.source}: declare how images reach its input with --input (uint8/255, uint8, int8 or bipolar)"
        )
    save(load(settings.source, settings.input), work / NETWORK)


def step_streamline(_: Settings, work: Path) -> None:
    """QONNX -> integer graph: thresholds by enumeration, XNOR-popcount products."""
    save(streamline.streamline(read(work, NETWORK)), work / INTEGER)


def step_lower(_: Settings, work: Path) -> None:
    """Integer graph -> hardware operators."""
    save(lower.lower(read(work, INTEGER)), work / HARDWARE)


def step_fold(settings: Settings, work: Path) -> None:
    """PE and SIMD of every operator, width converters, FIFO depths."""
    model, target = read(work, HARDWARE), board(settings.board)
    if settings.folding:
        fold.apply_folding(model, fold.read_folding(Path(settings.folding)))
        fit.check_fits(model, target, fit.ALL)
    elif settings.fps:
        fit.fold_to_fps(model, target, settings.fps)
    else:
        fit.fold_to_board(model, target)
    write_json(fold.folding_of(model), work / "4-folding.json")
    buffer.insert_width_converters(model)
    buffer.insert_fifos(model)
    save(model.transform(GiveReadableTensorNames()), work / FOLDED)  # qonnx draws names of new tensors at random


def step_generate(settings: Settings, work: Path) -> None:
    """Folded graph -> SystemVerilog, memory images, accel.json."""
    model = read(work, FOLDED)
    predicted = asdict(timing.predict(graph.operators(model)))
    target = board(settings.board)
    extra = {
        "board": target.name,
        "part": target.part,
        "clock_mhz": target.clock_mhz,
        "image": streamline.image_facts(model),
        "rounding": notes_of(model),
    }
    generate(model, settings.name, work / ACCELERATOR, predicted, extra)


def step_compile(_: Settings, work: Path) -> None:
    """SystemVerilog -> compiled simulation (cached by content)."""
    facts = accelerator(work)
    verilator.compile(facts["top"], [work / ACCELERATOR / s for s in facts["sources"]])


STEPS: dict[str, Callable[[Settings, Path], None]] = {
    "export": step_export,
    "streamline": step_streamline,
    "lower": step_lower,
    "fold": step_fold,
    "generate": step_generate,
    "compile": step_compile,
}


def build(
    settings: Settings, work: Path, start: str = "export", tick: Callable[[str, float | None], None] = lambda *_: None
) -> dict[str, float]:
    """Run the steps from ``start``; returns seconds of each. ``tick(step, None)`` is called before and ``tick(step,
    seconds)`` after a step.

    Raises FlowError for an unknown step, and whatever the step raises; later products of an earlier build are removed
    first, so that old and new never mix.
    """
    if start not in STEPS:
        raise FlowError(f"unknown step {start!r}; the steps are {', '.join(STEPS)}")
    board(settings.board)
    names = list(STEPS)[list(STEPS).index(start) :]
    work.mkdir(parents=True, exist_ok=True)
    products = {"export": NETWORK, "streamline": INTEGER, "lower": HARDWARE, "fold": FOLDED, "generate": ACCELERATOR}
    for name in names:
        path = work / products.get(name, "none")
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    for result in (VERIFIED, SYNTHESISED):
        (work / result).unlink(missing_ok=True)
    write_json(asdict(settings), work / "settings.json")
    seconds = {}
    for name in names:
        tick(name, None)
        begin = time.perf_counter()
        STEPS[name](settings, work)
        seconds[name] = time.perf_counter() - begin
        tick(name, seconds[name])
    return seconds
