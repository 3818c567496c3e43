"""Flip-flops behind block RAMs of an ECP5: what moves, and each reason for which nothing does.

That the gates still compute what the RTL does is compared in `tests/hw/test_cells.py`, shape by shape.
"""

import copy
import re

import pytest

from signflow.deploy.tools import outreg

CLOCK, OTHER, ENABLE, RESET = 2, 3, 4, 5
PLAIN = {"CEMUX": "1 ", "CLKMUX": "CLK", "GSR": "DISABLED", "LSRMUX": "LSR", "REGSET": "RESET"}


def made(width: int = 36, bits: int = 36, enable: bool = False) -> dict:
    """A ROM with a port of ``width`` bits on side B, of which ``bits`` are used, and its flip-flops."""
    outputs = [f"DO{side}{k}" for side in ("AB" if width == 36 else "B") for k in range(18)][:bits]
    wires = {"CLKA": ["0"], "CEA": ["0"], "OCEA": ["0"], "RSTA": ["0"], "CLKB": [CLOCK], "CEB": ["1"], "OCEB": ["1"]}
    wires |= {"RSTB": ["0"]} | {f"DO{side}{k}": [1000 + 100 * "AB".index(side) + k] for side in "AB" for k in range(18)}
    words = {"DATA_WIDTH_B": f"{width:032b}", "CLKAMUX": "CLKA", "CLKBMUX": "CLKB"}
    words |= {"REGMODE_A": "NOREG", "REGMODE_B": "NOREG"}
    ways = {port: "output" if port[:2] == "DO" else "input" for port in wires}
    cells = {"rom": {"type": "DP16KD", "parameters": words, "port_directions": ways, "connections": wires}}
    for k, output in enumerate(outputs):
        pins = {"CLK": [CLOCK], "DI": wires[output], "LSR": ["0"], "Q": [2000 + k]} | (
            {"CE": [ENABLE]} if enable else {}
        )
        ways = {port: "output" if port == "Q" else "input" for port in ("CLK", "DI", "LSR", "CE", "Q")}
        parts = {
            "parameters": PLAIN | ({"CEMUX": "CE"} if enable else {}),
            "port_directions": ways,
            "connections": pins,
        }
        cells[f"ff{k}"] = {"type": "TRELLIS_FF"} | copy.deepcopy(parts)
    ports = {"q_o": {"direction": "output", "bits": [2000 + k for k in range(len(outputs))]}}
    return {"modules": {"top": {"attributes": {"top": "1"}, "ports": ports, "cells": cells}}}


@pytest.mark.parametrize(("width", "bits"), [(36, 36), (36, 20), (18, 18), (9, 7)])
@pytest.mark.parametrize("enable", [False, True])
def test_all_move(width, bits, enable):
    netlist = made(width, bits, enable)
    assert outreg.take_in(netlist) == bits
    cells = netlist["modules"]["top"]["cells"]
    (rom,) = cells.values()
    wide = width == 36
    assert [rom["parameters"][f"REGMODE_{side}"] for side in "AB"] == ["OUTREG" if wide else "NOREG", "OUTREG"]
    assert rom["connections"]["OCEB"] == ([ENABLE] if enable else ["1"]) and rom["connections"]["CLKB"] == [CLOCK]
    assert rom["connections"]["CLKA"] == ([CLOCK] if wide else ["0"]) and rom["connections"]["CEA"] == ["0"]
    assert rom["connections"]["OCEA"] == (rom["connections"]["OCEB"] if wide else ["0"])
    outputs = [f"DO{side}{k}" for side in ("AB" if wide else "B") for k in range(18)][:bits]
    assert [rom["connections"][output] for output in outputs] == [[2000 + k] for k in range(bits)]


def test_both_ports_of_a_memory_are_looked_at():
    netlist = made(18)
    cells = netlist["modules"]["top"]["cells"]
    cells["rom"]["connections"]["CLKA"] = [OTHER]
    for k in range(18):
        cells[f"a{k}"] = copy.deepcopy(cells[f"ff{k}"])
        cells[f"a{k}"]["connections"] |= {"CLK": [OTHER], "DI": [1000 + k], "Q": [3000 + k]}
    assert outreg.take_in(netlist) == 36
    assert cells["rom"]["connections"]["DOA3"] == [3003] and cells["rom"]["connections"]["CLKA"] == [OTHER]


CHANGES = {
    "another clock": ("ff3", "connections", {"CLK": [OTHER]}),
    "the falling edge": ("ff3", "parameters", {"CLKMUX": "INV"}),
    "a reset": ("ff3", "connections", {"LSR": [RESET]}),
    "a reset that is low": ("ff3", "parameters", {"LSRMUX": "INV"}),
    "a start at 1": ("ff3", "parameters", {"REGSET": "SET"}),
    "an enable for one of them": ("ff3", "parameters", {"CEMUX": "CE"}),
    "a LUT RAM behind it": ("ff3", None, {"type": "TRELLIS_DPR16X4", "parameters": {"WCKMUX": "WCK"}}),
    "a reset of the block RAM": ("rom", "connections", {"RSTB": [RESET]}),
    "a reset of its other side": ("rom", "connections", {"RSTA": [RESET]}),
    "its clock inverted": ("rom", "parameters", {"CLKBMUX": "INV"}),
    "its other clock inverted": ("rom", "parameters", {"CLKAMUX": "INV"}),
    "written with another clock": ("rom", "connections", {"CLKA": [OTHER]}),
    "written, though nobody clocks it": ("rom", "connections", {"CEA": ["1"]}),
    "a second flip-flop": ("ff4", "connections", {"DI": [1003]}),
}


@pytest.mark.parametrize("why", CHANGES)
def test_nothing_moves_with(why):
    netlist = made()
    name, part, change = CHANGES[why]
    cell = netlist["modules"]["top"]["cells"][name]
    (cell if part is None else cell[part]).update(change)
    before = copy.deepcopy(netlist)
    assert outreg.take_in(netlist) == 0 and netlist == before


def test_nothing_moves_with_an_output_that_is_seen_or_enables_that_differ():
    netlist = made()
    netlist["modules"]["top"]["ports"]["q_o"]["bits"].append(1003)
    assert outreg.take_in(netlist) == 0
    netlist = made(enable=True)
    netlist["modules"]["top"]["cells"]["ff3"]["connections"]["CE"] = [RESET]
    assert outreg.take_in(netlist) == 0
    netlist = made(enable=True)
    for name, cell in netlist["modules"]["top"]["cells"].items():
        if re.fullmatch(r"ff\d+", name):
            cell["parameters"]["CEMUX"] = "INV"
    assert outreg.take_in(netlist) == 0
    netlist = made(9, 1, enable=True)  # the word is the enable, not the data
    netlist["modules"]["top"]["cells"]["ff0"]["connections"] |= {"DI": ["0"], "CE": [1100]}
    assert outreg.take_in(netlist) == 0
