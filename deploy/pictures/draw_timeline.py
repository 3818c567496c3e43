"""One image on its way through all operators: when each takes words and when it gives some, to the cycle, as predicted
(`signflow.deploy.plan.timing`; the simulation agrees). A gap in a bar is waiting for the operator above it.
"""

from collections.abc import Sequence

import numpy as np

from signflow.deploy.pictures.draw_graph import GREY, INK
from signflow.deploy.plan.timing import images, intervals, trace
from signflow.hw.ops.base import StreamOp

BINS = 400
"""Cycles are shown in so many columns at most."""
TAKES, GIVES = "#aecbfa", "#1a73e8"


def draw(ops: Sequence[StreamOp]):
    """Matplotlib Figure for the operators of a folded graph, one row each but for FIFOs and width converters."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    steps = trace(ops, images(ops, 1))
    rows = [(op, step) for op, step in zip(ops, steps, strict=True) if not op.PLUMBING]
    first, end = int(steps[0].accepts[0][0]), int(steps[-1].departures[-1]) + 1
    size = max(1, -(-(end - first) // BINS))
    figure = Figure(figsize=(10, 1.1 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for k, (_, step) in enumerate(rows):
        taken = np.concatenate(step.accepts)
        axes.broken_barh(_runs(taken - first, size), (k - 0.38, 0.38), color=TAKES, lw=0)
        axes.broken_barh(_runs(step.departures - first, size), (k, 0.38), color=GIVES, lw=0)
    interval = intervals(ops)[0]
    if interval < end - first:
        axes.axvline(interval, color=INK, lw=1, ls=(0, (4, 2)))
        axes.annotate("the next image begins", (interval, -0.75), xytext=(4, 0), textcoords="offset points", size=8.5,
                      va="center", color=GREY)  # fmt: skip
    axes.set_yticks(range(len(rows)), [op.onnx_node.name for op, _ in rows], size=8.5)
    axes.set(xlim=(0, end - first), ylim=(len(rows) - 0.4, -1.1), xlabel="cycles since the first word was taken")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(axis="x", alpha=0.3)
    marks = [Patch(color=TAKES, label="takes words"), Patch(color=GIVES, label="gives words")]
    figure.legend(handles=marks, loc="outside upper right", ncols=2, frameon=False)
    return figure


def _runs(cycles: np.ndarray, size: int) -> list[tuple[int, int]]:
    """(start, length) of the stretches of columns of ``size`` cycles in which there is a word."""
    bins = np.unique(cycles // size)
    ends = np.flatnonzero(np.diff(bins, append=bins[-1:] + 2) > 1)
    starts = np.concatenate([[0], ends[:-1] + 1])
    return [(int(bins[a]) * size, (int(bins[b]) - int(bins[a]) + 1) * size) for a, b in zip(starts, ends, strict=True)]
