"""The status page against a model in Python, event by event; what takes too long to count to is set by force."""

import random

import pytest

from signflow.hw.ops.base import RTL_DIR
from signflow.hw.sim import pins, verilator

HASH = 0x00112233_44556677_8899AABB_CCDDEEFF
CONTROL, STATUS, LOW, HIGH, SCRATCH = 0x1C, 0x20, 0x2C, 0x30, 0x40
EVENTS = ("in_valid_i", "in_ready_i", "out_valid_i", "out_ready_i", "frame_in_i", "frame_out_i", "early_i", "busy_i")

# The page with the long counters near their ends while preset_i is high.
BENCH = """
module page (input wire clk_i, input wire rst_ni, input wire preset_i,
  input wire [7:0] reg_addr_i, input wire reg_read_i, input wire reg_write_i, input wire [31:0] reg_wdata_i,
  output wire [31:0] reg_rdata_o, output wire soft_reset_o, input wire in_valid_i, input wire in_ready_i,
  input wire out_valid_i, input wire out_ready_i, input wire frame_in_i, input wire frame_out_i, input wire early_i,
  input wire busy_i, input wire [31:0] link_errors_i, input wire link_overrun_i);
  sf_status_page #(.HASH(128'h00112233_44556677_8899AABB_CCDDEEFF), .CLOCK_KHZ(50000)) i_page (.*);
  always @(posedge clk_i) if (preset_i) begin
    i_page.in_stall_q <= 32'hFFFF_FFFA;
    i_page.out_stall_q <= 32'hFFFF_FFFC;
    i_page.time_q <= 64'h1_FFFF_FFFA;
  end
endmodule
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    source = tmp_path_factory.mktemp("page") / "page.sv"
    source.write_text(BENCH)
    files = [source, RTL_DIR / "sf_status_page.sv"]
    return verilator.compile("page", files, variant="check", harness=pins.harness())


@pytest.fixture
def page(model):
    dut = pins.Pins(model, seed=4)
    dut.cycle(rst_ni=0)
    dut.cycle(rst_ni=1)
    return dut


def read(dut, offset: int) -> int:
    return dut.cycle(reg_addr_i=offset)["reg_rdata_o"]


class Model:
    """What the registers show after each cycle."""

    def __init__(self):
        self.scratch, self.latched, self.errors, self.reset = 0, 0, 0, 0
        self.clear()

    def clear(self):
        self.frames_in = self.frames_out = self.in_stall = self.out_stall = self.cycles = self.latency = 0
        self.now, self.first, self.early, self.overrun = 0, None, False, False

    def step(self, e: dict):
        clear = e["reg_write_i"] and e["reg_addr_i"] & 0xFC == CONTROL and e["reg_wdata_i"] & 2
        self.reset = max(0, self.reset - 1)
        if e["reg_write_i"] and e["reg_addr_i"] & 0xFC == CONTROL and e["reg_wdata_i"] & 1:
            self.reset = 16
        if e["reg_write_i"] and e["reg_addr_i"] & 0xFC == SCRATCH:
            self.scratch = e["reg_wdata_i"]
        if e["reg_read_i"] and e["reg_addr_i"] & 0xFC == LOW:
            self.latched = self.cycles >> 32
        if clear:
            self.clear()
            self.errors = e["link_errors_i"]
        else:
            if self.first is None and e["in_valid_i"] and e["in_ready_i"]:
                self.first = self.now
            self.frames_in += e["frame_in_i"]
            if e["frame_out_i"]:
                self.frames_out += 1
                self.cycles = 0 if self.first is None else self.now - self.first
                self.latency = self.latency or self.cycles
            self.in_stall += e["in_valid_i"] and not e["in_ready_i"]
            self.out_stall += e["out_valid_i"] and not e["out_ready_i"]
            self.now += 1
        self.early |= bool(e["early_i"])
        self.overrun |= bool(e["link_overrun_i"])

    def shown(self, e: dict) -> dict[int, int]:
        status = e["busy_i"] + 2 * (e["in_valid_i"] and not e["in_ready_i"]) + 256 * self.early + 512 * self.overrun
        status += 4 * (e["out_valid_i"] and not e["out_ready_i"])
        page = {0x00: 0x53474E46, 0x04: 1, 0x18: 50000, STATUS: status, SCRATCH: self.scratch}
        page |= {0x08 + 4 * k: HASH >> 32 * (3 - k) & 0xFFFFFFFF for k in range(4)}
        page |= {0x24: self.frames_in, 0x28: self.frames_out, 0x34: self.in_stall, 0x38: self.out_stall}
        page |= {LOW: self.cycles & 0xFFFFFFFF, HIGH: self.latched, 0x3C: self.latency}
        return page | {0x44: e["link_errors_i"] - self.errors & 0xFFFFFFFF}


@pytest.mark.parametrize("seed", range(3))
def test_random_events(page, seed):
    """4,000 cycles of random events, reads and writes anywhere; the register read is right in every cycle."""
    dice, model, errors = random.Random(seed), Model(), 0
    rare = {"early_i": 0.005, "frame_in_i": 0.1, "frame_out_i": 0.1}
    for _ in range(4000):
        e = {name: int(dice.random() < rare.get(name, 0.5)) for name in EVENTS}
        errors += dice.random() < 0.05
        e |= {"link_errors_i": errors, "link_overrun_i": int(dice.random() < 0.005)}
        e |= {"reg_addr_i": dice.getrandbits(8), "reg_wdata_i": dice.getrandbits(32)}
        e |= {"reg_read_i": dice.getrandbits(1), "reg_write_i": int(dice.random() < 0.3)}
        if dice.random() < 0.01:
            e |= {"reg_addr_i": CONTROL, "reg_write_i": 1}
        seen = page.cycle(**e)
        place = e["reg_addr_i"] & 0xFC
        assert seen["reg_rdata_o"] == model.shown(e).get(place, 0), f"{place:#x}"
        assert seen["soft_reset_o"] == (model.reset > 0)
        model.step(e)


def test_stall_counters_stop_at_the_end(page):
    page.cycle(preset_i=1)
    for _ in range(20):
        page.cycle(preset_i=0, in_valid_i=1, out_valid_i=1)
    assert read(page, 0x34) == read(page, 0x38) == 0xFFFFFFFF


def test_high_half_belongs_to_the_low_half_that_was_read(page):
    """CYCLES crosses 2^33 between the two reads."""
    page.cycle(preset_i=1)
    page.cycle(preset_i=0, in_valid_i=1, in_ready_i=1)
    page.cycle(frame_out_i=1, in_valid_i=0)
    low = page.cycle(frame_out_i=0, reg_addr_i=LOW, reg_read_i=1)["reg_rdata_o"]
    for _ in range(10):
        page.cycle(reg_read_i=0)
    page.cycle(frame_out_i=1)
    page.cycle(frame_out_i=0)
    assert (read(page, HIGH), low) == (1, 0xFFFFFFFB)
    low = page.cycle(reg_addr_i=LOW, reg_read_i=1)["reg_rdata_o"]
    page.cycle(reg_read_i=0)
    assert (read(page, HIGH), low) == (2, 7), "12 cycles later"


def test_control_reads_zero_and_an_error_survives_a_clear_in_its_own_cycle(page):
    page.cycle(reg_addr_i=CONTROL, reg_write_i=1, reg_wdata_i=3, early_i=1)
    page.cycle(reg_write_i=0, early_i=0)
    assert read(page, CONTROL) == 0 and read(page, STATUS) == 0x100
