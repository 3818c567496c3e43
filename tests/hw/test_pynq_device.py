"""The simulated board under pynq's own overlay, clock and DMA drivers; the DMA model register by register."""

import warnings
import zipfile

import numpy as np
import pynq
import pytest

from signflow.hw.sim import dma, pynq_device
from signflow.hw.sim.handoff import DMA_BASE, handoff
from signflow.hw.sim.soc import SocModel

from .board_top import write_top

RUN, RESET = 1, 4
HALTED, IDLE, INTERNAL, DECODE, DONE, FAILED = 1, 2, 0x10, 0x40, 0x1000, 0x4000


@pytest.fixture(autouse=True)
def any_design(monkeypatch):
    """The design here is the test's own; `test_trusted` has what the board accepts."""
    monkeypatch.setattr(pynq_device, "check_design", lambda folder: None)


@pytest.fixture
def device():
    return pynq_device.install()


@pytest.fixture(scope="module", params=["pynq-z2", "zcu104"])
def bitfile(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    project = write_top(folder / "project", 64, request.param)
    model = SocModel(project)
    (folder / "plus.hwh").write_text(handoff(model.facts))
    with zipfile.ZipFile(folder / "plus.bit", "w") as image:
        for path in project.rglob("*.*"):
            image.write(path, path.relative_to(project))
    return folder / "plus.bit"


@pytest.fixture
def overlay(device, bitfile):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded = pynq.Overlay(str(bitfile), download=False)
        for clock in loaded.clock_dict.values():
            clock["frequency"] = clock["frequency"] or 100
        loaded.download()
    yield loaded
    device.power_cycle()


def transfer(overlay, data, room=None):
    """Through pynq's own DMA driver; returns what came."""
    source, target = pynq.allocate(len(data), "u1"), pynq.allocate(room or len(data), "u1")
    source[:] = data
    overlay.axi_dma_0.recvchannel.transfer(target)
    overlay.axi_dma_0.sendchannel.transfer(source)
    overlay.axi_dma_0.recvchannel.wait()
    overlay.axi_dma_0.sendchannel.wait()
    return np.array(target[: overlay.axi_dma_0.recvchannel.transferred])


def test_pynqs_own_parser_and_drivers(overlay, bitfile):
    assert type(overlay.axi_dma_0) is pynq.lib.dma.DMA and overlay.axi_dma_0.buffer_max_size == (1 << 26) - 1
    assert overlay.ip_dict["accelerator_0"]["type"] == "xilinx.com:module_ref:plus_axi:1.0"
    assert overlay.is_loaded() and overlay.accelerator_0.read(0) == 0xC0FFEE00
    overlay.accelerator_0.write(0x40, 5)
    assert overlay.accelerator_0.read(0x40) == 5
    assert pynq.Clocks.fclk0_mhz == pytest.approx(overlay.clock_dict[0]["frequency"], rel=0.08)  # 1500 / 7 for 200


def test_transfers(overlay):
    rng = np.random.default_rng(0)
    for size in (8, 800, 80_000):
        data = rng.integers(0, 256, size, dtype=np.uint8)
        np.testing.assert_array_equal(transfer(overlay, data), data + 1)
    np.testing.assert_array_equal(transfer(overlay, data[:80], room=800), data[:80] + 1)


def test_pynq_reports_a_packet_that_is_too_long(overlay):
    with pytest.raises(RuntimeError, match="DMA channel not started"):  # halted by the error before the wait
        transfer(overlay, np.zeros(800, np.uint8), room=400)
    assert overlay.axi_dma_0.recvchannel.error


def test_memory_comes_back(device):
    first = pynq.allocate(1000, "u4")
    address = first.physical_address
    assert first[3:].physical_address == address + 12 and not first.any()
    second = pynq.allocate((3, 5), "f4")
    assert second.physical_address % 4096 == 0 and second.physical_address > address
    first[:] = 7
    del first
    again = pynq.allocate(1000, "u4")
    assert again.physical_address == address and not again.any()
    for _ in range(100):  # not kept for ever
        pynq.allocate(100 << 20, "u1")
    with pytest.raises(RuntimeError, match="simulated memory of 256 MiB is full"):
        pynq.allocate(257 << 20, "u1")


def test_install_is_idempotent(device):
    assert pynq_device.install() is device is pynq.Device.active_device


def test_what_is_no_image(device, tmp_path, bitfile):
    wrong = tmp_path / "plus.bit"
    wrong.write_bytes(b"\x00\x09\x0f\xf0")
    with pytest.raises(RuntimeError, match=r"plus\.hwh is missing"):
        pynq.Overlay(str(wrong))
    (tmp_path / "plus.hwh").write_text(bitfile.with_suffix(".hwh").read_text())
    loaded = pynq.Overlay(str(wrong), download=False)
    with pytest.raises(
        RuntimeError, match=r"plus\.bit is no simulation image .*a bitstream of Vivado needs the real board"
    ):
        device.download(loaded)


def test_a_board_without_zynq():
    with pytest.raises(ValueError, match="ulx3s has no processing system"):
        handoff({"board": "ulx3s", "name": "x"})


class Registers:
    """The DMA by offset, as PG021 numbers it."""

    def __init__(self, device):
        self.device = device

    def __getitem__(self, offset):
        return int.from_bytes(self.device.read_registers(DMA_BASE + offset, 4), "little")

    def __setitem__(self, offset, value):
        self.device.write_registers(DMA_BASE + offset, value.to_bytes(4, "little"))


@pytest.fixture
def registers(overlay, device):
    registers = Registers(device)
    registers[0x00] = RESET
    return registers


@pytest.mark.parametrize("base", [0x00, 0x30])
def test_reset_run_and_stop(registers, base):
    assert registers[base] == 0x10002 and registers[base + 4] == HALTED
    registers[base] = RUN
    assert registers[base + 4] == 0  # idle only after the first transfer
    registers[base] = 0
    assert registers[base + 4] == HALTED


def start(registers, sent, received, source=None, target=None):
    source = pynq.allocate(max(sent, 1), "u1") if source is None else source
    target = pynq.allocate(max(received, 1), "u1") if target is None else target
    registers[0x00] = registers[0x30] = RUN
    registers[0x48], registers[0x4C] = target.physical_address, 0
    registers[0x58] = received
    registers[0x18], registers[0x1C] = source.physical_address, 0
    registers[0x28] = sent
    return source, target


def settle(registers):
    for _ in range(5):
        status = registers[0x04], registers[0x34]
    return status


def test_a_transfer_in_registers(registers):
    start(registers, 64, 128)
    assert registers.device.dma.busy
    assert settle(registers) == (IDLE | DONE, IDLE | DONE)
    assert registers[0x58] == 64  # bytes received
    registers[0x34] = DONE
    assert registers[0x34] == IDLE


def test_length_starts_nothing_while_halted(registers):
    registers[0x28] = 64
    assert settle(registers) == (HALTED, HALTED) and not registers.device.dma.busy


def test_errors_halt_until_a_reset(registers):
    start(registers, 64, 8)
    assert settle(registers)[1] == HALTED | FAILED | INTERNAL
    registers[0x30] = RUN
    assert registers[0x34] & HALTED
    registers[0x30] = RESET
    assert settle(registers) == (HALTED, HALTED)


@pytest.mark.parametrize("address", [0, 0x0FFF_FFF8, 0x1FFF_FFF8 + 8, 0x1FFF_FFF8 - 8])
def test_addresses_outside_memory(registers, address):
    registers[0x00] = RUN
    registers[0x18], registers[0x1C] = address, 0
    registers[0x28] = 64
    assert registers[0x04] == HALTED | FAILED | DECODE


def test_a_length_of_zero(registers):
    registers[0x00] = RUN
    registers[0x18] = 0x1000_0000
    registers[0x28] = 0
    assert registers[0x04] == HALTED | FAILED | INTERNAL


def test_reset_in_the_middle(registers, overlay):
    _, target = start(registers, 1 << 20, 1 << 20)
    assert registers[0x34] == 0
    registers[0x30] = RESET
    assert settle(registers) == (HALTED, HALTED)
    before = target.copy()
    registers.device.step(10_000)
    assert (target == before).all()  # nothing is written any more


def test_a_hanging_dma_ends_with_its_reset(registers, overlay, device):
    device.hang_dma()
    start(registers, 64, 64)
    device.step(100_000)
    assert settle(registers) == (0, 0)
    registers[0x00] = RESET
    start(registers, 64, 64)
    assert settle(registers) == (IDLE | DONE, IDLE | DONE)


def test_power_cycle_after_some_cycles(registers, overlay, device):
    start(registers, 1 << 20, 1 << 20)
    device.power_cycle(after=10_000)
    for _ in range(10):
        registers[0x34]
    assert device.soc is None and registers[0x34] == 0 and overlay.accelerator_0.read(0) == 0
    registers[0x30] = RUN
    assert registers[0x30] == 0


def test_the_stuck_page(overlay, device):
    overlay.accelerator_0.write(0x40, 1)
    device.stick_page()
    overlay.accelerator_0.write(0x40, 2)
    assert overlay.accelerator_0.read(0x40) == 1
    device.download(overlay)
    assert overlay.accelerator_0.read(0x40) == 0


def test_the_model_alone_before_a_design_is_loaded():
    model = dma.Dma(lambda address, count: None)
    model.write(0x00, RUN)
    assert [model.read(offset) for offset in (0x00, 0x04, 0x30, 0x34)] == [0] * 4
