"""The harness around a board top: registers over AXI4-Lite, packets beat by beat, power."""

import numpy as np
import pytest

from signflow.hw.sim import RtlError, SimError
from signflow.hw.sim.soc import SocModel

from .board_top import TOP, write_top


@pytest.fixture(scope="module", params=[64, 128, 8])
def project(request, tmp_path_factory):
    return write_top(tmp_path_factory.mktemp("top") / "project", request.param)


@pytest.fixture
def soc(project):
    with SocModel(project, variant="check", in_stall=0.3, out_stall=0.3) as model:
        yield model


def packet(soc, beats, seed=0):
    return np.random.default_rng(seed).integers(0, 256, beats * soc.beat_bytes, dtype=np.uint8)


def passed(soc, data, room=None):
    """Send ``data`` and receive into a buffer of ``room`` beats; returns the bytes that came."""
    buffer = np.zeros((room or len(data) // soc.beat_bytes) * soc.beat_bytes, np.uint8)
    soc.receive(buffer)
    soc.send(data)
    for _ in range(100):
        soc.step(100)
    assert soc.sent and soc.received
    return buffer[: soc.received_bytes]


def test_registers(soc):
    assert soc.read(0x00) == 0xC0FFEE00 and soc.read(0x50) == 0x2A
    for value in (0xDEADBEEF, 0, 0xFFFFFFFF):
        soc.write(0x40, value)
        assert soc.read(0x40) == value


def test_a_register_that_does_not_answer_or_refuses(soc):
    soc.write(0x40, 0xDEAD)
    with pytest.raises(SimError, match="plus_axi: no answer to a read of register 0x08 within 1000 cycles"):
        soc.read(0x08)
    assert soc.read(0x00) == 0xC0FFEE00
    with pytest.raises(SimError, match="SLVERR to a read of register 0x10"):
        soc.read(0x10)


def test_packets(soc):
    for seed, beats in enumerate((1, 2, 50, 7)):
        data = packet(soc, beats, seed)
        np.testing.assert_array_equal(passed(soc, data), data + 1)
    assert soc.read(0x44) == 60


def test_a_packet_shorter_than_its_buffer_ends_with_tlast(soc):
    data = packet(soc, 5)
    np.testing.assert_array_equal(passed(soc, data, room=9), data + 1)


def test_a_packet_longer_than_its_buffer(soc):
    data, buffer = packet(soc, 5), np.zeros(3 * soc.beat_bytes, np.uint8)
    soc.receive(buffer)
    soc.send(data)
    soc.step(1000)
    assert soc.overflow and not soc.received and not soc.receiving
    np.testing.assert_array_equal(buffer, data[: len(buffer)] + 1)


def test_nothing_is_taken_before_receive(soc):
    soc.send(packet(soc, 5))
    soc.step(1000)
    assert not soc.sent and soc.read(0x44) == 1  # one beat waits in the top


def test_registers_answer_while_packets_move(project):
    with SocModel(project, variant="check", in_stall=0.9) as soc:
        data, buffer = packet(soc, 200), np.zeros(200 * soc.beat_bytes, np.uint8)
        soc.receive(buffer)
        soc.send(data)
        seen = [soc.read(0x44) for _ in range(100)]
        assert seen == sorted(seen) and seen[0] < 10 < seen[-1] < 200
        soc.step(10_000)
        np.testing.assert_array_equal(buffer, data + 1)


def test_step_until_something_happened(project):
    with SocModel(project, variant="check") as soc:
        buffer = np.zeros(10 * soc.beat_bytes, np.uint8)
        soc.receive(buffer)
        soc.send(packet(soc, 10))
        start = soc.cycles
        soc.step(1_000_000, until_event=True)
        assert soc.sent and not soc.received and soc.cycles - start == 10
        soc.step(1_000_000, until_event=True)
        assert soc.received and soc.cycles - start == 11
        soc.step(5, until_event=True)
        assert soc.cycles - start == 16


def test_abandon_reset_and_power(soc):
    soc.write(0x40, 77)
    soc.receive(np.zeros(20 * soc.beat_bytes, np.uint8))
    soc.send(packet(soc, 20))
    soc.step(5)
    soc.abandon()
    assert soc.sent and not soc.receiving and soc.read(0x40) == 77
    soc.reset()
    assert soc.read(0x40) == 0
    data = packet(soc, 4)
    np.testing.assert_array_equal(passed(soc, data), data + 1)
    soc.send(data)
    soc.power_cycle()
    assert soc.sent and soc.read(0x44) == 0 and soc.read(0x50) == 0x2A and soc.cycles < 30


def test_one_packet_at_a_time_in_whole_beats(soc):
    data = packet(soc, 3)
    soc.send(data)
    soc.receive(data.copy())
    with pytest.raises(SimError, match="a packet is being sent"):
        soc.send(data)
    with pytest.raises(SimError, match="a packet is being received"):
        soc.receive(data.copy())
    for wrong in (np.zeros(0, np.uint8), data[::2], data.astype(np.int64), data.reshape(3, -1), bytes(data)):
        with pytest.raises(ValueError, match=f"whole {soc.beat_bytes}-byte beats"):
            soc.send(wrong)


def test_the_rtl_stops(soc):
    with pytest.raises(SimError, match=r"plus_axi, cycle \d+: .*\$stop"):
        soc.write(0x4C, 1)


def test_a_design_that_is_no_board_top(tmp_path):
    less = TOP.replace("input wire s_axis_in_tlast,", "").replace("s_axis_in_tlast", "1'b0")
    with pytest.raises(RtlError, match="plus_axi is no board top: it lacks the ports s_axis_in_tlast"):
        SocModel(write_top(tmp_path / "a", text=less))
    more = TOP.replace("input wire aclk,", "input wire aclk, input wire irq,")
    with pytest.raises(RtlError, match="inputs the harness does not drive: irq"):
        SocModel(write_top(tmp_path / "b", text=more))
    with pytest.raises(SimError, match=r"accel\.json does not exist"):
        SocModel(tmp_path)
    (write_top(tmp_path / "c") / "mem" / "byte.mem").unlink()
    with pytest.raises(SimError, match=r"plus_axi does not start: .*byte\.mem"):
        SocModel(tmp_path / "c")
