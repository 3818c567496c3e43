"""A Verilated design behind a simulated serial line, as a port with pyserial's methods.

    port = SimulatedPort(compile_port("tfc_ulx3s", sources), folder, clocks_per_bit=25)
    port.write(request); answer = port.read(16)

Time is the design's: it passes only in `read` (up to `timeout` simulated seconds) and `in_waiting`, and `now` tells it.
The host's end has bit times of its own and can be told to spoil what passes (`Faults`).
"""

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path

from signflow.hw.sim import verilator
from signflow.hw.sim.stream import construction
from signflow.hw.sim.toolchain import RtlError, SimError

PORTS = {"clk_25mhz": ("IN", 1), "ftdi_txd": ("IN", 1), "ftdi_rxd": ("OUT", 1)}
CELLS = Path(__file__).with_name("cells")
PLL = CELLS / "ehxplll.v"
POWER_UP = 1024  # cycles until the board's own reset has long ended
STEP = 1.0  # bytes' worth of time that passes when somebody looks whether bytes wait


def _header(name: str, ports: Mapping[str, tuple[str, int]]) -> tuple[str, dict]:
    """uart.cpp names its ports itself; here it is checked that they are there, and the only inputs."""
    inputs = {port for port, (side, _) in ports.items() if side == "IN"}
    known = {port for port, (side, _) in PORTS.items() if side == "IN"}
    if wrong := {port for port in PORTS if ports.get(port) != PORTS[port]} | (inputs - known):
        raise RtlError(f"{name} is no design with a serial line: check the ports {', '.join(sorted(wrong))}")
    return "", {"in_bits": 1, "out_bits": 1, "out_last": False}


UART = verilator.Harness(Path(__file__).with_name("uart.cpp"), _header)


def compile_port(
    top: str,
    sources: Sequence[Path],
    parameters: Mapping[str, int | str] | None = None,
    *,
    variant: str = "fast",
    include_dirs: Sequence[Path] = (),
) -> verilator.CompiledModel:
    """Compile a design with the ports clk_25mhz, ftdi_txd, ftdi_rxd (further outputs are ignored) for `SimulatedPort`.

    ``sources`` are those of a project; the model of the PLL is added unless they define it. Raises as
    `verilator.compile` does.
    """
    missing = not any("module EHXPLLL" in path.read_text() for path in sources)
    given = [*sources, *[PLL] * missing]
    return verilator.compile(top, given, parameters, variant=variant, include_dirs=include_dirs, harness=UART)


class Faults(ctypes.Structure):
    """What is wrong with the line; same layout as in uart.cpp. Probabilities are per bit and per byte."""

    _fields_ = [(name, ctypes.c_uint64) for name in
                ("flip_to_fpga", "flip_to_host", "drop_to_fpga", "drop_to_host", "cut", "seed")]  # fmt: skip

    def __init__(self, *, flip: float = 0, drop: float = 0, to_fpga=True, to_host=True, cut=False, seed: int = 0):
        flips, drops = round(flip * 2**32), round(drop * 2**32)
        super().__init__(flips * to_fpga, flips * to_host, drops * to_fpga, drops * to_host, int(cut), seed)


