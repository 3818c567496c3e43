"""The function that one channel computes in front of its sign, as numbers and as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.enumerate_thresholds import enumerate_thresholds
from signflow.deploy.compile.passes.evaluate import follow
from signflow.deploy.compile.passes.normal_form import NormalForm
from signflow.deploy.compile.passes.regions import QUANTISERS
from signflow.deploy.compile.passes.transitions import sign_rule
from signflow.deploy.compile.passes.truth import BLOCK, truth
from signflow.deploy.golden.thresholds import Rule, ThresholdsError, integers
from signflow.models.files import save_picture

PLUS, MINUS, INK = "#188038", "#c5221f", "#202124"
PALE = {True: "#e6f4ea", False: "#fce8e6"}
MAX_BINS = 80
CLOSER = 4
"""The right-hand picture shows so many times the smaller of the largest and the deepest number."""


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
    def step(self) -> int:
        """From one accumulator to the next."""
        return int(self.reach[1] - self.reach[0]) if len(self.reach) > 1 else 1

    @property
    def edges(self) -> list[float]:
        """The changes, drawn half-way between the last n of one sign and the first n of the other."""
        return [change - self.step / 2 for change in self.changes]

    @property
    def shares(self) -> list[float]:
        """Share of the decisions between the changes, from the smallest n to the largest."""
        parts = np.split(self.seen, np.searchsorted(self.reach, self.changes))
        return [float(part.sum() / max(1, self.seen.sum())) for part in parts]


def curve(network: ModelWrapper, integer: ModelWrapper, rule: Rule, channel: int, images: np.ndarray) -> Curve:
    """The function of ``channel`` of the sign ``rule`` in a QONNX ``network`` and its ``integer`` graph, with the
    accumulators of ``images``. Raises ThresholdsError for what is no sign behind a product, or no channel.
    """
    (found,) = curves(network, integer, [(rule, channel)], images)
    if found is None:
        raise ThresholdsError(f"{rule.layer} is no sign behind a product; see --moving for thresholds that move")
    return found


def curves(
    network: ModelWrapper, integer: ModelWrapper, wanted: Sequence[tuple[Rule, int]], images: np.ndarray
) -> list[Curve | None]:
    """`curve` of several (rule, channel), found in one walk over the network; None for what is no sign behind a
    product. Raises ThresholdsError for what is no channel.
    """
    for rule, channel in wanted:
        if not 0 <= channel < len(rule.low):
            raise ThresholdsError(f"{rule.layer} has no channel {channel}: name one of 0..{len(rule.low) - 1}")
    products, found = {rule.sign.product for rule, _ in wanted if rule.sign is not None}, {}

    def keep(plain, region, tensor, numbers) -> None:
        if region.kind == "product" and region.node.name in products:
            found.setdefault(region.node.name, (plain, region, tensor, numbers))

    enumerate_thresholds(network.transform(NormalForm(), cleanup=False), keep)
    return [
        _curve(*found[rule.sign.product], integer, rule, channel, images)
        if rule.sign is not None and rule.sign.product in found
        else None
        for rule, channel in wanted
    ]


def _curve(plain, region, tensor, numbers, integer: ModelWrapper, rule: Rule, channel: int, images) -> Curve:
    """From what `enumerate_thresholds` found."""
    nodes, reach = region.path(tensor), numbers.reach
    known = truth(plain, region, tensor, numbers)
    own = sign_rule(known.steps.map(lambda v: v > 0), known.in_front, True).own
    last = max(i for i, node in enumerate(nodes) if node.op_type in QUANTISERS)
    column, ends = channel if numbers.channels > 1 else 0, ((last, nodes[last].input[0]), (len(nodes), tensor))
    blocks = []
    for _, rows in reach.blocks(BLOCK):  # all channels are computed, one is kept
        floats = numbers.at(rows)
        paths = [follow(plain, nodes[:count], region.start, name, floats) for count, name in ends]
        blocks.append((rows[:, column], *(path.end.reshape(*rows.shape, -1)[:, column, 0] for path in paths)))
    table, value, decided = map(np.concatenate, zip(*blocks, strict=True))
    n, first = np.unique(table, return_index=True)
    seen = _seen(integer, rule, channel, images, reach.step == 2, bool(own[min(channel, len(own) - 1)]), n)
    changes, _, _ = known.steps.at(min(channel, len(known.steps.first) - 1))
    return Curve(n, value[first], decided[first] > 0, [int(a) for a in changes], seen)


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


def _parts(curve: Curve, low: float, high: float) -> list[tuple[float, float, bool]]:
    """(left, right, sign) of the intervals of one sign in low..high; an empty one is left out."""
    ends = np.clip([-np.inf, *curve.edges, np.inf], low, high)
    signs = [curve.plus[0] ^ bool(i % 2) for i in range(len(curve.changes) + 1)]
    return list(zip(ends[:-1], ends[1:], signs, strict=True))


def _bands(axes, curve: Curve, low: float, high: float) -> None:
    """Background in the colour of the sign."""
    for left, right, sign in _parts(curve, low, high):
        axes.axvspan(left, right, color=PALE[bool(sign)], lw=0)
    for edge in curve.edges:
        if low < edge < high:
            axes.axvline(edge, color=INK, lw=1, ls=(0, (4, 2)))
    axes.set_xlim(low, high)


def _value(axes, curve: Curve, low: float, high: float, closer: bool) -> None:
    """The number in front of the sign; ``closer``: around 0 only, so that the smaller of the two signs is seen."""
    _bands(axes, curve, low, high)
    shown = (curve.reach >= low) & (curve.reach <= high)
    axes.axhline(0, color=INK, lw=0.8)
    values, few = curve.value[shown], shown.sum() <= 120
    axes.plot(curve.reach[shown], values, color="#1a73e8", lw=1.6, marker="o" if few else None, ms=3)
    bottom, top = float(values.min()), float(values.max())
    if closer and bottom < 0 < top:
        limit = CLOSER * min(-bottom, top)
        bottom, top = max(bottom, -limit), min(top, limit)
    margin = 0.12 * ((top - bottom) or 1.0)
    axes.set_ylim(bottom - 2 * margin, top + margin)


def _occurring(curve: Curve) -> tuple[float, float]:
    """Range of the accumulators that occur, and of the thresholds among or near them."""
    at = curve.reach[curve.seen > 0]
    low, high = (int(at.min()), int(at.max())) if len(at) else (int(curve.reach[0]), int(curve.reach[-1]))
    near = [a for a in curve.changes if low - (high - low) <= a <= high + (high - low)]
    low, high = min([low, *near]), max([high, *near])
    margin = max(2, 0.04 * (high - low))
    return max(low - margin, int(curve.reach[0]) - 1), min(high + margin, int(curve.reach[-1]) + 1)


def _histogram(axes, curve: Curve, low: float, high: float) -> None:
    """How often accumulators decided, in bins that begin where the sign first changes; and the share of each sign."""
    size = curve.step * max(1, -(-int((high - low) / curve.step) // MAX_BINS))
    anchor = curve.edges[0] if curve.edges else float(curve.reach[0])
    bins = np.arange(anchor - size * (1 + (anchor - low) // size), high + 2 * size, size)
    total, below = max(1, curve.seen.sum()), np.zeros(len(bins) - 1)
    for sign, colour in ((True, PLUS), (False, MINUS)):
        counts, _ = np.histogram(curve.reach, bins=bins, weights=curve.seen * (curve.plus == sign))
        axes.bar(bins[:-1] + size / 2, 100 * counts / total, width=0.86 * size, color=colour, bottom=below)
        below += 100 * counts / total
    top = float(below.max())
    axes.set_ylim(0, 1.35 * top)
    for (left, right, _), share in zip(_parts(curve, low, high), curve.shares, strict=True):
        if right > left:
            axes.text((left + right) / 2, 1.29 * top, f"{share:.2%}", ha="center", va="top", weight="bold")
    axes.set(xlabel="accumulator n", ylabel=f"% of {total:,}\ndecisions")


def draw(curve: Curve, title: str, path: Path) -> None:
    """Write the picture of one channel (`figure`) as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_picture(figure(curve, title), path)


