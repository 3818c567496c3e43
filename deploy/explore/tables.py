"""What an exploration found, as tables."""

from collections.abc import Sequence

from signflow.deploy.explore.front import Point, best
from signflow.deploy.explore.run import Found
from signflow.models.study.tables import Table, write_csv

COLUMNS = ["network", "accuracy, %", "images/s", "latency, us", "LUT", "BRAM36", "DSP", "energy, uJ"]
CSV = (
    "network", "normalisation", "board", "target", "fps", "core_fps", "interval", "latency", "latency_us", "lut",
    "bram36", "dsp", "uram", "energy_uj",
)  # fmt: skip


def cells(point: Point) -> list[str]:
    """A point in `COLUMNS`; the accuracy is the mean of the seeds, with the lowest and the highest."""
    low, high = (100 * find(point.accuracies) for find in (min, max))
    spread = f" ({low:.2f} to {high:.2f})" if len(point.accuracies) > 1 else ""
    numbers = [f"{point.fps:,.0f}", f"{point.latency_us:,.2f}", f"{point.lut:,}", f"{point.bram36:g}", f"{point.dsp:,}"]
    return [point.network, f"{100 * point.accuracy:.2f}{spread}", *numbers, f"{point.energy_uj:.3g}"]


def fronts(found: Found) -> list[Table]:
    """The front of each board, the most accurate first."""
    tables = []
    for board in found.spec.boards:
        mine = sorted((p for p in found.front if p.board == board), key=lambda p: (-p.accuracy, p.lut))
        of = sum(p.board == board for p in found.points)
        title = f"{board}: {len(mine)} of {of} are on the front of {', '.join(found.spec.objectives)}"
        tables.append(Table(title, COLUMNS, [cells(point) for point in mine]))
    return tables


def choices(found: Found) -> list[tuple[str, Point | None]]:
    """The best of every board, and at every rate of the exploration: (what was asked for, the answer)."""
    rates = [0.0, *sorted(float(t) for t in found.spec.targets if isinstance(t, int | float))]
    return [
        (f"{board}{f', {rate:,.0f} images/s' if rate else ''}", best(found.points, board, rate))
        for board in found.spec.boards
        for rate in rates
    ]


def misfits(found: Found) -> list[list[str]]:
    """[network, board, images/s, reason] of all that is no point."""
    return [[net, c.board, f"{c.target:,.0f}" if c.target else "fastest", c.reason] for net, c in found.misfits]


def stopped(found: Found) -> list[list[str]]:
    """[network, epochs, accuracy] of what successive halving stopped."""
    return [[net, str(how.epochs), f"{100 * how.accuracy:.2f} %"] for net, how in found.stopped.items()]


def write(found: Found, path) -> None:
    """All points as CSV, with the accuracy of every seed."""
    seeds = [f"accuracy_{seed}" for seed in found.spec.seeds]
    rows: Sequence[list] = [
        [*(getattr(p, key) for key in CSV), *p.accuracies, int(p in found.front), int(p in found.simulated)]
        for p in found.points
    ]
    write_csv(path, [*CSV, *seeds, "front", "simulated"], rows)
