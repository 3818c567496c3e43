"""How waves of an accelerator are looked at: a save file of GTKWave, every operator a group of the streams it reads.

A stream is three rows: valid, ready, data. Groups stand in the order of the data flow; the results come last, a single
number a word as a curve. Widths and names of streams are those of the generated top (`accel.json`).
"""

import math
from collections.abc import Mapping
from pathlib import Path

HEX, BIT, DECIMAL = 0x22, 0x28, 0x24
OPEN, FOLDED = (0x800200, 0x1000200), (0xC00200, 0x1401200)
"""Rows that begin a group and end one, shown and folded."""
SIGNED, CURVE, TALL = 0x400, 0x88000, 0x20000
"""Of numbers; as a curve over its own range; the rows that it extends over."""
HEIGHT = 4
CYCLE, WIDTH = 10, 4
"""Time units of a cycle; of the window, in steps of 200 pixels: the first image is seen from end to end."""


def view(facts: Mapping, wave: Path) -> str:
    """The save file for the ``wave`` of the whole accelerator that ``facts`` (its accel.json) describe."""
    top, ops, first, last = facts["top"], facts["operators"], facts["input"], facts["output"]
    bits = {ops[0]["inputs"][0]: first["word_elems"] * first["elem_bits"]}
    for op in ops:
        bits |= zip(op["outputs"], op["out_bits"], strict=True)
    rows = [
        f'[dumpfile] "{wave.resolve()}"',
        "[timestart] 0",
        "[size] 1400 900",
        "[sst_expanded] 0",
        "[signals_width] 260",
    ]
    rows.append(f"*{math.log2(WIDTH / CYCLE / facts['predicted']['latency']):.6f} 0")

    def row(flags: int, name: str) -> None:
        rows.extend([f"@{flags:x}", name])

    def stream(net: str) -> None:
        for part in ("valid", "ready"):
            row(BIT, f"TOP.{top}.{net}_{part}")
        row(BIT if bits[net] == 1 else HEX, f"TOP.{top}.{net}_data[{bits[net] - 1}:0]")

    for op in ops:
        begin, end = FOLDED if op["plumbing"] else OPEN
        row(begin, f"-{op['node']}")
        for net in op["inputs"]:
            stream(net)
        row(end, f"-{op['node']}")
    row(OPEN[0], "-results")
    for net in ops[-1]["outputs"]:
        stream(net)
        if last["word_elems"] == 1:
            signed = SIGNED if last["dtype"].startswith("INT") else 0
            row(DECIMAL | signed | CURVE, f"TOP.{top}.{net}_data[{bits[net] - 1}:0]")
            for _ in range(HEIGHT):
                row(TALL, "-")
    row(OPEN[1], "-results")
    return "\n".join(rows) + "\n"
