"""The way to an accelerator on a board with a serial port (ULX3S): registers and packets of frames over USB.

    with Accelerator("tfc.bit", link=SerialLink("/dev/ttyUSB0")) as tfc: ...

`SerialLink` is a link as `board.Accelerator` wants one. The packet format is defined in the header of
`hw/rtl/sf_serial_link.sv`; in short: the host asks and the FPGA answers, every packet carries a CRC-32, data carry
their position in the stream. What is lost or damaged is asked for again; no answer within a second is an error.

Needs numpy and pyserial only, and is one file, because it travels with a package. The bitstream is loaded before, by
other means (`openFPGALoader -b ulx3s tfc.bit`).
"""

from __future__ import annotations  # Python 3.8

import os
import struct
import tempfile
import time
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

END, ESC = b"\xc0", b"\xdb"
ESC_END, ESC_ESC = b"\xdb\xdc", b"\xdb\xdd"
SYNC, POLL, READ, WRITE, DATA = range(5)
LAST, AGAIN = 8, 16  # bits of a request's kind
PAYLOAD = 1024  # most bytes of a DATA packet
REPLY = 16  # bytes of the shortest reply, end marks included
LONGEST_REPLY = 512
CONTROL, SOFT_RESET = 0x1C, 1


class LinkError(RuntimeError):
    """The serial link failed; the message says how, and what to look at."""


@dataclass(frozen=True)
class Reply:
    """A reply as `hw/rtl/sf_serial_link.sv` defines it; ``payload`` is the value of READ, else results."""

    session: int
    kind: int
    sequence: int
    accepted: int
    room: int
    start: int
    payload: bytes
    last: bool


@dataclass
class Asked:
    """A request that was not answered yet."""

    sequence: int
    end: int
    """Position behind its payload; 0 for all but DATA."""
    size: int


def stuffed(body: bytes) -> bytes:
    """A packet as it goes over the line: end marks around it, none inside."""
    return END + body.replace(ESC, ESC_ESC).replace(END, ESC_END) + END


def request(
    session: int, kind: int, sequence: int, acknowledged: int, position: int = 0, payload: bytes = b""
) -> bytes:
    """A request as it goes over the line."""
    head = (session, kind, sequence, acknowledged & 0xFFFF, position & 0xFFFF)
    body = struct.pack("<BBBHH", *head) + payload
    return stuffed(body + struct.pack("<I", zlib.crc32(body)))


def parsed(packet: bytes) -> Reply | None:
    """The reply in what came between two end marks; None if it is damaged."""
    body = packet.replace(ESC_END, END).replace(ESC_ESC, ESC)
    if len(body) < REPLY - 2 or zlib.crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
        return None
    return Reply(*struct.unpack_from("<BBBHHH", body), payload=body[9:-5], last=bool(body[-5] & 1))


def unwrapped(value: int, near: int) -> int:
    """The position that is ``value`` modulo 2^16 and nearest to ``near``."""
    return near + ((value - near + 0x8000) & 0xFFFF) - 0x8000


