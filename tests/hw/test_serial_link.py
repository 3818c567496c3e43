"""The serial link packet by packet, against a second implementation of its format, and with every kind of damage.

The bench (link_bench.sv) gives every byte back inverted and has registers that count what was executed.
"""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import RTL_DIR, RtlInstance
from signflow.hw.sim import RtlError, verilator
from signflow.hw.sim.uart import SimulatedPort, compile_port

SYNC, POLL, READ, WRITE, DATA, LAST, AGAIN = 0, 1, 2, 3, 4, 8, 16
STOP, WRITES, SCRATCH, READS, ERRORS, OVERRUNS, DELIVERED = 0, 4, 8, 16, 20, 24, 28
BITS = 8
LONGEST = 4000
"""More bytes than all replies to what a test asks at once: a line that never comes to rest is a failure."""
MODULES = RtlInstance("sf_serial_link", {}).modules
SOURCES = [Path(__file__).with_name("link_bench.sv"), *(RTL_DIR / f"{m}.sv" for m in [*MODULES, "sf_fifo"])]


def stuff(body):
    return b"".join({0xC0: b"\xdb\xdc", 0xDB: b"\xdb\xdd"}.get(b, bytes([b])) for b in body)


def unstuff(text):
    result, escaped = bytearray(), False
    for b in text:
        if escaped or b != 0xDB:
            result.append({0xDC: 0xC0, 0xDD: 0xDB}[b] if escaped else b)
        escaped = not escaped and b == 0xDB
    assert not escaped
    return bytes(result)


class Host:
    """One request, one reply; checks every reply's CRC."""

    def __init__(self, port):
        self.port, self.session, self.sequence, self.got = port, 0, 0, 0

    def packet(self, kind, position=0, payload=b"", session=None, sequence=None, got=None):
        self.sequence = (self.sequence + 1) % 256 if sequence is None else sequence
        session = self.session if session is None else session
        got = self.got if got is None else got
        body = struct.pack("<BBBHH", session, kind, self.sequence, got % 65536, position % 65536) + payload
        return b"\xc0" + stuff(body + zlib.crc32(body).to_bytes(4, "little")) + b"\xc0"

    def replies(self):
        """(session, kind, sequence, accepted, room, from, payload, last) of every reply until the line is quiet."""
        text = b""
        while self.port.out_waiting:
            self.port.run(100 * BITS)
        while True:
            self.port.run(400 * BITS)
            if not (more := self.port.read(self.port.in_waiting)):
                break
            text += more
            assert len(text) < LONGEST, "the line does not come to rest"
        assert not text or (text[:1] == text[-1:] == b"\xc0")
        found = []
        for piece in filter(None, text.split(b"\xc0")):
            body = unstuff(piece)
            assert zlib.crc32(body[:-4]) == int.from_bytes(body[-4:], "little")
            found.append((*struct.unpack_from("<BBBHHH", body), body[9:-5], body[-5]))
        return found

    def ask(self, *arguments, **options):
        self.port.write(self.packet(*arguments, **options))
        (reply,) = self.replies()
        assert reply[1:3] == (arguments[0], self.sequence)
        return reply

    def sync(self, session):
        self.session, self.got = session, 0
        return self.ask(SYNC)

    def read(self, register, **options):
        return int.from_bytes(self.ask(READ, register, **options)[6], "little")

    def write(self, register, value, **options):
        self.ask(WRITE, register, struct.pack("<I", value), **options)


def inverted(data):
    return bytes(255 - b for b in data)


def rubbish(seed, n):
    """Random bytes, many of them special to the stuffing."""
    rng = np.random.default_rng(seed)
    return rng.choice([*range(256), *[0xC0, 0xDB, 0xDC, 0xDD] * 32], n).astype(np.uint8).tobytes()


@pytest.fixture(scope="module")
def power():
    """Power a bench up; sizes of its buffers as parameters."""

    def power(seed=0, **parameters):
        model = compile_port("link_bench", SOURCES, {"CLOCKS_PER_BIT": BITS} | parameters, variant="check")
        port = SimulatedPort(model, clocks_per_bit=BITS, seed=seed)
        port.timeout = 0
        return Host(port)

    return power


