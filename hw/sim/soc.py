"""The board top of a project as the processor and the DMA see it: registers over AXI4-Lite, packets over AXI-Stream.

    soc = SocModel(project)
    results = np.zeros(frames * frame_bytes, np.uint8)
    soc.receive(results)
    soc.send(images)
    while not soc.received:
        soc.step(1000)
    frames_out = soc.read(0x28)

A project is what `signflow.deploy.generate.project.write_project` wrote. Time passes in `step`, `read` and `write`
only.
"""

import ctypes
import json
from pathlib import Path
from typing import Self

import numpy as np

from signflow.hw.sim import verilator
from signflow.hw.sim.stream import construction
from signflow.hw.sim.toolchain import RtlError, SimError

LIMIT = 1000
"""Cycles within which a register access must be answered."""

STREAMS = {"s_axis_in": "IN", "m_axis_out": "OUT"}
CHANNELS = {
    "aw": ("addr", "prot"),
    "w": ("data", "strb"),
    "b": ("resp",),
    "ar": ("addr", "prot"),
    "r": ("data", "resp"),
}
RESPONSES = {2: "SLVERR", 3: "DECERR"}


class State(ctypes.Structure):
    """Same layout as in soc.cpp, which explains the fields."""

    _fields_ = [
        *((name, ctypes.c_uint64) for name in ("cycles", "send_beats", "sent", "room", "received", "receiving")),
        *((name, ctypes.c_uint64) for name in ("in_stall", "out_stall", "random")),
        *((name, ctypes.c_void_p) for name in ("send_data", "receive_data")),
        ("message", ctypes.c_char * 512),
    ]


def _header(name: str, ports: dict[str, tuple[str, int]]) -> tuple[str, dict]:
    """What soc.cpp must know of the top; RtlError when it is no board top."""
    needed = {"aclk", "aresetn"}
    needed |= {f"{stream}_{part}" for stream in STREAMS for part in ("tdata", "tvalid", "tready", "tlast")}
    needed |= {f"s_axi_ctrl_{c}{part}" for c, parts in CHANNELS.items() for part in (*parts, "valid", "ready")}
    if missing := needed - set(ports):
        raise RtlError(f"{name} is no board top: it lacks the ports {', '.join(sorted(missing))}")
    if extra := {port for port, (side, _) in ports.items() if side == "IN"} - needed:
        raise RtlError(f"{name} has inputs the harness does not drive: {', '.join(sorted(extra))}")
    beat, out = ports["s_axis_in_tdata"][1], ports["m_axis_out_tdata"][1]
    if beat != out or beat % 8:
        raise RtlError(f"{name} takes beats of {beat} bits and gives {out}: they must be equal and whole bytes")
    return f"#define BEAT_BITS {beat}\n", {"in_bits": beat, "out_bits": out, "out_last": True}


HARNESS = verilator.Harness(Path(__file__).with_name("soc.cpp"), _header)
"""Registers and packets around a board top with the ports of `<name>_axi`."""


