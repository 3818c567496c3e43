"""The host's end of the serial line: whatever a board answers, the right results, or a LinkError and a link that works
again as soon as the board does.

A file is a JSON list: what becomes of each reply of the board, one after the other; later ones come as they are.

    ["drop"]  ["twice"]  ["flip", byte, bit]  ["cut", bytes]  ["wait", seconds]  ["reset"]
    ["before", hex]  other bytes in front of it      ["raw", hex]  other bytes in its place
    ["field", {...}]  other fields (`FIELDS`) or another payload, under a right CRC

What a board forges under a right CRC the host must believe; then only the errors and the recovery are checked.
"""

import json
import struct
import zlib
from itertools import count
from pathlib import Path
from random import Random

import numpy as np

from signflow.deploy.board.serial_link import (
    AGAIN,
    DATA,
    END,
    ESC,
    ESC_END,
    ESC_ESC,
    LAST,
    READ,
    SYNC,
    WRITE,
    LinkError,
    SerialLink,
    parsed,
    stuffed,
)  # fmt: skip

from .door import Door
from .trees import changed, jsoned

FIELDS = "session", "kind", "sequence", "accepted", "room", "start"
IN_DEPTH, OUT_DEPTH, MOST, TICK = 8192, 2048, 240, 1e-4
SCRATCH = 8
CALLS = 100_000
"""Of the port in one file at most; each takes simulated time."""


class Board:
    """The protocol as the header of `hw/rtl/sf_serial_link.sv` defines it; bytes come back inverted."""

    def __init__(self):
        self.registers = {SCRATCH: 0}
        self.start_anew(0)

    def start_anew(self, session: int) -> None:
        """Both streams at 0."""
        self.session, self.last = session, None
        self.accepted = self.sent = self.released = 0
        self.waiting, self.results, self.ends = b"", b"", []

    def answer(self, body: bytes) -> dict | None:
        """The fields, payload and flags of the reply to a request."""
        if len(body) < 11 or zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
            return None
        session, kind, sequence, acknowledged, position = struct.unpack_from("<BBBHH", body)
        fields = {"kind": kind, "sequence": sequence, "payload": b"", "flags": 0, "start": self.sent}
        if kind & 7 == SYNC:
            self.start_anew(session)
            fields["start"] = 0
        elif session == self.session != 0:
            fields |= self._execute(kind, sequence, acknowledged, position, body[7:-4])
        return fields | {"session": self.session, "accepted": self.accepted, "room": IN_DEPTH - len(self.waiting)}

    def _execute(self, kind: int, sequence: int, acknowledged: int, position: int, payload: bytes) -> dict:
        behind = (acknowledged - self.released) & 0xFFFF
        self.released += behind if behind <= self.sent - self.released else 0
        fresh, self.last = sequence != self.last, sequence if kind & 7 in (READ, WRITE) else self.last
        if kind & 7 == READ:
            return {"payload": struct.pack("<I", self.registers.get(position & 0xFF, 0)), "start": self.sent}
        if kind & 7 == WRITE and fresh:
            self.registers[position & 0xFF] = int.from_bytes(payload[:4], "little")
        room = IN_DEPTH - len(self.waiting)
        if kind & 7 == DATA and payload and position == self.accepted & 0xFFFF and len(payload) <= room:
            self.accepted += len(payload)
            self.waiting += bytes(255 - b for b in payload)
            self.ends += [self.accepted] * bool(kind & LAST)
        free = OUT_DEPTH - (len(self.results) - self.released)
        self.results, self.waiting = self.results + self.waiting[:free], self.waiting[free:]
        start = self.sent = self.released if kind & AGAIN else self.sent
        stop = min([start + MOST, len(self.results), *(end for end in self.ends if end > start)])
        self.sent = stop
        return {"payload": self.results[start:stop], "flags": int(stop > start and stop in self.ends), "start": start}


