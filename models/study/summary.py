"""What a finished comparison says: the CSV file of its runs, and from that alone its section of the results: question,
answer, table and picture.
"""

from pathlib import Path
from statistics import fmean, median, stdev

from signflow.models.study.answers import accuracies, answer, epochs, gaps, title
from signflow.models.study.compare import Comparison
from signflow.models.study.intervals import mean_interval, with_interval
from signflow.models.study.pictures import draw, draw_curves
from signflow.models.study.tables import Table, read_csv, write_csv
from signflow.models.training.recipe import RecipeError

READ = {
    **{"net": str, "seed": int, "final_accuracy": float, "best_accuracy": float, "epochs": int, "seconds": float},
    **{"commit": str, "dirty": lambda text: text == "True", "device": str, "threads": str, "torch": str},
}
"""Columns of the file, and what reads a cell of each; `threads` is empty where it was not recorded."""


def record(comparison: Comparison, rows: list[dict], out: Path) -> None:
    """Write the runs into ``<out>/<name>.csv``."""
    out.mkdir(parents=True, exist_ok=True)
    write_csv(out / f"{comparison.name}.csv", list(READ), [[row[column] for column in READ] for row in rows])


def recorded(comparison: Comparison, out: Path) -> list[dict]:
    """The runs in ``<out>/<name>.csv``. Raises RecipeError where they are not those of the comparison."""
    path = out / f"{comparison.name}.csv"
    if not path.exists():
        raise RecipeError(f"{path} is missing: `signflow experiment {comparison.name}` does the runs and writes it")
    rows = [{column: READ[column](cell) for column, cell in row.items()} for row in read_csv(path)]
    expected = list(comparison.recipes())
    if (found := [(row["net"], row["seed"]) for row in rows]) != expected:
        odd = sorted(set(found) ^ set(expected)) or "their order"
        raise RecipeError(f"{path} does not hold the runs of {comparison.name}: {odd} differ; do the experiment again")
    return rows


def table(comparison: Comparison, rows: list[dict]) -> Table:
    """Mean and gap to the baseline with their 95 % intervals, sample standard deviation, training time."""
    by_net = accuracies(rows)
    apart = {gap.net: gap for gap in gaps(comparison, rows)}
    cells = []
    for net, values in by_net.items():
        several = len(values) > 1
        seconds = median(row["seconds"] / row["epochs"] for row in rows if row["net"] == net)
        gap = apart.get(net)
        cells.append(
            [net, title(net), str(len(values)), with_interval(fmean(values), mean_interval(values), ".2f")]
            + [f"{stdev(values):.2f}" if several else "-"]
            + [with_interval(gap.points, gap.interval, "+.2f") if gap else "", f"{seconds:.1f}"]
        )
    columns = ["net", "method", "seeds", "mean % [95 %]", "std", "to baseline [95 %]", "s/epoch"]
    return Table(f"{comparison.title}: float32 test accuracy after {epochs(rows)}", columns, cells)


def origin(rows: list[dict]) -> str:
    """Which code, hardware and seeds made the rows."""
    commits = sorted({str(row["commit"])[:10] + (" (changed files)" if row["dirty"] else "") for row in rows})
    threads = {f"{row['threads']} thread(s) a run" if row["threads"] else "threads not recorded" for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    return (
        f"Commit {', '.join(commits)}; seeds {', '.join(map(str, seeds))}; "
        f"{', '.join(sorted({row['device'] for row in rows}))}, {' or '.join(sorted(threads))}; "
        f"torch {rows[0]['torch']}; {sum(row['seconds'] for row in rows) / 60:.0f} minutes of training."
    )


def summarise(comparison: Comparison, out: Path) -> tuple[Table, str]:
    """Draw ``<out>/<name>.png`` from the recorded runs; returns the table and the Markdown of the section."""
    rows = recorded(comparison, out)
    (draw_curves if comparison.curves else draw)(comparison, rows, out / f"{comparison.name}.png")
    shown = table(comparison, rows)
    lines = [f"**Answer.** {answer(comparison, rows)}", ""]
    lines += [comparison.note, ""] if comparison.note else []
    lines += [shown.markdown()]
    lines += [f"![{comparison.title}](results/{comparison.name}.png)", "", origin(rows), ""]
    lines += [f"Every run: [results/{comparison.name}.csv](results/{comparison.name}.csv)."]
    return shown, "\n".join(lines)
