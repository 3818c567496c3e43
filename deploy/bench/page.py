"""docs/performance.md and its pictures, from what was measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from signflow.deploy.bench import plots
from signflow.deploy.bench.networks import BOARD, FAMILY, RATE, Build
from signflow.deploy.bench.operators import Measured, Row
from signflow.deploy.bench.targets import TARGETS, WHOLE
from signflow.deploy.pictures.explore import Point
from signflow.models.files import replacing, save_picture
from signflow.models.study.tables import plain_markdown

WITHIN = 0.05
TIME = """\
From nothing it takes about an hour on two cores, nearly all of it Yosys'. What Yosys and Verilator have said once is
kept by content: interrupted, it goes on where it was, and repeated it takes some minutes."""

PAGE = """\
# How fast, how large, and how well that is predicted

`make bench` writes this page: it builds, simulates and synthesises all that stands here, and prints the same tables.
Every figure says where it is from:

- **RTL**: cycles of the Verilator simulation of the whole accelerator, at the board's clock of 100 MHz;
- **synthesis**: LUT sites after Yosys' `synth_xilinx`, two functions of together at most five inputs in one site
  ([hardware.md](hardware.md)), before placement; not a Vivado report;
- **model**: what the folding plans with, without synthesis.

Nothing here was measured on a board. What the operators look like inside is on a page of its own:
[micro-architecture.md](micro-architecture.md).

## Against others, and against ourselves

{targets}
Their LUTs are Vivado's, ours Yosys' sites; boards and clocks are as said. "Before" is this repository before the
popcounts of 6:3 counters, weights in the adders, bit planes and the solver; its LUTs were Yosys' cells.

## Images a second against LUTs

![Images a second against LUTs for {family}](performance/pareto.png)

The fastest foldings that fit 80 % of the LUTs and 90 % of the block RAM of the {board}, and one network in four
normalisations at {rate:,} images/s. ~: of dot products that are alike one was synthesised. `cnv-cifar` has random
weights; it is the network of FINN's examples, 59.5 million multiply-accumulates an image.

{networks}
The core alone, where the link of the {board} carries less: `tfc` with wider words of its input, and `sfc` of one-bit
images, the network behind the signs of its pixels.

{cores}
## LUTs for a multiply-accumulate

![LUTs for one multiply-accumulate a cycle of the operators of {whole}](performance/lut-per-mac.png)

## Model against synthesis and simulation

Latency and interval of {exact} of {simulations} simulations are as predicted, to the cycle.

![LUTs, estimated and synthesised](performance/model.png)

{agreement}
The estimates count what the modules contain, with constants fitted to the configurations below; the operators of the
networks test the fit.

{configurations}
## How long it takes

{TIME}
"""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Markdown; all columns but the first are numbers or words."""
    return plain_markdown(head, rows) + "\n"


def targets(builds: Mapping[str, Build]) -> str:
    """Figures against those of others, and against ours of before."""
    rows = []
    for target in TARGETS:
        ratio, now = target.ratio(builds), target.now(builds)
        anchor = "-" if target.anchor is None else f"{target.anchor:,.{target.digits}f} ({target.source})"
        shown = f"{now:+,.0f}" if target.anchor is None else f"{now:,.{target.digits}f}"
        rows.append([target.name, anchor, target.before, shown, "-" if ratio is None else f"{ratio:,.1f} x", target.by])
    return table(["figure", "others", "before", "now", "better", "by"], rows)


def networks(builds: Sequence[Build]) -> str:
    """Every build: speed and size."""
    head = ["network", "images/s", "interval", "latency", "as predicted", "LUT", "model", "cells", "BRAM36", "DSP"]
    rows = []
    for build in builds:
        estimated = sum(row.lut[0] for row in build.operators)
        mark = "" if build.exact else "~"
        cycles = [f"{n:,}" for n in reversed(build.simulated)]
        rows.append([
            build.case.title, f"{build.fps:,.0f}", *cycles, "yes" if build.predicted == build.simulated else "NO",
            f"{mark}{build.lut:,}", f"{estimated:,} ({estimated / build.lut - 1:+.1%})", f"{mark}{build.cells:,}",
            f"{build.bram36:g}", f"{build.dsp}", f"{mark}{build.lut_per_mac:.2f}",
        ])  # fmt: skip
    return table([*head, "LUT/MAC"], rows)


