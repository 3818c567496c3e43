"""What `signflow thresholds` prints: a table of all thresholds, one of all that gives codes or sums with the costs that
it was chosen by, and what the second threshold of the windows, or a threshold that moves, does on real images. Every
function returns the same facts as a dict, for ``--json``.
"""

from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from rich.console import Console
from rich.table import Table

from signflow.deploy import flow
from signflow.deploy.compile import streamline
from signflow.deploy.golden.functions import Function, codes, drawable, functions
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.golden.thresholds import (
    Rule,
    ThresholdsError,
    drop_lower,
    find_rule,
    most_two_sided,
    moving,
    rules,
    sides,
)
from signflow.deploy.pictures.draw_codes import draw_codes
from signflow.deploy.pictures.draw_thresholds import curve, draw
from signflow.deploy.verify.images import sample
from signflow.hw.scratch import Scratch

COLUMNS = {
    "layer": "layer",
    "gives": "gives",
    "channels": "chan-\nnels",
    "single": "single",
    "windows": "win-\ndows",
    "both sides": "both\nsides",
    "mean width": "mean\nwidth",
    "complemented": "compl.",
    "constant": "const.",
}
"""Columns of the table. both sides: windows of which both sides occur on the images; mean width: values of the integer
inside a window."""


def graphs(settings: flow.Settings) -> tuple[ModelWrapper, ModelWrapper]:
    """(QONNX, integer graph) of a network, as a build makes them."""
    with Scratch("signflow-thresholds-") as folder:
        flow.step_export(settings, Path(folder))
        exported = flow.read(Path(folder), flow.NETWORK)
    return exported, streamline.streamline(exported, keep_constants=True)


def _row(rule: Rule, integer: ModelWrapper, images: np.ndarray | None) -> dict:
    windows, constant = rule.windows, rule.constant
    steps = rule.thresholds.shape[1]
    gives = f"{rule.datatype}, {steps} steps" if rule.datatype != "BINARY" else "sign" if rule.sign else "bit"
    row = {"layer": rule.layer, "gives": gives, "channels": len(rule.low)}
    if rule.datatype != "BINARY":
        return row
    row |= {"single": int((~windows & ~constant).sum()), "windows": int(windows.sum())}
    if windows.any():
        width = (rule.thresholds[:, 1] - rule.thresholds[:, 0])[windows]
        row["mean width"] = float(width.mean())
        if images is not None:
            counts = sides(integer, rule, images)
            row["both sides"] = int((windows & (counts[:, 0] > 0) & (counts[:, 2] > 0)).sum())
    return row | {"complemented": len(rule.complement), "constant": int(constant.sum())}


def table(console: Console, name: str, integer: ModelWrapper, images: np.ndarray | None) -> list[dict]:
    """A line per threshold operator."""
    rows = [_row(rule, integer, images) for rule in rules(integer)]
    title = f"{name}: thresholds" + ("" if images is None else f" and {len(images):,} images of the sample")
    printed = Table(title=title, padding=0)
    for key, head in COLUMNS.items():
        printed.add_column(head, justify="left" if key in ("layer", "gives") else "right", no_wrap=key == "layer")
    for row in rows:
        width = {"mean width": f"{row['mean width']:.1f}"} if "mean width" in row else {}
        printed.add_row(*(str((row | width).get(key, "")) for key in COLUMNS))
    console.print(printed)
    return rows


def others(console: Console, name: str, integer: ModelWrapper) -> list[dict]:
    """A line per operator that gives codes or sums, with the LUTs of one lane in every form that was in question, the
    cheapest first, which was taken. Prints nothing where there is no such operator.
    """
    found = functions(integer)
    printed = Table(title=f"{name}: codes and sums", padding=0)
    for head in ("layer", "gives", "y of x, or of x and z", "LUTs of a lane"):
        printed.add_column(head, no_wrap=head == "layer", overflow="fold")
    for one in found:
        costs = [f"{form} {cost:,.0f}" for form, cost in one.costs.items()]
        printed.add_row(one.layer, one.gives, one.formula, ", ".join(costs))
    if found:
        console.print(printed)
    return [_facts(one) for one in found]


def _facts(one: Function) -> dict:
    facts = {"layer": one.layer, "reads": one.reads, "gives": one.gives, "formula": one.formula}
    return facts | one.constants | {"costs": one.costs}


def dropped(console: Console, integer: ModelWrapper, images: np.ndarray, layer: str, channel: int | None) -> dict:
    """What the images become when windows lose their lower threshold: all, or those of one layer or channel."""
    without = drop_lower(integer, layer, channel)
    before, after = IntGraph(integer)(images), IntGraph(without)(images)
    logits = (before != after).any(axis=1)
    classes = before.argmax(axis=1) != after.argmax(axis=1)
    where = "every window" if not layer else layer if channel is None else f"{layer}, channel {channel}"
    console.print(
        f"without the lower threshold of {where}: {int(logits.sum()):,} of {len(images):,} images change a logit, "
        f"{int(classes.sum()):,} the class",
        highlight=False,
        soft_wrap=True,
    )
    first = int(np.argmax(logits)) if logits.any() else None
    return {"images": len(images), "logits changed": int(logits.sum()), "classes changed": int(classes.sum()),
            "first image": first}  # fmt: skip