class SerialLink:
    """Registers, one packet out and one packet in at a time. Every method but close raises LinkError."""

    chunk_bytes = 65536

    def __init__(self, port="/dev/ttyUSB0", baud: float = 2_000_000, latency: float = 0.03, patience: float = 0.9):
        """Args:
        port: name of a serial port, or an open port (what pyserial calls Serial, or like it).
        baud: of the line; the boards of signflow run at 2 Mbaud.
        latency: seconds that the USB chip and the driver may hold bytes back (16 ms by default on Linux).
        patience: seconds without an answer after which the link has failed.
        """
        self._name = port if isinstance(port, (str, os.PathLike)) else None
        self._port = None if self._name else port
        self._baud, self._latency, self._patience = baud, latency, patience
        self._session = os.urandom(1)[0]
        self.damaged = 0
        """Replies that came damaged."""
        self.repeated = 0
        """Times that something had to be asked for or sent again."""
        self._forget()

    def open(self, bitfile: Path, facts: dict) -> None:
        """Take the port for this process alone and begin a session with the board."""
        beat = facts["shell"]["beat_bits"]
        if beat != 8:
            raise LinkError(f"{bitfile} is for a bus of {beat} bits: a serial port carries bytes")
        if self._port is None:
            import serial

            try:
                self._port = serial.Serial(str(self._name), self._baud, exclusive=True)
            except (OSError, ValueError) as error:
                what = "is the board plugged in, and no other program using it?"
                raise LinkError(f"the serial port {self._name} cannot be opened: {error}; {what}") from error
        self._port.timeout = 0.005
        self._begin()

    def close(self) -> None:
        """Give the port back if it was opened by name."""
        if self._name and self._port is not None:
            self._port.close()
            self._port = None

    def read(self, offset: int) -> int:
        """A register of the status page."""
        return int.from_bytes(self._register(READ, offset), "little")

    def write(self, offset: int, value: int) -> None:
        """Write a register of the status page."""
        self._register(WRITE, offset, struct.pack("<I", value))

    def reset(self) -> None:
        """Drop what is under way, empty the board's buffers, soft-reset the core."""
        self._begin()
        self.write(CONTROL, SOFT_RESET)
        self._begin()  # the core may have given results until it was reset

    def lock_file(self, bitfile: Path) -> Path:
        """The lock that keeps other processes off this board; one for each port."""
        port = str(self._name or f"{os.getpid()}-{id(self._port)}").strip("/").replace("/", "-")
        return Path(tempfile.gettempdir()) / f"signflow-{port}.lock"

    def buffer(self, nbytes: int) -> np.ndarray:
        """Memory for `send` and `receive`: uint8, zeros."""
        return np.zeros(nbytes, np.uint8)

    def send(self, buffer: np.ndarray, nbytes: int) -> None:
        """Start one packet: the first ``nbytes`` of ``buffer``."""
        if self._end > self._accepted:
            raise LinkError(f"a packet is still being sent: {self._end - self._accepted} bytes are left")
        self._out, self._base = buffer[:nbytes].tobytes(), self._end
        self._end += nbytes
        self._fill()

    def receive(self, buffer: np.ndarray, nbytes: int) -> None:
        """Start taking one packet into the first ``nbytes`` of ``buffer``."""
        if self._into is not None:
            raise LinkError(f"a packet is still being received: {self._wanted} bytes are wanted")
        self._into, self._wanted = buffer, nbytes

    def sent(self) -> bool:
        """Whether the board has accepted the whole packet."""
        if self._end > self._accepted:
            self._step()
        return self._end <= self._accepted

    def received(self) -> bool:
        """Whether the whole packet is in the buffer."""
        if self._into is None:
            return True
        if len(self._arrived) < self._wanted and not self._ends:
            self._step()
        if not self._ends:
            if len(self._arrived) >= self._wanted:  # its last byte would have said so
                raise LinkError(f"the board's packet has {len(self._arrived) + 1} bytes or more, not {self._wanted}")
            return False
        if (found := self._ends[0] - self._taken) != self._wanted:
            raise LinkError(f"the board's packet has {found} bytes, not {self._wanted}")
        self._into[: self._wanted] = np.frombuffer(self._arrived[: self._wanted], np.uint8)
        del self._arrived[: self._wanted]
        self._taken = self._ends.popleft()
        self._into = None
        return True

    # ---- one session

    def _forget(self) -> None:
        """Positions of both streams at 0, nothing under way."""
        self._sequence = 0
        self._rest = b""
        self._flight: deque[Asked] = deque()
        self._heard = 0.0
        self._again: int | None = None  # the request that asked for results once more
        self._asking = False  # a request waits for its own reply: nothing else may be sent
        self._out, self._base, self._end = b"", 0, 0  # the packet to send: its bytes, where it begins and ends
        self._next = self._accepted = self._limit = 0  # first byte to send, not accepted yet, without room
        self._arrived, self._ends = bytearray(), deque()  # results not asked for yet; where packets end
        self._got = self._taken = 0  # results arrived; given to the caller
        self._into: np.ndarray | None = None
        self._wanted = 0

    def _begin(self) -> None:
        """Begin a new session: whatever came before it cannot be taken for something of it."""
        self._forget()
        self._session = self._session % 255 + 1
        self._call("reset_input_buffer")
        answer = self._ask(SYNC)
        self._limit = answer.room

    def _register(self, kind: int, offset: int, value: bytes = b"") -> bytes:
        return self._ask(kind, offset, value).payload

    def _ask(self, kind: int, position: int = 0, payload: bytes = b"") -> Reply:
        """A request and its own reply; the same request again as long as none comes. Nothing else is sent meanwhile."""
        started, packet = self._now(), self._post(kind, position, payload)
        sequence = self._sequence
        self._asking = True
        while True:
            for reply in self._replies():
                if reply.session != self._session and kind == SYNC:
                    continue
                self._take(reply)
                if (reply.kind, reply.sequence) == (kind, sequence):
                    self._asking = False
                    return reply
            self._complain(started)
            if self._now() > self._deadline():
                self.repeated += 1
                self._heard = self._now()
                self._call("write", packet)

    def _step(self) -> None:
        """Send what there is room for, take what came, ask when there is nothing left to wait for."""
        self._fill()
        if not self._flight:
            self._post(POLL)
        for reply in self._replies():
            self._take(reply)
        if self._flight and self._now() > self._deadline():
            self._complain(self._asked)
            self._heard = self._now()
            self._once_more()
        self._fill()

    def _fill(self) -> None:
        """Send DATA as far as the board has room, in whole payloads while others are under way."""
        while self._next < self._end:
            left = min(self._end - self._next, PAYLOAD)
            size = min(left, self._limit - self._next)
            if size <= 0 or (size < left and self._flight):
                return
            start = self._next - self._base
            last = LAST if self._next + size == self._end else 0
            self._next += size
            self._post(DATA | last, self._next - size, self._out[start : start + size])

    def _post(self, kind: int, position: int = 0, payload: bytes = b"") -> bytes:
        """Send a new request; returns its bytes."""
        self._sequence = (self._sequence + 1) % 256
        packet = request(self._session, kind, self._sequence, self._got, position, payload)
        if not self._flight:
            self._asked = self._heard = self._now()
        end = self._next if kind & 7 == DATA else 0
        self._flight.append(Asked(self._sequence, end, len(packet)))
        self._call("write", packet)
        return packet

    def _once_more(self) -> None:
        """Ask for results from where they are missing; the answer also tells which data were lost."""
        self.repeated += 1
        self._post(POLL | AGAIN)
        self._again = self._sequence

    # ---- replies

    def _replies(self) -> Iterator[Reply]:
        """What came until now; waits for a moment if nothing did."""
        least = max(self._call("in_waiting"), REPLY - 1 - len(self._rest), 1)  # never more than a reply still has
        pieces = (self._rest + self._call("read", least)).split(END)
        self._rest = pieces.pop()[-2 * LONGEST_REPLY :]
        for piece in pieces:
            reply = parsed(piece) if piece else None
            if reply is not None:
                yield reply
            self.damaged += bool(piece) and reply is None

    def _take(self, reply: Reply) -> None:
        """Everything a reply tells."""
        if reply.session != self._session:
            raise LinkError("the board began anew (power, reset button, another bitstream): its session is gone")
        self._heard = self._asked = self._now()
        self._accepted = max(self._accepted, unwrapped(reply.accepted, self._accepted))
        self._limit = max(self._limit, self._accepted + reply.room)
        self._take_results(reply)
        if all(asked.sequence != reply.sequence for asked in self._flight):
            return
        lost = False
        while self._flight:
            asked = self._flight.popleft()
            lost |= asked.end > self._accepted
            if asked.sequence == self._again:
                self._again = None
            if asked.sequence == reply.sequence:
                break
        if lost:  # the board will not take what is behind it either
            self.repeated += 1
            self._next = self._accepted
            for asked in self._flight:
                asked.end = 0

    def _take_results(self, reply: Reply) -> None:
        """Append new results; ask once more if some before them are missing."""
        if reply.kind & 7 == READ:
            return
        start = unwrapped(reply.start, self._got)
        if start > self._got:
            if self._again is None and not self._asking:
                self._once_more()
            return
        new = reply.payload[self._got - start :]
        self._arrived += new
        self._got += len(new)
        if new and reply.last:
            self._ends.append(self._got)

    # ---- time and the port

    def _now(self) -> float:
        """Seconds; a simulated port has its own."""
        return getattr(self._port, "now", time.monotonic)()

    def _deadline(self) -> float:
        """When the answer to everything under way should be here."""
        line = sum(asked.size for asked in self._flight) + LONGEST_REPLY
        return self._heard + self._latency + 12.5 * line / self._baud

    def _complain(self, since: float) -> None:
        if self._now() - since > self._patience:
            what = "is it powered, the bitstream loaded, the cable in, and the port the right one?"
            raise LinkError(f"no answer on {self._name or 'the port'} for {self._patience} s: {what}")

    def _call(self, name: str, *arguments):
        """A method or a property of the port; its errors become LinkError."""
        if self._port is None:
            raise LinkError("the link is closed")
        try:
            value = getattr(self._port, name)
            return value(*arguments) if callable(value) else value
        except OSError as error:  # serial.SerialException is one
            raise LinkError(f"the serial port failed: {error}; was the board unplugged?") from error


__all__ = ["LinkError", "Reply", "SerialLink", "parsed", "request", "stuffed"]
