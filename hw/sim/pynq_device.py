"""A board for `pynq` that is not there: pynq's own code, a model of the DMA, and the Verilated board top.

    from signflow.hw.sim import pynq_device
    device = pynq_device.install()
    overlay = pynq.Overlay("cnv.bit")         # a simulation image, as `signflow package` makes without Vivado

What is real: `pynq.Overlay`, its .hwh parser, its clock driver, its DMA driver, `pynq.allocate`; and every register of
the accelerator, every beat of every packet, cycle by cycle. What is a model: the AXI DMA (simple mode, see `dma`), the
memory, the clock registers. Not there: interrupts, caches, memory bandwidth.

Simulated time passes when a DMA register is read (`CYCLES_A_READ`, or until a packet ends) and in `step`.

For drills, faults: `hang_dma`, `power_cycle`, `stick_page`.
"""

import threading
import weakref
import zipfile
from pathlib import Path

import numpy as np
from pynq import Clocks
from pynq.buffer import PynqBuffer
from pynq.pl_server.device import Device
from pynq.ps import ZU_ARCH, ZYNQ_ARCH
from pynqmetadata.frontends import Metadata
from pynqmetadata.views.runtime import RuntimeMetadataParser

from signflow.hw.scratch import Scratch
from signflow.hw.sim.dma import Dma
from signflow.hw.sim.handoff import DMA_BASE, REGISTERS_BASE
from signflow.hw.sim.soc import SocModel
from signflow.hw.sim.trusted import check_design

MEMORY_BASE, MEMORY_BYTES, PAGE = 0x1000_0000, 1 << 28, 4096
MOST = 1 << 28
"""Bytes of a simulation image, unpacked."""
CYCLES_A_READ = 4096
"""Clock cycles that pass while the processor reads a register of a DMA that works."""

CLOCK_REGISTERS = {
    # Zynq-7000 SLCR: I/O PLL of 50 MHz * 20; clock i = PLL / DIVISOR0 / DIVISOR1, both 1
    0xF800_0108: 20 << 12,
    **{0xF800_0170 + 0x10 * i: 1 << 8 | 1 << 20 for i in range(4)},
    # Zynq UltraScale+ CRL_APB: I/O PLL of 33.333 MHz * 90 / 2
    0xFF5E_0020: 90 << 8 | 1 << 16,
    **{0xFF5E_00C0 + 4 * i: 1 << 8 | 1 << 16 | 1 << 24 for i in range(4)},
}


class Buffer(PynqBuffer):
    """A PynqBuffer under numpy 2, whose arrays have a read-only attribute `device` of their own."""

    device = None