@pytest.fixture
def host(power):
    host = power()
    host.sync(7)
    return host


@pytest.fixture(scope="module")
def steady(power):
    """One bench for many examples."""
    return power(seed=3)


def test_before_a_session_nothing_is_executed(power):
    host = power(seed=1)
    for session in (0, 1, 255):
        reply = host.ask(WRITE, STOP, struct.pack("<I", 1), session=session)
        assert reply[0] == 0 and reply[6] == b""
        assert host.ask(DATA, 0, b"abc", session=session)[3] == 0
    assert host.sync(9)[:1] == (9,)
    assert (host.read(STOP), host.read(DELIVERED)) == (0, 0)


def test_data_come_back_with_the_ends_of_packets(host):
    data, position = rubbish(1, 700), 0
    for size, last in ((1, 0), (2, LAST), (200, 0), (297, LAST), (200, LAST)):
        part = data[position : position + size]
        accepted = host.ask(DATA | last, position, part)[3]
        position += size
        assert accepted == position
    parts, ends = [], []
    while host.got < 700:
        *_, start, payload, flags = host.ask(POLL | AGAIN)  # replies to DATA had some already
        assert start == host.got and len(payload) > 0
        parts.append(payload)
        host.got += len(payload)
        ends += [host.got] * flags
    assert b"".join(parts) == inverted(data) and ends == [3, 500, 700]
    assert host.ask(POLL)[6] == b"" and host.read(ERRORS) == 0


def test_a_reply_holds_at_most_240_results(host):
    data = rubbish(4, 600)
    host.ask(DATA, 0, data)
    for got in (0, 240, 480):
        assert host.ask(POLL | AGAIN, got=got)[5:] == (got, inverted(data[got : got + 240]), 0)


def test_results_are_kept_until_acknowledged(host):
    host.ask(DATA | LAST, 0, b"0123456789")
    whole = host.ask(POLL | AGAIN, got=0)
    assert whole[5:] == (0, inverted(b"0123456789"), 1)
    assert host.ask(POLL, got=0)[5:7] == (10, b"")  # it was sent once
    assert host.ask(POLL | AGAIN, got=0)[5:] == whole[5:]  # and again on demand
    assert host.ask(POLL | AGAIN, got=4)[5:] == (4, inverted(b"456789"), 1)
    assert host.ask(POLL | AGAIN, got=0)[5:7] == (10, b"")  # what was acknowledged is gone: nothing wrong instead
    assert host.ask(POLL | AGAIN, got=60_000)[5:7] == (10, b"")
    host.ask(DATA | LAST, 10, b"x")
    assert host.ask(POLL | AGAIN, got=10)[5:] == (10, inverted(b"x"), 1)


def test_what_was_never_sent_cannot_be_acknowledged(power):
    """Else its place would be written again before it is sent, and the host would get the later bytes instead."""
    host = power(OUT_DEPTH=512)
    host.sync(1)
    data = rubbish(5, 900)
    host.ask(DATA, 0, data[:400])  # its reply has no more than 240 results
    host.read(SCRATCH, got=400)  # a reply without results
    for reply in (host.ask(DATA, 400, data[400:], got=400), host.ask(POLL, got=400), host.ask(POLL, got=400)):
        start, payload = reply[5:7]
        assert payload == inverted(data[start : start + len(payload)])
    results = inverted(data[:400])  # sent by now, so they are gone
    while len(results) < len(data):
        start, payload = host.ask(POLL | AGAIN, got=len(results))[5:7]
        assert start == len(results) and payload
        results += payload
    assert results == inverted(data)


def test_data_for_another_position_are_ignored(host):
    host.ask(DATA, 0, b"abc")
    for position in (0, 2, 4, 65535):
        assert host.ask(DATA | LAST, position, b"zzz")[3] == 3
    assert host.ask(DATA | LAST, 3, b"d")[3] == 4
    assert host.ask(POLL | AGAIN, got=0)[5:] == (0, inverted(b"abcd"), 1)
    assert host.read(DELIVERED) == 4


