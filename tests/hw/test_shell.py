"""The shell around a small accelerator: packets, errors, soft resets; the status page counts what the test counts."""

import random
from dataclasses import replace

import numpy as np
import pytest

from signflow.deploy.generate.project import write_project
from signflow.hw.boards import board
from signflow.hw.ops.base import RTL_DIR
from signflow.hw.sim import pins, verilator

from . import toy
from .streams import Sink, Source

CONTROL, STATUS, FRAMES_IN, FRAMES_OUT, CYCLES, IN_STALL, OUT_STALL, LATENCY = (
    0x1C, 0x20, 0x24, 0x28, 0x2C, 0x34, 0x38, 0x3C,
)  # fmt: skip
BUSY, EARLY = 1, 0x100


class Board:
    """The shell, both streams, and the counts that its page should show."""

    def __init__(self, compiled, project, beat: int, seed: int = 0):
        self.dut, self.beat, self.seed = pins.Pins(compiled, project, seed=seed), beat // 8, seed
        self.source, self.sink, self.now = Source([], 0, 0), Sink(0, 0), 0
        self.dut.cycle(rst_ni=0)
        for _ in range(3):
            self.dut.cycle(rst_ni=1)
        self.clear()

    def clear(self, value: int = 2):
        """Write CONTROL; bit 1 starts the counts anew."""
        self.dut.cycle(in_valid_i=0, out_ready_i=0, reg_write_i=1, reg_addr_i=CONTROL, reg_wdata_i=value)
        self.dut.cycle(reg_write_i=0)
        self.in_stall = self.out_stall = self.frames_in = self.frames_out = 0
        self.first = self.last = None

    def read(self, offset: int) -> int:
        """A register, through the bus, while the streams rest."""
        value = self.dut.cycle(in_valid_i=0, out_ready_i=0, reg_addr_i=offset, reg_read_i=1)["reg_rdata_o"]
        self.dut.cycle(reg_read_i=0)
        return value

    def start(self, packets, stalls=(0, 0)):
        """Offer packets of frames, uint8 [n, bytes of a frame] each, the last beat of each marked."""
        beats = []
        for packet in packets:
            padded = self.padded(packet)
            beats += [(int.from_bytes(b.tobytes(), "little"), 0) for b in padded.reshape(-1, self.beat)]
            beats[-1] = (beats[-1][0], 1)
        self.source, self.sink = Source(beats, stalls[0], self.seed + 1), Sink(stalls[1], self.seed + 2)
        self.dice = random.Random(self.seed)

    def padded(self, frames: np.ndarray) -> np.ndarray:
        """Frames to whole beats."""
        return np.pad(frames, ((0, 0), (0, -frames.shape[1] % self.beat)))

    def step(self):
        """One cycle of both streams."""
        data, last = self.source.offer() or (self.dice.getrandbits(8 * self.beat), self.dice.getrandbits(1))
        seen = self.dut.cycle(
            in_data_i=data, in_last_i=last, in_valid_i=int(self.source.offered), out_ready_i=self.sink.ready()
        )
        self.in_stall += self.source.offered and not seen["in_ready_o"]
        self.out_stall += seen["out_valid_o"] and not self.sink.is_ready
        if self.source.step(seen["in_ready_o"]) and self.first is None:
            self.first = self.now
        if self.sink.step(seen["out_valid_o"], (seen["out_data_o"], seen["out_last_o"]), self.now):
            self.last = self.now
        self.now += 1
        return seen

    def finish(self, beats: int):
        """Until so many beats came and all input was taken, and a while longer."""
        start, idle = self.now, 0
        while idle < 30:
            self.step()
            idle += self.source.done and len(self.sink.items) >= beats
            assert self.now - start < 50_000, (
                f"stuck: {self.source.taken} beats in, {len(self.sink.items)} of {beats} out"
            )
        return self.sink.items

    def expected(self, packets) -> list[tuple[int, int]]:
        """The beats of the results of packets."""
        beats = []
        for packet in packets:
            rows = self.padded(toy.results(packet)).reshape(-1, self.beat)
            beats += [(int.from_bytes(row.tobytes(), "little"), 0) for row in rows]
            beats[-1] = (beats[-1][0], 1)
        return beats


@pytest.fixture(scope="module", params=[8, 64, 128])
def built(request, tmp_path_factory):
    """(compiled shell, project, bits of a beat)."""
    hurry = 4 if request.param > 64 else 12  # or 64 bits would do
    folder = toy.accelerator(tmp_path_factory.mktemp("toy"), RTL_DIR / "sf_fifo.sv", hurry)
    target = replace(board("pynq-z2"), stream_bits=request.param)
    project = write_project(folder, target, tmp_path_factory.mktemp("project") / "8-project")
    sources = sorted((project / "rtl").glob("*.sv"))
    compiled = verilator.compile("toy_shell", sources, variant="check", harness=pins.harness())
    return compiled, project, request.param


