"""What a build costs on its board, as far as that can be said without the board's own tool chain."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from signflow.deploy import products
from signflow.deploy.steps import ACCELERATOR, SYNTHESISED
from signflow.deploy.tools import estimate
from signflow.hw.boards import Board


@dataclass(frozen=True)
class Report:
    """Resources and speed."""

    synthesis: estimate.Synthesis
    board: Board
    predicted: dict
    """Cycles, as in `accel.json`."""

    @property
    def fps(self) -> float:
        """Images a second at the board's clock."""
        return self.board.clock_mhz * 1e6 / self.predicted["interval"]

    def facts(self) -> dict:
        """For ``--json`` and `7-report.json`."""
        found = self.synthesis.as_dict() | {"board": self.board.name, "fps": self.fps}
        return found | {key: self.predicted[key] for key in ("interval", "latency")}


def report(
    work: Path,
    exact: bool = False,
    whole: bool = False,
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Synthesise the accelerator in ``work`` with yosys, operator by operator (``exact``: large ones whole, too;
    ``whole``: also the flattened top), and write what was found to `7-report.json`. ``tick`` gets operators done and
    operators in all. Raises FlowError for a folder in which another command works.
    """
    with products.locked(work):
        facts = products.accelerator(work)
        folder = work / ACCELERATOR
        synthesis = estimate.synthesize(folder, exact=exact, whole=whole, tick=lambda done, total, _: tick(done, total))
        found = Report(synthesis, Board.of(facts), facts["predicted"])
        products.write_json(found.facts(), work / SYNTHESISED)
    return found
