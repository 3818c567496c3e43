"""First part of "What BN does": the gradient variance at initialisation against the theory, dense and convolutional."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from matplotlib.figure import Figure

from signflow.models.files import save_picture
from signflow.models.study.gradients import Measurement, measure, plot_gradient_variance
from signflow.models.study.tables import Section, Table, write_csv
from signflow.models.study.theory import (
    CASES,
    NORMS,
    Stage,
    dense,
    predicted_profile,
    predicted_ratio,
)

PICTURE = "what-bn-does-variance.png"
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


def ratio_table(effort: Effort, tick: Callable[[], None]) -> tuple[Table, float]:
    """Every case with every norm in a chain of constant width; also the largest relative deviation from theory."""
    stages = dense([effort.width] * (effort.depth + 1))
    rows, worst = [], 0.0
    for name, case in CASES.items():
        for norm in NORMS:
            runs = [measure(stages, case, norm, effort.batch, seed) for seed in range(1, effort.seeds + 1)]
            measured = geometric_mean([run.ratio for run in runs])
            theory = predicted_ratio(case, norm, effort.width, effort.width)
            weights = geometric_mean([run.weight[0] / run.weight[-1] for run in runs])
            rows.append(
                [name, norm, f"{theory:.4g}", f"{measured:.4g}", f"{measured / theory - 1:+.1%}", f"{weights:.2g}"]
            )
            worst = max(worst, deviation(measured, theory))
            tick()
    title = (
        f"Var(delta) in front of a layer / behind it, geometric mean over {effort.depth} layers of {effort.width}, "
        f"batch {effort.batch}, seeds 1-{effort.seeds}; last column: Var(dL/dw) of the first layer / of the last"
    )
    return Table(title, ["case", "norm", "theory", "measured", "deviation", "dL/dw first / last"], rows), worst


def shrink_finding(effort: Effort) -> str:
    """The ratio of the clipped BNN with batch normalisation, with latent weights as they are and shrunk."""
    stages, case = dense([effort.width] * (effort.depth + 1)), CASES["BNN clipped"]
    he = math.sqrt(2 / effort.width)
    plain, shrunk = (measure(stages, case, "bn", effort.batch, init=std).ratio for std in (he, SHRINK * he))
    return (
        f"The scale of the latent weights is erased by the sign: the clipped BNN with batch normalisation has the "
        f"ratio {plain:.6f} with He's initialisation and {shrunk:.6f} with {SHRINK:g} times that."
    )


def width_table(effort: Effort) -> tuple[Table, float]:
    """Alternating widths under batch normalisation: the ratio is fan-out / fan-in, and telescopes."""
    w = effort.width
    widths = [w // 2, 2 * w, w // 2, w] * 2
    stages, case = dense(widths), CASES["BNN identity"]
    runs = [measure(stages, case, "bn", effort.batch, seed) for seed in range(1, effort.seeds + 1)]
    rows, worst = [], 0.0
    for i, stage in enumerate(stages):
        theory = predicted_ratio(case, "bn", stage.fan_in, stage.fan_out)
        measured = geometric_mean([run.ratios[i] for run in runs])
        rows.append([f"{i + 1}", f"{stage.inputs}", f"{stage.outputs}", f"{theory:.4g}", f"{measured:.4g}"])
        worst = max(worst, deviation(measured, theory))
    product = geometric_mean([run.delta[0] / run.delta[-1] for run in runs])
    rows.append(["all", f"{widths[0]}", f"{widths[-1]}", f"{widths[-1] / widths[0]:.4g}", f"{product:.4g}"])
    title = "Changing widths, BNN identity with batch normalisation: Var(delta) in front of each layer / behind it"
    return Table(title, ["layer", "inputs", "outputs", "theory", "measured"], rows), worst


def convolution_table(effort: Effort) -> tuple[Table, dict[str, float]]:
    """The convolutional stack, layer by layer, beside the theory without and with the border's zeros counted; also the
    largest deviations of the two.
    """
    stages, case = vgg_stack(effort.maps), CASES["BNN identity"]
    rows, worst = [], {"plain": 0.0, "inner": 0.0}
    for norm in ("none", "bn"):
        # 1/64 of the batch: a map has many pixels
        runs = [measure(stages, case, norm, max(2, effort.batch // 64), s) for s in range(1, effort.seeds + 1)]
        plain, inner = (_steps(predicted_profile(case, norm, stages, flag)) for flag in (False, True))
        for i, stage in enumerate(stages):
            measured = geometric_mean([run.ratios[i] for run in runs])
            shape = f"{stage.inputs} to {stage.outputs}, {stage.size}x{stage.size}, stride {stage.stride}"
            rows.append([shape, norm, f"{plain[i]:.4g}", f"{inner[i]:.4g}", f"{measured:.4g}"])
            worst["plain"] = max(worst["plain"], deviation(measured, plain[i]))
            worst["inner"] = max(worst["inner"], deviation(measured, inner[i]))
    title = "3x3 convolutions with a ring of zeros, BNN identity: Var(delta) in front of each layer / behind it"
    return Table(title, ["convolution", "norm", "theory", "theory with border", "measured"], rows), worst


def _steps(profile: list[float]) -> list[float]:
    return [a / b for a, b in pairwise(profile)]


def draw_variance(out: Path, effort: Effort, tick: Callable[[], None]) -> None:
    """The picture (depths across, without and with batch normalisation down) and its CSV."""
    fig = Figure(figsize=(11, 7), layout="constrained")
    axes = fig.subplots(2, len(effort.depths), sharey="row", squeeze=False)
    rows = []
    for row, norm in zip(axes, ("none", "bn"), strict=True):
        for ax, depth in zip(row, effort.depths, strict=True):
            found = plot_gradient_variance(ax, depth, effort.width, norm, effort.batch)
            rows += _profile_rows(found, norm, depth, effort.width)
            tick()
        row[0].set_ylabel(r"Var($\delta^l$) / Var($\delta^L$)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), title="marks: measured, lines: theory")
    save_picture(fig, out / PICTURE)
    write_csv(out / PICTURE.replace("png", "csv"), ["norm", "depth", "case", "layer", "variance", "theory"], rows)


def _profile_rows(found: dict[str, Measurement], norm: str, depth: int, width: int) -> list[list]:
    rows = []
    for name, measurement in found.items():
        theory = predicted_profile(CASES[name], norm, dense([width] * (depth + 1)))
        pairs = zip(measurement.delta, theory, strict=True)
        rows += [[norm, depth, name, layer, f"{m:.6g}", f"{t:.6g}"] for layer, (m, t) in enumerate(pairs)]
    return rows


def section(out: Path, effort: Effort, tick: Callable[[], None]) -> Section:
    """Measure, write picture and CSV into ``out``. ``tick`` is called `ticks` times."""
    ratios, worst = ratio_table(effort, tick)
    widths, worst_width = width_table(effort)
    convolutions, worst_border = convolution_table(effort)
    draw_variance(out, effort, tick)
    growth = predicted_ratio(CASES["full precision"], "bn", effort.width, effort.width)
    findings = [
        f"Theory and measurement differ by at most {worst:.1%} at constant width and {worst_width:.1%} at changing "
        "widths (the aim: 10 %).",
        shrink_finding(effort),
        f"Batch normalisation behind a ReLU does not keep the variance: it grows by pi / (pi - 1) = {growth:.3f} per "
        "layer, whatever the weights, real or binary; behind a sign with slope 1 it stays.",
        f"Convolutions: counting the border's zeros as inputs leaves up to {worst_border['plain']:.1%}, leaving them "
        f"out up to {worst_border['inner']:.1%}.",
    ]
    return Section("Gradient variance at initialisation", [ratios, widths, convolutions], findings, [PICTURE])


def ticks(effort: Effort) -> int:
    """Calls of ``tick`` that `section` makes."""
    return len(CASES) * len(NORMS) + 2 * len(effort.depths)
