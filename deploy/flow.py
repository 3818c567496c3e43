"""The steps from a network to a compiled, checked accelerator (`signflow.deploy.steps`), each with a numbered product
in ``out/<net>-<board>/``.

A step reads the product of the one before it, so a build can start anywhere that has been reached once (``--from``).
Products are written under a temporary name and renamed when whole: after an interruption every file that exists is
good. One build at a time works in a folder, and nothing in it is older than what it was made from.

`load_weights` puts another network into the hardware of a finished build that is loadable.
"""

import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy import known
from signflow.deploy.compile import lower, streamline
from signflow.deploy.compile.export import export, load, save
from signflow.deploy.compile.names import name_tensors, sort_nodes
from signflow.deploy.compile.passes.notes import notes_of
from signflow.deploy.generate import exchange
from signflow.deploy.generate.accelerator import WEIGHTS, generate, hashes, load_of
from signflow.deploy.golden import intgraph
from signflow.deploy.plan import batch, buffer, fit, fold, graph, timing
from signflow.deploy.products import (
    SETTINGS,
    FlowError,
    Settings,
    accelerator,
    locked,
    read,
    settings_of,
    torch_network,
    write_json,
)
from signflow.deploy.steps import (
    ACCELERATOR,
    FOLDED,
    FOLDING,
    HARDWARE,
    INTEGER,
    NETWORK,
    STEPS,
    SYNTHESISED,
    VERIFIED,
    outdated,
    since,
)
from signflow.deploy.verify.check import mark, prove
from signflow.hw.ops.folding import FoldingError
from signflow.hw.scratch import Scratch
from signflow.hw.sim import verilator
from signflow.hw.sim.toolchain import SimError, cached
from signflow.models.files import replacing

if TYPE_CHECKING:
    from torch import nn

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
    """`signflow.deploy.compile.export`, of a network of ours as it was kept (`signflow.deploy.known`). Raises FlowError
    for a file whose input is not declared.
    """
    if row := known.networks().get(settings.source):

        def build(folder: Path) -> None:
            save(export(torch_network(settings), row.input_shape, "uint8"), folder / NETWORK)

        if (contents := known.contents(settings.source, settings.weights, settings.random_weights)) is None:
            return build(work)
        kept = cached("exports", contents, build) / NETWORK
        with replacing(work / NETWORK) as partial_file:
            shutil.copyfile(kept, partial_file)
        return None
    if not (file := Path(settings.source)).exists():
        if file.suffix == ".onnx":
            raise FlowError(f"{file}: no such file; give a QONNX file")
        from signflow.models.networks import network

        network(settings.source)  # raises with the list of names
    if not settings.input:
        raise FlowError(
            f"{settings.source}: declare how images reach its input with --input (uint8/255, uint8, int8 or bipolar)"
        )
    save(load(settings.source, settings.input), work / NETWORK)


def step_streamline(_: Settings, work: Path) -> None:
    """`signflow.deploy.compile.streamline`."""
    save(streamline.streamline(read(work, NETWORK)), work / INTEGER)


def step_lower(_: Settings, work: Path) -> None:
    """`signflow.deploy.compile.lower`."""
    save(lower.lower(read(work, INTEGER)), work / HARDWARE)


def fold_for(settings: Settings, model: ModelWrapper) -> None:
    """Fold a hardware graph: the given folding, a target rate, or the fastest that fits the board. Raises what
    `signflow.deploy.plan.fit` raises.
    """
    target = settings.target
    for op in graph.operators(model) if settings.loadable else ():
        op.set_nodeattr("loadable", 1)
    if settings.folding:
        table = fold.read_folding(Path(settings.folding))
        batch.set_batch(model, count := settings.batch or batch.batch_for(table, model))
        fit.for_clock(model, target)
        fold.apply_folding(model, table)
        fit.check_fits(model, target, fit.ALL)
        cycles, slowest = timing.intervals(graph.operators(model))
        if cycles % count:
            raise FoldingError(batch.whole(cycles, count, slowest))
        return
    options = {"prefer": settings.prefer, "stream_bits": settings.stream_bits}
    if settings.fps:
        fit.fold_to_fps(model, target, settings.fps, batches=settings.batches, **options)
    else:
        fit.fold_to_board(model, target, batches=settings.batches, **options)


def step_fold(settings: Settings, work: Path) -> None:
    """`fold_for`, then width converters and FIFOs."""
    model = read(work, HARDWARE)
    fold_for(settings, model)
    write_json(fold.folding_of(model), work / FOLDING)
    buffer.insert_width_converters(model)
    buffer.insert_fifos(model)
    sort_nodes(model.graph)
    name_tensors(model.graph)  # qonnx draws names of new tensors at random
    save(model, work / FOLDED)


def step_generate(settings: Settings, work: Path) -> None:
    """`signflow.deploy.generate.accelerator`."""
    model = read(work, FOLDED)
    predicted = asdict(timing.predict(graph.operators(model)))
    extra = settings.target.facts() | {
        "image": streamline.image_facts(model),
        "rounding": notes_of(model),
    }
    extra |= {"weights": weights_facts(settings, loaded=False)} if settings.loadable else {}
    generate(model, settings.name, work / ACCELERATOR, predicted, extra)


def weights_facts(settings: Settings, loaded: bool) -> dict:
    """What `accel.json` says of the weights of a loadable accelerator: whose they are, and whether they came later."""
    names = ("source", "weights", "random_weights")
    return {name: getattr(settings, name) for name in names} | {"loaded": loaded}


