"""Vivado's reports: samples in the layouts of two versions and two families; broken ones are refused."""

from pathlib import Path

import pytest

from signflow.deploy.tools.vivado.reports import (
    ReportError,
    compare,
    parse_folder,
    parse_power,
    parse_timing,
    parse_utilization,
)

SAMPLES = Path(__file__).parents[2] / "data" / "vivado"


def sample(name: str) -> str:
    return (SAMPLES / f"{name}.rpt").read_text()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2020.1_zynq", (7321, 403, 218, 9150, 12.5, 4, 17, 0, 0)),
        ("2023.1_zynq", (7299, 0, 0, 9150, 12.5, 4, 17, 0, 3)),  # rows of LUT memory are left out when there is none
        ("2023.1_zynqmp", (10234, 1311, 96, 14876, 16, 6, 20, 0, 7)),
    ],
)
def test_utilization(name, expected):
    keys = ("lut", "lutram", "srl", "ff", "bram_tiles", "bram36", "bram18", "uram", "dsp")
    assert parse_utilization(sample(f"utilization_{name}")) == dict(zip(keys, expected, strict=True))


@pytest.mark.parametrize("row", ["Slice LUTs", "Register", "Block RAM Tile", "RAMB18", "DSPs"])
def test_a_missing_row_is_no_zero(row):
    text = sample("utilization_2020.1_zynq").replace(row, "Something")
    with pytest.raises(ReportError, match=r"no row"):
        parse_utilization(text)


def test_timing():
    met, failed = parse_timing(sample("timing_met")), parse_timing(sample("timing_failed"))
    assert (met["wns_ns"], met["whs_ns"], met["wpws_ns"], met["tns_ns"], met["met"]) == (1.287, 0.022, 3.75, 0, True)
    assert (failed["wns_ns"], failed["tns_ns"], failed["whs_ns"], failed["met"]) == (-0.318, -41.902, 0.011, False)
    assert (met["period_ns"], failed["period_ns"]) == (10.0, 5.333)


def test_timing_without_paths_and_without_summary():
    assert parse_timing(sample("timing_met").replace("      1.287", "         NA"))["wns_ns"] is None
    with pytest.raises(ReportError, match="Design Timing Summary"):
        parse_timing(sample("timing_met").replace("WNS(ns)", "Slack"))
    with pytest.raises(ReportError, match="12 columns"):
        parse_timing(sample("timing_met").replace("      1.287        0.000", "      1.287"))


def test_power():
    expected = {"power_w": 1.752, "power_dynamic_w": 1.611, "power_static_w": 0.141, "power_confidence": "Medium"}
    assert parse_power(sample("power")) == expected
    with pytest.raises(ReportError, match="Total On-Chip"):
        parse_power("")


def reports(build: Path) -> Path:
    """A folder as build.tcl leaves it."""
    build.mkdir(exist_ok=True)
    for source, name in {"utilization_2020.1_zynq": "utilization", "timing_met": "timing", "power": "power"}.items():
        (build / f"{name}.rpt").write_text(sample(source))
    (build / "result.txt").write_text("vivado 2020.1\nclock_mhz 100.000000\nsetup_slack_ns 1.287\n")
    return build


def test_a_whole_folder(tmp_path):
    found = parse_folder(reports(tmp_path))
    assert (found["lut"], found["wns_ns"], found["power_w"]) == (7321, 1.287, 1.752)
    assert (found["vivado"], found["actual_clock_mhz"]) == ("2020.1", 100.0)
    (tmp_path / "power.rpt").unlink()
    with pytest.raises(ReportError, match=r"power\.rpt does not exist"):
        parse_folder(tmp_path)


def test_comparison_with_the_estimate():
    found = parse_utilization(sample("utilization_2020.1_zynq"))
    estimate = {"total": {"lut": 3000, "ff": 3050, "dsp": 0}, "whole": None}
    table = compare(found, estimate)
    assert table["lut"] == {"vivado": 7321, "yosys": 3000, "ratio": 2.44} and table["ff"]["ratio"] == 3.0
    assert table["dsp"] == {"vivado": 0, "yosys": 0, "ratio": None} and table["srl"]["yosys"] is None
    assert compare(found, estimate | {"whole": {"lut": 7321}})["lut"]["ratio"] == 1.0, "the whole top goes first"
    assert compare(found, None)["lut"] == {"vivado": 7321, "yosys": None, "ratio": None}
