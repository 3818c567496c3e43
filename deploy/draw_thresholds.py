"""The function that one channel computes in front of its sign, as numbers and as a picture."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.passes.enumerate_thresholds import enumerate_thresholds
from signflow.deploy.passes.evaluate import follow
from signflow.deploy.passes.plain_products import PlainProducts
from signflow.deploy.passes.regions import QUANTISERS
from signflow.deploy.passes.transitions import sign_rule
from signflow.deploy.passes.truth import truth
from signflow.deploy.thresholds import Rule, ThresholdsError, integers
from signflow.models.atomic import save_picture

PLUS, MINUS, INK = "#188038", "#c5221f", "#202124"
PALE = {True: "#e6f4ea", False: "#fce8e6"}
MAX_BINS = 80


@dataclass(frozen=True)
class Curve:
    """One channel: what the network makes of every accumulator n that can occur, and how often it does."""

    reach: np.ndarray
    """int64 (values,): every n, ascending."""
    value: np.ndarray
    """float32 (values,): the network's number in front of the sign."""
    plus: np.ndarray
    """bool (values,): the sign is +1."""
    changes: list[int]
    """The n from which on the sign is the other one."""
    seen: np.ndarray
    """int64 (values,): how often n decided on the images (the largest, or smallest, of a pool's window)."""

    @property
    def shares(self) -> list[float]:
        """Share of the decisions between the changes, from the smallest n to the largest."""
        parts = np.split(self.seen, np.searchsorted(self.reach, self.changes))
        return [float(part.sum() / max(1, self.seen.sum())) for part in parts]


def curve(network: ModelWrapper, integer: ModelWrapper, rule: Rule, channel: int, images: np.ndarray) -> Curve:
    """The function of ``channel`` of the sign ``rule`` in a QONNX ``network`` and its ``integer`` graph, with the
    accumulators of ``images``. Raises ThresholdsError for what is no sign behind a product, or no channel.
    """
    if not 0 <= channel < len(rule.low):
        raise ThresholdsError(f"{rule.layer} has no channel {channel}: name one of 0..{len(rule.low) - 1}")
    found = []

    def keep(plain, region, tensor, reach, scale) -> None:
        if rule.sign is not None and region.node.name == rule.sign.product and region.kind == "product":
            found.append((plain, region, tensor, reach, scale))

    enumerate_thresholds(network.transform(PlainProducts()), keep)
    if not found:
        raise ThresholdsError(f"{rule.layer} is no sign behind a product; see --moving for thresholds that move")
    plain, region, tensor, reach, scale = found[0]
    nodes = region.path(tensor)
    known = truth(plain, region, tensor, reach, scale)
    own = sign_rule(known.steps.map(lambda v: v > 0), known.in_front, True).own
    last = max(i for i, node in enumerate(nodes) if node.op_type in QUANTISERS)
    table = reach.table
    numbers = table.astype(np.float32) * scale
    column = channel if table.shape[1] > 1 else 0
    ends = [follow(plain, nodes[:count], region.start, name, numbers).end.reshape(*table.shape, -1)[:, column, 0]
            for count, name in ((last, nodes[last].input[0]), (len(nodes), tensor))]  # fmt: skip
    n, first = np.unique(table[:, column], return_index=True)
    seen = _seen(integer, rule, channel, images, reach.step == 2, bool(own[min(channel, len(own) - 1)]), n)
    changes, _, _ = known.steps.at(min(channel, len(known.steps.first) - 1))
    return Curve(n, ends[0][first], ends[1][first] > 0, [int(a) for a in changes], seen)


def _seen(
    integer: ModelWrapper, rule: Rule, channel: int, images: np.ndarray, popcounts: bool, own: bool, n: np.ndarray
) -> np.ndarray:
    """How often every ``n`` decided; the graph holds x = n, or (K + n) / 2, of negated weights where ``own``."""
    counts, fan_in = np.zeros(len(n), dtype=np.int64), int(rule.high[channel])
    for batch in integers(integer, rule, images):
        x = batch[:, :, channel].reshape(-1)
        x = 2 * x - fan_in if popcounts else x
        counts += np.bincount(np.searchsorted(n, -x if own else x), minlength=len(n))
    return counts


