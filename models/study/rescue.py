"""Third part of "What BN does": a deeper chain trained without normalisation, with 1/sqrt(K), and with BN."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from signflow.models.files import save_picture
from signflow.models.study.intervals import gap_interval, mean_of, with_interval
from signflow.models.study.tables import Section, Table, read_csv, write_csv
from signflow.models.study.theory import CASES, NORMS, predicted_ratio
from signflow.models.study.training import History, Trial, fashion, final, repeat

PICTURE, ALONG = "what-bn-does-rescue.png", "what-bn-does-training.png"
OPTIMISERS = {"adam": 1e-3, "sgd": 0.1}
"""Learning rate of each."""
SLOPES = ("BNN clipped", "BNN identity")
COLOURS = {"none": "tab:red", "scale": "tab:green", "bn": "tab:blue"}
LABELS = {"none": "no normalisation", "scale": "1/sqrt(K)", "bn": "batch normalisation"}
KEYS = [(optimiser, case, norm) for optimiser in OPTIMISERS for case in SLOPES for norm in NORMS]


@dataclass(frozen=True)
class Effort:
    """How much is trained."""

    images: int = 30_000
    width: int = 256
    depth: int = 5
    epochs: int = 5
    seeds: int = 2

    @property
    def ticks(self) -> int:
        """Calls of ``tick`` that `record` makes: one an epoch."""
        return len(KEYS) * self.seeds * self.epochs


def record(out: Path, effort: Effort, tick: Callable[[], None]) -> None:
    """Train; accuracy and gradient variances after every epoch of every run go into the CSV."""
    data, test = fashion(effort.images)
    base = Trial(depth=effort.depth, width=effort.width, epochs=effort.epochs)
    rows = []
    for optimiser, case, norm in KEYS:
        trial = replace(base, optimiser=optimiser, lr=OPTIMISERS[optimiser], case=case, norm=norm)
        rows += [
            [optimiser, case, norm, seed, epoch, f"{accuracy:.4f}", *(f"{v:.4g}" for v in delta)]
            for seed, h in enumerate(repeat(trial, effort.seeds, data, test, tick), 1)
            for epoch, (accuracy, delta) in enumerate(zip(h.accuracy, h.delta, strict=True))
        ]
    columns = ["optimiser", "case", "norm", "seed", "epoch", "test_accuracy"]
    layers = [f"variance_{layer}" for layer in range(1, effort.depth + 1)]
    write_csv(out / PICTURE.replace("png", "csv"), columns + layers, rows)


def recorded(out: Path) -> dict[tuple[str, str, str], list[History]]:
    """(optimiser, case, norm) -> histories in the CSV, in the order of the seeds; flips are not in there."""
    runs = {key: {} for key in KEYS}
    for row in read_csv(out / PICTURE.replace("png", "csv")):
        history = runs[row["optimiser"], row["case"], row["norm"]].setdefault(row["seed"], History())
        history.accuracy.append(float(row["test_accuracy"]))
        history.delta.append([float(value) for column, value in row.items() if column.startswith("variance_")])
    return {key: list(histories.values()) for key, histories in runs.items()}


def section(out: Path, effort: Effort) -> Section:
    """From the CSV in ``out``, which also gets both pictures."""
    runs = recorded(out)
    draw_rescue(out / PICTURE, runs)
    draw_along(out / ALONG, runs)
    tables = [rescue_table(effort, runs), along_table(effort, runs)]
    question = "Can a constant replace BN in training?"
    return Section(question, rescue_answer(runs), tables, rescue_findings(runs), [PICTURE, ALONG])


def layer_ratio(history: History, epoch: int) -> float:
    """Geometric mean of Var(delta^(l-1)) / Var(delta^l) over layers 2 .. L after ``epoch``."""
    delta = history.delta[epoch]
    return (delta[0] / delta[-1]) ** (1 / (len(delta) - 1))


def rescue_table(effort: Effort, runs: dict) -> Table:
    """Final accuracy per optimiser, slope and norm."""
    columns = ["optimiser", "case", *(f"{LABELS[norm]}, %" for norm in NORMS)]
    rows = [
        [f"{optimiser}, lr {rate:g}", case, *(mean_of(final(runs[optimiser, case, norm]), ".1f") for norm in NORMS)]
        for optimiser, rate in OPTIMISERS.items()
        for case in SLOPES
    ]
    title = (
        f"Binary MLP {effort.depth} x {effort.width}, {effort.images} training images, "
        f"{effort.epochs} epochs: test accuracy, mean [95 %] of seeds 1-{effort.seeds}"
    )
    return Table(title, columns, rows)


def along_table(effort: Effort, runs: dict) -> Table:
    """Variance ratio per layer: theory, before training, after the first and the last epoch (Adam, seed 1)."""
    rows = []
    for case in SLOPES:
        for norm in NORMS:
            history = runs["adam", case, norm][0]
            theory = predicted_ratio(CASES[case], norm, effort.width, effort.width)
            seen = [f"{layer_ratio(history, epoch):.3g}" for epoch in (0, 1, -1)]
            rows.append([case, LABELS[norm], f"{theory:.3g}", *seen])
    columns = ["case", "normalisation", "theory at init", "before training", "after epoch 1", "after the last"]
    title = "Var(delta) in front of a layer / behind it along training (Adam, seed 1), geometric mean of layers 2 to L"
    return Table(title, columns, rows)


def rescue_answer(runs: dict) -> str:
    """The gaps of the constant and of nothing to batch normalisation, for every optimiser and slope."""

    def against_bn(norm: str) -> str:
        said = []
        for optimiser in OPTIMISERS:
            for case in SLOPES:
                values, base = (final(runs[optimiser, case, n]) for n in (norm, "bn"))
                gap = statistics.mean(values) - statistics.mean(base)
                said.append(f"{with_interval(gap, gap_interval(values, base), '+.1f')} ({optimiser}, {case})")
        return ", ".join(said)

    return (
        f"Points of accuracy from batch normalisation with 1/sqrt(K): {against_bn('scale')}; with no normalisation: "
        f"{against_bn('none')}."
    )


def rescue_findings(runs: dict) -> list[str]:
    """What the accuracies mean; every number from ``runs``."""
    growth = layer_ratio(runs["adam", "BNN identity", "none"][0], 0)
    return [
        "The forward passes without normalisation and with 1/sqrt(K) are the same function, sign(acc) = "
        "sign(acc / sqrt(K)): the whole difference is the gradient. (SGD's rate of 0.1 was chosen because the failure "
        "is clean there.)",
        "Adam divides every weight's gradient by its own size, so a growing gradient should not hurt by its size alone;"
        " that the window |acc| <= 1 of the clipped slope lets few units learn is a likely reason for what is lost, "
        "which no run here isolates. Slope 1 has no window, and there the gradient may grow: its variance does so by "
        f"{growth:.0f} per layer at the start.",
    ]


def draw_rescue(path: Path, runs: dict) -> None:
    """Accuracy per epoch, one panel per optimiser and slope."""
    fig = Figure(figsize=(10, 6.5), layout="constrained")
    grid = fig.subplots(len(OPTIMISERS), len(SLOPES), sharex=True, sharey=True)
    for row, (optimiser, rate) in zip(grid, OPTIMISERS.items(), strict=True):
        for ax, case in zip(row, SLOPES, strict=True):
            for norm in NORMS:
                for i, h in enumerate(runs[optimiser, case, norm]):
                    values = [100 * a for a in h.accuracy]
                    ax.plot(values, "o-", ms=3.5, color=COLOURS[norm], alpha=0.8, label=None if i else LABELS[norm])
            ax.set_title(f"{optimiser}, lr {rate:g}, {case}")
            ax.grid(alpha=0.3)
        row[0].set_ylabel("test accuracy in %")
    for ax in grid[-1]:
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    fig.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=len(NORMS))
    save_picture(fig, path)


def draw_along(path: Path, runs: dict) -> None:
    """Var(delta^l) per layer, one line per epoch (Adam, seed 1)."""
    fig = Figure(figsize=(11, 6.5), layout="constrained")
    grid = fig.subplots(len(SLOPES), len(NORMS), sharex=True, sharey="row")
    for row, case in zip(grid, SLOPES, strict=True):
        for ax, norm in zip(row, NORMS, strict=True):
            epochs = runs["adam", case, norm][0].delta
            for epoch, delta in enumerate(epochs):
                label = f"after epoch {epoch}" if epoch else "before training"
                age = epoch / len(epochs)
                colour = (0.8 * (1 - age), 0.25, 0.1 + 0.8 * age)  # red to blue
                ax.semilogy(range(1, len(delta) + 1), delta, "o-", ms=3.5, color=colour, label=label)
            ax.set_title(f"{case}, {LABELS[norm]}")
            ax.grid(alpha=0.3)
        row[0].set_ylabel(r"Var($\delta^l$), loss summed over the batch")
    for ax in grid[-1]:
        ax.set_xlabel("layer l")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    fig.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=6)
    save_picture(fig, path)
