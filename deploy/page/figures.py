"""The pictures of the page, most by the room `pictures`: graph, one image in time, foldings, thresholds, training."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.golden.thresholds import Rule, integers, rules
from signflow.deploy.page.foldings import Folding
from signflow.deploy.page.svg import svg
from signflow.deploy.pictures import draw_folding, draw_graph, draw_thresholds, draw_timeline
from signflow.deploy.pictures.diagram import of_accelerator
from signflow.deploy.plan.graph import operators
from signflow.hw.boards import Board
from signflow.models.training.record import curve


def graph(facts: dict) -> str:
    """Operators, streams, FIFOs; the operators can be clicked."""
    return svg(draw_graph.draw(of_accelerator(facts)), "operators and streams of the accelerator")


def timeline(folded: ModelWrapper) -> str:
    """One image through all operators."""
    return svg(draw_timeline.draw(operators(folded)), "one image through all operators, cycle by cycle")


def tradeoff(foldings: Sequence[Folding], board: Board) -> str:
    """Images a second against LUTs: the Pareto front, what it beats, and this build."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    draw_folding.tradeoff(axes, {"Pareto front": [found.point for found in foldings if found.front]}, board)
    for kind, chosen, style in (
        ("beaten", [found for found in foldings if not found.front], {"marker": "x", "color": "#5f6368"}),
        ("this build", [found for found in foldings if found.built],
         {"marker": "D", "color": "#188038", "mfc": "none", "ms": 11}),
    ):  # fmt: skip
        if chosen:
            places = [(found.point.cost["LUT"], found.point.fps) for found in chosen]
            axes.plot(*zip(*places, strict=True), ls="none", label=kind, **style)
    axes.legend(loc="upper left", title=axes.get_legend().get_title().get_text() or None)
    return svg(figure, "images a second against LUTs")


def thresholds(network: ModelWrapper, integer: ModelWrapper, images: np.ndarray, name: str) -> dict[str, str]:
    """Operator -> picture of the channel whose sign is least decided on ``images``, for every sign behind a product."""
    signs = [rule for rule in rules(integer) if rule.sign is not None and rule.datatype == "BINARY"]
    wanted = [(rule, _undecided(integer, rule, images)) for rule in signs]
    found = draw_thresholds.curves(network, integer, wanted, images)
    return {
        rule.layer: svg(draw_thresholds.figure(curve, f"{name}, {rule.layer}, channel {channel}"), f"sign {rule.layer}")
        for (rule, channel), curve in zip(wanted, found, strict=True)
        if curve is not None
    }


def _undecided(integer: ModelWrapper, rule: Rule, images: np.ndarray) -> int:
    """The channel whose bit is 1 nearest to half of the time."""
    ones = positions = 0
    for x in integers(integer, rule, images):
        bits = x >= rule.thresholds[:, -1]
        bits |= (x < rule.thresholds[:, 0]) if rule.windowed else False
        ones, positions = ones + bits.sum(axis=(0, 1)), positions + x.shape[0] * x.shape[1]
    return int(np.abs(ones / positions - 0.5).argmin())


def training(log: Path) -> str | None:
    """Loss and accuracy over the epochs of a training's ``log`` (CSV); None where there is none."""
    from matplotlib.figure import Figure

    if not log.exists():
        return None
    with open(log, newline="") as file:
        rows = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    curve(figure, rows)
    return svg(figure, "training loss and test accuracy")
