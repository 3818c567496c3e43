"""Draws the pictures of residual.md: `python docs/residual/draw.py WORK`, where WORK is the folder of a build.

    zero.png      a window of bits in the corner of a padded map, its flags, and what it counts
    stream.png    integers of a trained network on real images: a branch, its sum with the stream, what the quantiser
                  makes of it; and the stream's codes behind every addition
    fifo.png      words in the skip FIFOs over time, in the schedule that their depths come from

Those in residual.md are of a build of bn-resnet18-fashion for the PYNQ-Z2 with trained weights (`build --weights`): 3
epochs, seed 1, 81.89 % on the test images.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.accelerator import load
from signflow.deploy.golden.functions import codes, functions
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.pictures.draw_codes import BLUE, INK, PALE, bars
from signflow.deploy.plan.buffer import stays
from signflow.deploy.plan.graph import operators, reads, writes
from signflow.hw.ops.base import StreamOp
from signflow.models.files import save_picture

HERE = Path(__file__).parent
CHANNELS, KERNEL = 4, 3
IMAGES = 200
INTERVALS = 4
"""Between images, that are shown of the FIFOs."""
GREY, EDGE = "#e8eaed", "#5f6368"


def grid(axes: Axes, title: str, cells: list[list[str]], padded: np.ndarray) -> None:
    """A square of cells; ``padded`` ones are grey."""
    axes.set(title=title, xlim=(0, KERNEL), ylim=(KERNEL, 0), aspect="equal")
    axes.axis("off")
    for r in range(KERNEL):
        for c in range(KERNEL):
            colour = GREY if padded[r, c] else "white"
            axes.add_patch(_square(c, r, colour))
            axes.text(c + 0.5, r + 0.5, cells[r][c], ha="center", va="center", size=12, color=INK)


def _square(x: float, y: float, colour: str):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, facecolor=colour, edgecolor=EDGE, lw=1)


def zero() -> None:
    """The numbers are computed, and the count is compared with the product of zeros."""
    rng = np.random.default_rng(3)
    bits, weights = rng.integers(0, 2, (2, KERNEL, KERNEL, CHANNELS))
    padded = np.zeros((KERNEL, KERNEL), dtype=bool)
    padded[0], padded[:, 0] = True, True
    agree = np.where(padded, CHANNELS // 2, (bits == weights).sum(axis=2))
    total, places = int(agree.sum()), bits.size
    signs = np.where(padded[..., None], 0, 2 * bits - 1)
    if 2 * total - places != (signs * (2 * weights - 1)).sum():
        raise AssertionError("a flagged pixel does not count as nothing")
    word = lambda row: "".join(map(str, row))  # noqa: E731
    seen = [["flag" if padded[r, c] else word(bits[r, c]) for c in range(KERNEL)] for r in range(KERNEL)]
    held = [[word(weights[r, c]) for c in range(KERNEL)] for r in range(KERNEL)]
    counts = [[f"{agree[r, c]}" for c in range(KERNEL)] for r in range(KERNEL)]
    figure = Figure(figsize=(9.5, 3.9), facecolor="white", layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    nowhere = np.zeros_like(padded)
    grid(left, f"window: {CHANNELS} bits a pixel, or a flag", seen, padded)
    grid(middle, "weights", held, nowhere)
    grid(right, "agreeing places", counts, padded)
    figure.supxlabel(
        f"P = {total} of K = {places} places agree, grey ones count {CHANNELS}/2 each; "
        f"sum 2 P - K = {2 * total - places}, as with zeros in the padding",
        size=11,
    )
    save_picture(figure, HERE / "zero.png")


def stream(name: str, integer: ModelWrapper, images: np.ndarray) -> None:
    """One addition on the left, in the channel in which most codes occur; the stream's codes in all on the right."""
    found = functions(integer)
    made = {one.layer: one for one in found}
    streams = [one for one in found if one.reads[0] in made and made[one.reads[0]].node.op_type == "ShiftAdd"]
    streams = [one for one in streams if one.node.op_type == "MultiThreshold"]
    quantiser, add = streams[0], made[streams[0].reads[0]]
    channel, seen = codes(integer, quantiser, images)
    graph, figure = IntGraph(integer), Figure(figsize=(11, 6.6), facecolor="white", layout="constrained")
    figure.suptitle(f"{name} on {len(images)} images of its sample", fontsize=12)
    places = figure.subplots(3, 2)
    branch, total, after = places[:, 0]
    bars(branch, graph.maps(images, add.reads[0])[..., channel].reshape(-1), BLUE)
    branch.set(title=f"branch: {add.reads[0]}, channel {channel}", xlabel="x, agreeing places")
    bars(total, seen.seen, PALE)
    total.set(title=f"sum: {add.layer}, and its quantiser", xlabel=add.formula.removeprefix("y = "))
    steps, shown = total.twinx(), (seen.x >= seen.seen.min()) & (seen.x <= seen.seen.max())
    steps.step(seen.x[shown], seen.y[shown], where="post", color=INK, lw=1.2)
    steps.set_ylabel("code")
    bars(after, seen.given, BLUE)
    after.set(title=f"stream: {quantiser.layer}, {quantiser.gives}", xlabel="code")
    for axes, one in zip(places[:, 1], streams, strict=True):
        values = graph.maps(images, one.layer).reshape(-1)
        bars(axes, values, BLUE)
        ends = np.isin(values, (values.min(), values.max())).mean()
        axes.set(title=f"{one.layer}: {ends:.0%} in the ends", xlabel="code")
    save_picture(figure, HERE / "stream.png")