def _bands(axes, curve: Curve, low: float, high: float) -> None:
    """Background in the colour of the sign."""
    edges = [low, *(a for a in curve.changes if low < a < high), high]
    for left, right in zip(edges[:-1], edges[1:], strict=True):
        sign = bool(curve.plus[min(np.searchsorted(curve.reach, left), len(curve.plus) - 1)])
        axes.axvspan(left, right, color=PALE[sign], lw=0)
    for change in curve.changes:
        if low < change < high:
            axes.axvline(change, color=INK, lw=1, ls=(0, (4, 2)))
    axes.set_xlim(low, high)


def _value(axes, curve: Curve, low: float, high: float) -> None:
    _bands(axes, curve, low, high)
    shown = (curve.reach >= low) & (curve.reach <= high)
    axes.axhline(0, color=INK, lw=0.8)
    few = shown.sum() <= 60
    axes.plot(curve.reach[shown], curve.value[shown], color="#1a73e8", lw=1.6, marker="o" if few else None, ms=3)
    values = curve.value[shown]
    span = float(np.ptp(values)) or 1.0
    axes.set_ylim(values.min() - 0.12 * span, values.max() + 0.12 * span)


def _occurring(curve: Curve) -> tuple[float, float]:
    """Range of the accumulators that occur, and of the thresholds among or near them."""
    at = curve.reach[curve.seen > 0]
    low, high = (int(at.min()), int(at.max())) if len(at) else (int(curve.reach[0]), int(curve.reach[-1]))
    near = [a for a in curve.changes if low - (high - low) <= a <= high + (high - low)]
    low, high = min([low, *near]), max([high, *near])
    margin = max(2, 0.04 * (high - low))
    return max(low - margin, int(curve.reach[0]) - 1), min(high + margin, int(curve.reach[-1]) + 1)


def _histogram(axes, curve: Curve, low: float, high: float) -> None:
    step = int(np.diff(curve.reach[:2])[0]) if len(curve.reach) > 1 else 1
    size = step * max(1, -(-int((high - low) / step) // MAX_BINS))
    anchor = curve.changes[0] if curve.changes else int(curve.reach[0])
    bins = np.arange(anchor - size * (1 + (anchor - low) // size), high + 2 * size, size)
    counts, _ = np.histogram(curve.reach, bins=bins, weights=curve.seen)
    plus = curve.plus[np.clip(np.searchsorted(curve.reach, bins[:-1]), 0, len(curve.plus) - 1)]
    total = max(1, curve.seen.sum())
    centre = bins[:-1] + (size - step) / 2
    axes.bar(centre, 100 * counts / total, width=0.86 * size, color=np.where(plus, PLUS, MINUS))
    top = 100 * counts.max() / total
    axes.set_ylim(0, 1.3 * top)
    edges = [low, *(a for a in curve.changes if low < a < high), high]
    inside = [share for share, a in zip(curve.shares, [low, *curve.changes], strict=True) if a < high]
    for left, right, share in zip(edges[:-1], edges[1:], inside[-(len(edges) - 1) :], strict=True):
        axes.text((left + right) / 2, 1.24 * top, f"{share:.2%}", ha="center", va="top", fontsize=10, weight="bold")
    axes.set(xlabel="accumulator n", ylabel=f"% of {total:,}\ndecisions")


def draw(curve: Curve, title: str, path: Path) -> None:
    """Write the picture of one channel as PNG: the number in front of the sign over every accumulator on the left, over
    those that occur on the right, with their histogram.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.6), facecolor="white", layout="constrained")
    figure.suptitle(title, fontsize=12)
    grid = figure.add_gridspec(2, 2, width_ratios=(2, 3), height_ratios=(3, 2))
    whole, near = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[0, 1])
    below = figure.add_subplot(grid[1, 1], sharex=near)
    low, high = _occurring(curve)
    _value(whole, curve, int(curve.reach[0]), int(curve.reach[-1]))
    whole.set(title="every accumulator that can occur", xlabel="accumulator n", ylabel="number in front of the sign")
    _value(near, curve, low, high)
    near.set_title("those that occur on the images")
    near.tick_params(labelbottom=False)
    for change in curve.changes:
        if low < change < high:
            near.annotate(f"{change}", (change, 1), xycoords=("data", "axes fraction"), xytext=(3, -4),
                          textcoords="offset points", va="top", fontsize=10)  # fmt: skip
    _bands(below, curve, low, high)
    _histogram(below, curve, low, high)
    marks = [(PALE[True], "sign +1"), (PALE[False], "sign -1")]
    from matplotlib.patches import Patch

    whole.legend(handles=[Patch(facecolor=c, edgecolor="#9aa0a6", label=t) for c, t in marks], loc="upper center",
                 ncols=2, framealpha=1)  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(figure, path)
