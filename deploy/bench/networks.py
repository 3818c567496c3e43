"""Whole networks: built, simulated in RTL, synthesised; and what their foldings cost by the model alone.

A build in its folder is kept while what it was made of is the same; what Yosys and Verilator said is cached by content.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from signflow.deploy import flow, products
from signflow.deploy.bench.operators import Row
from signflow.deploy.pictures.explore import Point, explore
from signflow.deploy.plan import graph
from signflow.deploy.tools.report import report
from signflow.deploy.verify.images import images_of
from signflow.deploy.verify.simulate import simulate
from signflow.hw.boards import board
from signflow.models.weights import trained

FAMILY = ("cnv", "cnv-abn", "cnv-bnfree", "cnv-sd")
"""One network in four normalisations."""
RATE = 13_888
"""Images a second at which they are compared, as by `make cost`."""
CIFAR, RANDOM = "cnv-cifar", 1
"""CNV on 32 x 32 x 3 pixels, as FINN's examples have it, with random weights of this seed."""
RATES = (1_000, 2_000, 3_500, 5_000, 7_000, 10_000, 13_888, 20_000, 27_777, 38_461, 55_555)
"""Images a second of the fronts."""
IMAGES = 20
BOARD = "pynq-z2"


@dataclass(frozen=True)
class Case:
    """A build: ``rate`` images a second, 0: the fastest that fits the board; words of ``stream_bits`` at the input, 0:
    what the board's link carries; ``signs``: of an `mlp` behind the signs of its pixels, which are its images then.
    """

    source: str
    rate: int = 0
    stream_bits: int = 0
    signs: bool = False

    @property
    def name(self) -> str:
        """Of its folder."""
        return "-".join(filter(None, (self._images, str(self.rate or "fastest"), str(self.stream_bits or ""))))

    @property
    def title(self) -> str:
        """In tables."""
        asked = f"{self.rate:,} asked for" if self.rate else ""
        return ", ".join(filter(None, (self._images, asked, f"{self.stream_bits:,} bits" if self.stream_bits else "")))

    @property
    def _images(self) -> str:
        return self.source + "-signs" * self.signs

    @property
    def settings(self) -> flow.Settings:
        """Of its build."""
        return flow.Settings(
            self._images,
            board=BOARD,
            input="bipolar" if self.signs else "",
            fps=float(self.rate),
            stream_bits=self.stream_bits,
            random_weights=RANDOM if self.source == CIFAR else None,
        )

    @property
    def module(self) -> tuple[nn.Module, tuple[int, ...]] | None:
        """The network and the shape of its images, where it is not `source` itself."""
        if not self.signs:
            return None
        flat, _, _, *layers = trained(self.source)
        return nn.Sequential(flat, *layers), (1, 28, 28)


CASES = (*map(Case, (CIFAR, "cnv", "tfc", "sfc")), *(Case(name, RATE) for name in FAMILY))
CORES = (Case("tfc", 6_250_000, 512), Case("tfc", 12_500_000, 1024), Case("sfc", signs=True))
"""What the link does not hold back: TFC in 16 and 8 cycles an image, SFC of one-bit images as in FINN's first paper."""


@dataclass(frozen=True)
class Build:
    """What is known of a case."""

    case: Case
    operators: tuple[Row, ...]
    lut: int
    cells: int
    bram36: float
    dsp: int
    macs: int
    predicted: tuple[int, int]
    simulated: tuple[int, int]
    fps: float
    exact: bool
    """Every operator was synthesised as it is."""

    @property
    def lut_per_mac(self) -> float:
        """All LUTs by all multiply-accumulates a cycle."""
        return self.lut / self.macs


def build(case: Case, work: Path) -> Build:
    """Build, check, simulate and synthesise ``case`` in ``work``; raises what these raise."""
    flow.build(case.settings, work, module=case.module)
    cost = report(work)
    cycles = simulate(work, images_of(work, count=IMAGES)).cycles
    ops = graph.operators(products.read(work, flow.FOLDED))
    rows = tuple(Row.of(case.name, op, found) for op, found in zip(ops, cost.synthesis.operators, strict=True))
    total = cost.synthesis.total
    predicted, simulated = ((cycles[key]["latency"], cycles[key]["interval"]) for key in ("predicted", "simulated"))
    return Build(
        case, rows, total.lut, total.cells, total.bram, total.dsp, sum(row.macs for row in rows),
        predicted, simulated, cost.fps, cost.synthesis.exact,
    )  # fmt: skip


def builds(
    work: Path, cases: Sequence[Case], tick: Callable[[int, int, str], None] = lambda done, total, name: None
) -> list[Build]:
    """All ``cases`` in folders below ``work``. ``tick`` gets how many are done, of how many, and the next one."""
    found = []
    for number, case in enumerate(cases):
        tick(number, len(cases), case.name)
        found.append(build(case, work / case.name))
    return found


def fronts(work: Path) -> dict[str, list[Point]]:
    """Network of `FAMILY` -> the cheapest foldings at `RATES`, estimated, from the graphs that `builds` left."""
    graphs = {name: products.read(work / Case(name, RATE).name, flow.HARDWARE) for name in FAMILY}
    return {name: explore(model, board(BOARD), RATES) for name, model in graphs.items()}