class SocModel:
    """One board with a project's design loaded."""

    def __init__(
        self,
        project: Path | str,
        *,
        variant: str = "fast",
        seed: int = 0,
        in_stall: float = 0.0,
        out_stall: float = 0.0,
    ):
        """Compile the board top, or find it compiled, and power on.

        Args:
            project: the folder with accel.json, rtl/ and mem/.
            variant, seed: as in `verilator.compile` and `StreamModel`.
            in_stall, out_stall: probability per cycle that the sending (receiving) DMA pauses.
        Raises: SimError when the folder holds no project or the design does not start; ToolMissingError, RtlError.
        """
        self.project, self.seed = Path(project), seed
        path = self.project / "accel.json"
        if not path.exists():
            raise SimError(f"{path} does not exist: {self.project} holds no project (run `signflow package`)")
        self.facts: dict = json.loads(path.read_text())
        sources = [self.project / source for source in self.facts["sources"]]
        self.model = verilator.compile(self.facts["top"], sources, variant=variant, harness=HARNESS)
        self.beat_bytes = self.model.in_bits // 8
        self._stalls = round(in_stall * 2**32), round(out_stall * 2**32)
        self._library = _load(self.model.library)
        self._soc = None
        self.power_cycle()

    def power_cycle(self) -> None:
        """Power off and on: registers and memories start anew, packets under way are lost."""
        self.close()
        message = ctypes.create_string_buffer(512)
        with construction:
            self._soc = self._library.soc_new(str(self.project).encode(), self.seed, message, len(message))
        if not self._soc:
            raise SimError(f"{self.model.top} does not start: {message.value.decode(errors='replace')}")
        self._state: State = self._library.soc_state(self._soc).contents
        self._state.in_stall, self._state.out_stall = self._stalls
        self._buffers = {}

    def reset(self) -> None:
        """Pull the reset line for a few cycles; memory images stay, packets under way are lost."""
        self._check(self._library.soc_reset(self._soc))

    def read(self, offset: int) -> int:
        """The register at byte ``offset``; SimError when the bus does not answer within `LIMIT` cycles or refuses."""
        value = ctypes.c_uint32()
        self._answer("read", offset, self._library.soc_read(self._soc, offset, ctypes.byref(value), LIMIT))
        return value.value

    def write(self, offset: int, value: int) -> None:
        """Write 32 bits to the register at byte ``offset``; SimError as for `read`."""
        self._answer("write", offset, self._library.soc_write(self._soc, offset, value, LIMIT))

    def send(self, buffer: np.ndarray) -> None:
        """Start sending ``buffer`` (uint8, whole beats) as one packet; it must stay as it is until `sent`."""
        beats = self._beats(buffer)
        if not self.sent:
            raise SimError("a packet is being sent: one at a time")
        self._buffers["send"] = buffer
        self._state.send_data, self._state.sent, self._state.send_beats = buffer.ctypes.data, 0, beats

    def receive(self, buffer: np.ndarray) -> None:
        """Start taking one packet into ``buffer`` (uint8, whole beats)."""
        beats = self._beats(buffer)
        if self.receiving:
            raise SimError("a packet is being received: one at a time")
        self._buffers["receive"] = buffer
        self._state.receive_data, self._state.received, self._state.room = buffer.ctypes.data, 0, beats
        self._state.receiving = 1

    def abandon(self) -> None:
        """Give up both packets, in the middle of a beat if need be, as a DMA does that is reset."""
        self._library.soc_drop(self._soc)
        self._state.receiving = 0

    def step(self, cycles: int, until_event: bool = False) -> None:
        """Let ``cycles`` pass; with ``until_event`` stop early when a packet has been sent or received.

        Raises SimError when the RTL stops ($fatal, an assertion).
        """
        self._check(self._library.soc_run(self._soc, cycles, int(until_event)))

    @property
    def cycles(self) -> int:
        """Clock cycles since power on."""
        return self._state.cycles

    @property
    def sent(self) -> bool:
        """No packet is being sent."""
        return self._state.sent == self._state.send_beats

    @property
    def receiving(self) -> bool:
        """A packet is being taken."""
        return self._state.receiving == 1

    @property
    def received(self) -> bool:
        """A packet has been taken up to its TLAST."""
        return self._state.receiving == 2

    @property
    def overflow(self) -> bool:
        """A packet was longer than its buffer; the beats that did not fit wait in the design."""
        return self._state.receiving == 3

    @property
    def received_bytes(self) -> int:
        """Bytes of the current or latest packet taken so far."""
        return self._state.received * self.beat_bytes

    def close(self) -> None:
        """Power off."""
        if getattr(self, "_soc", None):
            self._library.soc_delete(self._soc)
            self._soc = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _beats(self, buffer: np.ndarray) -> int:
        fits = isinstance(buffer, np.ndarray) and buffer.dtype == np.uint8 and buffer.flags.c_contiguous
        if not fits or buffer.ndim != 1 or not len(buffer) or len(buffer) % self.beat_bytes:
            found = f"{buffer.dtype} {list(buffer.shape)}" if isinstance(buffer, np.ndarray) else type(buffer).__name__
            raise ValueError(f"a packet is a contiguous uint8 array of whole {self.beat_bytes}-byte beats, not {found}")
        return len(buffer) // self.beat_bytes

    def _answer(self, what: str, offset: int, status: int) -> None:
        self._check(status)
        if status == -1:
            raise SimError(f"{self.model.top}: no answer to a {what} of register {offset:#04x} within {LIMIT} cycles")
        if status:
            name = RESPONSES.get(status, f"answer {status}")
            raise SimError(f"{self.model.top}: {name} to a {what} of register {offset:#04x}")

    def _check(self, status: int) -> None:
        if status == -2:
            message = self._state.message.decode(errors="replace")
            raise SimError(f"{self.model.top}, cycle {self.cycles}: {message}")


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    soc, number, offset = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32
    library.soc_new.argtypes = [ctypes.c_char_p, number, ctypes.c_void_p, ctypes.c_size_t]
    library.soc_new.restype = soc
    library.soc_state.argtypes, library.soc_state.restype = [soc], ctypes.POINTER(State)
    library.soc_read.argtypes = [soc, offset, ctypes.POINTER(ctypes.c_uint32), number]
    library.soc_write.argtypes = [soc, offset, ctypes.c_uint32, number]
    library.soc_run.argtypes = [soc, number, ctypes.c_int]
    for name in ("soc_reset", "soc_drop", "soc_delete"):
        getattr(library, name).argtypes = [soc]
    return library
