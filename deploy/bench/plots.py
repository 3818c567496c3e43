"""The pictures of docs/performance.md."""

from collections.abc import Mapping, Sequence

import numpy as np

from signflow.deploy.bench.networks import BOARD, FAMILY, Build
from signflow.deploy.bench.operators import Row
from signflow.deploy.pictures.draw_folding import STYLES, tradeoff
from signflow.deploy.pictures.draw_graph import GREY, INK
from signflow.deploy.pictures.explore import Point
from signflow.hw.boards import board

KINDS = {
    "matrix-vector units": ("MVAU",),
    "windows, pools": ("ConvolutionInputGenerator", "MaxPool", "AccPool"),
    "thresholds, tables, lines": ("Thresholding", "Lookup", "Requantise"),
    "FIFOs, converters, the rest": (),
}
"""Groups of operators in a picture; the last one takes all others."""
SMALL = 20
"""LUTs under which a site or two are more than the band of 5 %."""


def group(kind: str) -> int:
    """Number of the group of KINDS that an operator is in."""
    return next((k for k, kinds in enumerate(KINDS.values()) if kind in kinds), len(KINDS) - 1)


def _figure(width: float, height: float):
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), facecolor="white", layout="constrained")


def model(rows: Sequence[Row], others: Sequence[Row]):
    """LUTs estimated against synthesised, and the error; hollow: ``others``, which were not looked at for the fit."""
    figure = _figure(11, 4.8)
    whole, error = figure.subplots(1, 2)
    for number, (name, (colour, marker, _)) in enumerate(zip(KINDS, STYLES, strict=True)):
        for part, filled in ((rows, True), (others, False)):
            mine = [row for row in part if group(row.kind) == number and row.lut[1]]
            found, estimated = ([row.lut[k] for row in mine] for k in (1, 0))
            style = {"color": colour, "ms": 5, "ls": "", "mfc": colour if filled else "none", "mew": 0.9}
            whole.plot(found, estimated, marker, label=name if filled else None, **style)
            error.plot(found, [100 * row.error for row in mine], marker, **style)
    most = 1.5 * max(row.lut[1] for row in (*rows, *others))
    line = np.array([2, most])
    whole.plot(line, line, color=INK, lw=0.8)
    whole.fill_between(line, 0.95 * line, 1.05 * line, color=GREY, alpha=0.25, lw=0, label="within 5 %")
    error.axhspan(-5, 5, color=GREY, alpha=0.2, lw=0)
    error.axhline(0, color=INK, lw=0.8)
    whole.set(xscale="log", yscale="log", xlabel="LUT sites, synthesised", ylabel="LUT sites, estimated")
    error.set(xscale="log", xlabel="LUT sites, synthesised", ylabel="error of the estimate in %", ylim=(-32, 32))
    for axes in (whole, error):
        axes.grid(alpha=0.3)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    whole.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    whole.legend(loc="upper left", fontsize=8.5)
    error.set_title("filled: fitted to; hollow: operators of networks", size=10)
    return figure


def pareto(fronts: Mapping[str, Sequence[Point]], builds: Sequence[Build]):
    """Images a second against LUTs of a network in four normalisations: foldings by the model, builds by synthesis."""
    figure = _figure(9, 5.4)
    axes = figure.subplots()
    tradeoff(axes, fronts, board(BOARD))
    for name, (colour, marker, _) in zip(FAMILY, STYLES, strict=True):
        mine = [build for build in builds if build.case.source == name]
        axes.plot([b.lut for b in mine], [b.fps for b in mine], marker, ms=13, mfc="none", mec=colour, mew=1.6)
    share = board(BOARD).lut_share
    axes.axvline(share * board(BOARD).lut, color=GREY, lw=1, ls=":")
    axes.legend(title="hollow: does not fit", loc="upper left")
    axes.set_xlabel("LUT sites: small marks estimated, large rings synthesised; dotted: what the folding fills")
    return figure


def by_operator(build: Build):
    """LUTs of every operator that multiplies, for one multiply-accumulate a cycle, and of what lies between them."""
    rows = [row for row in build.operators if row.macs > 1]
    figure = _figure(9, 0.36 * len(rows) + 1.6)
    axes = figure.subplots()
    for k, row in enumerate(rows):
        per_mac = row.lut[1] / row.macs
        axes.barh(k, per_mac, color="#1a73e8" if row.macs >= 1000 else "#aecbfa", height=0.7)
        words = f"{per_mac:.2f}   ({row.lut[1]:,} LUTs, {row.macs:,} a cycle)"
        axes.annotate(words, (per_mac, k), xytext=(5, 0), textcoords="offset points", va="center", size=8.5, color=INK)
    axes.axvline(build.lut_per_mac, color=INK, lw=1, ls=(0, (4, 2)))
    axes.annotate(f"all: {build.lut_per_mac:.2f}", (build.lut_per_mac, 1), xycoords=("data", "axes fraction"),
                  xytext=(4, -12), textcoords="offset points", size=8.5, color=INK)  # fmt: skip
    axes.set_yticks(range(len(rows)), [row.node for row in rows], size=8.5)
    axes.set(
        ylim=(len(rows) - 0.4, -0.9),
        xlabel="LUT sites for one multiply-accumulate a cycle (dark: 1,000 a cycle and more)",
    )
    axes.set_xlim(0, 1.45 * max(row.lut[1] / row.macs for row in rows))
    axes.grid(axis="x", alpha=0.3)
    return figure
