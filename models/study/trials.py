"""The other parts of "What BN does": trainings over the initialisation's scale, with and without normalisation."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from signflow.models.files import save_picture
from signflow.models.study.chain import INITS
from signflow.models.study.tables import Section, Table, write_csv
from signflow.models.study.theory import CASES, NORMS, predicted_ratio
from signflow.models.study.training import History, Trial, train

SWEEP, RESCUE, ALONG = (f"what-bn-does-{name}.png" for name in ("sweep", "rescue", "training"))
SWEEP_INITS = (*INITS, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
SWEEP_RATES = (1e-3, 1e-2)
OPTIMISERS = {"adam": 1e-3, "sgd": 0.1}
"""Learning rate of each, in the comparison of norms."""
SLOPES = ("BNN clipped", "BNN identity")
COLOURS = {"none": "tab:red", "scale": "tab:green", "bn": "tab:blue"}
LABELS = {"none": "no normalisation", "scale": "1/sqrt(K)", "bn": "batch normalisation"}


@dataclass(frozen=True)
class Effort:
    """How much is trained."""

    images: int = 30_000
    width: int = 256
    sweep_depth: int = 3
    sweep_epochs: int = 4
    sweep_seeds: int = 3
    rescue_depth: int = 5
    rescue_epochs: int = 5
    rescue_seeds: int = 2

    @property
    def epochs(self) -> int:
        """All epochs of all trainings."""
        sweep = len(SWEEP_INITS) * len(SWEEP_RATES) * self.sweep_seeds * self.sweep_epochs
        return sweep + len(OPTIMISERS) * len(SLOPES) * len(NORMS) * self.rescue_seeds * self.rescue_epochs


def repeat(trial: Trial, seeds: int, data, test, tick: Callable[[], None]) -> list[History]:
    """The trial with seeds 1 .. ``seeds``."""
    return [train(replace(trial, seed=seed), data, test, tick) for seed in range(1, seeds + 1)]


def final(histories: list[History]) -> list[float]:
    """Test accuracies after the last epoch, in per cent."""
    return [100 * h.accuracy[-1] for h in histories]


def _spread(values: list[float]) -> str:
    return f"{statistics.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def sweep(out: Path, effort: Effort, data, test, tick: Callable[[], None]) -> Section:
    """Train with batch normalisation from every initialisation at every learning rate; table, picture, CSV."""
    base = Trial(depth=effort.sweep_depth, width=effort.width, epochs=effort.sweep_epochs)
    runs = {
        (rate, init): repeat(replace(base, init=init, lr=rate), effort.sweep_seeds, data, test, tick)
        for rate in SWEEP_RATES
        for init in SWEEP_INITS
    }
    rows = [
        [str(init), f"{rate:g}", seed + 1, f"{h.accuracy[-1]:.4f}", f"{h.flips[-1]:.4f}"]
        for (rate, init), histories in runs.items()
        for seed, h in enumerate(histories)
    ]
    write_csv(out / SWEEP.replace("png", "csv"), ["init", "lr", "seed", "test_accuracy", "flipped"], rows)
    draw_sweep(out / SWEEP, runs)
    return Section("Scale of the initialisation, with BN", [sweep_table(effort, runs)], sweep_findings(runs), [SWEEP])


def sweep_table(effort: Effort, runs: dict) -> Table:
    """One row per initialisation, accuracy and flipped share for each learning rate."""
    columns = ["latent std"]
    for rate in SWEEP_RATES:
        columns += [f"accuracy in %, lr {rate:g}", "signs flipped"]
    rows = []
    for init in SWEEP_INITS:
        row = [init if isinstance(init, str) else f"{init:g}"]
        for rate in SWEEP_RATES:
            flips = statistics.mean(h.flips[-1] for h in runs[rate, init])
            row += [_spread(final(runs[rate, init])), f"{flips:.0%}"]
        rows.append(row)
    title = (
        f"Binary MLP {effort.sweep_depth} x {effort.width} with BN, Adam, {effort.images} training images, "
        f"{effort.sweep_epochs} epochs: test accuracy, mean (lowest to highest) of seeds 1-{effort.sweep_seeds}"
    )
    return Table(title, columns, rows)


def sweep_findings(runs: dict) -> list[str]:
    """Range of the means per learning rate, with and without the largest scale."""
    findings = []
    for rate in SWEEP_RATES:
        means = {init: statistics.mean(final(runs[rate, init])) for init in SWEEP_INITS}
        rest = [mean for init, mean in means.items() if init != 1.0]
        noise = max(max(final(runs[rate, init])) - min(final(runs[rate, init])) for init in SWEEP_INITS)
        flips = [statistics.mean(h.flips[-1] for h in runs[rate, init]) for init in (1e-4, 1.0)]
        findings.append(
            f"Learning rate {rate:g}: the means lie between {min(rest):.1f} and {max(rest):.1f} % for all scales "
            f"below 1, and scale 1 (where many latent weights start at the clip) gives {means[1.0]:.1f} %; seeds "
            f"differ by up to {noise:.1f} points. Signs flipped: {flips[0]:.0%} from scale 1e-4, {flips[1]:.0%} from 1."
        )
    findings.append(
        "All scales start from the same binary network (same seed, same signs), and at the start from the same "
        "gradients: what differs is how far a step of Adam, of the size of the learning rate, is from flipping a sign."
    )
    return findings


def draw_sweep(path: Path, runs: dict) -> None:
    """Accuracy and share of flipped signs over the initialisations."""
    fig = Figure(figsize=(10, 4), layout="constrained")
    left, right = fig.subplots(1, 2)
    names = [init if isinstance(init, str) else f"{init:g}" for init in SWEEP_INITS]
    for i, rate in enumerate(SWEEP_RATES):
        colour, places = f"C{i}", [k + 0.16 * i - 0.08 for k in range(len(names))]
        for ax, see in ((left, final), (right, lambda hs: [100 * h.flips[-1] for h in hs])):
            values = [see(runs[rate, init]) for init in SWEEP_INITS]
            ax.plot(places, [statistics.mean(v) for v in values], "_", color=colour, ms=14, mew=2)
            for place, seen in zip(places, values, strict=True):
                ax.plot([place] * len(seen), seen, "o", color=colour, ms=4, alpha=0.6)
        left.plot([], [], "o", color=colour, label=f"learning rate {rate:g}")
    for ax, label in ((left, "test accuracy in %"), (right, "signs flipped since the start in %")):
        ax.set_xticks(range(len(names)), names)
        ax.set(xlabel="standard deviation of the latent weights", ylabel=label)
        ax.grid(alpha=0.3)
    left.legend(loc="lower left")
    save_picture(fig, path)


def rescue(out: Path, effort: Effort, data, test, tick: Callable[[], None]) -> Section:
    """Train a deeper chain without normalisation, with 1/sqrt(K) and with BN; tables, two pictures, CSV."""
    base = Trial(depth=effort.rescue_depth, width=effort.width, epochs=effort.rescue_epochs)
    runs = {}
    for optimiser, rate in OPTIMISERS.items():
        for case in SLOPES:
            for norm in NORMS:
                trial = replace(base, optimiser=optimiser, lr=rate, case=case, norm=norm)
                runs[optimiser, case, norm] = repeat(trial, effort.rescue_seeds, data, test, tick)
    write_training_csv(out / RESCUE.replace("png", "csv"), runs)
    draw_rescue(out / RESCUE, runs)
    draw_along(out / ALONG, runs)
    tables = [rescue_table(effort, runs), along_table(effort, runs)]
    return Section("Without batch normalisation", tables, rescue_findings(runs), [RESCUE, ALONG])


def write_training_csv(path: Path, runs: dict) -> None:
    """Accuracy and gradient variances after every epoch of every run."""
    depth = len(next(iter(runs.values()))[0].delta[0])
    rows = [
        [*key, seed + 1, epoch, f"{accuracy:.4f}", *(f"{v:.4g}" for v in delta)]
        for key, histories in runs.items()
        for seed, h in enumerate(histories)
        for epoch, (accuracy, delta) in enumerate(zip(h.accuracy, h.delta, strict=True))
    ]
    layers = [f"variance_{layer}" for layer in range(1, depth + 1)]
    write_csv(path, ["optimiser", "case", "norm", "seed", "epoch", "test_accuracy", *layers], rows)


def layer_ratio(history: History, epoch: int) -> float:
    """Geometric mean of Var(delta^(l-1)) / Var(delta^l) over layers 2 .. L after ``epoch``."""
    delta = history.delta[epoch]
    return (delta[0] / delta[-1]) ** (1 / (len(delta) - 1))


def rescue_table(effort: Effort, runs: dict) -> Table:
    """Final accuracy per optimiser, slope and norm."""
    columns = ["optimiser", "case", *(f"{LABELS[norm]}, %" for norm in NORMS)]
    rows = [
        [f"{optimiser}, lr {rate:g}", case, *(_spread(final(runs[optimiser, case, norm])) for norm in NORMS)]
        for optimiser, rate in OPTIMISERS.items()
        for case in SLOPES
    ]
    title = (
        f"Binary MLP {effort.rescue_depth} x {effort.width}, {effort.images} training images, "
        f"{effort.rescue_epochs} epochs: test accuracy, mean (lowest to highest) of seeds 1-{effort.rescue_seeds}"
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


def rescue_findings(runs: dict) -> list[str]:
    """What the accuracies say; every number from ``runs``."""
    mean = {key: statistics.mean(final(histories)) for key, histories in runs.items()}

    def three(optimiser: str, case: str) -> str:
        return ", ".join(f"{LABELS[norm]} {mean[optimiser, case, norm]:.1f} %" for norm in NORMS)

    return [
        f"SGD, clipped slope: {three('sgd', 'BNN clipped')}. The forward pass of the first two is the same function, "
        "sign(acc) = sign(acc / sqrt(K)): the whole difference is the gradient. "
        "(Rate 0.1 was chosen because the failure is clean there.)",
        f"Adam, clipped slope: {three('adam', 'BNN clipped')}. Adam divides every weight's gradient by its own size, "
        "so a growing gradient should not hurt by its size alone; that the window |acc| <= 1 lets few units learn is "
        "a likely reason for what is lost, which no run here isolates.",
        f"Adam, slope 1, no window: {three('adam', 'BNN identity')}, although the unnormalised variance grows by "
        f"{layer_ratio(runs['adam', 'BNN identity', 'none'][0], 0):.0f} per layer at the start. "
        f"SGD, slope 1: {three('sgd', 'BNN identity')}.",
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