class SimulatedPort:
    """What `SerialLink` uses of a pyserial port, on a simulated board; one instance is one powered board."""

    def __init__(
        self,
        model: verilator.CompiledModel,
        folder: Path | str = "",
        *,
        clocks_per_bit: float = 25,
        clock_mhz: float = 50,
        mismatch: float = 0.0,
        seed: int = 0,
    ):
        """Power the board up.

        Args:
            folder: memory images are looked up relative to it.
            clocks_per_bit: of the design; the host's bits last (1 + mismatch) times as long.
            clock_mhz: what turns cycles into seconds.
            seed: initial values of registers and memories.
        Raises: SimError.
        """
        self.timeout: float | None = 0.01
        self.clock_hz = clock_mhz * 1e6
        self._byte_cycles = 10 * clocks_per_bit
        self._library = _load(model.library)
        self._message = ctypes.create_string_buffer(512)
        bit_time = round(clocks_per_bit * (1 + mismatch) * 256)
        with construction:
            self._sim = self._library.uart_new(str(folder).encode(), seed, bit_time, *self._told())
        if not self._sim:
            raise SimError(f"{model.top} does not start in {folder or '.'}: {self._text()}")
        self.run(POWER_UP)

    def write(self, data: bytes) -> int:
        """Put bytes in the queue of the line; no time passes."""
        data = bytes(data)
        self._library.uart_write(self._open(), data, len(data))
        return len(data)

    def read(self, size: int = 1) -> bytes:
        """Up to ``size`` bytes: returns when they are there or `timeout` simulated seconds have passed."""
        if self.timeout is None:
            raise ValueError("a simulated port needs a timeout: without one a lost byte would be waited for for ever")
        self.run(round(self.timeout * self.clock_hz), size)
        size = min(size, self._library.uart_waiting(self._sim))
        bytes_ = ctypes.create_string_buffer(max(size, 1))
        self._library.uart_read(self._sim, bytes_, size)
        return bytes_.raw[:size]

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once; a byte's worth of time passes, so that waiting for it ends."""
        self.run(round(STEP * self._byte_cycles))
        return self._library.uart_waiting(self._sim)

    def reset_input_buffer(self) -> None:
        """Forget what came and was not read."""
        waiting = self._library.uart_waiting(self._open())
        self._library.uart_read(self._sim, ctypes.create_string_buffer(max(waiting, 1)), waiting)

    @property
    def out_waiting(self) -> int:
        """Bytes written that are not on the line yet."""
        return self._library.uart_unsent(self._open())

    def now(self) -> float:
        """Simulated seconds since power-up."""
        return self._library.uart_now(self._open()) / self.clock_hz

    def faults(self, faults: Faults) -> None:
        """Spoil the line from now on; ``Faults()`` repairs it."""
        self._library.uart_faults(self._open(), ctypes.byref(faults))

    def run(self, cycles: int, until: int = 2**63) -> None:
        """Let time pass: ``cycles``, or less if ``until`` bytes wait. Raises SimError when the RTL stops."""
        if self._library.uart_run(self._open(), max(cycles, 0), until, *self._told()):
            raise SimError(f"cycle {self._library.uart_now(self._sim)}: {self._text()}")

    def close(self) -> None:
        """Switch the board off."""
        if getattr(self, "_sim", None):
            self._library.uart_delete(self._sim)
            self._sim = None

    def __del__(self) -> None:
        self.close()

    def _open(self) -> int:
        if not self._sim:
            raise SimError("the simulated port is closed")
        return self._sim

    def _told(self) -> tuple:
        return self._message, len(self._message)

    def _text(self) -> str:
        return self._message.value.decode(errors="replace")


def _load(path: Path) -> ctypes.CDLL:
    library, number, place = ctypes.CDLL(str(path)), ctypes.c_uint64, ctypes.c_void_p
    library.uart_new.argtypes = [ctypes.c_char_p, number, number, place, ctypes.c_size_t]
    library.uart_new.restype = place
    library.uart_run.argtypes = [place, number, number, place, ctypes.c_size_t]
    library.uart_write.argtypes = [place, ctypes.c_char_p, number]
    library.uart_read.argtypes = [place, place, number]
    library.uart_faults.argtypes = [place, place]
    for name in ("uart_unsent", "uart_waiting", "uart_now", "uart_delete"):
        getattr(library, name).argtypes = [place]
    for name in ("uart_unsent", "uart_waiting", "uart_now"):
        getattr(library, name).restype = number
    return library


__all__ = ["CELLS", "PLL", "UART", "Faults", "SimulatedPort", "compile_port"]