def test_a_repeated_register_request_is_answered_and_not_executed(host):
    for value in (5, 0xC0DBC0DB):
        host.write(SCRATCH, value)
        for _ in range(3):
            host.write(SCRATCH, value, sequence=host.sequence)
    assert host.read(WRITES) == 2
    for count in (1, 2):
        assert host.read(SCRATCH) == 0xC0DBC0DB
        assert [host.read(SCRATCH, sequence=host.sequence) for _ in range(3)] == [0xC0DBC0DB] * 3
        assert host.read(READS) == count


def test_another_session_is_told_so_and_not_executed(host):
    host.write(SCRATCH, 1)
    for kind, payload in ((WRITE, struct.pack("<I", 2)), (DATA, b"abc"), (READ, b""), (POLL, b"")):
        reply = host.ask(kind, 0, payload, session=8, sequence=host.sequence)
        assert (reply[0], reply[3], reply[6]) == (7, 0, b"")
    assert (host.read(SCRATCH), host.read(WRITES), host.read(DELIVERED)) == (1, 1, 0)


def test_a_new_session_starts_with_empty_buffers(host):
    host.write(STOP, 1)
    host.ask(DATA, 0, b"abc")
    room = host.sync(8)[4]
    assert room == 8192
    host.write(STOP, 0)
    host.ask(DATA | LAST, 0, b"z")
    assert host.ask(POLL | AGAIN)[5:] == (0, inverted(b"z"), 1)


def test_one_reply_may_answer_many(host):
    """Requests that come while a long reply is on its way: the latest answers for all."""
    host.ask(DATA | LAST, 0, bytes(240))
    host.port.write(host.packet(POLL | AGAIN, got=0) + host.packet(DATA, 240, b"ab") + host.packet(DATA, 242, b"cd"))
    first, second = host.replies()
    assert (first[1], len(first[6])) == (POLL | AGAIN, 240)
    assert (second[1:4], second[5]) == ((DATA, host.sequence, 244), 240) and second[6] == inverted(b"abcd")


def test_again_holds_for_the_reply_that_answers_many(host):
    host.ask(DATA | LAST, 0, bytes(240))
    host.port.write(host.packet(POLL | AGAIN, got=0) * 2 + host.packet(POLL, got=0))
    first, second = host.replies()
    assert first[5:7] == second[5:7] == (0, bytes([255]) * 240)


def test_a_wrong_pair_is_damage_even_where_it_says_nothing(host):
    packet = host.packet(DATA, 0, b"abc")
    host.port.write(packet[:8] + b"\xdb\x01" + packet[8:])
    assert host.replies() == []
    assert (host.read(ERRORS), host.read(DELIVERED)) == (1, 0)


def test_room_is_told_and_kept(power):
    host = power(IN_DEPTH=64, OUT_DEPTH=16)
    assert host.sync(1)[4] == 64
    host.write(STOP, 1)
    assert host.ask(DATA, 0, bytes(range(40)))[3:5] == (40, 24)
    assert host.ask(DATA, 40, bytes(25))[3:5] == (40, 24)  # a byte too many: all of it is refused
    assert (host.read(OVERRUNS), host.read(ERRORS)) == (1, 0)
    assert host.ask(DATA | LAST, 40, bytes(range(40, 64)))[3:5] == (64, 0)
    assert host.ask(DATA, 64, b"x")[3:5] == (64, 0)
    assert host.read(OVERRUNS) == 2
    host.write(STOP, 0)
    results = b""
    while len(results) < 64:
        more = host.ask(POLL | AGAIN)[6]
        assert more
        results += more
        host.got = len(results)
    assert results == inverted(range(64)) and host.ask(POLL)[4] == 64


def test_positions_wrap(host):
    rng, sent, results = np.random.default_rng(2), 0, b""
    data = rng.integers(0, 256, 70_000).astype(np.uint8).tobytes()
    while len(results) < len(data):
        assert host.port.now() < 2, "simulated seconds: results are missing"
        reply = host.ask(DATA, sent, data[sent : sent + 1999]) if sent < len(data) else host.ask(POLL)
        sent += len(data[sent : sent + 1999]) if sent < len(data) else 0
        assert reply[3] == sent % 65536 and reply[5] == len(results) % 65536
        results += reply[6]
        host.got = len(results)
        while reply[6]:
            reply = host.ask(POLL)
            results += reply[6]
            host.got = len(results)
    assert results == inverted(data)


