"""Tables of what an accelerator takes of its device: Yosys' estimate, a tool chain's report."""

from collections.abc import Mapping

from rich.table import Table

from signflow.deploy.tools.contract import Summary
from signflow.deploy.tools.estimate import SYNTHESIS, Resources, Synthesis

NOT_EXACT = "~ of equal dot products one was synthesised, for weights in block RAM a pattern; exact with report --exact"


def short(node: str) -> str:
    """The name of a node in a table of 80 columns: SWG_0 for ConvolutionInputGenerator_sf_0."""
    return node.replace("ConvolutionInputGenerator_sf", "SWG")


def estimate(synthesis: Synthesis, available: Mapping[str, int] | None = None) -> Table:
    """Yosys' estimate, FIFOs and width converters in one line each (the JSON has all), ``~`` where not everything was
    synthesised; ``available`` (keys lut, ff, bram36, uram, dsp) adds a line with the share of the device used.
    LUT are sites, beside them the cells of Yosys. UltraRAMs have a column where there are any.
    """
    macs, total = sum(op.macs for op in synthesis.operators), synthesis.total
    rams = ["bram", *(["uram"] if total.uram else [])]
    table = Table(title=f"{synthesis.name}: Yosys {SYNTHESIS.split(' -no')[0]}")
    heads = ["LUT", "cells", "FF", "BRAM36", "URAM", "DSP", "MAC/cycle", "LUT/MAC"]
    for head in ["operator", *(head for head in heads if head != "URAM" or total.uram)]:
        table.add_column(head, justify="left" if head == "operator" else "right")
    for op in synthesis.operators:
        if not op.plumbing:
            table.add_row(short(op.node), *_cells(op.resources, rams, op.macs, op.exact))
    for kind in sorted({op.plumbing for op in synthesis.operators} - {""}):
        costs = [op.resources for op in synthesis.operators if op.plumbing == kind]
        table.add_row(f"{len(costs)} {kind}", *_cells(sum(costs, Resources()), rams, 0))
    table.add_section()
    table.add_row("sum of operators", *_cells(total, rams, macs, synthesis.exact), style="bold")
    if synthesis.whole:
        table.add_row("whole, flattened", *_cells(synthesis.whole, rams, macs))
    if available:
        used = {"lut": total.lut, "cells": None, "ff": total.ff, "bram36": total.bram}
        used |= ({"uram": total.uram} if total.uram else {}) | {"dsp": total.dsp}
        share = [f"{100 * used[key] / available[key]:.1f} %" if available.get(key) else "" for key in used]
        table.add_row("of the device", *share, "", "")
    if not synthesis.exact:
        table.caption = NOT_EXACT
    return table


def summary(found: Summary) -> Table:
    """What a tool chain reports of a bitstream."""
    table = Table(title=found.title, caption=found.caption)
    for k, head in enumerate(found.head):
        table.add_column(head, justify="right" if k else "left")
    for row in found.rows:
        table.add_row(*row)
    return table


def _cells(resources: Resources, rams: list[str], macs: int, exact: bool = True) -> list[str]:
    mark, numbers = "" if exact else "~", [getattr(resources, name) for name in (*rams, "dsp")]
    counts = [f"{mark}{resources.lut}", f"{mark}{resources.cells}", f"{resources.ff:g}", *(f"{n:g}" for n in numbers)]
    return [*counts, str(macs or ""), f"{mark}{resources.lut / macs:.2f}" if macs else ""]
