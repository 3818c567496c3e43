"""The codes that one channel of a table or a line gives, and how often they occur, as a picture."""

from pathlib import Path

import numpy as np

from signflow.deploy.golden.functions import Codes
from signflow.models.files import save_picture

BLUE, INK, PALE = "#1a73e8", "#202124", "#aecbfa"
MAX_BINS = 80


def bars(axes, values: np.ndarray, colour: str) -> None:
    """Share of every integer of ``values`` in percent, or of equally wide bins of them where they are many."""
    low, high = int(values.min()), int(values.max())
    size = -(-(high - low + 1) // MAX_BINS)
    edges = np.arange(low, high + size + 1, size) - 0.5
    counts, _ = np.histogram(values, bins=edges)
    axes.bar(edges[:-1] + size / 2, 100 * counts / len(values), width=0.9 * size, color=colour)
    axes.set_ylabel(f"% of {len(values):,}")


def draw_codes(found: Codes, title: str, path: Path) -> None:
    """Write as PNG: the code of every integer that can occur on the left, of those that do occur in the middle above
    their histogram, and the histogram of the codes on the right.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5), facecolor="white", layout="constrained")
    figure.suptitle(title, fontsize=12)
    grid = figure.add_gridspec(2, 3, width_ratios=(2, 3, 2), height_ratios=(3, 2))
    whole, near = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[0, 1])
    below, codes = figure.add_subplot(grid[1, 1], sharex=near), figure.add_subplot(grid[:, 2])
    low, high = int(found.seen.min()), int(found.seen.max())
    for axes in (whole, near):
        axes.step(found.x, found.y, where="post", color=BLUE, lw=1.6)
        axes.axhline(0, color=INK, lw=0.6)
    whole.axvspan(low, high, color=PALE, alpha=0.5, lw=0)
    whole.set(title="every x that can occur", xlabel="x", ylabel="code y")
    occurring = found.y[(found.x >= low) & (found.x <= high)]
    margin = max(1, 0.06 * (high - low))
    near.set(title="those that occur", xlim=(low - margin, high + margin))
    if len(occurring):
        room = max(1, 0.08 * (int(occurring.max()) - int(occurring.min())))
        near.set_ylim(int(occurring.min()) - room, int(occurring.max()) + room)
    near.tick_params(labelbottom=False)
    below.locator_params(axis="x", nbins=6)
    bars(below, found.seen, BLUE)
    below.set_xlabel("x")
    bars(codes, found.given, BLUE)
    codes.set(title="codes given", xlabel="code y")
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(figure, path)


__all__ = ["bars", "draw_codes"]
