"""Draws accelerator.svg of micro-architecture.md: `python docs/micro-architecture/draw_accelerator.py WORK`, with the
folder of a build.
"""

import json
import sys
from pathlib import Path

from signflow.deploy.pictures.canvas import AMBER, BLUE, GREEN, WHITE, Canvas

PLUMBING = {"fifo": "FIFO", "block": "FIFO in block RAM", "dwc": "bits"}
WHERE = {"adders": "weights in adders", "block": "weights in block RAM", "distributed": "weights in logic"}
NAMES = {
    "ConvolutionInputGenerator": "windows", "MVAU": "matrix-vector unit", "MaxPool": "pool", "LabelSelect": "largest",
    "Thresholding": "thresholds",
}  # fmt: skip
COLOURS = {"product": BLUE, "decision": AMBER, "arithmetic": GREEN, "movement": WHITE}


def main(work: Path) -> None:
    """The chain of operators of a build with its foldings; FIFOs and converters are marks on the way."""
    facts = json.loads((work / "5-accelerator" / "accel.json").read_text())
    boxes, marks = [], []
    for entry in facts["operators"]:
        kind, words = entry["picture"]
        if entry["plumbing"]:
            if marks:
                marks[-1].append(f"{PLUMBING[kind]} {words}")
            continue
        folding = {
            key: value
            for key, value in entry["folding"].items()
            if value not in ("auto", 0) and (key, value) != ("Pixels", 1)
        }
        lanes = ", ".join(f"{key} {folding[key]}" for key in ("SIMD", "PE", "Pixels", "planes") if key in folding)
        whole = "whole windows" if folding.get("parallel_window") else ""
        extra = WHERE.get(folding.get("ram_style"), "") if kind == "product" else whole
        name = NAMES.get(entry["op"].removesuffix("_sf"), entry["op"].removesuffix("_sf").lower())
        lines = [name, words, *filter(None, (lanes, extra)), f"{entry['cycles']:,} cycles"]
        boxes.append((lines, kind, entry["out_bits"][0]))
        marks.append([])
    across, w, h, gap, rise = 5, 160, 96, 30, 166
    rows = -(-len(boxes) // across)
    page = Canvas(20 + across * (w + gap), 70 + rise * rows)
    plan = facts["predicted"]
    page.title(f"{facts['name']}: {plan['interval']:,} cycles an image, {plan['latency']:,} from first word to last")
    for k, (lines, kind, bits) in enumerate(boxes):
        row, column = divmod(k, across)
        x, y = 20 + column * (w + gap), 50 + row * rise
        page.box(x, y, w, h, *lines, fill=COLOURS.get(kind, WHITE))
        page.note(x + w / 2, y + h + 15, f"{bits} bits a word", "middle")
        page.note(x + w / 2, y + h + 29, "; ".join(marks[k][:2]), "middle")
        page.note(x + w / 2, y + h + 43, "; ".join(marks[k][2:]), "middle")
        if k + 1 < len(boxes):
            if column + 1 < across:
                page.line((x + w, y + h / 2), (x + w + gap - 4, y + h / 2))
            else:
                page.line((x + w, y + h / 2), (x + w + 14, y + h / 2), (x + w + 14, y + h + 53), (10, y + h + 53),
                          (10, y + rise + h / 2), (16, y + rise + h / 2))  # fmt: skip
    page.write(Path(__file__).with_name("accelerator.svg"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
