"""The host's side of the serial link on simulated boards: everything arrives, once and right, or there is an error.

Most tests talk to tests/hw/link_bench.sv (bytes come back inverted, registers count); the last ones to a whole network.
"""

import os
import threading
import tty
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from signflow.deploy import flow
from signflow.deploy.board.accelerator import Accelerator, AcceleratorError
from signflow.deploy.board.package import package
from signflow.deploy.board.serial_link import DATA, END, LinkError, SerialLink, parsed, request, stuffed
from signflow.deploy.generate.project import write_project
from signflow.hw import boards
from signflow.hw.ops.base import RTL_DIR, RtlInstance
from signflow.hw.sim.uart import Faults, SimulatedPort, compile_port
from signflow.models.weights import trained

from .board_folder import build, unpack

BENCH = Path(__file__).parents[2] / "hw" / "link_bench.sv"
BITS = 8
FACTS = {"shell": {"beat_bits": 8}}
WRITES, SCRATCH, ERRORS, OVERRUNS = 4, 8, 20, 24
TIMES = {"latency": 0.0005, "patience": 0.1}  # simulated seconds


class Board(SimulatedPort):
    """A powered bench; `power_cycle` replaces it behind the same port."""

    def __init__(self, mismatch=0.0):
        sources = [BENCH, *(RTL_DIR / f"{m}.sv" for m in [*RtlInstance("sf_serial_link", {}).modules, "sf_fifo"])]
        self._model = compile_port("link_bench", sources, {"CLOCKS_PER_BIT": BITS})
        super().__init__(self._model, clocks_per_bit=BITS, mismatch=mismatch)

    def power_cycle(self):
        self.close()
        super().__init__(self._model, clocks_per_bit=BITS)
        self.timeout = 0.005


@pytest.fixture
def board():
    board = Board()
    yield board
    board.close()


@pytest.fixture
def link(board):
    return connected(board)


def connected(port, **options):
    link = SerialLink(port, baud=50e6 / BITS, **(TIMES | options))
    link.open(Path("x.bit"), FACTS)
    return link


def echo(link, data, size=None):
    """Send a packet and take the one that comes back; it must be the inverted data."""
    there, back = link.buffer(len(data)), link.buffer(len(data))
    there[:] = np.frombuffer(data, np.uint8)
    link.receive(back, len(data))
    link.send(there, len(data))
    while not (link.sent() and link.received()):
        pass
    np.testing.assert_array_equal(back, 255 - there)


def rubbish(seed, n):
    """Random bytes, many of them special to the stuffing."""
    rng = np.random.default_rng(seed)
    return rng.choice([*range(256), *[0xC0, 0xDB, 0xDC, 0xDD] * 16], n).astype(np.uint8).tobytes()


# ---- a line without faults


def test_packets_of_any_size_come_back(link):
    for seed, size in enumerate((1, 2, 1023, 1024, 1025, 20_000, 5, 1)):
        echo(link, rubbish(seed, size))
    assert (link.damaged, link.repeated) == (0, 0)
    assert (link.read(ERRORS), link.read(OVERRUNS)) == (0, 0)


def test_a_long_packet_wraps_all_positions(link):
    echo(link, rubbish(0, 6000))
    echo(link, rubbish(1, link.chunk_bytes))


@pytest.mark.parametrize("mismatch", [-0.02, 0.02])
def test_a_host_two_percent_off(mismatch):
    link = connected(Board(mismatch))
    echo(link, rubbish(3, 3000))
    assert (link.damaged, link.read(ERRORS)) == (0, 0)


def test_registers(link):
    for value in (0, 1, 0xC0DBDCDD, 0xFFFFFFFF):
        link.write(SCRATCH, value)
        assert link.read(SCRATCH) == value
    assert link.read(WRITES) == 4


def test_registers_can_be_used_while_packets_are_under_way(link):
    data = rubbish(4, 12_000)
    there, back = np.frombuffer(data, np.uint8), link.buffer(len(data))
    link.receive(back, len(data))
    link.send(there, len(data))
    for value in range(40):
        link.sent()
        link.write(SCRATCH, value)
        assert link.read(SCRATCH) == value
        link.received()
    while not link.received():
        pass
    np.testing.assert_array_equal(back, 255 - there)
    assert link.sent() and link.read(WRITES) == 40 and (link.damaged, link.repeated) == (0, 0)


