"""Pictures of a comparison: every run a dot, the 95 % interval of each mean a line, along an axis or one row a net.

With two seeds an interval is some twenty times as wide as what was seen, so the frame follows the runs; an arrow at its
edge says that the interval goes on.
"""

from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path
from statistics import fmean

from matplotlib.figure import Figure

from signflow.models.files import save_picture
from signflow.models.study.answers import accuracies, epochs, labels
from signflow.models.study.compare import Comparison
from signflow.models.study.intervals import mean_interval

NEAR, FAR = 5, 15
"""Points of accuracy from the best: what is drawn closer where another net is far off."""
KEY = "dots: runs; lines: 95 % intervals of the means; arrows: the interval goes on"


def frame(values: Iterable[float]) -> tuple[float, float]:
    """Limits of an axis around ``values``, with a quarter of their range to either side."""
    low, high = min(seen := list(values)), max(seen)
    margin = 0.25 * (high - low) + 0.05
    return low - margin, high + margin


def beyond(interval: tuple[float, float], limits: tuple[float, float]) -> list[tuple[float, int]]:
    """Where the interval leaves the frame: (edge, -1 or 1) each."""
    edges = [(limits[0], -1)] if interval[0] < limits[0] else []
    return edges + ([(limits[1], 1)] if interval[1] > limits[1] else [])


def draw(comparison: Comparison, rows: list[dict], path: Path) -> None:
    """One row a net; where a net is far off, beside it once more without."""
    by_net = accuracies(rows)
    means = {net: fmean(values) for net, values in by_net.items()}
    top = max(means.values())
    zoom = top - min(means.values()) > FAR
    fig = Figure(figsize=(11 if zoom else 8, 0.5 * len(by_net) + 1.8), layout="constrained")
    whole, *close = fig.subplots(1, 1 + zoom, sharey=True, squeeze=False)[0]
    _rows(whole, by_net, by_net)
    whole.set_yticks(range(len(by_net)), list(labels(list(by_net)).values()))
    whole.set_ylim(len(by_net) - 0.5, -0.5)
    whole.set_title(comparison.title, fontsize=11)
    for axes in close:
        _rows(axes, by_net, [net for net in by_net if means[net] > top - NEAR])
        axes.set_title(f"the same, within {NEAR} points of the best", fontsize=11)
    for axes in (whole, *close):
        axes.set_xlabel(f"test accuracy in % after {epochs(rows)}")
    fig.supxlabel(_key(rows), fontsize=8, color="0.35")
    save_picture(fig, path)


def _rows(axes, by_net: dict[str, list[float]], framed: Iterable[str]) -> None:
    limits = frame(value for net in framed for value in by_net[net])
    axes.set_xlim(limits)
    axes.grid(axis="x", alpha=0.3)
    for place, values in enumerate(by_net.values()):
        axes.plot(values, [place] * len(values), "o", color="tab:blue", alpha=0.6, markersize=5)
        axes.plot([fmean(values)], [place], "|", color="black", markersize=14)
        if interval := mean_interval(values):
            axes.plot(interval, [place] * 2, color="black", lw=1.2, zorder=1)
            for edge, side in beyond(interval, limits):
                if limits[0] <= fmean(values) <= limits[1]:
                    axes.plot([edge], [place], "<>"[side > 0], color="black", markersize=6, clip_on=False)


def draw_curves(comparison: Comparison, rows: list[dict], path: Path) -> None:
    """The mean over seeds at every place of the axis, one curve beside the other so that their lines stay apart."""
    by_net = accuracies(rows)
    fig = Figure(figsize=(8, 4.8), layout="constrained")
    axes = fig.subplots()
    limits = frame(value for values in by_net.values() for value in values)
    axes.set_ylim(limits)
    middle = (len(comparison.curves) - 1) / 2
    for i, ((name, curve), mark) in enumerate(zip(comparison.curves.items(), cycle("osD*"), strict=False)):
        values = [by_net[net] for net in curve.values()]
        places = [place + 0.12 * (i - middle) for place in range(len(curve))]
        (line,) = axes.plot(places, [fmean(v) for v in values], marker=mark, label=name)
        for place, runs in zip(places, values, strict=True):
            _column(axes, place, runs, mark, line.get_color(), limits)
    axes.set_xticks(range(len(curve)), list(curve))
    axes.set_xlabel(comparison.along)
    axes.set_ylabel(f"test accuracy in % after {epochs(rows)}")
    axes.set_title(comparison.title, fontsize=11)
    axes.grid(alpha=0.3)
    axes.legend()
    fig.supxlabel(_key(rows), fontsize=8, color="0.35")
    save_picture(fig, path)


def _column(axes, place: float, runs: Sequence[float], mark: str, colour: str, limits: tuple[float, float]) -> None:
    axes.plot([place] * len(runs), runs, mark, color=colour, alpha=0.4, markersize=4)
    if interval := mean_interval(runs):
        axes.plot([place] * 2, interval, color=colour, lw=1, alpha=0.6)
        for edge, side in beyond(interval, limits):
            axes.plot([place], [edge], "v^"[side > 0], color=colour, markersize=5, clip_on=False)


def _key(rows: list[dict]) -> str:
    return KEY if len({row["seed"] for row in rows}) > 1 else "dots: runs; one seed, so no intervals"