@settings(max_examples=60)
@given(st.data())
def test_a_damaged_request_does_nothing(steady, data):
    """Flipped bits, missing, doubled and added bytes, a missing end: no reply, nothing delivered, one error counted."""
    steady.sync(steady.session % 255 + 1)
    before = [steady.read(r) for r in (DELIVERED, WRITES, ERRORS, OVERRUNS)]
    kind, payload = data.draw(
        st.sampled_from([(DATA | LAST, rubbish(5, 30)), (WRITE, b"\xc0\xdb\x01\x02"), (READ, b""), (DATA, b"x")])
    )
    packet = bytearray(steady.packet(kind, SCRATCH if kind != DATA | LAST else 0, payload)[1:-1])
    whole = bytes(packet)
    at = data.draw(st.integers(0, 999)) % len(packet)  # the length depends on the session's number
    match data.draw(st.sampled_from(["flip", "drop", "double", "insert", "cut"])):
        case "flip":
            packet[at] ^= data.draw(st.integers(1, 255))
        case "drop":
            del packet[at]
        case "double":
            packet[at:at] = packet[at : at + 1]
        case "insert":
            packet[at:at] = data.draw(st.binary(min_size=1, max_size=3))
        case "cut":
            del packet[at:]
    pieces = [p for p in bytes(packet).split(b"\xc0") if p]
    assume(whole not in pieces)  # an end mark in front of a packet does not damage it
    steady.port.write(b"\xc0" + bytes(packet) + b"\xc0")
    assert steady.replies() == []
    after = [steady.read(r) for r in (DELIVERED, WRITES, ERRORS, OVERRUNS)]
    assert after == [before[0], before[1], before[2] + len(pieces), before[3]]
    assert steady.ask(DATA | LAST, 0, b"right")[3] == 5
    assert steady.ask(POLL | AGAIN)[5:] == (0, inverted(b"right"), 1)


@settings(max_examples=20)
@given(st.binary(max_size=300))
def test_rubbish_does_nothing(steady, noise):
    before = steady.read(DELIVERED)
    steady.port.write(noise + b"\xc0")
    assert steady.replies() == []
    assert steady.read(DELIVERED) == before
    assert steady.sync(steady.session % 255 + 1)[4] == 8192


def test_a_payload_longer_than_the_buffer_is_dropped_whole(power):
    host = power(IN_DEPTH=64, OUT_DEPTH=16)
    host.sync(1)
    host.write(STOP, 1)
    assert host.ask(DATA, 0, bytes(500))[3:5] == (0, 64)
    host.port.write(b"\xc0" + stuff(bytes(5000)))  # and one that never ends
    assert host.replies() == []
    host.port.write(b"\xc0")
    assert (host.read(OVERRUNS), host.read(ERRORS)) == (1, 1)
    assert host.ask(DATA, 0, bytes(64))[3:5] == (64, 0)


@pytest.mark.parametrize(
    ("module", "parameters", "message"),
    [
        ("sf_replay_fifo", {"DEPTH": 48}, "DEPTH = 48, must be a power of two from 4 to 32768"),
        ("sf_replay_fifo", {"DEPTH": 65536}, "DEPTH = 65536, must be a power of two"),
        ("sf_replay_fifo", {"WIDTH": 0}, "WIDTH = 0, must be >= 1"),
        ("sf_link_reply", {"MOST": 256}, "MOST = 256, must be from 1 to 255"),
        ("sf_serial_link", {"IN_DEPTH": 100}, "DEPTH = 100, must be a power of two"),
    ],
)
def test_elaboration_refuses(module, parameters, message):
    with pytest.raises(RtlError, match=message):
        verilator.lint(module, [RTL_DIR / f"{m}.sv" for m in RtlInstance(module, {}).modules], parameters)
