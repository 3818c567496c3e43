"""Second part of "What BN does": trainings with batch normalisation over the scale of the initial latent weights."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from matplotlib.figure import Figure

from signflow.models.files import save_picture
from signflow.models.study.chain import INITS
from signflow.models.study.intervals import gap_interval, mean_interval, mean_of, with_interval
from signflow.models.study.tables import Section, Table, read_csv, write_csv
from signflow.models.study.training import History, Trial, fashion, final, repeat

PICTURE = "what-bn-does-sweep.png"
SCALES = (*INITS, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
RATES = (1e-3, 1e-2)


@dataclass(frozen=True)
class Effort:
    """How much is trained."""

    images: int = 30_000
    width: int = 256
    depth: int = 3
    epochs: int = 4
    seeds: int = 3

    @property
    def ticks(self) -> int:
        """Calls of ``tick`` that `record` makes: one an epoch."""
        return len(SCALES) * len(RATES) * self.seeds * self.epochs


def record(out: Path, effort: Effort, tick: Callable[[], None]) -> None:
    """Train from every initialisation at every learning rate; final accuracies and flipped shares go into the CSV."""
    data, test = fashion(effort.images)
    base = Trial(depth=effort.depth, width=effort.width, epochs=effort.epochs)
    rows = [
        [str(init), f"{rate:g}", seed, f"{h.accuracy[-1]:.4f}", f"{h.flips[-1]:.4f}"]
        for rate in RATES
        for init in SCALES
        for seed, h in enumerate(repeat(replace(base, init=init, lr=rate), effort.seeds, data, test, tick), 1)
    ]
    write_csv(out / PICTURE.replace("png", "csv"), ["init", "lr", "seed", "test_accuracy", "flipped"], rows)


def recorded(out: Path) -> dict[tuple[float, str | float], list[History]]:
    """(learning rate, initialisation) -> what the CSV holds of its runs, in the order of the seeds."""
    rows = read_csv(out / PICTURE.replace("png", "csv"))
    return {
        (rate, init): [
            History(accuracy=[float(row["test_accuracy"])], flips=[float(row["flipped"])])
            for row in rows
            if (row["lr"], row["init"]) == (f"{rate:g}", str(init))
        ]
        for rate in RATES
        for init in SCALES
    }


def section(out: Path, effort: Effort) -> Section:
    """From the CSV in ``out``, which also gets the picture."""
    runs = recorded(out)
    draw_sweep(out / PICTURE, runs)
    question = "Does the scale of the initial weights matter, with BN?"
    return Section(question, sweep_answer(runs), [sweep_table(effort, runs)], sweep_findings(runs), [PICTURE])


def sweep_table(effort: Effort, runs: dict) -> Table:
    """One row per initialisation, accuracy and flipped share for each learning rate."""
    columns = ["latent std"]
    for rate in RATES:
        columns += [f"accuracy in %, lr {rate:g}", "signs flipped"]
    rows = []
    for init in SCALES:
        row = [init if isinstance(init, str) else f"{init:g}"]
        for rate in RATES:
            flips = statistics.mean(h.flips[-1] for h in runs[rate, init])
            row += [mean_of(final(runs[rate, init]), ".1f"), f"{flips:.0%}"]
        rows.append(row)
    title = (
        f"Binary MLP {effort.depth} x {effort.width} with BN, Adam, {effort.images} training images, "
        f"{effort.epochs} epochs: test accuracy, mean [95 %] of seeds 1-{effort.seeds}"
    )
    return Table(title, columns, rows)


def sweep_answer(runs: dict) -> str:
    """How far the means lie apart below the clip, and what a scale at the clip costs, per learning rate."""
    sentences = ["The sign erases the scale in the forward pass."]
    for rate in RATES:
        means = [statistics.mean(final(runs[rate, init])) for init in SCALES if init != 1.0]
        he, clip = final(runs[rate, "He"]), final(runs[rate, 1.0])
        lost = with_interval(statistics.mean(clip) - statistics.mean(he), gap_interval(clip, he), "+.1f")
        sentences.append(
            f"At learning rate {rate:g} the means of all scales below 1 lie within {max(means) - min(means):.1f} points"
            f"; scale 1, where many latent weights start at the clip, ends {lost} points from He's."
        )
    return " ".join(sentences)


def sweep_findings(runs: dict) -> list[str]:
    """How many signs flip per learning rate, and why that differs."""
    flips = {key: statistics.mean(h.flips[-1] for h in histories) for key, histories in runs.items()}
    ends = [f"at rate {rate:g} {flips[rate, 1e-4]:.0%} from 1e-4 and {flips[rate, 1.0]:.0%} from 1" for rate in RATES]
    return [
        f"Signs flipped in training: {'; '.join(ends)}.",
        "All scales start from the same binary network (same seed, same signs), and at the start from the same "
        "gradients: what differs is how far a step of Adam, of the size of the learning rate, is from flipping a sign.",
    ]


def draw_sweep(path: Path, runs: dict) -> None:
    """Accuracy and share of flipped signs over the initialisations."""
    fig = Figure(figsize=(10, 4), layout="constrained")
    left, right = fig.subplots(1, 2)
    names = [init if isinstance(init, str) else f"{init:g}" for init in SCALES]
    for i, rate in enumerate(RATES):
        colour, places = f"C{i}", [k + 0.16 * i - 0.08 for k in range(len(names))]
        for ax, see in ((left, final), (right, lambda hs: [100 * h.flips[-1] for h in hs])):
            values = [see(runs[rate, init]) for init in SCALES]
            ax.plot(places, [statistics.mean(v) for v in values], "_", color=colour, ms=14, mew=2)
            for place, seen in zip(places, values, strict=True):
                ax.plot([place] * len(seen), seen, "o", color=colour, ms=4, alpha=0.6)
                ax.plot([place] * 2, mean_interval(seen) or [seen[0]] * 2, color=colour, lw=1.2)
        left.plot([], [], "o", color=colour, label=f"learning rate {rate:g}")
    for ax, label in ((left, "test accuracy in %"), (right, "signs flipped since the start in %")):
        ax.set_xticks(range(len(names)), names)
        ax.set(xlabel="standard deviation of the latent weights", ylabel=label)
        ax.grid(alpha=0.3)
    left.legend(loc="lower left")
    fig.supxlabel("dots: runs; bars: means and their 95 % intervals", fontsize=8, color="0.35")
    save_picture(fig, path)
