"""The FPGA's end of the serial line, simulated: whatever a host sends, every reply is a whole packet, the line comes to
rest, nothing is executed before a session has begun, and the next good requests are answered right.

A file is a JSON list of what the host sends: ["raw", hex], ["run", bit times], or a request under a right CRC,
["ask", {...}] with the fields of `Host.packet` in tests/hw/test_serial_link.py and a payload in hex.
"""

import json
import zlib
from functools import cache
from pathlib import Path
from random import Random

from signflow.hw.sim.uart import SimulatedPort, compile_port

from ..hw import test_serial_link as bench  # noqa: TID252 - the tests are no package
from .door import Door
from .trees import changed, jsoned

KINDS = {0: "sync", 1: "poll", 2: "read", 3: "write", 4: "data"}
FIELDS = "kind", "position", "session", "sequence", "got"
LONGEST = 6000
"""Bytes that are sent at most."""


@cache
def model():
    """Small buffers, so that they are full soon."""
    small = {"CLOCKS_PER_BIT": bench.BITS, "IN_DEPTH": 256, "OUT_DEPTH": 128}
    return compile_port("link_bench", bench.SOURCES, small)


def seeds() -> dict[str, bytes]:
    """Sessions, repeats, positions that do not fit, damage."""
    model()
    sync, data = ["ask", {"kind": 0, "session": 5}], {"kind": 12, "session": 5, "payload": "c0db00ff"}
    poll = ["ask", {"kind": 17, "session": 5}]
    write = ["ask", {"kind": 3, "session": 5, "position": 8, "payload": "01020304"}]
    scripts = {
        "nothing": [], "rubbish": [["raw", "c0dbdc00ff"], ["run", 3]],
        "echo": [sync, ["ask", data], ["run", 300], poll],
        "registers": [sync, write, write, ["ask", {"kind": 2, "session": 5, "position": 4}]],
        "full": [sync, ["ask", {"kind": 3, "session": 5, "payload": "01000000"}],
                 *([["ask", {**data, "position": at, "payload": "aa" * 90}] for at in (0, 90, 180, 180)])],
        "strangers": [write, ["ask", data], sync, ["ask", {**data, "session": 6}], ["ask", {**data, "position": 9}]],
    }  # fmt: skip
    return {f"{name}.json": jsoned(script) for name, script in scripts.items()}


def _int(value, otherwise: int) -> int:
    return value % 65536 if type(value) is int else otherwise


def _bytes(step, host) -> bytes:
    what, *words = step if isinstance(step, list) and step else [step]
    if what == "ask" and words and isinstance(words[0], dict):
        kind, position, session, sequence, got = (_int(words[0].get(name), 0) for name in FIELDS)
        sequence = sequence % 256 if "sequence" in words[0] else None
        return host.packet(kind % 256, position, _hex(words[0].get("payload")), session % 256, sequence, got)
    return _hex(words[0]) if what == "raw" and words else b""


def _hex(text) -> bytes:
    try:
        return bytes.fromhex(text)
    except (ValueError, TypeError):
        return b""


def begins(sent: bytes) -> bool:
    """Whether a whole SYNC with a right CRC is among what was sent."""
    for packet in sent.split(b"\xc0"):
        body = packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
        right = len(body) >= 11 and zlib.crc32(body[:-4]) == int.from_bytes(body[-4:], "little")
        if right and body[1] & 7 == 0 and body[0]:
            return True
    return False


def enter(path: Path) -> str:
    """Send everything to a freshly powered board, then talk to it as a good host."""
    try:
        script = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return "no script"
    port = SimulatedPort(model(), clocks_per_bit=bench.BITS)
    port.timeout = 0
    host, sent = bench.Host(port), b""
    for step in script if isinstance(script, list) else []:
        data = _bytes(step, host)
        if len(sent) + len(data) < LONGEST:
            sent += data
            port.write(data)
        if isinstance(step, list) and len(step) > 1 and step[0] == "run" and type(step[1]) is int:
            port.run(min(abs(step[1]), 3000) * bench.BITS)
    replies = host.replies()
    port.write(b"\xc0")
    replies += host.replies()
    words = sorted({KINDS.get(reply[1] & 7, "other") for reply in replies})
    last = replies[-1][0] if replies else 0
    host.sync(last % 255 + 1)
    known = {name: host.read(at) for name, at in (("writes", bench.WRITES), ("delivered", bench.DELIVERED),
                                                  ("errors", bench.ERRORS), ("overruns", bench.OVERRUNS))}  # fmt: skip
    if not begins(sent):
        assert not known["writes"] and not known["delivered"], "executed without a session"
    host.write(bench.STOP, 0)  # in place of a reset of the accelerator, which gives what it still holds
    port.run(500 * bench.BITS)
    host.sync(host.session % 255 + 1)
    host.write(bench.SCRATCH, 0xC0DB1234)
    assert host.read(bench.SCRATCH) == 0xC0DB1234
    assert host.ask(bench.DATA | bench.LAST, 0, b"\xc0right\xdb")[3] == 7
    assert host.ask(bench.POLL | bench.AGAIN)[5:] == (0, bench.inverted(b"\xc0right\xdb"), 1)
    seen = [name for name, count in known.items() if count]
    return f"replies {' '.join(words)}, counted {' '.join(seen)}"


def change(data: bytes, rng: Random) -> bytes:
    """Other steps, and other fields of requests."""
    try:
        script = json.loads(data)
    except (ValueError, RecursionError):
        script = []
    script = script if isinstance(script, list) else []
    payload = rng.choice((b"", b"\xc0", b"\xdb", rng.randbytes(4), rng.randbytes(rng.randrange(200)))).hex()
    ask = {"kind": rng.randrange(32), "session": 5, "position": rng.choice((0, 4, 8, 90)), "payload": payload}
    more = [["ask", ask], ["ask", {"kind": 0, "session": rng.randrange(256)}], ["raw", rng.randbytes(5).hex()],
            ["raw", "c0"], ["run", rng.randrange(200)],
            ["ask", {"kind": 17, "session": 5, "got": rng.randrange(300)}]]  # fmt: skip
    if rng.random() < 0.5:
        script.insert(rng.randrange(len(script) + 1), rng.choice(more))
        return jsoned(script[-40:])
    tree = changed({"": script}, rng, (*FIELDS, "payload"), (*more, 3, 4, 12, 17, 128, 255, 256, 65535))
    return jsoned(next(iter(tree.values()), []))


DOOR = Door("wire", ".json", enter, (), seeds, change, seconds=20)
