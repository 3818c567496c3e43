"""AXI4-Lite to the register bus: any order of address and data, stalls on B and R, strobes, nobody starves."""

import random

import pytest

from signflow.hw.ops.base import RTL_DIR
from signflow.hw.sim import pins, verilator

from .streams import Sink, Source

OKAY, SLVERR = 0, 2


@pytest.fixture(scope="module")
def model():
    return verilator.compile("sf_axi_lite", [RTL_DIR / "sf_axi_lite.sv"], variant="check", harness=pins.harness())


class Manager:
    """Five channels at random; `done` notes what happened on the register bus."""

    def __init__(self, model, writes, reads, stalls, seed=0):
        self.dut, self.done, self.cycles = pins.Pins(model, seed=seed), [], 0
        self.aw = Source([address for address, _, _ in writes], stalls[0], seed + 1)
        self.w = Source([(data, strobe) for _, data, strobe in writes], stalls[1], seed + 2)
        self.ar = Source(reads, stalls[2], seed + 3)
        self.b, self.r = Sink(stalls[3], seed + 4), Sink(stalls[4], seed + 5)
        self.dice = random.Random(seed)
        self.dut.cycle(rst_ni=0)
        self.dut.cycle(rst_ni=1)

    def cycle(self):
        """One cycle; the bus reads any value, noted with the read that takes it."""
        aw, w, ar, rubbish = self.aw.offer(), self.w.offer(), self.ar.offer(), self.dice.getrandbits
        data, strobe = w or (rubbish(32), rubbish(4))
        pins_in = {
            "aw_addr_i": rubbish(8) if aw is None else aw, "aw_valid_i": int(aw is not None),
            "w_data_i": data, "w_strb_i": strobe, "w_valid_i": int(w is not None),
            "ar_addr_i": rubbish(8) if ar is None else ar, "ar_valid_i": int(ar is not None),
            "b_ready_i": self.b.ready(), "r_ready_i": self.r.ready(), "reg_rdata_i": rubbish(32),
        }  # fmt: skip
        seen = self.dut.cycle(**pins_in)
        if seen["reg_write_o"]:
            self.done.append(("write", seen["reg_addr_o"], seen["reg_wdata_o"], self.cycles))
        if seen["reg_read_o"]:
            self.done.append(("read", seen["reg_addr_o"], pins_in["reg_rdata_i"], self.cycles))
        assert not (seen["reg_read_o"] and seen["reg_write_o"])
        for source, ready in ((self.aw, "aw_ready_o"), (self.w, "w_ready_o"), (self.ar, "ar_ready_o")):
            source.step(seen[ready])
        self.b.step(seen["b_valid_o"], seen["b_resp_o"], self.cycles)
        self.r.step(seen["r_valid_o"], (seen["r_data_o"], seen["r_resp_o"]), self.cycles)
        self.cycles += 1

    def run(self):
        """Until every answer came, and some more."""
        idle = 0
        while idle < 10:
            self.cycle()
            missing = len(self.b.items) < len(self.aw.items) or len(self.r.items) < len(self.ar.items)
            idle = 0 if missing else idle + 1
            assert self.cycles < 50_000, "stuck"
        return self


@pytest.mark.parametrize(
    "stalls",
    [(0,) * 5, (0.9, 0, 0.5, 0, 0), (0, 0.9, 0.5, 0, 0), (0.5,) * 5, (0, 0, 0, 0.9, 0.2), (0.1, 0.1, 0, 0, 0.9)],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_every_access_happens_once_in_order(model, stalls, seed):
    dice = random.Random(seed)
    writes = [(dice.getrandbits(8), dice.getrandbits(32), dice.choice([15, 15, 15, 0, 3, 8])) for _ in range(150)]
    reads = [dice.getrandbits(8) for _ in range(150)]
    manager = Manager(model, writes, reads, stalls, seed).run()
    done = manager.done
    assert [(a, d) for kind, a, d, _ in done if kind == "write"] == [(a, d) for a, d, s in writes if s == 15]
    assert [a for kind, a, _, _ in done if kind == "read"] == reads
    assert manager.r.items == [(d, OKAY) for kind, _, d, _ in done if kind == "read"]
    assert manager.b.items == [OKAY if s in (0, 15) else SLVERR for _, _, s in writes]


def test_full_speed_and_no_starvation(model):
    """Both sides always want: accesses alternate, a write and a read in 2 cycles."""
    writes, reads = [(4 * k % 256, k, 15) for k in range(100)], [4 * k % 256 for k in range(100)]
    manager = Manager(model, writes, reads, (0,) * 5).run()
    kinds = [kind for kind, *_ in manager.done]
    assert kinds == ["write", "read"] * 100
    alone = Manager(model, writes, [], (0,) * 5).run()
    assert {b[3] - a[3] for a, b in zip(alone.done, alone.done[1:], strict=False)} == {2}, "a write every 2 cycles"
    alone = Manager(model, [], reads, (0,) * 5).run()
    assert {b[3] - a[3] for a, b in zip(alone.done, alone.done[1:], strict=False)} == {2}, "a read every 2 cycles"


def test_a_stalled_answer_does_not_stop_the_other_channel(model):
    """B never taken: reads go on; R never taken: writes go on."""
    manager = Manager(model, [(0, 1, 15)] * 5, [8] * 50, (0, 0, 0, 1, 0))
    for _ in range(200):
        manager.cycle()
    assert len(manager.r.items) == 50 and not manager.b.items
    manager = Manager(model, [(0, 1, 15)] * 50, [8] * 5, (0, 0, 0, 0, 1))
    for _ in range(200):
        manager.cycle()
    assert len(manager.b.items) == 50 and not manager.r.items


def test_no_output_follows_an_input_in_the_same_cycle(model):
    """AXI forbids paths from inputs to outputs: two instances in one state, driven differently, show the same."""
    dice, twins = random.Random(5), [pins.Pins(model, seed=1), pins.Pins(model, seed=2)]
    widths = {name: bits for name, bits in twins[0].inputs.items() if name != "rst_ni"}

    def draw() -> dict[str, int]:
        return {name: dice.getrandbits(bits) for name, bits in widths.items()}

    for _ in range(300):
        drives = [dict(draw(), rst_ni=0), *(dict(draw(), rst_ni=1) for _ in range(dice.randrange(1, 8)))]
        for twin in twins:
            for drive in drives:
                twin.cycle(**drive)
        shown = [twin.cycle(**draw()) for twin in twins]
        control = [name for name in shown[0] if name.endswith(("valid_o", "ready_o", "read_o", "write_o"))]
        assert len(control) == 7
        assert [shown[0][name] for name in control] == [shown[1][name] for name in control]
