"""What an exploration found on each board: accuracy against LUTs and against images a second."""

from collections.abc import Collection, Sequence
from typing import Protocol

from signflow.deploy.pictures.draw_folding import STYLES
from signflow.deploy.pictures.draw_graph import INK

MARKERS, COLOURS = "osD^vP*X<>", [colour for colour, *_ in STYLES]


class Placed(Protocol):
    """What is drawn of a point."""

    normalisation: str
    board: str
    accuracy: float
    """In [0, 1]."""
    fps: float
    lut: int


def draw(title: str, points: Sequence[Placed], front: Collection[Placed], names: dict[str, str]):
    """A row of two plots for each board; filled: on its front, hollow: beaten. The line is the most that one gets for
    so many LUTs at most, and at so many images a second at least. ``names``: what the legend calls normalisations.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter

    boards = list(dict.fromkeys(point.board for point in points))
    figure = Figure(figsize=(11, 0.9 + 3.7 * len(boards)), facecolor="white", layout="constrained")
    figure.suptitle(title, size=12)
    for row, board in zip(figure.subplots(len(boards), 2, squeeze=False, sharey="row"), boards, strict=True):
        here = [point for point in points if point.board == board]
        for axes, key, label, sign in (
            (row[0], "lut", f"LUTs on {board} (estimate)", 1),
            (row[1], "fps", f"images/s on {board}", -1),
        ):
            _stairs(axes, [(getattr(point, key), 100 * point.accuracy) for point in here], sign)
            for k, norm in enumerate(names):
                _scatter(axes, [p for p in here if p.normalisation == norm], front, key, k, names[norm])
            axes.set(xscale="log", xlabel=label)
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.grid(alpha=0.3)
        row[0].set_ylabel("test accuracy in %")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6,
                  title="filled: on the front")  # fmt: skip
    return figure


def _scatter(axes, points: Sequence[Placed], front: Collection[Placed], key: str, k: int, label: str) -> None:
    colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
    axes.plot([], [], marker, color=colour, label=label)
    for filled in (False, True):
        mine = [p for p in points if (p in front) == filled]
        style = {"color": colour, "ms": 7 if filled else 5, "mfc": colour if filled else "none", "mew": 1}
        axes.plot([getattr(p, key) for p in mine], [100 * p.accuracy for p in mine], marker, ls="", **style)


def _stairs(axes, places: Sequence[tuple[float, float]], sign: int) -> None:
    """The highest accuracy so far, from the cheap side (``sign`` 1: small is cheap)."""
    best, corners = -1.0, []
    for x, y in sorted(places, key=lambda place: (sign * place[0], -place[1])):
        if y > best:
            corners.append((x, y))
            best = y
    if corners:
        corners.append((x, best))
        axes.step(*zip(*corners, strict=True), where="post", color=INK, lw=1, alpha=0.6, zorder=1)
