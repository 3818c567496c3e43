"""What every network needs on every board: folded with random parameters, not built.

A network is exported, streamlined and lowered once, then folded for one board after the other as `signflow build` would
(`signflow.deploy.plan.fit`). What is found is kept, so that an interrupted survey goes on where it was, and a network
that takes too long ends with that as its answer.
"""

import copy
import json
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy import flow
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.plan import fit, graph
from signflow.deploy.plan.choose import Choices
from signflow.deploy.plan.timing import batch_of, frame_words, intervals
from signflow.deploy.products import read, write_json
from signflow.hw.boards import Board, board
from signflow.hw.ops.folding import FoldingError
from signflow.hw.ops.vectors import PIXELS
from signflow.models.study.tables import Table

BOARDS = ("pynq-z2", "ulx3s", "ultra96-v2", "kv260", "zcu104")
SEED = 1
PATIENCE = 900.0
"""Seconds of processor time for a network."""
LUT_BITS = 64
"""Bits of a weight memory in a LUT, at most."""
EXPECTED = (ValueError, RuntimeError, OSError)


@dataclass(frozen=True)
class Fit:
    """A network on a board: ``reason`` why there is none, or what its fastest folding needs."""

    reason: str = ""
    cycles: int = 0
    """Cycles an image."""
    fps: float = 0.0
    """Images a second at the board's clock."""
    needed: dict[str, int] = field(default_factory=dict)
    """LUT, BRAM18, URAM, DSP with converters and FIFOs, estimated."""
    limit: str = ""
    """What keeps it from being faster: the input stream, an operator without a faster folding, or the part of the board
    that is full.
    """


