"""The ULX3S top: the PLL's arithmetic by brute force, the line's rate, the pins, and that the text is clean."""

import re
from dataclasses import replace
from fractions import Fraction

import pytest

from signflow.deploy import flow
from signflow.deploy.generate.project import write_project
from signflow.deploy.generate.ulx3s import ClockError, clocks_per_bit, lpf, pll, top
from signflow.hw import boards
from signflow.hw.sim import verilator
from signflow.hw.sim.uart import PLL

ULX3S = boards.board("ulx3s")


@pytest.mark.parametrize("clock", [12.5, 25, 31.25, 40, 50, 60, 62.5, 75, 80, 100, 400])
def test_the_pll_makes_the_clock_within_its_limits(clock):
    found = pll(clock)
    assert 25 / found.clki_div * found.clkfb_div == clock
    assert found.vco == clock * found.clkop_div and 400 <= found.vco <= 800
    assert 25 / found.clki_div >= 3.125 and all(1 <= d <= 128 for d in (found.clkfb_div, found.clkop_div))


def test_the_pll_is_refused_exactly_where_no_dividers_exist():
    def possible(clock):
        return any(
            25 * fb == clock * ci and any(400 <= clock * op <= 800 for op in range(1, 129))
            for ci in range(1, 9)
            for fb in range(1, 129)
        )

    for clock in range(4, 400, 3):
        if possible(clock):
            pll(clock)
        else:
            with pytest.raises(ClockError, match=f"cannot make {clock} MHz from 25 MHz; the nearest are"):
                pll(clock)
    for clock in (1, 3, 425, 1000):
        with pytest.raises(ClockError):
            pll(clock)


def test_the_nearest_clocks_are_told():
    """Those that can be made, by how far they are."""
    clocks = {Fraction(25 * fb, ci) for ci in range(1, 9) for fb in range(1, 129)}
    nearest = sorted(sorted((abs(c - 97), c) for c in clocks)[:4], key=lambda found: found[1])
    told = ", ".join(f"{float(c):g}" for _, c in nearest)
    with pytest.raises(ClockError, match=f"cannot make 97 MHz from 25 MHz; the nearest are {re.escape(told)}$"):
        pll(97)


def test_the_line_runs_at_two_megabaud():
    assert [clocks_per_bit(c) for c in (8, 40, 50, 62.5, 100)] == [4, 20, 25, 31, 50]
    for clock in (3, 7, 25, 12.5):
        with pytest.raises(ClockError, match=r"does not fit the serial line of 2 Mbaud"):
            clocks_per_bit(clock)


def test_the_top_of_a_network_is_clean_and_says_its_clock(mini, tmp_path):
    project = write_project(mini[1] / flow.ACCELERATOR, ULX3S, tmp_path / "project")
    sources = [*sorted((project / "rtl").glob("*.sv")), PLL]
    verilator.lint("mini_ulx3s", sources)
    text = (project / "rtl" / "mini_ulx3s.sv").read_text()
    assert "CLOCKS_PER_BIT = 20" in text and ".CLKI_DIV(5), .CLKFB_DIV(8), .CLKOP_DIV(15)" in text
    faster = top({"name": "mini", "shell": {"beat_bits": 8}}, replace(ULX3S, clock_mhz=50))[1]
    assert "CLOCKS_PER_BIT = 25" in faster and ".CLKFB_DIV(2)" in faster


def test_every_port_of_the_top_has_one_pin():
    text = top({"name": "x", "shell": {"beat_bits": 8}}, ULX3S)[1]
    ports = re.findall(r"^  (?:input|output) +wire +(?:\[7:0\])? *(\w+)", text.split(") (")[1].split(");")[0], re.M)
    wanted = {p for port in ports for p in ([f"led[{i}]" for i in range(8)] if port == "led" else [port])}
    constraints = lpf(ULX3S)
    located = re.findall(r'LOCATE COMP "([^"]+)" SITE "([A-Z]+\d+)";', constraints)
    assert {port for port, _ in located} == wanted and len({site for _, site in located}) == len(located) == len(wanted)
    assert (
        dict(located)["ftdi_txd"] == "M1" and dict(located)["ftdi_rxd"] == "L4" and dict(located)["clk_25mhz"] == "G2"
    )
    assert constraints.count("IO_TYPE=LVCMOS33") == len(wanted)
    assert 'FREQUENCY PORT "clk_25mhz" 25 MHZ;' in constraints
