"""The ladder as a person sees it: PyTorch, QONNX, integer graph, hardware graph and RTL simulation in one table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from signflow.deploy import flow
from signflow.deploy.command import show
from signflow.deploy.compile import streamline
from signflow.deploy.compile.export import reference
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.verify.ladder import LadderError, Row, Rung, check, climb
from signflow.deploy.verify.locate import locate
from signflow.deploy.verify.signs import first_difference
from signflow.hw.sim import RtlSimulator
from signflow.models.networks import predict

QONNX_IMAGES, HARDWARE_IMAGES = 16, 4
"""Images for the two rungs that run node by node in Python (about 50 ms and 1 s for a CNV image)."""
STALL = 0.3
"""Probability of a pause in a cycle on both sides, in the ladder's last rung."""
WORKERS = 2


def table(title: str, rows: Sequence[Row], images: int) -> Table:
    """One line a rung; the accuracy where all ``images`` were used."""
    view = Table(title=title)
    for column in ("rung", "images", "logits compared", "mismatches", "accuracy", "s"):
        view.add_column(column, justify="left" if column == "rung" else "right")
    for row in rows:
        accuracy = "" if row.accuracy is None or row.images < images else f"{row.accuracy:.2%}"
        view.add_row(
            row.rung,
            f"{row.images:,}",
            f"{row.logits:,}",
            f"{row.mismatches:,}",
            accuracy,
            f"{row.seconds:.1f}",
            style="red" if row.mismatches else "",
        )
    return view


def torch_rung(settings: flow.Settings, head: Head) -> Rung | None:
    """PyTorch's logits as the integers they stand for; None for a foreign network."""
    import torch

    net = flow.torch_network(settings)
    if net is None:
        return None

    def run(images: np.ndarray) -> np.ndarray:
        integers, distance = head.invert(predict(net, torch.from_numpy(images)).numpy())
        if distance:
            raise LadderError(
                f"PyTorch's logits lie {distance:.3g} steps off the integers' own logits: "
                "the recorded head is not the network's"
            )
        return integers

    return Rung("PyTorch", run)


def _qonnx(model, head: Head):
    def run(images: np.ndarray) -> np.ndarray:
        integers, distance = head.invert(reference(model, images)["output"].reshape(len(images), -1))
        if distance > 0.01:
            raise LadderError(
                f"QONNX's logits lie {distance:.3g} steps off the integers' own logits: "
                "the recorded head is not the network's"
            )
        return integers

    return run


def ladder(
    console: Console,
    work: Path,
    split: str | None,
    count: int | None,
    stall_images: int,
    seed: int,
    json_file: Path | None = None,
) -> dict:
    """Climb the ladder, print it, write it to the work folder; then raises LadderError when a logit differs."""
    settings = flow.settings_of(work)
    onnx, integer, folded = (flow.read(work, product) for product in (flow.NETWORK, flow.INTEGER, flow.FOLDED))
    head, image = Head.of(integer), ImageInput.of(integer)
    images, labels, what = show.images_of(settings, image, split, count, seed)
    graph, simulator = IntGraph(integer), RtlSimulator(work / flow.ACCELERATOR)
    stream, shape, runs = ImageInput.of(folded), tuple(simulator.facts["input"]["shape"]), {}

    def simulate(part: np.ndarray, stall: float) -> np.ndarray:
        words = stream.stream(part).reshape(-1, *shape)
        runs[stall] = simulator.run(
            words, workers=WORKERS, in_stall=stall, out_stall=stall, seed=seed, progress=lambda d, n: tick(d, total=n)
        )
        return runs[stall].outputs

    rungs = [
        torch_rung(settings, head),
        Rung("QONNX", _qonnx(onnx, head), QONNX_IMAGES),
        Rung("integer graph", lambda part: graph(part, progress=lambda d: tick(d, len(part)))),
        Rung("FINN hardware graph", lambda part: streamline.execute(folded, part), HARDWARE_IMAGES),
        Rung("RTL simulation", lambda part: simulate(part, 0.0)),
        Rung("RTL, random stalls", lambda part: simulate(part, STALL), stall_images) if stall_images else None,
    ]
    with show.bar(console, "ladder") as step:
        name = ""

        def begin(rung: Rung) -> None:
            nonlocal name
            name = rung.name
            tick(0)

        def tick(done: int, total: int | None = None) -> None:
            step(done, f"ladder: {name}", total)

        rows = climb([r for r in rungs if r], images, labels, begin, head)
    console.print(table(f"{settings.name}: the ladder on {what}", rows, len(images)))
    cycles = show.cycles_of(console, work, simulator, runs[0.0])
    result = {"network": settings.name, "board": settings.board, "split": what}
    result |= {"ladder": [row.as_dict() for row in rows], "cycles": cycles}
    flow.write_json(result, work / flow.VERIFIED, json_file)
    check(rows, lambda at: _where(onnx, integer, folded, work / flow.ACCELERATOR, images[at]))
    return result


def _where(onnx, integer, folded, folder: Path, image: np.ndarray) -> str:
    """The first node, pixel and channel that differ, from the top of the ladder downwards."""
    difference = first_difference(onnx, integer, image) or locate(integer, folded, folder, image)
    alone = "QONNX, integer graph, FINN and every RTL operator alone agree on this image"
    return f"first differing node: {difference}" if difference else alone
