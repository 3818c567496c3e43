"""One compiled design cycle by cycle, every pin by name: for what is no single stream (buses, resets, several streams).

    model = verilator.compile("sf_status_page", [rtl / "sf_status_page.sv"], variant="check", harness=pins.harness())
    dut = Pins(model)
    dut.cycle(rst_ni=0)
    dut.cycle(rst_ni=1, reg_addr_i=0)["reg_rdata_o"]

About 200,000 cycles/s; streams of whole networks belong to `stream.StreamModel`.
"""

import ctypes
from functools import partial
from pathlib import Path

from signflow.hw.sim.stream import construction
from signflow.hw.sim.toolchain import RtlError, SimError
from signflow.hw.sim.verilator import CompiledModel, Harness


def harness(clock: str = "clk_i") -> Harness:
    """The harness of `pins.cpp` for a design with this clock."""
    return Harness(Path(__file__).with_name("pins.cpp"), partial(_header, clock))


class Pins:
    """One instance of a design compiled with `harness`. Inputs start at 0; the caller drives the reset."""

    def __init__(self, model: CompiledModel, folder: Path | str = "", *, seed: int = 0):
        """Construct; memory images are looked up relative to ``folder``, registers of a "check" build start at random.

        Raises SimError, e.g. for a missing memory image.
        """
        self._library = ctypes.CDLL(str(model.library))
        self._library.pins_describe.restype = ctypes.c_char_p
        self._library.pins_new.restype = ctypes.c_void_p
        rows = [row.split() for row in self._library.pins_describe().decode().splitlines()]
        self.inputs = {name: int(bits) for side, name, bits in rows if side == "IN"}
        self.outputs = {name: int(bits) for side, name, bits in rows if side == "OUT"}
        self._values = dict.fromkeys(self.inputs, 0)
        self._in_sizes = [(name, _bytes(bits)) for name, bits in self.inputs.items()]
        self._sizes = [_bytes(bits) for bits in self.outputs.values()]
        self._out = ctypes.create_string_buffer(max(1, sum(self._sizes)))
        self._message = ctypes.create_string_buffer(512)
        with construction:
            texts = str(folder).encode(), ctypes.c_uint64(seed)
            self._sim = self._library.pins_new(*texts, self._message, ctypes.c_size_t(512))
        if not self._sim:
            raise SimError(f"{model.top} does not start: {self._message.value.decode(errors='replace')}")

    def cycle(self, **drive: int) -> dict[str, int]:
        """Drive some inputs (the others keep their values), step the clock, return the outputs as before the edge.

        Raises ValueError for a value that does not fit, KeyError for an unknown input, SimError when the RTL stops.
        """
        for name, value in drive.items():
            if value >> self.inputs[name]:
                raise ValueError(f"{name} has {self.inputs[name]} bits, {value} does not fit")
        self._values |= drive
        data = b"".join(self._values[name].to_bytes(size, "little") for name, size in self._in_sizes)
        arguments = data, self._out, self._message, ctypes.c_size_t(512)
        stopped = self._library.pins_cycle(ctypes.c_void_p(self._sim), *arguments)
        if stopped:
            raise SimError(self._message.value.decode(errors="replace"))
        found, at, raw = {}, 0, self._out.raw
        for name, size in zip(self.outputs, self._sizes, strict=True):
            found[name] = int.from_bytes(raw[at : at + size], "little")
            at += size
        return found

    def __del__(self) -> None:
        if getattr(self, "_sim", None):
            self._library.pins_delete(ctypes.c_void_p(self._sim))


def _bytes(bits: int) -> int:
    """Size of a port of the Verilated class."""
    return 1 if bits <= 8 else 2 if bits <= 16 else 4 if bits <= 32 else 8 if bits <= 64 else -(-bits // 32) * 4


def _header(clock: str, name: str, ports: dict[str, tuple[str, int]]) -> tuple[str, dict]:
    if ports.get(clock, ("", 0))[0] != "IN":
        raise RtlError(f"{name} has no clock {clock}; found {', '.join(sorted(ports))}")
    lines = [f"#define CLOCK {clock}"]
    for side, macro in (("IN", "EACH_INPUT"), ("OUT", "EACH_OUTPUT")):
        chosen = [port for port, (way, _) in ports.items() if way == side and port != clock]
        lines.append(f"#define {macro}(P) " + " ".join(f"P({port})" for port in chosen))
    text = "".join(f"{side} {port} {bits}\\n" for port, (side, bits) in ports.items() if port != clock)
    lines += [f'#define DESCRIPTION "{text}"', ""]
    return "\n".join(lines), {"in_bits": 0, "out_bits": 0, "out_last": False}


__all__ = ["Pins", "harness"]