def within(rows: Sequence[Row]) -> float:
    """Share of ``rows`` whose estimate is within 5 % of the synthesis."""
    return sum(abs(row.error) <= WITHIN for row in rows) / len(rows)


def spread(name: str, rows: Sequence[Row]) -> list[str]:
    """A line of the summary."""
    large = [row for row in rows if row.lut[1] >= plots.SMALL]
    worst = max(large, key=lambda row: abs(row.error))
    sums = [sum(row.lut[k] for row in rows) for k in (0, 1)]
    return [
        name, f"{len(rows)}", f"{within(rows):.0%}", f"{len(large)}", f"{within(large):.0%}",
        f"{worst.error:+.0%} ({worst.lut[0]} for {worst.lut[1]}, {worst.kind} of {worst.configuration})",
        f"{sums[0] / sums[1] - 1:+.1%}",
    ]  # fmt: skip


def agreement(measured: Sequence[Measured], builds: Sequence[Build]) -> str:
    """How well the model meets the synthesis, in short."""
    rows, others = distinct(measured, builds)
    head = [
        "operators",
        "number",
        "within 5 %",
        f"of {plots.SMALL} LUTs and more",
        "within 5 %",
        "worst of these",
        "sum",
    ]
    return table(head, [spread("of the configurations below", rows), spread("of the networks above", others)])


def distinct(measured: Sequence[Measured], builds: Sequence[Build]) -> tuple[list[Row], list[Row]]:
    """Operators of the configurations and of the builds, each once."""
    rows = [row for one in measured for row in one.rows]
    others = {(row.kind, row.lut, row.cells, row.bram18): row for build in builds for row in build.operators}
    return [row for row in rows if row.lut[1]], [row for row in others.values() if row.lut[1]]


def configurations(measured: Sequence[Measured]) -> str:
    """Every configuration with the operators that were synthesised."""
    rows = []
    for one in measured:
        (latency, interval), equal = one.simulated, one.predicted == one.simulated
        for k, row in enumerate(one.rows):
            cycles = [f"{latency:,}", f"{interval:,}", "yes" if equal else "NO"] if k == 0 else ["", "", ""]
            error = f"{row.error:+.1%}"
            rows.append(
                [row.configuration, row.kind, f"{row.lut[1]:,}", f"{row.lut[0]:,}", error, f"{row.cells:,}", *cycles]
            )
    head = ["configuration", "operator", "LUT", "model", "error", "cells", "latency", "interval", "as predicted"]
    return table(head, rows)


def write(
    docs: Path,
    measured: Sequence[Measured],
    builds: Sequence[Build],
    cores: Sequence[Build],
    fronts: Mapping[str, Sequence[Point]],
) -> Path:
    """Write performance.md and performance/*.png into ``docs``; returns the page."""
    known = {build.case.name: build for build in (*builds, *cores)}
    folder = docs / "performance"
    folder.mkdir(parents=True, exist_ok=True)
    rows, others = distinct(measured, builds)
    save_picture(plots.model(rows, others), folder / "model.png")
    save_picture(plots.pareto(fronts, builds), folder / "pareto.png")
    save_picture(plots.by_operator(known[WHOLE]), folder / "lut-per-mac.png")
    simulations = [*measured, *builds, *cores]
    text = PAGE.format(
        targets=targets(known),
        family=", ".join(FAMILY),
        board=BOARD,
        rate=RATE,
        networks=networks(builds),
        cores=networks(cores),
        whole=WHOLE,
        exact=sum(one.predicted == one.simulated for one in simulations),
        simulations=len(simulations),
        agreement=agreement(measured, builds),
        configurations=configurations(measured),
        TIME=TIME,
    )
    page = docs / "performance.md"
    with replacing(page) as partial:
        partial.write_text(text)
    return page