def moves(console: Console, name: str, integer: ModelWrapper, images: np.ndarray) -> list[dict]:
    """A line per sign whose threshold the image moves, with the channel in which it moves most among those whose
    threshold always lies inside the range.
    """
    graph, rows = IntGraph(integer), []
    printed = Table(title=f"{name}: thresholds that move, on {len(images):,} images of the sample", padding=0)
    for head in ("sign", "chan-\nnels", "that\nmove", "chan-\nnel", "lowest x (level, image)", "highest"):
        printed.add_column(head, justify="left" if head == "sign" else "right")
    for sign in moving(integer):
        levels = graph.maps(images, sign.level)[:, 0, 0]
        found = sign.thresholds(levels)
        lowest, highest = found.min(axis=0), found.max(axis=0)
        inside = (lowest > sign.code.low) & (highest <= sign.code.high)
        c = int(np.argmax(np.where(inside, highest - lowest, -1)))
        ends = [(int(found[i, c]), int(levels[i, c]), int(i)) for i in (found[:, c].argmin(), found[:, c].argmax())]
        row = {"sign": sign.rule.layer, "channels": found.shape[1], "that move": int((highest > lowest).sum())}
        row["channel"] = c
        shown = [f"{threshold:,} ({level}, {image})" for threshold, level, image in ends]
        printed.add_row(*(str(value) for value in row.values()), *shown)
        row |= {
            "codes in": sign.code.layer,
            "levels in": sign.level,
            "integers": [int(sign.code.low[c]), int(sign.code.high[c])],
        }
        keys = ("threshold", "level", "image")
        rows.append(row | {e: dict(zip(keys, end, strict=True)) for e, end in zip(("from", "to"), ends, strict=True)})
    if not rows:
        raise ThresholdsError("no threshold moves with the image: the network has no self-distribution (-sd)")
    console.print(printed)
    return rows


def picture(
    console: Console,
    name: str,
    exported: ModelWrapper,
    integer: ModelWrapper,
    images: np.ndarray,
    layer: str,
    channel: int | None,
    output: Path,
) -> dict:
    """The picture of one channel; of the window whose rarer side occurs most where no channel is named."""
    if channel is None:
        rule, channel = most_two_sided(integer, images, layer)
    elif not layer:
        raise ThresholdsError("--channel needs --layer")
    else:
        rule = find_rule(integer, layer)
    found = curve(exported, integer, rule, channel, images)
    images_text = f"{len(images):,} images of the sample"
    draw(found, f"{name}, {rule.layer} ({rule.sign.product}), channel {channel}; {images_text}", output)
    shares = ", ".join(f"{share:.2%}" for share in found.shares)
    console.print(
        f"{rule.layer}, channel {channel}: accumulators {found.reach[0]}..{found.reach[-1]}, the sign changes at "
        f"{found.changes}; shares of the decisions between them: {shares}; picture in {output}",
        highlight=False,
        soft_wrap=True,
    )
    return {"layer": rule.layer, "channel": channel, "changes": found.changes, "shares": found.shares}


def picture_of_codes(
    console: Console,
    name: str,
    integer: ModelWrapper,
    images: np.ndarray,
    function: Function,
    channel: int | None,
    output: Path,
) -> dict:
    """The picture of one channel of a table or a line; of that in which most codes occur where no channel is named."""
    channel, found = codes(integer, function, images, channel)
    title = f"{name}, {function.layer}, channel {channel}; {len(images):,} images of the sample"
    draw_codes(found, title, output)
    x, y = found.seen, found.given
    console.print(
        f"{function.layer}, channel {channel}: x {x.min()}..{x.max()} of {found.x[0]}..{found.x[-1]} occur and give "
        f"{len(np.unique(y))} codes in {y.min()}..{y.max()}; picture in {output}",
        highlight=False,
        soft_wrap=True,
    )
    return {"layer": function.layer, "channel": channel, "codes": [int(y.min()), int(y.max())]}


def thresholds(
    console: Console,
    settings: flow.Settings,
    count: int,
    layer: str,
    channel: int | None,
    drop: bool,
    move: bool,
    output: Path | None,
) -> dict:
    """The table, and whatever else is asked for. Raises ThresholdsError for what the network does not have."""
    exported, integer = graphs(settings)
    function = drawable(integer, layer) if output is not None else None
    if layer and function is None:
        find_rule(integer, layer)  # raises for a name that the network does not have
    shipped = sample(settings.source, count)
    images = None if shipped is None else shipped.pixels
    if images is None and (drop or move or output):
        raise ThresholdsError(f"{settings.source} has no images of its own: only its table can be shown")
    result = {"network": settings.name, "layers": table(console, settings.name, integer, images)}
    result["functions"] = others(console, settings.name, integer)
    if drop:
        result["without lower"] = dropped(console, integer, images, layer, channel)
    if move:
        result["moving"] = moves(console, settings.name, integer, images)
    if function is not None:
        shown = (function, channel, output)
        result["picture"] = picture_of_codes(console, settings.name, integer, images, *shown)
    elif output is not None:
        chosen = (layer, channel, output)
        result["picture"] = picture(console, settings.name, exported, integer, images, *chosen)
    return result
