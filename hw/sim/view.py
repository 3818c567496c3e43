"""How waves of an accelerator are looked at: a save file of GTKWave and a command file of Surfer.

Every operator is a group of the streams it reads, in the order of the data flow; the results come last. A stream is
three rows: valid, ready, data. Numbers are curves: the sum of a matrix-vector unit above its first threshold, which is
its bit where it is 0 or more, the numbers that it, thresholds, tables and quantisers read, the codes that these give,
and the results. Where a word holds several numbers, the curve is the lowest one's. Names and widths are those of the
generated top (`accel.json`).
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HEX, BIT, DECIMAL = 0x22, 0x28, 0x24
OPEN, FOLDED = (0x800200, 0x1000200), (0xC00200, 0x1401200)
"""Rows that begin a group and end one, shown and folded."""
SIGNED, CURVE, TALL = 0x400, 0x88000, 0x20000
"""Of numbers; as a curve over its own range; the rows that it extends over."""
HEIGHT = 3
CYCLE, WIDTH = 10, 4
"""Time units of a cycle; of the window, in steps of 200 pixels: the first image is seen from end to end."""


@dataclass(frozen=True)
class Curve:
    """A number as it changes: the lowest ``bits`` of the signal ``name``, which has ``width``."""

    label: str
    name: str
    width: int
    bits: int
    signed: bool


@dataclass(frozen=True)
class Group:
    """Rows that belong together: streams (name of the net, bits), and curves; ``folded`` where they matter less."""

    name: str
    folded: bool
    streams: list[tuple[str, int]]
    curves: list[Curve]


def groups(facts: Mapping) -> list[Group]:
    """The rows for the accelerator that ``facts`` (its accel.json) describe; signals below the top by their names."""
    ops, first, last = facts["operators"], facts["input"], facts["output"]
    bits = {ops[0]["inputs"][0]: first["word_elems"] * first["elem_bits"]}
    for op in ops:
        bits |= zip(op["outputs"], op["out_bits"], strict=True)
    found = [
        Group(op["node"], bool(op["plumbing"]), [(net, bits[net]) for net in op["inputs"]], list(_curves(op, bits)))
        for op in ops
    ]
    results, signed = [(net, bits[net]) for net in ops[-1]["outputs"]], last["dtype"].startswith("INT")
    curves = [Curve("result", f"{net}_data", wide, last["elem_bits"], signed) for net, wide in results]
    return [*found, Group("results", False, results, curves)]


def _curves(op: Mapping, bits: Mapping[str, int]) -> Iterator[Curve]:
    params, into, out = op["params"], op["inputs"][0], op["outputs"][0]
    if op["module"] == "sf_mvau":
        width = params["ACC_WIDTH"]
        if params["ACT_WIDTH"] > 1:
            yield Curve("number", f"{into}_data", bits[into], params["ACT_WIDTH"], bool(params["ACT_SIGNED"]))
        label = "sum - threshold" if params["THRESHOLDS"] else "sum"
        yield Curve(label, f"i_{op['node']}.i_accumulate.acc_q[0]", width, width, True)
    if op["picture"][0] == "decision" and "IN_WIDTH" in params:
        yield Curve("number", f"{into}_data", bits[into], params["IN_WIDTH"], bool(params.get("IN_SIGNED", 0)))
        if params["OUT_WIDTH"] > 1:
            least = params.get("LOW", params.get("BIAS", 0))
            yield Curve("code", f"{out}_data", bits[out], params["OUT_WIDTH"], least < 0)


def gtkwave(facts: Mapping, wave: Path) -> str:
    """The save file for the ``wave`` of the whole accelerator that ``facts`` (its accel.json) describe."""
    top = f"TOP.{facts['top']}"
    rows = [
        f'[dumpfile] "{wave.resolve()}"',
        "[timestart] 0",
        "[size] 1400 900",
        "[sst_expanded] 0",
        "[signals_width] 260",
        f"*{math.log2(WIDTH / CYCLE / facts['predicted']['latency']):.6f} 0",
    ]
    for group in groups(facts):
        begin, end = FOLDED if group.folded else OPEN
        rows += [f"@{begin:x}", f"-{group.name}"]
        for net, bits in group.streams:
            rows += [f"@{BIT:x}", f"{top}.{net}_valid", f"@{BIT:x}", f"{top}.{net}_ready"]
            rows += [f"@{BIT if bits == 1 else HEX:x}", f"{top}.{net}_data[{bits - 1}:0]"]
        for curve in group.curves:
            rows += [f"@{DECIMAL | CURVE | (SIGNED if curve.signed else 0):x}", _of_gtkwave(curve, top, wave.suffix)]
            rows += [f"@{TALL:x}"] + ["-"] * HEIGHT
        rows += [f"@{end:x}", f"-{group.name}"]
    return "\n".join(rows) + "\n"


def _of_gtkwave(curve: Curve, top: str, suffix: str) -> str:
    """A signal by another name, or bits of one, which it counts from the highest. In FST an array is a scope."""
    own = re.sub(r"(\w+)\[0\]$", r"\1.\1[0]", curve.name) if suffix == ".fst" else curve.name
    name = f"{top}.{own}[{curve.width - 1}:0]"
    if curve.bits == curve.width:
        return f"+{{{curve.label}}} {name}"
    bits = " ".join(f"({place}){name}" for place in range(curve.width - curve.bits, curve.width))
    return f"#{{{curve.label}[{curve.bits - 1}:0]}} {bits}"


def surfer(facts: Mapping) -> str:
    """The command file for the whole accelerator that ``facts`` (its accel.json) describe: ``surfer -c FILE WAVE``.

    Surfer folds and draws no curves from a command file: operators that only move data are left out.
    """
    rows = []
    for group in (group for group in groups(facts) if not group.folded):
        rows.append(f"divider_add {group.name}")
        for net, _ in group.streams:
            rows += [f"variable_add TOP.{facts['top']}.{net}_{part}" for part in ("valid", "ready", "data")]
    return "\n".join([*rows, "zoom_fit"]) + "\n"
