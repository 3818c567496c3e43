"""Faults of a simulated board, one at a time: at a moment of the simulation, or in a register of the DMA."""

import os
import signal
from functools import partial
from pathlib import Path

import numpy as np

from signflow.deploy.board.accelerator import CONTROL, RESET, Accelerator
from signflow.hw.sim import dma, pynq_device


class Faults:
    """One fault at a time in a board, at a moment of the simulation or in one of the transfers of a batch."""

    def __init__(self, device: pynq_device.SimulatedDevice, other: Path):
        """``other``: the bitstream of another network of the same shape."""
        self.device, self.other = device, other
        self._step, self._read, self._write = device.step, device.dma.read, device.dma.write
        device.step, device.dma.read, device.dma.write = self.step, self.read, self.write
        self.disarm()

    def disarm(self) -> None:
        """Nothing happens from now on."""
        self.at, self.fire, self.register, self.count, self.change = None, None, None, 0, None
        self.device._stuck = None

    def arm(self, kind: str, images: int, driver: Accelerator, rng: np.random.Generator) -> None:
        """Let ``kind`` happen somewhere in a batch of ``images`` of the driver."""
        if kind in MOMENTS:
            cycles = images * driver.facts["predicted"]["interval"]
            self.at = self.device.soc.cycles + int(rng.integers(1, cycles + 1))
            self.fire = partial(MOMENTS[kind], self)
        elif kind in TRANSFERS:
            self.register, change = TRANSFERS[kind]
            sizes = driver._codec.in_bytes, driver.facts["shell"]["beat_bits"] // 8
            self.change = partial(change, *sizes)
            self.count = int(rng.integers(1, -(-images // driver._chunk) + 1))
        elif kind == "another design":
            self.device.soc = self.device.dma.soc = self.device._load(self.other)

    def step(self, cycles: int) -> None:
        """In the place of the device's."""
        self._step(cycles)
        if self.at is not None and self.device.soc is not None and self.device.soc.cycles >= self.at:
            self.at = None
            self.fire()

    def read(self, offset: int) -> int:
        """In the place of the DMA's."""
        return self._changed(("read", offset), self._read(offset))

    def write(self, offset: int, value: int) -> None:
        """In the place of the DMA's."""
        self._write(offset, self._changed(("write", offset), value))

    def _changed(self, register: tuple[str, int], value: int) -> int:
        if register != self.register:
            return value
        self.count -= 1
        return self.change(value) if self.count == 0 else value

    def interrupt(self) -> None:
        """Ctrl-C."""
        raise KeyboardInterrupt

    def kill(self) -> None:
        """Of the whole process."""
        os.kill(os.getpid(), signal.SIGKILL)


MOMENTS = {
    "DMA stuck": lambda faults: faults.device.hang_dma(),
    "power lost": lambda faults: faults.device.power_cycle(),
    "status page stuck": lambda faults: faults.device.stick_page(),
    "core reset by another": lambda faults: faults.device.soc.write(CONTROL, RESET),
    "interrupted": Faults.interrupt,
    "killed": Faults.kill,
}
"""What happens at a moment of the simulation."""
TRANSFERS = {
    "sent a beat too few": (("write", dma.LENGTH_OFFSET), lambda frame, beat, length: length - beat),
    "sent a frame too few": (("write", dma.LENGTH_OFFSET), lambda frame, beat, length: length - frame),
    "sent from no memory": (("write", dma.LOW_OFFSET), lambda frame, beat, address: 0x8000_0000),
    "received to no memory": (("write", dma.S2MM + dma.LOW_OFFSET), lambda frame, beat, address: 0x8000_0000),
    "buffer too short": (
        ("write", dma.S2MM + dma.LENGTH_OFFSET),
        lambda frame, beat, length: length // 2 // beat * beat,
    ),
    "results torn": (("read", dma.S2MM + dma.LENGTH_OFFSET), lambda frame, beat, length: length - beat),
}
"""What becomes of a register of the DMA in one of the transfers, by the bytes of an image and of a beat."""
FAULTS = (*MOMENTS, *TRANSFERS, "another design")