class Port:
    """A line to a `Board` on which a script spoils replies; time passes when somebody looks."""

    def __init__(self, script: list):
        self.board, self.script, self.timeout = Board(), script, 0.005
        self._there, self._back, self._time, self._calls = b"", b"", 0.0, 0

    def now(self) -> float:
        """Simulated seconds."""
        return self._time

    def write(self, data: bytes) -> None:
        """Requests."""
        *packets, self._there = (self._there + data).split(END)
        for packet in filter(None, packets):
            fields = self.board.answer(packet.replace(ESC_END, END).replace(ESC_ESC, ESC))
            if fields is not None:
                self._back += self._spoilt(fields, self.script.pop(0) if self.script else None)

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read."""
        self._calls += 1
        assert self._calls < CALLS, "the host does not come to an end"
        self._time += TICK
        return len(self._back)

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""
        if not self._back:
            self._time += self.timeout
        found, self._back = self._back[:size], self._back[size:]
        return found

    def reset_input_buffer(self) -> None:
        """Forget what came."""
        self._back = b""

    def _spoilt(self, fields: dict, step) -> bytes:
        what, *words = step if isinstance(step, list) and step else [step]
        honest = packed(fields)
        if what == "field" and words and isinstance(words[0], dict):
            known = {name: words[0][name] for name in (*FIELDS, "flags") if type(words[0].get(name)) is int}
            return packed(fields | known | {"payload": _hex(words[0].get("payload"), fields["payload"])})
        if what == "flip" and len(words) > 1 and all(type(word) is int for word in words):
            spoilt = bytearray(honest)
            spoilt[words[0] % len(honest)] ^= 1 << words[1] % 8
            return bytes(spoilt)
        if what == "cut" and words and type(words[0]) is int:
            return honest[: words[0] % len(honest)]
        if what == "wait" and words and isinstance(words[0], int | float) and 0 < words[0] < 100:
            self._time += words[0]
        if what == "reset":
            self.board.start_anew(0)
        if what in ("before", "raw") and words:
            return _hex(words[0], b"") + (honest if what == "before" else b"")
        return {"drop": b"", "twice": 2 * honest}.get(what, honest) if isinstance(what, str) else honest


def _forges(step) -> bool:
    """Whether it holds a packet with a right CRC that no board has sent."""
    what, *words = step if isinstance(step, list) and step else [step]
    pieces = _hex(words[0], b"").split(END) if words else []
    return what == "field" or (what in ("raw", "before") and any(piece and parsed(piece) for piece in pieces))


def _hex(text, otherwise: bytes) -> bytes:
    try:
        return bytes.fromhex(text)
    except (ValueError, TypeError):
        return otherwise


def packed(fields: dict) -> bytes:
    """A reply as it goes over the line."""
    head = [fields[name] & mask for name, mask in zip(FIELDS, (255, 255, 255, 65535, 65535, 65535), strict=True)]
    body = struct.pack("<BBBHHH", *head) + fields["payload"] + bytes([fields["flags"] & 255])
    return stuffed(body + zlib.crc32(body).to_bytes(4, "little"))


def _session(link: SerialLink, seed: int) -> None:
    """Registers and packets of several sizes there and back; AssertionError for a wrong one."""
    rng = np.random.default_rng(seed)
    link.write(SCRATCH, 0xC0DB0000 + seed)
    assert link.read(SCRATCH) == 0xC0DB0000 + seed, "a register"
    for size in (1, 300, 3000):
        there, back = rng.integers(0, 256, size).astype(np.uint8), link.buffer(size)
        link.receive(back, size)
        link.send(there, size)
        until = link._now() + 20
        for step in count():
            if all([link.sent(), link.received()]):
                break
            assert step < CALLS, "no time passes"
            if link._now() > until:  # as the driver does
                raise LinkError("nothing moved for 20 s")
        np.testing.assert_array_equal(back, 255 - there)


def seeds() -> dict[str, bytes]:
    """Each kind of step."""
    forged = {"session": 9, "kind": 1, "sequence": 3, "accepted": 65535, "room": 0, "start": 70, "flags": 3,
              "payload": "00c0db"}  # fmt: skip
    scripts = {
        "honest": [], "drop": [["drop"], ["drop"]], "twice": [["twice"]] * 9, "flip": [[], ["flip", 5, 3]],
        "cut": [[], [], ["cut", 7]], "wait": [["wait", 0.2], [], ["wait", 5]], "reset": [[]] * 4 + [["reset"]],
        "before": [["before", "c0dbdc00ff"]], "raw": [["raw", "c0c0db"]], "field": [[], [], ["field", forged]],
        "fields": [["field", {name: value}] for name, value in forged.items()],
    }  # fmt: skip
    return {f"{name}.json": jsoned(script) for name, script in scripts.items()}


def enter(path: Path) -> str:
    """Two sessions' worth of work on a line that is spoilt, then one on a good line."""
    try:
        script = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return "no script"
    script = script if isinstance(script, list) else []
    forged = any(map(_forges, script))
    port = Port(list(script))
    link = SerialLink(port, baud=2e6, latency=0.0005, patience=0.1)
    link._session = 1
    try:
        link.open(Path("x.bit"), {"shell": {"beat_bits": 8}})
        _session(link, 1)
        return f"results {'repeated' if link.repeated else ''} {'damaged' if link.damaged else ''}"
    except AssertionError:
        if not forged:
            raise
        return "what the board forged"
    finally:
        port.script.clear()
        link.reset()
        _session(link, 2)


def change(data: bytes, rng: Random) -> bytes:
    """Other steps, and other fields of forged ones."""
    try:
        script = json.loads(data)
    except (ValueError, RecursionError):
        script = []
    value = rng.choice((0, 1, 2, 3, 4, 8, 255, 256, 300, 32768, 65535))
    more = [["drop"], ["twice"], ["flip", rng.randrange(300), rng.randrange(8)], ["cut", rng.randrange(300)], ["reset"],
            ["wait", 0.06], ["field", {rng.choice(FIELDS): value}], ["raw", rng.randbytes(8).hex()], [],
            ["field", {"payload": rng.randbytes(rng.randrange(6)).hex()}]]  # fmt: skip
    if not isinstance(script, list) or rng.random() < 0.5:
        script = [*(script if isinstance(script, list) else []), *([[]] * rng.randrange(12)), rng.choice(more)]
        return jsoned(script[-60:])
    tree = changed({"": script}, rng, (*FIELDS, "payload", "flags"), tuple(more))
    return jsoned(next(iter(tree.values()), []))


DOOR = Door("link", ".json", enter, (LinkError,), seeds, change)