def draw(rng, sizes):
    return [rng.integers(0, 256, (n, toy.IN_BYTES), dtype=np.uint8) for n in sizes]


@pytest.mark.parametrize("stalls", [(0, 0), (0.5, 0), (0, 0.7), (0.4, 0.4)])
def test_packets_and_counters(built, stalls):
    """Results, marks and every counter, for packets of 1 to 9 frames under stalls; twice, with a clear between."""
    rng, bench = np.random.default_rng(1), Board(*built, seed=5)
    for sizes in ([1, 4, 1, 9], [2, 3]):
        packets = draw(rng, sizes)
        expected = bench.expected(packets)
        bench.start(packets, stalls)
        assert bench.finish(len(expected)) == expected
        frames = sum(sizes)
        ends = bench.sink.cycles[len(expected) // frames - 1 :: len(expected) // frames]
        want = {FRAMES_IN: frames, FRAMES_OUT: frames, IN_STALL: bench.in_stall, OUT_STALL: bench.out_stall}
        want |= {CYCLES: bench.last - bench.first, LATENCY: ends[0] - bench.first, STATUS: 0, CYCLES + 4: 0}
        assert {offset: bench.read(offset) for offset in want} == want
        bench.clear()
        assert {offset: bench.read(offset) for offset in want} == dict.fromkeys(want, 0)


def test_status_shows_what_waits(built):
    """Nobody takes the output: the input fills up, then bits 0, 1 and 2 say so; nothing is lost afterwards."""
    bench = Board(*built)
    packets = draw(np.random.default_rng(2), [40])
    bench.start(packets, (0, 0.9999))
    for _ in range(40 * toy.IN_BYTES):
        bench.step()
    assert not bench.source.done
    assert bench.dut.cycle(reg_addr_i=STATUS)["reg_rdata_o"] == 7, "with both streams as they were in the last cycle"
    bench.sink.stall = 0
    expected = bench.expected(packets)
    assert bench.finish(len(expected)) == expected
    assert bench.read(STATUS) == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_packet_that_ends_inside_a_frame(built, seed):
    """Everything is taken, results stop, LAST_EARLY sticks; after soft reset and clear all is well again."""
    rng, bench = np.random.default_rng(seed), Board(*built, seed=seed)
    packets = draw(rng, [2, 3, 2])
    bench.start(packets, (0.2 * (seed % 2), 0.3 * (seed % 2)))
    frame = len(bench.source.items) // 7
    cut = frame * int(rng.integers(1, 6)) + int(rng.integers(0, frame - 1))
    bench.source.items[cut] = (bench.source.items[cut][0], 1)
    bench.finish(0)
    expected = bench.expected(packets)
    assert bench.sink.items == expected[: len(bench.sink.items)] and len(bench.sink.items) < len(expected)
    assert bench.read(STATUS) & EARLY
    for control, left in ((2, 0), (1, 0)):
        bench.clear(control)
        assert bench.read(STATUS) & EARLY == left
    for _ in range(20):
        bench.dut.cycle()
    assert bench.read(STATUS) == 0
    again = draw(rng, [1, 2])
    bench.start(again)
    expected = bench.expected(again)
    assert bench.finish(len(expected)) == expected


def test_soft_reset_at_any_moment(built):
    """Cut off in the middle of anything, 40 times: for 16 cycles nothing moves, then results are right at once."""
    rng, bench = np.random.default_rng(3), Board(*built, seed=9)
    for k in range(40):
        bench.start(draw(rng, [3, 2]), (0.3, 0.5) if k % 2 else (0, 0))
        for _ in range(int(rng.integers(1, 150))):
            bench.step()
        bench.clear(3)
        still = [bench.dut.cycle(in_valid_i=1, out_ready_i=1) for _ in range(16)]
        assert not any(seen["in_ready_o"] or seen["out_valid_o"] for seen in still)
        bench.dut.cycle(in_valid_i=0, out_ready_i=0)
        assert bench.read(STATUS) == 0
        bench.clear()
        packets = draw(rng, [1, 2])
        bench.start(packets)
        expected = bench.expected(packets)
        assert bench.finish(len(expected)) == expected
        assert bench.read(FRAMES_IN) == bench.read(FRAMES_OUT) == 3


def test_full_speed(built):
    """The toy takes IN_WORDS + OUT_WORDS cycles a frame, the shell no more unless its beats are more."""
    bench = Board(*built)
    packets = draw(np.random.default_rng(4), [30])
    bench.start(packets)
    expected = bench.expected(packets)
    bench.finish(len(expected))
    per_frame = len(expected) // 30
    steady = np.diff(bench.sink.cycles[per_frame - 1 :: per_frame])[5:-5]
    assert set(steady) == {max(toy.IN_WORDS + toy.OUT_WORDS, per_frame)}
