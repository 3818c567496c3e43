"""The README's tables, from what `verify` and `report` wrote last into the work folders; LUTs have a
``~`` where `report` ran without ``--exact``.
"""

import json
from pathlib import Path

from signflow.deploy import flow
from signflow.models.study.tables import plain_markdown

NUMBERS = ("latency", "interval", "lut", "ff", "bram36", "dsp")


def row(work: Path) -> dict:
    """What is known of a build: network, accuracy (0..1), logits, equal logits, images/s, NUMBERS, lut_per_mac. Raises
    FlowError when it was not verified or measured.
    """
    for product, command in ((flow.VERIFIED, "verify"), (flow.SYNTHESISED, "report")):
        if not (work / product).exists():
            raise flow.FlowError(f"{work / product} is missing: run `signflow {command}` first")
    verified, cost = (json.loads((work / product).read_text()) for product in (flow.VERIFIED, flow.SYNTHESISED))
    rtl = next(row for row in verified["ladder"] if row["rung"] == "RTL simulation")
    cycles, total = verified["cycles"]["simulated"], cost["total"]
    return {
        "network": verified["network"],
        "accuracy": rtl["accuracy"],
        "logits": rtl["logits"],
        "equal": rtl["logits"] - rtl["mismatches"],
        "fps": cost["fps"],
        "latency": cycles["latency"],
        "interval": cycles["interval"],
        "lut": total["lut"],
        "ff": total["ff"],
        "bram36": total["bram36"] + total["bram18"] / 2,
        "dsp": total["dsp"],
        "lut_per_mac": cost["lut_per_mac"],
        "mark": "" if cost["exact"] else "~",
    }


def results(works: list[Path]) -> str:
    """Accuracy, equal logits, cycles and resources of every build."""
    head = ["network", "accuracy", "logits equal (RTL)", "latency", "interval", "images/s", "LUT", "FF", "BRAM36"]
    rows = []
    for work in works:
        r = row(work)
        cells = [r["network"], f"{r['accuracy']:.2%}", f"{r['equal']:,} of {r['logits']:,}"]
        cells += [f"{r[key]:,}" for key in ("latency", "interval")] + [f"{r['fps']:,.0f}"]
        cells += [f"{r['mark']}{r['lut']:,}", f"{r['ff']:,}", f"{r['bram36']:,g}", f"{r['dsp']:,}"]
        rows.append([*cells, f"{r['mark']}{r['lut_per_mac']:.2f}"])
    return plain_markdown([*head, "DSP", "LUT/MAC"], rows)


def against(works: list[Path]) -> str:
    """Cycles and resources of every build, and how they differ from the first one's."""
    first, *_ = rows = [row(work) for work in works]
    table = []
    for r in rows:
        cells = [r["network"], f"{r['accuracy']:.2%}", f"{r['equal']:,} of {r['logits']:,}"]
        for key in NUMBERS:
            change = f" ({r[key] / first[key] - 1:+.1%})" if r is not first and first[key] else ""
            mark = r["mark"] if key == "lut" else ""
            cells.append(f"{mark}{r[key]:,g}{change}" if key == "bram36" else f"{mark}{r[key]:,}{change}")
        table.append(cells)
    head = ["network", "accuracy", "logits equal (RTL)", "latency", "interval", "LUT", "FF", "BRAM36", "DSP"]
    return plain_markdown(head, table)