@dataclass(frozen=True)
class Found:
    """A network on all boards; ``reason`` why it does not come as far as the hardware graph."""

    reason: str = ""
    operators: int = 0
    """Of the hardware graph, without converters and FIFOs."""
    weight_bits: int = 0
    fits: dict[str, Fit] = field(default_factory=dict)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Raises TimeoutError after ``seconds`` of processor time (in the main thread)."""

    def stop(*_):
        raise TimeoutError(f"more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def untrained(name: str) -> flow.Settings:
    """A network with random parameters."""
    return flow.Settings(source=name, random_weights=SEED, check=False)


def hardware(settings: flow.Settings, work: Path) -> ModelWrapper:
    """The hardware graph of the network of ``settings``; made in the folder ``work`` unless it is there."""
    work.mkdir(parents=True, exist_ok=True)
    if not (work / flow.HARDWARE).exists():
        for step in ("export", "streamline", "lower"):
            flow.run(step, settings, work)
    return read(work, flow.HARDWARE)


def fastest(model: ModelWrapper, stream_bits: int) -> int:
    """Fewest cycles an image that any folding reaches."""
    return Choices(model, stream_bits).least_cycles()[0]


def on_board(model: ModelWrapper, target: Board) -> Fit:
    """The fastest folding for a board, of a loadable accelerator where only UltraRAM makes it fit; ``model`` is
    folded.
    """
    found = _on_board(model, target)
    if found.reason and target.uram:
        for op in graph.operators(model):
            op.set_nodeattr("loadable", 1)
        return _on_board(model, target)
    return found


def _on_board(model: ModelWrapper, target: Board) -> Fit:
    ops, shares = graph.operators(model), fit.usable(target)
    memory = shares["BRAM18"] * target.bram18 * 18 / 1024
    if ops[0].get_nodeattr("loadable"):
        memory += target.uram * 288 / 1024
    bits = sum(op.memory_bits() for op in ops) / 2**20
    weights = f"weights {bits:,.1f} of {memory:,.1f} Mbit"
    if bits > memory + shares["LUT"] * target.lut * LUT_BITS / 2**20:
        return Fit(weights)
    try:
        fit.fold_to_board(model, target, batches=PIXELS)
    except fit.TooLargeError as e:
        over = [f"{what} {e.needed[what]:,} of {most:,}" for what, most in e.offered.items() if e.needed[what] > most]
        return Fit(", ".join([weights] * (bits > memory) or over))
    except FoldingError as e:
        return Fit(str(e))
    needed = fit.buffered_cost(model)
    cycles = intervals(ops)[0] // batch_of(ops)
    return Fit("", cycles, target.clock_mhz * 1e6 / cycles, needed, _limit(model, target, needed))


def _limit(model: ModelWrapper, target: Board, needed: dict[str, int]) -> str:
    """What keeps a folded model from being faster."""
    ops = graph.operators(model)
    cycles, slowest = intervals(ops)
    if frame_words(ops[0]) == cycles:
        return "input stream"
    if cycles == fastest(ModelWrapper(copy.deepcopy(model.model)), target.widest_beat):
        return slowest.replace("_sf", "")
    shares = fit.usable(target)
    return max(shares, key=lambda what: needed[what] / (shares[what] * target.offers[what]))


def on_boards(name: str, work: Path, boards: Sequence[str], seconds: float = PATIENCE) -> Found:
    """A network of `signflow networks` on boards; why not, where it does not come that far."""
    try:
        with patience(seconds):
            model = hardware(untrained(name), work)
            fits = {key: on_board(ModelWrapper(copy.deepcopy(model.model)), board(key)) for key in boards}
            ops = graph.operators(model)
            return Found("", len(ops), sum(op.memory_bits() for op in ops), fits)
    except UnsupportedError as e:
        return Found(f"{e.operator} {e.node}: {e.reason}")
    except EXPECTED as e:
        return Found(str(e).splitlines()[0])


def survey(
    names: Sequence[str],
    out: Path,
    boards: Sequence[str] = BOARDS,
    tick: Callable[[int, str], None] = lambda *_: None,
    seconds: float = PATIENCE,
) -> dict[str, Found]:
    """`on_boards` of many networks, kept in ``out``; ``tick(done, name)`` is called before each."""
    found = {}
    for done, name in enumerate(names):
        tick(done, name)
        kept = out / f"{name}.json"
        if not kept.exists():
            write_json(asdict(on_boards(name, out / name, boards, seconds)), kept)
        facts = json.loads(kept.read_text())
        fits = {key: Fit(**row) for key, row in facts.pop("fits").items()}
        found[name] = Found(**facts, fits=fits)
    return found


def tables(found: dict[str, Found]) -> list[Table]:
    """The networks, then what each board makes of them."""
    rows = []
    for name, one in found.items():
        if one.reason:
            rows.append([name, "", "", one.reason])
            continue
        fitting = [key for key, row in one.fits.items() if not row.reason]
        rows.append([name, f"{one.operators:,}", f"{one.weight_bits / 2**20:,.2f}", ", ".join(fitting) or "no board"])
    shown = [Table("Networks", ["network", "operators", "weights, Mbit", "fits"], rows)]
    head = ["network", "cycles an image", "images/s", "LUT", "BRAM36", "URAM", "DSP", "limit"]
    for key in dict.fromkeys(key for one in found.values() for key in one.fits):
        rows = []
        for name, row in ((name, one.fits[key]) for name, one in found.items() if key in one.fits):
            need = row.needed
            cells = [f"{row.cycles:,}", f"{row.fps:,.0f}"] if need else ["", ""]
            kinds = [need["LUT"], need["BRAM18"] / 2, need.get("URAM", 0), need["DSP"]] if need else []
            cells += [f"{n:,g}" if n < 1e5 else f"{n:,}" for n in kinds] or [""] * 4
            rows.append([name, *cells, row.reason or row.limit])
        where = board(key)
        offers = f"{where.lut:,} LUT, {where.bram18 / 2:,g} BRAM36, {where.uram} URAM, {where.dsp:,} DSP"
        shown.append(Table(f"{key} ({where.part}): {offers}, {where.clock_mhz:g} MHz", head, rows))
    return shown


def page(found: dict[str, Found]) -> str:
    """The tables as a page of Markdown."""
    return "# Every network on every board\n\n" + INTRODUCTION + "\n" + "\n".join(t.markdown() for t in tables(found))


INTRODUCTION = """\
Written by `signflow networks --boards --markdown`. Every network has random parameters (`--random-weights`), is brought
to its hardware graph once, and folded for each board as `signflow build` does: the fastest folding that fits 80 % of
the LUTs (ULX3S: 25 %) and 90 % of block RAM and DSPs. LUT, BRAM36 (36 kbit) and DSP are estimates with all width
converters and FIFOs. Trained parameters change thresholds and little else.

The last column says what keeps a network from being faster: the input stream, an operator that has no faster folding,
or the part of the board that is full; or, where it does not fit, what is too much of what it may fill. Weights lie on
the chip; where only UltraRAM has room for them, the network is built with `--loadable`.
"""
