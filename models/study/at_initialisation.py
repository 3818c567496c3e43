"""First part of "What BN does": the gradient variance at initialisation against the theory, dense and convolutional."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from matplotlib.figure import Figure

from signflow.models.files import save_picture
from signflow.models.study.gradients import measure, plot_profiles
from signflow.models.study.intervals import geometric_interval, with_interval
from signflow.models.study.tables import Section, Table, read_csv, write_csv
from signflow.models.study.theory import (
    CASES,
    NORMS,
    Stage,
    dense,
    predicted_profile,
    predicted_ratio,
)

PICTURE, RATIOS = "what-bn-does-variance.png", "what-bn-does-ratios.csv"
WIDTHS, BORDER = "changing widths", "convolutions"
DRAWN = ("none", "bn")
"""Norms of the picture and of the convolutions."""
SHRINK = 1e-3
"""Factor on the latent weights that must change nothing."""


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    width: int = 512
    batch: int = 1024
    depth: int = 10
    """Of the tables."""
    depths: tuple[int, ...] = (5, 10, 20)
    """Of the picture."""
    seeds: int = 3
    maps: int = 32
    """Channels and height of the first map of the convolutional stack."""

    @property
    def ticks(self) -> int:
        """Calls of ``tick`` that `record` makes."""
        return len(CASES) * len(NORMS) + len(DRAWN) * len(self.depths)

    @property
    def widths(self) -> list[int]:
        """Of the dense chain whose width changes."""
        return [self.width // 2, 2 * self.width, self.width // 2, self.width] * 2


def vgg_stack(maps: int) -> list[Stage]:
    """Six 3x3 convolutions as in a small VGG, with stride 2 where that pools."""
    m = maps
    return [
        Stage(m, m, m),
        Stage(m, m, m),
        Stage(m, 2 * m, m, stride=2),
        Stage(2 * m, 2 * m, m // 2),
        Stage(2 * m, 4 * m, m // 2, stride=2),
        Stage(4 * m, 4 * m, m // 4),
    ]


def geometric_mean(values: list[float]) -> float:
    """Of positive numbers."""
    return math.exp(sum(map(math.log, values)) / len(values))


def deviation(measured: float, theory: float) -> float:
    """Relative deviation, unsigned."""
    return abs(measured / theory - 1)


def record(out: Path, effort: Effort, tick: Callable[[], None]) -> None:
    """Measure. Ratios Var(delta^(l-1)) / Var(delta^l) of every seed, beside the theory, go into `RATIOS`; variances
    along chains of several depths into the CSV of the picture. ``tick`` is called `Effort.ticks` times.
    """
    rows = [*_constant(effort, tick), *_changing(effort), *_convolved(effort), *_shrunk(effort)]
    columns = ["part", "case", "norm", "seed", "layer", "theory", "inner", "ratio", "weights"]
    write_csv(out / RATIOS, columns, [[f"{v:.10g}" if isinstance(v, float) else v for v in row] for row in rows])
    profiles = []
    for norm in DRAWN:
        for depth in effort.depths:
            stages = dense([effort.width] * (depth + 1))
            for name, case in CASES.items():
                delta = measure(stages, case, norm, effort.batch).delta
                pairs = zip(delta, predicted_profile(case, norm, stages), strict=True)
                profiles += [[norm, depth, name, layer, f"{m:.6g}", f"{t:.6g}"] for layer, (m, t) in enumerate(pairs)]
            tick()
    write_csv(out / PICTURE.replace("png", "csv"), ["norm", "depth", "case", "layer", "variance", "theory"], profiles)


def _constant(effort: Effort, tick: Callable[[], None]) -> Iterator[list]:
    """Chains of constant width: the geometric mean over all layers, and Var(dL/dw) of the first layer / the last."""
    stages = dense([effort.width] * (effort.depth + 1))
    for name, case in CASES.items():
        for norm in NORMS:
            theory = predicted_ratio(case, norm, effort.width, effort.width)
            for seed in range(1, effort.seeds + 1):
                run = measure(stages, case, norm, effort.batch, seed)
                yield ["constant width", name, norm, seed, "all", theory, "", run.ratio, run.weight[0] / run.weight[-1]]
            tick()


def _changing(effort: Effort) -> Iterator[list]:
    """Changing widths under batch normalisation, layer by layer and from end to end."""
    stages, case = dense(effort.widths), CASES["BNN identity"]
    for seed in range(1, effort.seeds + 1):
        run = measure(stages, case, "bn", effort.batch, seed)
        for layer, (stage, ratio) in enumerate(zip(stages, run.ratios, strict=True), 1):
            theory = predicted_ratio(case, "bn", stage.fan_in, stage.fan_out)
            yield [WIDTHS, "BNN identity", "bn", seed, layer, theory, "", ratio, ""]
        theory = effort.widths[-1] / effort.widths[0]
        yield [WIDTHS, "BNN identity", "bn", seed, "all", theory, "", run.delta[0] / run.delta[-1], ""]


def _convolved(effort: Effort) -> Iterator[list]:
    """The convolutional stack, layer by layer; theory without and with the border's zeros left out."""
    stages, case = vgg_stack(effort.maps), CASES["BNN identity"]
    for norm in DRAWN:
        plain, inner = (_steps(predicted_profile(case, norm, stages, flag)) for flag in (False, True))
        for seed in range(1, effort.seeds + 1):
            # 1/64 of the batch: a map has many pixels
            ratios = measure(stages, case, norm, max(2, effort.batch // 64), seed).ratios
            for layer, found in enumerate(zip(plain, inner, ratios, strict=True), 1):
                yield [BORDER, "BNN identity", norm, seed, layer, *found, ""]


def _shrunk(effort: Effort) -> Iterator[list]:
    """The clipped BNN with batch normalisation, latent weights as they are and shrunk."""
    stages, case = dense([effort.width] * (effort.depth + 1)), CASES["BNN clipped"]
    theory = predicted_ratio(case, "bn", effort.width, effort.width)
    for name, factor in (("He", 1), ("shrunk", SHRINK)):
        run = measure(stages, case, "bn", effort.batch, init=factor * math.sqrt(2 / effort.width))
        yield [name, "BNN clipped", "bn", 1, "all", theory, "", run.ratio, ""]


def _steps(profile: list[float]) -> list[float]:
    return [a / b for a, b in pairwise(profile)]


def recorded(out: Path) -> dict[tuple[str, str, str, str], dict]:
    """(part, case, norm, layer) -> theory, inner, and ratios and weights in the order of the seeds; from `RATIOS`."""
    found = {}
    for row in read_csv(out / RATIOS):
        key = row["part"], row["case"], row["norm"], row["layer"]
        theory = {"theory": float(row["theory"]), "inner": row["inner"]}
        cell = found.setdefault(key, {**theory, "ratio": [], "weights": []})
        cell["ratio"].append(float(row["ratio"]))
        cell["weights"] += [float(row["weights"])] if row["weights"] else []
    return found


def _measured(cell: dict) -> str:
    return with_interval(geometric_mean(cell["ratio"]), geometric_interval(cell["ratio"]), ".4g")


def _worst(cells: Iterable[dict], column: str = "theory") -> float:
    return max(deviation(geometric_mean(cell["ratio"]), float(cell[column])) for cell in cells)


def _part(found: dict, part: str) -> dict[tuple[str, str, str], dict]:
    return {key[1:]: cell for key, cell in found.items() if key[0] == part}


def ratio_table(found: dict, effort: Effort) -> Table:
    """Every case with every norm in a chain of constant width."""
    rows = [
        [name, norm, f"{cell['theory']:.4g}", _measured(cell)]
        + [f"{geometric_mean(cell['ratio']) / cell['theory'] - 1:+.1%}", f"{geometric_mean(cell['weights']):.2g}"]
        for (name, norm, _), cell in _part(found, "constant width").items()
    ]
    title = (
        f"Var(delta) in front of a layer / behind it, geometric mean [95 %] over {effort.depth} layers of "
        f"{effort.width}, batch {effort.batch}, seeds 1-{effort.seeds}; last column: Var(dL/dw) of the first layer / "
        "of the last"
    )
    return Table(title, ["case", "norm", "theory", "measured [95 %]", "deviation", "dL/dw first / last"], rows)


def width_table(found: dict, effort: Effort) -> Table:
    """Alternating widths under batch normalisation: the ratio is fan-out / fan-in, and telescopes."""
    widths = effort.widths
    ends = {str(layer): pair for layer, pair in enumerate(pairwise(widths), 1)} | {"all": (widths[0], widths[-1])}
    rows = [
        [layer, *map(str, ends[layer]), f"{cell['theory']:.4g}", _measured(cell)]
        for (_, _, layer), cell in _part(found, WIDTHS).items()
    ]
    title = "Changing widths, BNN identity with batch normalisation: Var(delta) in front of each layer / behind it"
    return Table(title, ["layer", "inputs", "outputs", "theory", "measured [95 %]"], rows)


def convolution_table(found: dict, effort: Effort) -> Table:
    """The convolutional stack, layer by layer, beside the theory without and with the border's zeros counted."""
    stages, rows = vgg_stack(effort.maps), []
    for (_, norm, layer), cell in _part(found, BORDER).items():
        stage = stages[int(layer) - 1]
        shape = f"{stage.inputs} to {stage.outputs}, {stage.size}x{stage.size}, stride {stage.stride}"
        rows.append([shape, norm, f"{cell['theory']:.4g}", f"{float(cell['inner']):.4g}", _measured(cell)])
    title = "3x3 convolutions with a ring of zeros, BNN identity: Var(delta) in front of each layer / behind it"
    return Table(title, ["convolution", "norm", "theory", "theory with border", "measured [95 %]"], rows)


def draw_variance(out: Path, effort: Effort) -> None:
    """The picture (depths across, without and with batch normalisation down) from its CSV."""
    rows = read_csv(out / PICTURE.replace("png", "csv"))
    fig = Figure(figsize=(11, 7), layout="constrained")
    axes = fig.subplots(2, len(effort.depths), sharey="row", squeeze=False)
    for line, norm in zip(axes, DRAWN, strict=True):
        for ax, depth in zip(line, effort.depths, strict=True):
            profiles = {name: [] for name in CASES}
            for row in rows:
                if (row["norm"], row["depth"]) == (norm, str(depth)):
                    profiles[row["case"]].append(float(row["variance"]))
            plot_profiles(ax, profiles, effort.width, norm)
        line[0].set_ylabel(r"Var($\delta^l$) / Var($\delta^L$)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), title="marks: measured, lines: theory")
    save_picture(fig, out / PICTURE)


def section(out: Path, effort: Effort) -> Section:
    """From the CSV files in ``out``, which also gets the picture."""
    found = recorded(out)
    draw_variance(out, effort)
    constant, border = _part(found, "constant width"), _part(found, BORDER).values()
    plain, bn = (geometric_mean(constant["BNN identity", norm, "all"]["ratio"]) for norm in ("none", "bn"))
    answer = (
        f"Theory and measurement differ by at most {_worst(constant.values()):.1%} at constant width and "
        f"{_worst(_part(found, WIDTHS).values()):.1%} at changing widths (the aim: 10 %). Without normalisation the "
        f"variance of a binary network's gradient grows by {plain:.4g} per layer of {effort.width}, with batch "
        f"normalisation by {bn:.4g} (slope 1)."
    )
    growth = predicted_ratio(CASES["full precision"], "bn", effort.width, effort.width)
    he, shrunk = (found[name, "BNN clipped", "bn", "all"]["ratio"][0] for name in ("He", "shrunk"))
    findings = [
        f"The scale of the latent weights is erased by the sign: the clipped BNN with batch normalisation has the "
        f"ratio {he:.6f} with He's initialisation and {shrunk:.6f} with {SHRINK:g} times that.",
        f"Batch normalisation behind a ReLU does not keep the variance: it grows by pi / (pi - 1) = {growth:.3f} per "
        "layer, whatever the weights, real or binary; behind a sign with slope 1 it stays.",
        f"Convolutions: counting the border's zeros as inputs leaves up to {_worst(border):.1%}, leaving them out up "
        f"to {_worst(border, 'inner'):.1%}.",
    ]
    tables = [ratio_table(found, effort), width_table(found, effort), convolution_table(found, effort)]
    return Section("Does the gradient's variance follow the theory?", answer, tables, findings, [PICTURE])
