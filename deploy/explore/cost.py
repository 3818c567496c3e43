"""What networks need on boards, folded for rates exactly as `signflow build` folds them, and not built.

A network is exported, streamlined and lowered once, then folded for every board and rate. What is found is kept, and
found again only when the weights, the program or the boards have changed.
"""

import copy
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from qonnx.core.modelwrapper import ModelWrapper

from signflow import hw
from signflow.deploy import flow, known, plan
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.generate.accelerator import ends
from signflow.deploy.plan import fit, timing
from signflow.deploy.plan.graph import operators
from signflow.deploy.survey import EXPECTED, PATIENCE, hardware, patience
from signflow.hw.boards import Board, boards
from signflow.hw.sim.toolchain import digest


@dataclass(frozen=True)
class Cost:
    """A network on a board at a rate: ``reason`` why there is none, or what `signflow build` will predict."""

    board: str
    target: float
    """Images a second; 0: the fastest that fits."""
    reason: str = ""
    interval: int = 0
    latency: int = 0
    link: int = 0
    """Cycles that the board's link takes for an image at least."""
    needed: dict[str, int] = field(default_factory=dict)
    """LUT, BRAM18, URAM, DSP with converters and FIFOs, estimated."""


def settings_of(network: str, weights: Path, board: Board, target: float) -> flow.Settings:
    """How `signflow build` is asked for a network on a board at a rate."""
    own = None if boards().get(board.name) == board else asdict(board)
    return flow.Settings(network, board.name, weights=str(weights), fps=target, own_board=own)


def cost(model: ModelWrapper, settings: flow.Settings) -> Cost:
    """What a hardware graph needs for the board and rate of ``settings``; ``model`` stays as it is."""
    work, target = ModelWrapper(copy.deepcopy(model.model)), settings.target
    try:
        flow.fold_for(settings, work)
    except ValueError as e:
        return Cost(settings.board, settings.fps, str(e))
    whole = fit.buffered(work)
    ops = operators(whole)
    predicted = timing.predict(ops)
    link = target.link_cycles(ends(ops) | {"predicted": asdict(predicted)})
    return Cost(settings.board, settings.fps, "", predicted.interval, predicted.latency, link, fit.estimate(whole))


def costs(
    network: str,
    weights: Path,
    wanted: Sequence[tuple[Board, float]],
    out: Path,
    tick: Callable[[], None] = lambda: None,
    seconds: float = PATIENCE,
) -> list[Cost]:
    """`cost` of a network for every board and rate that is ``wanted``, kept in the folder ``out``; a network that does
    not come as far as the hardware graph, or takes more than ``seconds`` of processor time, has that as its reason.
    ``tick()`` is called after each.
    """
    basis = [replace(settings_of(network, weights, board, target), check=False) for board, target in wanted]
    of = digest(known.contents(network, str(weights), None) or weights.read_bytes(), planning())
    kept = out / f"{network}.json"
    found = _read(kept, of)
    try:
        with patience(seconds):
            for settings in basis:
                key = f"{settings.board} {settings.fps:g} {settings.target}"
                if key not in found:
                    found[key] = asdict(cost(hardware(settings, out / f"{network}-{of[:12]}"), settings))
                    flow.write_json({"of": of, "costs": found}, kept)
                tick()
    except UnsupportedError as e:
        return [Cost(s.board, s.fps, f"{e.operator} {e.node}: {e.reason}") for s in basis]
    except EXPECTED as e:
        return [Cost(s.board, s.fps, str(e).splitlines()[0]) for s in basis]
    return [Cost(**found[f"{s.board} {s.fps:g} {s.target}"]) for s in basis]


def _read(kept: Path, of: str) -> dict[str, Mapping]:
    rows = json.loads(kept.read_text()) if kept.exists() else {}
    return rows["costs"] if rows.get("of") == of else {}


@functools.cache
def planning() -> str:
    """Digest of the code that lowers, folds and estimates (that of export and networks is in `known.contents`)."""
    folders = (Path(plan.__file__).parent, Path(hw.__file__).parent / "ops")
    return digest(*[path.read_bytes() for folder in folders for path in sorted(folder.glob("*.py"))])
