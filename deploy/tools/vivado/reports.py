"""Vivado's text reports -> numbers, and how they compare with Yosys' estimate.

Tables are read by the names of their rows, so both layouts are understood: 2020 and before (Used, Fixed, Available) and
later ones (with a column Prohibited); 7 series (Slice LUTs) and UltraScale+ (CLB LUTs).
"""

import re
from collections.abc import Mapping
from pathlib import Path

# key -> names of the row, in order of preference; a * at the end is a footnote
UTILIZATION = {
    "lut": ("Slice LUTs", "CLB LUTs"),
    "lutram": ("LUT as Distributed RAM",),
    "srl": ("LUT as Shift Register",),
    "ff": ("Register as Flip Flop", "Slice Registers", "CLB Registers"),
    "bram_tiles": ("Block RAM Tile",),
    "bram36": ("RAMB36/FIFO",),
    "bram18": ("RAMB18",),
    "uram": ("URAM",),
    "dsp": ("DSPs", "DSP Slices"),
}
OPTIONAL = {"lutram", "srl", "uram"}  # rows that are missing where there is nothing to count
POWER = {"power_w": "Total On-Chip Power (W)", "power_dynamic_w": "Dynamic (W)", "power_static_w": "Device Static (W)"}
TIMING = ("wns_ns", "tns_ns", "whs_ns", "ths_ns", "wpws_ns", "tpws_ns")
FILES = {"utilization": "utilization.rpt", "timing": "timing.rpt", "power": "power.rpt"}
COMPARED = ("lut", "lutram", "srl", "ff", "bram36", "bram18", "dsp")


class ReportError(ValueError):
    """A report is missing or not in a form this reads; the message says which and what was looked for."""


def _rows(text: str) -> dict[str, str]:
    """First column -> second column of all tables; the first of equal names counts."""
    rows = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.lstrip().startswith("|") and len(cells) > 1:
            rows.setdefault(cells[0].rstrip("*").strip(), cells[1])
    return rows


def _number(text: str) -> float:
    return float(text.replace(",", "").lstrip("<").split()[0])


def parse_utilization(text: str) -> dict[str, float]:
    """LUTs (in all, as memory, as shift registers), flip-flops, block RAMs and DSPs from `report_utilization`.

    Raises ReportError when a row is missing.
    """
    rows, found = _rows(text), {}
    for key, names in UTILIZATION.items():
        name = next((name for name in names if name in rows), None)
        if name is not None:
            value = _number(rows[name])
            found[key] = int(value) if value.is_integer() else value
        elif key in OPTIONAL:
            found[key] = 0
        else:
            raise ReportError(f"the utilization report has no row {' or '.join(map(repr, names))}")
    return found


def parse_timing(text: str) -> dict:
    """Worst and total slack in ns of setup, hold and pulse width (None where there is no such path), the shortest clock
    period, and whether all constraints are met, from `report_timing_summary`. Raises ReportError.
    """
    head = re.search(r"^\s*WNS\(ns\).*WHS\(ns\).*WPWS\(ns\).*\n[\s-]*\n(.*)$", text, re.M)
    cells = head[1].split() if head else []
    if len(cells) != 12:
        raise ReportError("the timing report has no Design Timing Summary with 12 columns")
    slacks = [cells[k] for k in (0, 1, 4, 5, 8, 9)]
    found = {key: None if cell == "NA" else float(cell) for key, cell in zip(TIMING, slacks, strict=True)}
    clocks = re.findall(r"^\S+\s+\{[\d. ]+\}\s+([\d.]+)\s+[\d.]+\s*$", text, re.M)
    found["period_ns"] = min(map(float, clocks)) if clocks else None
    found["met"] = "All user specified timing constraints are met" in text
    return found


def parse_power(text: str) -> dict:
    """Watts in all, dynamic, static, and Vivado's own confidence, from `report_power`. Raises ReportError."""
    rows = _rows(text)
    missing = [name for name in POWER.values() if name not in rows]
    if missing:
        raise ReportError(f"the power report has no row {missing[0]!r}")
    found = {key: _number(rows[name]) for key, name in POWER.items()}
    return found | {"power_confidence": rows.get("Confidence Level", "unknown")}


def parse_folder(build: Path) -> dict:
    """All that `build.tcl` left in build/: utilization, timing, power, result.txt. Raises ReportError."""
    texts = {}
    for key, name in FILES.items():
        if not (build / name).exists():
            raise ReportError(f"{build / name} does not exist: Vivado has not finished here")
        texts[key] = (build / name).read_text(errors="replace")
    found = parse_utilization(texts["utilization"]) | parse_timing(texts["timing"]) | parse_power(texts["power"])
    lines = (build / "result.txt").read_text().splitlines() if (build / "result.txt").exists() else []
    result = dict(line.split(" ", 1) for line in lines if " " in line)
    return found | {"vivado": result.get("vivado"), "actual_clock_mhz": _or_none(result.get("clock_mhz"))}


def _or_none(text: str | None) -> float | None:
    return float(text) if text else None


def compare(results: Mapping, estimate: Mapping | None) -> dict[str, dict]:
    """Vivado's numbers beside Yosys' for every kind of resource: {"lut": {"vivado", "yosys", "ratio"}, ...}.

    ``estimate`` is the content of `7-report.json`. Yosys counts the accelerator alone; Vivado the whole design with DMA
    and interconnect, after sharing LUTs and placement.
    """
    counted = (estimate or {}).get("whole") or (estimate or {}).get("total") or {}
    table = {}
    for key in COMPARED:
        vivado, yosys = results.get(key), counted.get(key)
        ratio = round(vivado / yosys, 3) if vivado is not None and yosys else None
        table[key] = {"vivado": vivado, "yosys": yosys, "ratio": ratio}
    return table