def test_one_packet_at_a_time_each_way(link):
    buffer = link.buffer(10_000)
    link.send(buffer, 10_000)
    with pytest.raises(LinkError, match="a packet is still being sent: 10000 bytes"):
        link.send(buffer, 1)
    link.receive(buffer, 10_000)
    with pytest.raises(LinkError, match="a packet is still being received: 10000 bytes"):
        link.receive(buffer, 1)


@pytest.mark.parametrize("wanted", [5, 20])
def test_a_result_of_another_size_is_an_error(link, wanted):
    there, back = link.buffer(10), link.buffer(20)
    link.receive(back, wanted)
    link.send(there, 10)
    with pytest.raises(LinkError, match=f"the board's packet has 10 bytes.*, not {wanted}"):
        while not link.received():
            pass
    link.reset()
    echo(link, b"and on")


def test_reset_drops_what_is_under_way(link):
    for _ in range(3):
        link.receive(link.buffer(9000), 9000)
        link.send(link.buffer(9000), 9000)
        link.sent()
        link.reset()
        echo(link, rubbish(6, 300))


# ---- faults


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "faults",
    [
        {"flip": 1e-4},
        {"drop": 1e-3},
        {"flip": 2e-4, "to_fpga": False},
        {"drop": 2e-3, "to_fpga": False},
        {"flip": 1e-4, "drop": 3e-4, "to_host": False},
    ],
    ids=str,
)
def test_damage_on_the_line_is_repaired(board, link, faults, seed):
    board.faults(Faults(**faults, seed=seed))
    for n, size in enumerate((300, 2500, 1, 1500)):
        echo(link, rubbish(n, size))
        link.write(SCRATCH, n)
        assert link.read(SCRATCH) == n
    board.faults(Faults())
    assert link.read(WRITES) == 4  # none lost, none done twice
    assert link.repeated > 0 and link.damaged + link.read(ERRORS) > 0


@pytest.mark.parametrize("seed", range(2))
def test_a_hopeless_line_is_an_error_in_bounded_time(board, link, seed):
    board.faults(Faults(flip=0.02, drop=0.02, seed=seed))
    start = board.now()
    with pytest.raises(LinkError, match="no answer"):
        for _ in range(100):
            echo(link, rubbish(seed, 2000))
    assert board.now() - start < 1
    board.faults(Faults())
    link.reset()
    echo(link, rubbish(seed, 2000))


@pytest.mark.parametrize("call", ["read", "transfer", "reset"])
def test_a_cut_line_is_an_error_and_the_next_call_works(board, link, call):
    link.receive(link.buffer(5000), 5000)
    link.send(link.buffer(5000), 5000)
    for _ in range(3):
        link.sent()
    board.faults(Faults(cut=True))
    start = board.now()
    with pytest.raises(LinkError, match=r"no answer on the port for 0.1 s: is it powered"):
        if call == "transfer":
            while not link.received():
                pass
        else:
            link.reset() if call == "reset" else link.read(0)
    assert TIMES["patience"] <= board.now() - start < 2 * TIMES["patience"]
    board.faults(Faults())
    link.reset()
    echo(link, rubbish(8, 2500))


def test_a_board_that_began_anew_is_noticed(board, link):
    link.receive(link.buffer(9000), 9000)
    link.send(link.buffer(9000), 9000)
    link.sent()
    board.power_cycle()
    with pytest.raises(LinkError, match="the board began anew"):
        while not link.received():
            pass
    link.reset()
    echo(link, rubbish(9, 2500))


class Unplugged(Board):
    @property
    def in_waiting(self):
        raise OSError("device disconnected")


def test_an_unplugged_port_is_an_error():
    with pytest.raises(LinkError, match="device disconnected; was the board unplugged"):
        connected(Unplugged())


def test_what_cannot_be_opened(link):
    with pytest.raises(LinkError, match="no-such-port cannot be opened"):
        SerialLink("/dev/no-such-port").open(Path("x.bit"), FACTS)
    with pytest.raises(LinkError, match=r"x.bit is for a bus of 64 bits: a serial port carries bytes"):
        SerialLink("/dev/no-such-port").open(Path("x.bit"), {"shell": {"beat_bits": 64}})
    with pytest.raises(LinkError, match="the link is closed"):
        SerialLink("/dev/no-such-port").read(0)


# ---- packets


@given(st.binary(max_size=60), st.binary(max_size=8))
def test_no_end_mark_inside_a_packet(body, more):
    body += b"\xc0\xdb\xdb\xdc\xc0\xdd" + more
    text = stuffed(body)
    assert text.startswith(END) and text.endswith(END) and text.count(END) == 2
    reply = bytes(range(9)) + body + b"\x01"
    found = parsed(stuffed(reply + zlib.crc32(reply).to_bytes(4, "little"))[1:-1])
    assert (found.session, found.kind, found.sequence, found.accepted) == (0, 1, 2, 0x0403)
    assert (found.room, found.start, found.payload, found.last) == (0x0605, 0x0807, body, True)


