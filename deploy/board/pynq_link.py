"""Registers and DMA transfers of an accelerator through `pynq`. Copied into the packages of PYNQ boards.

`Accelerator` of accelerator.py does all waiting; a call here lasts a second at most. Without a board it is the
simulated one of signflow that answers, where signflow is installed.
"""

import hashlib
import os
import tempfile
import time
import warnings
import weakref
from contextlib import suppress
from pathlib import Path

import numpy as np

CONTROL, SOFT_RESET, CLEAR = 0x1C, 1, 2


class LinkError(RuntimeError):
    """The transport between host and accelerator failed."""


class PynqLink:
    """Registers and DMA transfers through `pynq`, on a board or on the simulated one."""

    chunk_bytes = 1 << 20
    _IDLE, _RESET, _TIMEOUT = 2, 4, 1.0
    _ERRORS = {0x10: "internal error (packet longer than its buffer?)", 0x20: "slave error", 0x40: "address error"}

    _holder = None  # weak reference to the link of this process that has the board

    def __init__(self):
        self._overlay = self._dma = None

    def lock_file(self, bitfile: Path) -> Path:
        """One for the board's only FPGA; a simulated one exists for every package anew."""
        name = hashlib.sha256(str(bitfile).encode()).hexdigest()[:12] if _simulated(_pynq_device()) else "fpga"
        return Path(tempfile.gettempdir()) / f"signflow-{name}.lock"

    def open(self, bitfile: Path, facts: dict) -> None:
        """Load the bitstream, set its clock, find the DMA and the registers in its address map."""
        simulated, image = _simulated(_pynq_device()), facts["package"]["simulated"]
        if image and not simulated:
            raise LinkError(
                f"{bitfile.name} is a simulation image: make a real bitstream with Vivado and package again"
            )
        holder = PynqLink._holder and PynqLink._holder()
        if holder not in (None, self):
            raise LinkError("another Accelerator of this process has the board: close() it first")
        PynqLink._holder = weakref.ref(self)
        import pynq

        try:
            overlay = pynq.Overlay(str(bitfile), download=False)
            for clock in overlay.clock_dict.values():  # pynq 4.0 knows no frequency on Zynq-7000, and then fails
                if clock.get("frequency", 0) is None:
                    clock["frequency"] = facts["shell"]["clock_khz"] / 1000
            overlay.download()
        except Exception as error:
            raise LinkError(f"pynq does not load {bitfile.name}: {error}") from error
        kinds = {name: str(block.get("type")) for name, block in overlay.ip_dict.items()}
        dma = [name for name, kind in kinds.items() if ":axi_dma:" in kind]
        page = [name for name, kind in kinds.items() if ":module_ref:" in kind]
        if len(dma) != 1 or len(page) != 1:
            raise LinkError(f"{bitfile.stem}.hwh should hold one axi_dma and one module_ref, it holds {kinds}")
        self._overlay, self._dma, self._registers = overlay, getattr(overlay, dma[0]), getattr(overlay, page[0])
        self.clock_khz = self._set_clock(pynq.Clocks, facts["shell"]["clock_khz"])

    @staticmethod
    def _set_clock(clocks, planned_khz: int) -> int:
        """pynq takes the nearest clock, even a faster one than the design was made for: take the next slower one."""
        for wanted in (planned_khz / 1000 * 0.98**k for k in range(60)):
            if round(clocks.fclk0_mhz * 1000) <= planned_khz * 1.002:
                return round(clocks.fclk0_mhz * 1000)
            clocks.fclk0_mhz = wanted
        raise LinkError(
            f"the clock is {clocks.fclk0_mhz:g} MHz and cannot be set to at most {planned_khz / 1000:g} MHz"
        )

    def close(self) -> None:
        """Stop the DMA, which must not write into memory that is free again."""
        if self._dma is not None:
            with suppress(LinkError):
                self._reset_dma()
        self._overlay = self._dma = None
        if PynqLink._holder and PynqLink._holder() is self:
            PynqLink._holder = None

    def read(self, offset: int) -> int:
        """A register of the status page."""
        return self._registers.read(offset)

    def write(self, offset: int, value: int) -> None:
        """A register of the status page."""
        self._registers.write(offset, value)

    def reset(self) -> None:
        """Abort both transfers, clean the core and its counters."""
        self._reset_dma()
        self.write(CONTROL, SOFT_RESET | CLEAR)

    def _reset_dma(self) -> None:
        mmio = self._dma.mmio
        mmio.write(0x00, self._RESET)
        self._until(lambda: not mmio.read(0x00) & self._RESET, "does not leave its reset")
        for channel, offset in ((self._dma.sendchannel, 0x00), (self._dma.recvchannel, 0x30)):
            mmio.write(offset, 1)
            self._until(lambda at=offset: not mmio.read(at + 4) & 1, "does not start")
            channel.start()

    def _until(self, done, what: str) -> None:
        end = time.monotonic() + self._TIMEOUT
        while not done():
            if time.monotonic() > end:
                raise LinkError(f"the DMA {what}")

    def buffer(self, nbytes: int) -> np.ndarray:
        """Memory the DMA can reach."""
        import pynq

        return pynq.allocate((nbytes,), np.uint8)

    def send(self, buffer, nbytes: int) -> None:
        """Start one packet."""
        self._start(self._dma.sendchannel, buffer, nbytes)

    def receive(self, buffer, nbytes: int) -> None:
        """Start taking one packet."""
        self._expected = nbytes
        self._start(self._dma.recvchannel, buffer, nbytes)

    @staticmethod
    def _start(channel, buffer, nbytes: int) -> None:
        try:
            channel.transfer(buffer, nbytes=nbytes)
        except RuntimeError as error:
            raise LinkError(f"the DMA takes no transfer: {error}") from error

    def sent(self) -> bool:
        """The packet is gone; LinkError when the DMA failed."""
        return self._done(self._dma.sendchannel, 0x04, "sending")

    def received(self) -> bool:
        """The packet is there, as long as expected; LinkError when it is not, or the DMA failed."""
        channel = self._dma.recvchannel
        if not self._done(channel, 0x34, "receiving"):
            return False
        if channel.transferred != self._expected:
            raise LinkError(f"a packet of {channel.transferred} bytes came instead of {self._expected}")
        return True

    def _done(self, channel, offset: int, what: str) -> bool:
        status = self._dma.mmio.read(offset)
        causes = [text for bit, text in self._ERRORS.items() if status & bit]
        if causes or status & 1:
            raise LinkError(f"{what}: the DMA stopped with {', '.join(causes) or 'no error'} (status {status:#x})")
        if not status & self._IDLE:
            return False
        if channel._active_buffer is not None:
            channel.wait()  # over already: tells pynq so, which makes the data visible
        return True


def _pynq_device():
    """pynq's device: the board's, or signflow's simulated one where there is none (or SIGNFLOW_DEVICE=simulated)."""
    try:
        from pynq import Device
    except ImportError as error:
        raise LinkError("pynq is missing: run this on a PYNQ board, or `pip install pynq` to simulate") from error
    if os.environ.get("SIGNFLOW_DEVICE") != "simulated":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if Device.devices:
                return Device.active_device
    try:
        from signflow.hw.sim import pynq_device
    except ImportError as error:
        raise LinkError("no FPGA here: run this on a PYNQ board, or install signflow for a simulated one") from error
    return pynq_device.install()


def _simulated(device) -> bool:
    return getattr(device, "simulated", False)