def step_compile(_: Settings, work: Path) -> None:
    """`signflow.hw.sim.verilator`."""
    facts = accelerator(work)
    verilator.compile(facts["top"], [work / ACCELERATOR / s for s in facts["sources"]])


def step_check(settings: Settings, work: Path, net: "nn.Module | None" = None) -> None:
    """Prove the accelerator on images that probe it, or note that nobody did. ``net``: the PyTorch module, where the
    settings do not tell. Raises LadderError.
    """
    mark(work, prove(work, net) if settings.check else {"result": "skipped"})


def export_module(net: "nn.Module", shape: tuple[int, ...], settings: Settings, work: Path) -> None:
    """The step "export" for a torch module of the user's own, whose images have ``shape``."""
    save(export(net, shape, settings.input or "uint8"), work / NETWORK)


def run(step: str, settings: Settings, work: Path) -> None:
    """Do one step of `STEPS`; raises what the step raises."""
    globals()[f"step_{step}"](settings, work)


def clear(work: Path, start: str) -> None:
    """Remove from the work folder what a build from ``start`` makes anew, and what was made of it."""
    with suppress(FlowError):
        (work / settings_of(work).package).unlink(missing_ok=True)
    _forget(work, outdated(start))
    if (work / ACCELERATOR).exists():
        mark(work, None)


def _forget(work: Path, names: Iterable[str]) -> None:
    """Remove products."""
    for path in (work / name for name in names):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def build(
    settings: Settings,
    work: Path,
    start: str = "export",
    tick: Callable[[str, float | None], None] = lambda *_: None,
    module: "tuple[nn.Module, tuple[int, ...]] | None" = None,
) -> dict[str, float]:
    """Run the steps from ``start``; returns seconds of each. ``tick(step, None)`` is called before and ``tick(step,
    seconds)`` after a step. ``module``: a torch module of the user's own and the shape of its images, exported instead
    of what ``settings`` name as the source, and the top of the build's check.

    Raises FlowError for an unknown step and for a folder in which another build runs, and whatever the step raises;
    later products of an earlier build are removed first, so that old and new never mix.
    """
    if start not in STEPS:
        raise FlowError(f"unknown step {start!r}; the steps are {', '.join(STEPS)}")
    _ = settings.target  # raises for an unknown board
    work.mkdir(parents=True, exist_ok=True)
    own = {}
    if module is not None:
        own = {"export": partial(export_module, *module), "check": partial(step_check, net=module[0])}
    with locked(work):
        clear(work, start)
        write_json(asdict(settings), work / SETTINGS)
        Thread(target=_compile_shared).start()
        return _timed(since(start), own, settings, work, tick)


def _compile_shared() -> None:
    """What "compile" and "check" need in C++ for any network, made once on a machine, beside the steps before them."""
    with suppress(SimError, OSError, RuntimeError):  # those steps will say so; no thread begins when Python ends
        intgraph.library()
        verilator.prepare()


def _timed(steps: Iterable[str], own: dict[str, Callable], settings: Settings, work: Path, tick) -> dict[str, float]:
    """Run ``steps``, those in ``own`` by what stands there, with ``tick`` around each; returns seconds of each."""
    seconds = {}
    for name in steps:
        tick(name, None)
        begin = time.perf_counter()
        own.get(name, partial(run, name))(settings, work)
        seconds[name] = time.perf_counter() - begin
        tick(name, seconds[name])
    return seconds


def load_weights(
    settings: Settings,
    work: Path,
    tick: Callable[[str, float | None], None] = lambda *_: None,
    module: "tuple[nn.Module, tuple[int, ...]] | None" = None,
) -> None:
    """Put the network of ``settings`` (or ``module``, as in `build`) into the loadable accelerator in ``work``: its
    graphs, and `weights.bin` for the load chain; sources, memory images and compiled simulation stay. Ends with the
    check.

    Raises FlowError for an accelerator that is not loadable, ExchangeError for a network that does not fit it, and what
    the steps raise; until it fits, ``work`` stays as it is.
    """
    facts = accelerator(work)
    if not facts.get("loadable"):
        raise FlowError(f"{work / ACCELERATOR} was built with fixed weights: build it with --loadable to load others")
    with locked(work), Scratch("signflow-weights-") as name:
        other = Path(name)
        own = {"export": partial(export_module, *module)} if module is not None else {}
        _timed(("export", "streamline", "lower"), own, settings, other, tick)
        before, after = read(work, HARDWARE), read(other, HARDWARE)
        exchange.compare(before, after)
        graphs = {product: exchange.exchange(read(work, product), before, after) for product in (HARDWARE, FOLDED)}
        words = load_of(exchange.loaded(graphs[FOLDED], facts, work / ACCELERATOR / "mem"))
        if (image := streamline.image_facts(after)) != facts["image"]:
            raise exchange.ExchangeError(f"images: {image} in the other network, {facts['image']} in the accelerator")
        _forget(work, [VERIFIED, settings.package])  # not the project: its bitstream stays right
        mark(work, None)
        write_json(asdict(settings), work / SETTINGS)
        for product in (NETWORK, INTEGER):
            shutil.copyfile(other / product, work / product)
        for product, model in graphs.items():
            save(model, work / product)
        with replacing(work / ACCELERATOR / WEIGHTS) as partial_file:
            partial_file.write_bytes(words)
        new = {"weights": weights_facts(settings, loaded=True), "rounding": notes_of(after)}
        write_json(facts | new | {"files": hashes(work / ACCELERATOR)}, work / ACCELERATOR / "accel.json")
        step_check(settings, work, None if module is None else module[0])