class SimulatedDevice(Device):
    """A Zynq board with nothing in its programmable logic until an overlay is downloaded."""

    name = "signflow simulated board"
    simulated = True

    def __init__(self):
        super().__init__("signflow-simulated")
        self.capabilities = {"REGISTER_RW": True}
        self.arch = ZYNQ_ARCH
        self.soc: SocModel | None = None
        self.downloads = 0
        self.dma = Dma(self._memory)
        self._bus = threading.RLock()
        self._registers = dict(CLOCK_REGISTERS)
        self._bytes = np.zeros(MEMORY_BYTES, np.uint8)
        self._allocated: dict[int, int] = {}
        self._stuck: dict[int, int] | None = None
        self._power_fails_at: int | None = None

    # faults

    def hang_dma(self) -> None:
        """From now on the DMA accepts transfers and moves no data, until its soft reset."""
        self.dma.hangs = True

    def stick_page(self) -> None:
        """The status page answers every read with what it holds now, until the next download."""
        self._stuck = {offset: self.soc.read(offset) for offset in range(0, 256, 4)}

    def power_cycle(self, after: int = 0) -> None:
        """The programmable logic loses its design, now or ``after`` more clock cycles: registers then read 0."""
        if after:
            self._power_fails_at = self.soc.cycles + after
            return
        self._power_fails_at, self._stuck = None, None
        if self.soc is not None:
            self.soc.close()
        self.soc = None
        self.dma.power_off()

    def step(self, cycles: int) -> None:
        """Let simulated clock cycles pass."""
        if self.soc is None:
            return
        self.dma.step(cycles)
        if self._power_fails_at is not None and self.soc.cycles >= self._power_fails_at:
            self.power_cycle()

    # memory

    def allocate(self, shape, dtype="u4", **_: object) -> PynqBuffer:
        """A zeroed buffer at an address of its own, free again when nothing refers to it.

        Raises RuntimeError when no room is left.
        """
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        start = 0
        for begin, end in sorted(self._allocated.items()):
            if start + size <= begin:
                break
            start = -(-end // PAGE) * PAGE
        if start + size > MEMORY_BYTES:
            raise RuntimeError(f"simulated memory of {MEMORY_BYTES >> 20} MiB is full")
        data = self._bytes[start : start + size]
        data[:] = 0
        buffer = Buffer(shape, dtype, buffer=data, device=self, device_address=MEMORY_BASE + start, coherent=True)
        self._allocated[start] = start + size
        weakref.finalize(buffer, self._allocated.pop, start, None)
        return buffer

    def flush(self, *_: object) -> None:
        """Nothing to do: there is no cache."""

    def invalidate(self, *_: object) -> None:
        """Nothing to do: there is no cache."""

    def _memory(self, address: int, count: int) -> np.ndarray | None:
        """The bytes at a physical address, or None when they are not all memory."""
        start = address - MEMORY_BASE
        return self._bytes[start : start + count] if 0 <= start <= MEMORY_BYTES - count else None

    # registers

    def read_registers(self, address: int, length: int) -> bytes:
        """What the processor reads at a physical address."""
        with self._bus:
            return self._read(address).to_bytes(4, "little")[:length]

    def _read(self, address: int) -> int:
        if DMA_BASE <= address < DMA_BASE + 0x1_0000:
            if self.dma.busy:
                self.step(CYCLES_A_READ)
            return self.dma.read(address - DMA_BASE)
        if REGISTERS_BASE <= address < REGISTERS_BASE + 0x1_0000:
            return self._read_page((address - REGISTERS_BASE) & 0xFF)
        return self._registers.get(address, 0)

    def write_registers(self, address: int, data: bytes) -> None:
        """The processor writes to a physical address."""
        with self._bus:
            self._write(address, int.from_bytes(bytes(data), "little"))

    def _write(self, address: int, value: int) -> None:
        if DMA_BASE <= address < DMA_BASE + 0x1_0000:
            self.dma.write(address - DMA_BASE, value)
        elif REGISTERS_BASE <= address < REGISTERS_BASE + 0x1_0000:
            if self.soc is not None:
                self.soc.write((address - REGISTERS_BASE) & 0xFF, value)
        else:
            self._registers[address] = value

    def _read_page(self, offset: int) -> int:
        if self.soc is None:
            return 0
        return self.soc.read(offset) if self._stuck is None else self._stuck[offset & 0xFC]

    # bitstream

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> RuntimeMetadataParser:
        """The design's address map, by pynq's own parser, from the .hwh beside the bitstream."""
        path = Path(bitfile_name).with_suffix(".hwh")
        if not path.exists():
            raise RuntimeError(f"{path.name} is missing beside {Path(bitfile_name).name}: pynq needs it")
        parser = RuntimeMetadataParser(Metadata(input=str(path)))
        self._become(ZU_ARCH if parser.family_ps == "zynq_ultra_ps_e" else ZYNQ_ARCH)
        return parser

    def _become(self, arch: str) -> None:
        """A Zynq-7000 or a Zynq UltraScale+; pynq keeps the clock driver of the first one it has seen."""
        self.arch = arch
        if hasattr(Clocks, "_real_instance"):
            del Clocks._real_instance

    def download(self, bitstream, parser=None) -> None:
        """Load the project inside a simulation image; raises RuntimeError when the file is none."""
        self.power_cycle()
        self.soc = self._load(Path(bitstream.bitfile_name))
        self.dma.connect(self.soc)
        self.downloads += 1
        self.post_download(bitstream, parser or self.get_bitfile_metadata(bitstream.bitfile_name), self.name)

    def _load(self, image: Path) -> SocModel:
        with Scratch("signflow-image-") as folder:
            unpack_image(image, Path(folder))
            return SocModel(folder)

    def close(self) -> None:
        """Power off."""
        self.power_cycle()


def unpack_image(image: Path, folder: Path) -> None:
    """The files of a simulation image into ``folder``; RuntimeError for any other file, SimError for one that holds
    more than hardware.
    """
    try:
        with zipfile.ZipFile(image) as archive:
            if (size := sum(entry.file_size for entry in archive.infolist())) > MOST:
                raise ValueError(f"{size:,} bytes, unpacked")
            archive.extractall(folder)
    except Exception as error:  # zipfile raises a dozen kinds
        raise RuntimeError(
            f"{image.name} is no simulation image ({error!s:.100}): the simulated board loads only what "
            "`signflow package` made without a bitstream; a bitstream of Vivado needs the real board"
        ) from None
    check_design(folder)


_device: SimulatedDevice | None = None


def install() -> SimulatedDevice:
    """Make the simulated board pynq's active device, and return it; the same one on every call."""
    global _device
    if _device is None:
        _device = SimulatedDevice()
    Device.active_device = _device
    Clocks.device = _device
    return _device