def skips(ops: list[StreamOp]) -> dict[str, StreamOp]:
    """Addition -> the deepest FIFO of its skip connection: an input that comes straight from a fork."""
    made, found = {tensor: op for op in ops for tensor in writes(op)}, {}
    for add in (op for op in ops if op.onnx_node.op_type == "Add_sf"):
        for tensor in reads(add):
            path = [made[tensor]]
            while path[-1].onnx_node.op_type in ("StreamingFIFO_sf", "StreamingDataWidthConverter_sf"):
                path.append(made[reads(path[-1])[0]])
            if path[-1].onnx_node.op_type == "Duplicate_sf":
                fifos = [op for op in path if op.onnx_node.op_type == "StreamingFIFO_sf"]
                found[add.onnx_node.name] = max(fifos, key=lambda fifo: fifo.get_nodeattr("depth"))
    return found


def waiting(name: str, folded: ModelWrapper, interval: int) -> None:
    """Words that wait, from the first word of the first image on."""
    ops = operators(folded)
    at, chosen = stays(ops, 2 * INTERVALS + 4), skips(ops)
    figure = Figure(figsize=(10, 5.6), facecolor="white", layout="constrained")
    figure.suptitle(f"{name}: words in the FIFOs of the skip connections, from the first image on", fontsize=12)
    for axes, (add, fifo) in zip(figure.subplots(len(chosen), 1), chosen.items(), strict=True):
        pushed, popped, _ = at[fifo.onnx_node.name]
        depth, frame = fifo.get_nodeattr("depth"), int(np.prod(fifo.get_folded_output_shape()[:-1]))
        cycles = np.arange(INTERVALS * interval)
        words = np.searchsorted(pushed, cycles, side="right") - np.searchsorted(popped, cycles, side="left")
        axes.fill_between(cycles, words, step="post", color=PALE)
        axes.step(cycles, words, where="post", color=BLUE, lw=0.8)
        axes.axhline(depth, color=INK, lw=1, ls="--")
        axes.set(title=f"in front of {add}: depth {depth}; a frame is {frame:,} words", ylabel="words")
        axes.set(xlim=(0, len(cycles)), ylim=(0, 1.15 * depth))
        if words.max() > depth:
            raise AssertionError(f"{fifo.onnx_node.name} holds {words.max()} words and is {depth} deep")
    axes.set_xlabel("cycle")
    save_picture(figure, HERE / "fifo.png")


def main(work: str) -> None:
    """All three."""
    acc = load(work)
    zero()
    stream(acc.name, acc.graph("2-integer.onnx"), acc.images(IMAGES, split="sample").pixels)
    waiting(acc.name, acc.graph("4-folded.onnx"), acc.predicted.interval)


if __name__ == "__main__":
    main(*sys.argv[1:])
