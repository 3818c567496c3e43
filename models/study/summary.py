"""What a finished comparison says: a table of mean, spread and best, a picture (boxes, or curves along an axis), and
sentences made of its numbers.
"""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from statistics import mean, median, stdev

from scipy import stats

from signflow.models.files import save_picture
from signflow.models.methods import METHODS
from signflow.models.networks import network
from signflow.models.study.compare import Comparison
from signflow.models.study.tables import Table, write_csv

COLUMNS = ("net", "seed", "final_accuracy", "best_accuracy", "epochs", "seconds", "commit", "dirty", "device", "torch")
SIGNIFICANT = 0.05
NEAR, FAR = 5, 15
"""Points of accuracy from the best: what is drawn closer where another net is far off."""


def title(net: str) -> str:
    """Name of the method of a network of `NETWORKS`, for tables."""
    return METHODS[network(net).method].title


def labels(nets: Sequence[str]) -> dict[str, str]:
    """What to call each of ``nets`` in a plot: by its method where they are one network in several methods."""
    titles = {net: title(net) for net in nets}
    one = all(net.startswith(nets[0]) for net in nets) and len(set(titles.values())) == len(nets)
    return titles if one else {net: net for net in nets}


def accuracies(rows: list[dict]) -> dict[str, list[float]]:
    """net -> test accuracies of the last epoch in percent, in the order of the seeds."""
    nets = dict.fromkeys(row["net"] for row in rows)
    return {net: [100 * row["final_accuracy"] for row in rows if row["net"] == net] for net in nets}


def table(comparison: Comparison, rows: list[dict]) -> Table:
    """Mean, sample standard deviation and best over seeds, the difference to the baseline, and training time."""
    by_net = accuracies(rows)
    cells = []
    for net, values in by_net.items():
        several = len(values) > 1
        seconds = median(row["seconds"] / row["epochs"] for row in rows if row["net"] == net)
        base = comparison.baseline(net)
        gap = "" if net == base else f"{mean(values) - mean(by_net[base]):+.2f}"
        cells.append(
            [net, title(net), str(len(values)), f"{mean(values):.2f}", f"{stdev(values):.2f}" if several else "-"]
            + [f"{max(values):.2f}", gap, f"{seconds:.1f}"]
        )
    columns = ["net", "method", "seeds", "mean %", "std", "best %", "to baseline", "s/epoch"]
    return Table(f"{comparison.title}: float32 test accuracy after {_epochs(rows)}", columns, cells)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def findings(comparison: Comparison, rows: list[dict]) -> list[str]:
    """One sentence for every net against its baseline; with several seeds Welch's t-test decides what is a difference,
    and with three or more Levene's test (around the median) whether the spread differs.
    """
    by_net = accuracies(rows)
    called, sentences = labels(list(by_net)), []
    for net, values in by_net.items():
        if (other := comparison.baseline(net)) == net:
            continue
        base = by_net[other]
        gap = mean(values) - mean(base)
        name = f"{called[net]} ({net})" if called[net] != net else f"{net} ({title(net)})"
        text = f"{name} ends {abs(gap):.2f} points {'above' if gap > 0 else 'below'} {called[other]}"
        if len(values) > 1:
            p = stats.ttest_ind(values, base, equal_var=False).pvalue
            verdict = "a difference" if p < SIGNIFICANT else "not a difference that these seeds can show"
            text += f" (Welch {_p(p)}: {verdict}); standard deviation {stdev(values):.2f} against {stdev(base):.2f}"
        if len(values) > 2:
            p = stats.levene(values, base, center="median").pvalue
            text += f" (Levene {_p(p)}: {'different' if p < SIGNIFICANT else 'no evidence of a difference'})"
        sentences.append(text + ".")
    return sentences