def figure(curve: Curve, title: str):
    """The picture of one channel as a matplotlib Figure: the number in front of the sign over every accumulator on the
    left, over those that occur on the right, with their histogram.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    drawn = Figure(figsize=(10, 5.6), facecolor="white", layout="constrained")
    drawn.suptitle(title, fontsize=12)
    grid = drawn.add_gridspec(2, 2, width_ratios=(2, 3), height_ratios=(3, 2))
    whole, near = drawn.add_subplot(grid[:, 0]), drawn.add_subplot(grid[0, 1])
    below = drawn.add_subplot(grid[1, 1], sharex=near)
    low, high = _occurring(curve)
    _value(whole, curve, int(curve.reach[0]), int(curve.reach[-1]), closer=False)
    whole.set(title="every accumulator that can occur", xlabel="accumulator n", ylabel="number in front of the sign")
    _value(near, curve, low, high, closer=True)
    near.set_title("those that occur on the images, around 0")
    near.tick_params(labelbottom=False)
    for change, edge in zip(curve.changes, curve.edges, strict=True):
        if low < edge < high:
            near.annotate(f"n = {change}", (edge, 0), xycoords=("data", "axes fraction"), xytext=(4, 4),
                          textcoords="offset points", va="bottom")  # fmt: skip
    _bands(below, curve, low, high)
    _histogram(below, curve, low, high)
    marks = [Patch(facecolor=PALE[s], edgecolor="#9aa0a6", label=f"sign {1 if s else -1:+d}") for s in (True, False)]
    whole.legend(handles=marks, loc="upper center", ncols=2, framealpha=1)
    return drawn