@given(st.binary(max_size=40), st.data())
def test_a_damaged_reply_is_no_reply(payload, data):
    reply = bytes(9) + payload + b"\x00"
    text = bytearray(stuffed(reply + zlib.crc32(reply).to_bytes(4, "little"))[1:-1])
    text[data.draw(st.integers(0, len(text) - 1))] ^= data.draw(st.integers(1, 255))
    assert parsed(bytes(text)) is None


def test_a_request_is_what_the_header_of_the_rtl_says():
    body = bytes([7, DATA, 9, 0x34, 0x12, 0x78, 0x56]) + b"payload"
    expected = END + body + zlib.crc32(body).to_bytes(4, "little") + END
    assert request(7, DATA, 9, 0x51234, 0x45678, b"payload") == expected


# ---- through the operating system, and a whole network


def test_pyserial_and_a_pseudo_terminal(board):
    """The same link through a real port of the operating system; a thread carries the bytes to the bench."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    stop = threading.Event()

    def carry():
        while not stop.is_set():
            with suppress(BlockingIOError):
                board.write(os.read(ours, 4096))
            board.run(20_000)
            if waiting := board.in_waiting:
                os.write(ours, board.read(waiting))

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        link = SerialLink(os.ttyname(theirs), latency=0.2)
        link.open(Path("x.bit"), FACTS)
        with pytest.raises(LinkError, match=r"cannot be opened.*no other program using it"):
            SerialLink(os.ttyname(theirs)).open(Path("x.bit"), FACTS)
        echo(link, rubbish(1, 5000))
        link.close()
    finally:
        stop.set()
        thread.join()
        os.close(ours)
        os.close(theirs)


@pytest.fixture(scope="module")
def tfc(tmp_path_factory):
    """(bitfile of tfc's package for the ulx3s, what powers a board at the real line rate). The bitstream is a stand-in:
    the simulated board has the design already.
    """
    work, settings = tmp_path_factory.mktemp("tfc"), flow.Settings("tfc", board="ulx3s")
    build(settings, work)
    project = write_project(work / flow.ACCELERATOR, boards.board("ulx3s"), work / "8-project")
    (project / "build").mkdir()
    (project / "build" / "tfc.bit").write_bytes(b"stand-in")
    bitfile = unpack(package(work, project, work / "package.zip"), work / "package")
    sources = sorted((project / "rtl").glob("*.sv"))
    return bitfile, lambda: SimulatedPort(compile_port("tfc_ulx3s", sources), project, clocks_per_bit=20, clock_mhz=40)


def images(n):
    return np.random.default_rng(0).integers(0, 256, (n, 1, 28, 28)).astype(np.uint8)


def logits_of_pytorch(batch):
    with torch.no_grad():
        return trained("tfc")(torch.from_numpy(batch).float()).numpy()


def test_a_network_over_the_line_near_its_rate(tfc):
    bitfile, power = tfc
    port, batch = power(), images(40)
    with Accelerator(bitfile, link=SerialLink(port)) as accelerator:
        start = port.now()
        logits = accelerator(batch)
        seconds, page = port.now() - start, accelerator.page()
    np.testing.assert_array_equal(logits, logits_of_pytorch(batch))
    assert page["FRAMES_OUT"] == 40 and page["LINK_ERRORS"] == 0
    line = 2e6 / 10 / 784  # images a second if nothing but pixels went over the line
    assert 0.93 * line < 40 / seconds < line


def test_a_network_over_a_bad_line(tfc):
    bitfile, power = tfc
    port, batch = power(), images(12)
    with Accelerator(bitfile, link=SerialLink(port, latency=0.001, patience=0.2)) as accelerator:
        port.faults(Faults(flip=3e-5, drop=2e-4, seed=1))
        logits = accelerator(batch)
        assert accelerator.page()["LINK_ERRORS"] > 0
        np.testing.assert_array_equal(logits, logits_of_pytorch(batch))
        port.faults(Faults(cut=True))
        with pytest.raises(AcceleratorError, match="no answer"):
            accelerator(batch)
        port.faults(Faults())
        np.testing.assert_array_equal(accelerator(batch[:3]), logits_of_pytorch(batch[:3]))
