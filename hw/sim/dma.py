"""The AXI DMA as the processor sees it: simple mode, its registers from PG021, between memory and a `SocModel`.

    offset       MM2S (memory to stream)      offset   S2MM (stream to memory)
    00 DMACR     bit 0 run, bit 2 reset       30       DMACR; the reset of either resets both
    04 DMASR     bit 0 halted, 1 idle,        34       DMASR
                 4 internal, 5 slave, 6 decode error, 12 done, 14 failed (12 to 14: write 1 to clear)
    18, 1C       source address, low, high    48, 4C   destination address
    28 LENGTH    writing it starts            58       LENGTH: then read as bytes received

A receive ends with TLAST. Errors halt the channel until a reset: internal for a length of 0 and for a packet longer
than its buffer, decode for an address outside memory. Not modelled: scatter-gather, interrupts, the few beats that the
real one takes before it is started, TKEEP (a length that is not whole beats is rounded up with zeros).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from signflow.hw.sim.soc import SocModel

RUN, RESET = 1, 4
HALTED, IDLE, INTERNAL, DECODE, DONE, FAILED = 1, 2, 0x10, 0x40, 1 << 12, 1 << 14
ERRORS, WRITE_TO_CLEAR = 0x70, 7 << 12
CONTROL_AT_RESET = 0x0001_0002
LENGTH_MASK = (1 << 26) - 1
CONTROL_OFFSET, STATUS_OFFSET, LOW_OFFSET, HIGH_OFFSET, LENGTH_OFFSET = 0x00, 0x04, 0x18, 0x1C, 0x28
S2MM = 0x30


@dataclass
class Channel:
    """The registers of one direction."""

    control: int = CONTROL_AT_RESET
    status: int = HALTED
    low: int = 0
    high: int = 0
    length: int = 0
    active: bool = False

    def fail(self, error: int) -> None:
        """Stop with an error bit."""
        self.status = (self.status & ~IDLE) | HALTED | FAILED | error
        self.control &= ~RUN
        self.active = False

    def finish(self) -> None:
        """The transfer is done."""
        self.status |= IDLE | DONE
        self.active = False
        if not self.control & RUN:
            self.status |= HALTED


class Dma:
    """Two channels; nothing moves before `connect`."""

    def __init__(self, memory: Callable[[int, int], np.ndarray | None]):
        """``memory(address, count)``: those bytes as a writable view, or None outside memory."""
        self._memory, self.soc = memory, None
        self.power_off()

    def power_off(self) -> None:
        """No design is loaded: registers read 0 and take nothing."""
        self.soc: SocModel | None = None
        self._reset()

    def connect(self, soc: SocModel) -> None:
        """A design is loaded; the DMA is reset."""
        self.soc = soc
        self._reset()

    @property
    def busy(self) -> bool:
        """A transfer is under way."""
        return self.send.active or self.receive.active

    def step(self, cycles: int) -> None:
        """Let cycles pass, fewer if a transfer ends."""
        if not self.hangs and self.busy:
            self.soc.step(cycles, until_event=True)
        else:
            self.soc.step(cycles)
        if not self.hangs:
            self._follow()

    def read(self, offset: int) -> int:
        """A register."""
        if self.soc is None:
            return 0
        channel, place = (self.receive, offset - S2MM) if offset >= S2MM else (self.send, offset)
        names = {CONTROL_OFFSET: "control", STATUS_OFFSET: "status", LOW_OFFSET: "low", HIGH_OFFSET: "high"}
        return channel.length if place == LENGTH_OFFSET else getattr(channel, names[place]) if place in names else 0

    def write(self, offset: int, value: int) -> None:
        """A register; LENGTH starts a transfer."""
        if self.soc is None:
            return
        channel, place = (self.receive, offset - S2MM) if offset >= S2MM else (self.send, offset)
        if place == CONTROL_OFFSET and value & RESET:
            self.soc.abandon()
            self._reset()
        elif place == CONTROL_OFFSET:
            self._run(channel, value)
        elif place == STATUS_OFFSET:
            channel.status &= ~(value & WRITE_TO_CLEAR)
        elif place == LOW_OFFSET:
            channel.low = value
        elif place == HIGH_OFFSET:
            channel.high = value
        elif place == LENGTH_OFFSET and channel.control & RUN and not channel.active:
            self._start(channel, value & LENGTH_MASK)

    def _reset(self) -> None:
        self.send, self.receive = Channel(), Channel()
        self.hangs = False

    def _run(self, channel: Channel, value: int) -> None:
        channel.control = value
        if value & RUN and not channel.status & ERRORS:
            channel.status &= ~HALTED
        elif not value & RUN and not channel.active:
            channel.status |= HALTED

    def _start(self, channel: Channel, length: int) -> None:
        address, beat = channel.high << 32 | channel.low, self.soc.beat_bytes
        channel.length, channel.active = length, True
        channel.status &= ~IDLE
        data = self._memory(address, length) if length else None
        if data is None:
            channel.fail(DECODE if length else INTERNAL)
        elif channel is self.send:
            self._packet = np.concatenate([data, np.zeros(-length % beat, np.uint8)])
            if not self.hangs:
                self.soc.send(self._packet)
        else:
            self._target, self._packet_in = data, np.zeros(length - length % beat or beat, np.uint8)
            if not self.hangs:
                self.soc.receive(self._packet_in)

    def _follow(self) -> None:
        """Take over what the streams did."""
        if self.send.active and self.soc.sent:
            self.send.finish()
        if self.receive.active and not self.soc.receiving:
            count = min(self.soc.received_bytes, self.receive.length)
            self._target[:count] = self._packet_in[:count]
            self.receive.length = count
            self.receive.fail(INTERNAL) if self.soc.overflow else self.receive.finish()
