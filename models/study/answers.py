"""The answer to a comparison's question, in sentences made of its numbers: which networks end above or below the one
they are compared with, and which the seeds cannot tell apart from it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from signflow.models.methods import METHODS
from signflow.models.networks import network
from signflow.models.study.compare import Comparison
from signflow.models.study.intervals import Interval, gap_interval


def title(net: str) -> str:
    """Name of the method of a network of `NETWORKS`, for tables."""
    return METHODS[network(net).method].title


def labels(nets: Sequence[str]) -> dict[str, str]:
    """What to call each of ``nets`` in a plot: by its method where they are one network in several methods."""
    titles = {net: title(net) for net in nets}
    one = len({net.split("-")[0] for net in nets}) == 1 and len(set(titles.values())) == len(nets)
    return titles if one else {net: net for net in nets}


def accuracies(rows: list[dict]) -> dict[str, list[float]]:
    """net -> test accuracies of the last epoch in percent, in the order of the seeds."""
    nets = dict.fromkeys(row["net"] for row in rows)
    return {net: [100 * row["final_accuracy"] for row in rows if row["net"] == net] for net in nets}


def epochs(rows: list[dict]) -> str:
    """``1 epoch``, ``3 epochs``."""
    return counted(rows[0]["epochs"], "epoch")


def counted(number: int, noun: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


@dataclass(frozen=True)
class Gap:
    """How far the mean of ``net`` lies above that of ``base``, in points of accuracy."""

    net: str
    base: str
    points: float
    interval: Interval | None
    """None: one seed."""

    @property
    def decided(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.interval is not None and not self.interval[0] <= 0 <= self.interval[1]


def gaps(comparison: Comparison, rows: list[dict]) -> list[Gap]:
    """One for every net that has another one to be compared with."""
    by_net = accuracies(rows)
    pairs = [(net, base) for net in by_net if (base := comparison.baseline(net)) != net]
    return [
        Gap(net, base, fmean(by_net[net]) - fmean(by_net[base]), gap_interval(by_net[net], by_net[base]))
        for net, base in pairs
    ]


def answer(comparison: Comparison, rows: list[dict]) -> str:
    """A paragraph. What the seeds decide comes first, then what they leave open, baseline by baseline."""
    called = labels(list(accuracies(rows)))
    seeds = len({row["seed"] for row in rows})
    sentences = [f"After {epochs(rows)}, {counted(seeds, 'seed')} a net."]
    seen = gaps(comparison, rows)
    for base in dict.fromkeys(gap.base for gap in seen):
        found = [gap for gap in seen if gap.base == base]
        said = [_against(gap, called) for gap in found if gap.decided or gap.interval is None]
        still = [f"{called[gap.net]} ({_ends(gap)})" for gap in found if gap.interval and not gap.decided]
        if said:
            sentences.append(f"Against {called[base]}: {'; '.join(said)}.")
        if still:
            sentences.append(f"Not to be told from {called[base]} by these seeds: {', '.join(still)}.")
    if seeds == 1:
        sentences.append("One seed gives no interval, and so decides nothing.")
    if seeds == 2:
        sentences.append("Two seeds make wide intervals: a real difference can well be among those not told apart.")
    return " ".join(sentences)


def _against(gap: Gap, called: dict[str, str]) -> str:
    text = f"{called[gap.net]} ends {abs(gap.points):.2f} points {'above' if gap.points > 0 else 'below'}"
    return text + (f" ({_ends(gap)})" if gap.interval else "")


def _ends(gap: Gap) -> str:
    return f"{gap.interval[0]:+.2f} to {gap.interval[1]:+.2f}"