def draw_curves(comparison: Comparison, rows: list[dict], path: Path) -> None:
    """The curves of the comparison: the mean over seeds at every place of the axis, and every run a dot."""
    from matplotlib.figure import Figure

    by_net = accuracies(rows)
    fig = Figure(figsize=(7, 4.4))
    axes = fig.subplots()
    for (name, curve), mark in zip(comparison.curves.items(), cycle("os^Dv"), strict=False):
        values = [by_net[net] for net in curve.values()]
        (line,) = axes.plot(list(curve), [mean(v) for v in values], marker=mark, label=name)
        for place, runs in zip(curve, values, strict=True):
            axes.plot([place] * len(runs), runs, mark, color=line.get_color(), alpha=0.4, markersize=4)
    axes.set_xlabel(comparison.along)
    axes.set_ylabel(f"test accuracy in % after {_epochs(rows)}")
    axes.set_title(comparison.title, fontsize=11)
    axes.grid(alpha=0.3)
    axes.legend()
    fig.tight_layout()
    save_picture(fig, path)


def _epochs(rows: list[dict]) -> str:
    return f"{rows[0]['epochs']} epoch{'s' if rows[0]['epochs'] > 1 else ''}"


def draw(comparison: Comparison, rows: list[dict], path: Path) -> None:
    """Box plot over seeds, one box a net, every run a dot; where a net is far off, beside it once more without."""
    from matplotlib.figure import Figure

    by_net = accuracies(rows)
    means = [mean(values) for values in by_net.values()]
    top = max(means)
    near = [value for values in by_net.values() if mean(values) > top - NEAR for value in values]
    zoom = top - min(means) > FAR
    fig = Figure(figsize=(11 if zoom else 7, 0.5 * len(by_net) + 1.6))
    whole, *close = fig.subplots(1, 1 + zoom, sharey=True, squeeze=False)[0]
    names = list(labels(list(by_net)).values())
    for axes in (whole, *close):
        axes.boxplot(by_net.values(), orientation="horizontal", tick_labels=names, widths=0.6, showfliers=False)
        for i, values in enumerate(by_net.values(), 1):
            axes.plot(values, [i] * len(values), "o", color="tab:blue", alpha=0.6, markersize=5)
        axes.set_xlabel(f"test accuracy in % after {_epochs(rows)}")
        axes.grid(axis="x", alpha=0.3)
    whole.set_title(comparison.title, fontsize=11)
    whole.invert_yaxis()
    for axes in close:
        margin = 0.05 * (max(near) - min(near)) + 0.05
        axes.set_xlim(min(near) - margin, max(near) + margin)
        axes.set_title(f"the same, within {NEAR} points of the best", fontsize=11)
    fig.tight_layout()
    save_picture(fig, path)


def origin(rows: list[dict]) -> str:
    """Which code, hardware and seeds made the rows."""
    commits = sorted({str(row["commit"])[:10] + (" (changed files)" if row["dirty"] else "") for row in rows})
    devices = sorted({f"{row['device']}, {row['threads']} thread(s) a run" for row in rows})
    seeds = sorted({row["seed"] for row in rows})
    return (
        f"Commit {', '.join(commits)}; seeds {', '.join(map(str, seeds))}; {'; '.join(devices)}; "
        f"torch {rows[0]['torch']}; {sum(row['seconds'] for row in rows) / 60:.0f} minutes of training."
    )


def summarise(comparison: Comparison, rows: list[dict], out: Path) -> tuple[Table, str]:
    """Write ``<name>.csv`` and ``<name>.png`` into ``out``; returns the table and the Markdown of the section."""
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / f"{comparison.name}.csv", list(COLUMNS), [[row[c] for c in COLUMNS] for row in rows])
    (draw_curves if comparison.curves else draw)(comparison, rows, out / f"{comparison.name}.png")
    shown = table(comparison, rows)
    lines = [shown.markdown(), *(f"- {text}" for text in findings(comparison, rows)), ""]
    lines += [f"![{comparison.title}](results/{comparison.name}.png)", "", origin(rows), ""]
    lines += [f"Every run: [results/{comparison.name}.csv](results/{comparison.name}.csv)."]
    return shown, "\n".join(lines)
