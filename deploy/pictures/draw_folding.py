"""Plots about a folding: cost against speed, who sets the pace, FIFO depths, what it takes of several boards."""

from collections.abc import Mapping, Sequence

from signflow.deploy.pictures.diagram import FIFOS
from signflow.deploy.pictures.draw_graph import GREY, INK
from signflow.deploy.pictures.explore import Point, limits
from signflow.hw.boards import Board

STYLES = [("#1a73e8", "o", "-"), ("#e37400", "s", "--"), ("#188038", "^", "-."), ("#8430ce", "D", ":")]
"""Colour, marker and line of the first, second, ... curve: they differ without their colours too."""
FULL = {"LUT": "#1a73e8", "BRAM18": "#e37400", "DSP": "#188038"}
HATCH = {"LUT": "", "BRAM18": "//", "DSP": ".."}


def tradeoff(axes, networks: Mapping[str, Sequence[Point]], board: Board) -> None:
    """Images a second against estimated LUTs, both logarithmic; hollow: does not fit ``board``."""
    from matplotlib.ticker import LogLocator, NullFormatter

    for (name, points), (colour, marker, line) in zip(networks.items(), STYLES, strict=False):
        axes.plot([p.cost["LUT"] for p in points], [p.fps for p in points], line, marker=marker, ms=6, color=colour,
                  lw=1.4, label=name)  # fmt: skip
        over = [p for p in points if not p.fits]
        axes.plot([p.cost["LUT"] for p in over], [p.fps for p in over], marker, color=colour, mfc="white", ms=6)
    axes.axvline(board.lut, color=INK, lw=1, ls=(0, (4, 2)))
    axes.annotate(f"all {board.lut:,} LUTs of {board.name}", (board.lut, 0), xycoords=("data", "axes fraction"),
                  xytext=(-4, 6), textcoords="offset points", rotation=90, ha="right", va="bottom", size=8.5,
                  color=GREY)  # fmt: skip
    axes.set(xscale="log", yscale="log", xlabel="LUTs (estimate)", ylabel=f"images/s at {board.clock_mhz:g} MHz")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.3)
    hollow = any(not p.fits for points in networks.values() for p in points)
    axes.legend(title="hollow: does not fit" if hollow else None, loc="center right", bbox_to_anchor=(0.9, 0.75))


def cycles(axes, facts: Mapping) -> None:
    """Cycles for an image of every operator of `accel.json` but FIFOs and width converters; dark: the slowest."""
    found = [op for op in facts["operators"] if not op["plumbing"]]
    interval = facts["predicted"]["interval"]
    axes.axvline(interval, color=INK, lw=1, ls=(0, (4, 2)))
    for k, op in enumerate(found):
        slow, inside = op["cycles"] == interval, op["cycles"] > 0.8 * interval
        axes.barh(k, op["cycles"], color="#1a73e8" if slow else "#aecbfa", height=0.7)
        axes.annotate(f"{op['cycles']:,}", (op["cycles"], k), xytext=(-4 if inside else 4, 0), size=8.5, va="center",
                      textcoords="offset points", ha="right" if inside else "left",
                      color="white" if slow else INK)  # fmt: skip
        lanes = ", ".join(f"{a} {op['folding'][a]}" for a in ("PE", "SIMD") if a in op["folding"])
        axes.text(1.03 * interval, k, lanes, va="center", size=8.5, color=INK)
    axes.set_yticks(range(len(found)), [op["node"] for op in found], size=8.5)
    axes.set(xlim=(0, 1.4 * interval), ylim=(len(found) - 0.4, -0.6), xlabel="cycles for an image")
    axes.set_title(f"initiation interval {interval:,} cycles", size=10)


def fifos(axes, facts: Mapping) -> None:
    """Depth of every FIFO in words, in the order of the stream; dark: in block RAM."""
    found = [op for op in facts["operators"] if op["picture"][0] in FIFOS]
    for k, op in enumerate(found):
        axes.bar(k, op["params"]["DEPTH"], color="#1a73e8" if op["params"]["BLOCK"] else "#aecbfa", width=0.75)
    step = max(1, len(found) // 12)
    axes.set_xticks(range(0, len(found), step))
    axes.set_yscale("log", base=2)
    axes.set_ylim(1, 2 * max([op["params"]["DEPTH"] for op in found], default=1))
    axes.set(xlabel="number of the FIFO, from image to result", ylabel="words")
    axes.set_title("FIFO depths (dark: in block RAM)", size=10)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(axis="y", alpha=0.3)


def utilisation(axes, cost: Mapping[str, int], boards: Sequence[Board]) -> None:
    """What an estimate takes of several boards, in percent of each."""
    width, kinds = 0.26, [what for what in FULL if cost[what]]
    shares = {b.name: dict(zip(FULL, limits(b), strict=True)) for b in boards}
    for i, what in enumerate(kinds):
        heights = [100 * cost[what] / shares[b.name][what] for b in boards]
        places = [k + (i - (len(kinds) - 1) / 2) * width for k in range(len(boards))]
        axes.bar(places, heights, width * 0.92, color=FULL[what], hatch=HATCH[what], edgecolor="white", lw=0,
                 label=f"{cost[what]:,} {what}")  # fmt: skip
        for x, height in zip(places, heights, strict=True):
            axes.annotate(f"{height:.0f}", (x, height), xytext=(0, 2), textcoords="offset points", ha="center", size=8)
    axes.axhline(100, color=INK, lw=1, ls=(0, (4, 2)))
    axes.set_xticks(range(len(boards)), [b.name for b in boards])
    top = max([100.0] + [100 * cost[what] / shares[b.name][what] for what in kinds for b in boards])
    axes.set(ylabel="% of the board (estimate)", ylim=(0, 1.3 * top))
    axes.legend(ncols=3, loc="upper left")
