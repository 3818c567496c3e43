"""Run one compiled design: words in, words out, with the cycle of every handshake.

    dut = StreamModel(verilator.compile("sf_fifo", [rtl / "sf_fifo.sv"], {"WIDTH": 12, "DEPTH": 4}, variant="check"))
    run = dut.run(pack(codes, 12), out_words=len(codes), in_stall=0.3, out_stall=0.3, seed=1, stamps=True)
    assert (unpack(run.words, 12, 1) == codes).all()

A word is `ceil(bits / 8)` bytes, little end first: bit 0 of the port is bit 0 of byte 0. Each run counts cycles from 0;
the handshake "in cycle c" happens at the clock edge that ends cycle c.
"""

import ctypes
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from signflow.hw.sim.toolchain import SimError
from signflow.hw.sim.verilator import CompiledModel

construction = threading.Lock()
"""Held while a model is made: that changes the working folder for a moment."""


class StreamError(SimError):
    """A run broke a rule of the stream protocol; `kind` names it, `sent`, `received`, `cycles` say how far data got."""

    def __init__(self, message: str, kind: str, sent: int, received: int, cycles: int):
        super().__init__(message)
        self.kind, self.sent, self.received, self.cycles = kind, sent, received, cycles


@dataclass(frozen=True)
class StreamRun:
    """What a run gave; cycle arrays are int64, per word only if asked for with `stamps`."""

    words: np.ndarray  # uint8 [out_words, ceil(out_bits / 8)]
    first_in: np.ndarray  # [frames] cycle in which the first input word of each frame was taken
    last_out: np.ndarray  # [frames] cycle in which the last output word of each frame was taken
    in_cycles: np.ndarray | None  # [in_words] cycle in which each input word was taken
    out_cycles: np.ndarray | None  # [out_words] cycle in which each output word was taken
    cycles: int  # simulated, the watch for surplus words included
    seconds: float  # wall time
    cpu_seconds: float  # processor time; less than wall time on a busy machine


class Job(ctypes.Structure):
    """One run; same layout as in harness.cpp, which explains the fields."""

    _pointers = ["arrivals", "in_cycles", "out_cycles", "first_in", "last_out"]
    _numbers = ["in_stall", "out_stall", "seed", "watchdog", "drain", "strict"]
    _results = ["sent", "received", "cycles", "stop", "in_valid", "in_ready", "out_valid", "out_ready"]
    _fields_ = [
        ("in", ctypes.c_void_p), ("in_words", ctypes.c_uint64), ("in_frame", ctypes.c_uint64),
        ("out", ctypes.c_void_p), ("out_words", ctypes.c_uint64), ("out_frame", ctypes.c_uint64),
        *((name, ctypes.c_void_p) for name in _pointers),
        *((name, ctypes.c_uint64) for name in _numbers + _results),
        ("message", ctypes.c_char * 512),
    ]  # fmt: skip


# Order of `enum Status` in harness.cpp.
KINDS = ["done", "stopped", "deadlock", "last early", "last missing", "surplus", "unstable", "combinational", "rtl"]


class StreamModel:
    """One instance of a compiled design, reset and ready. Instances are independent: run several in threads at once."""

    def __init__(self, model: CompiledModel, folder: Path | str = "", *, seed: int = 0,
                 wave: Path | None = None, scope: str = "", load: np.ndarray | None = None):  # fmt: skip
        """Construct, reset and load.

        Args:
            folder: memory images ($readmemh) are looked up relative to it; "" is the current folder.
            seed: initial values of registers and memories in the "check" variant.
            wave: write a wave file here (needs variant "trace"); its suffix must be `model.wave`.
            scope: restrict the wave to this instance, as a path below the top: "fc1" or "conv0.weights".
            load: uint32, the words of all memories for the load chain; None leaves the memory images as they are.
        Raises: SimError, e.g. for a missing memory image, by name, or a load that is too long or too short.
        """
        if wave and not model.wave:
            raise SimError(f"{model.top} was compiled without waves: use compile(..., variant='trace')")
        if wave and wave.suffix != f".{model.wave}":
            raise SimError(f"wave file {wave.name} should end in .{model.wave}, the format this machine can write")
        self.model = model
        self._library = _load(model.library)
        message = ctypes.create_string_buffer(512)
        path = str(Path(wave).absolute()) if wave else ""
        inside = f"TOP.{model.top}.{scope}" if scope else ""
        words = None if load is None else np.ascontiguousarray(load, np.uint32)
        filling = (None, 0) if words is None else (words.ctypes.data, len(words))
        with construction:
            texts = (str(folder).encode(), seed, path.encode(), inside.encode())
            self._sim = self._library.sim_new(*texts, *filling, message, len(message))
        if not self._sim:
            where = Path(folder).resolve() if folder else "the current folder"
            raise SimError(f"{model.top} does not start in {where}: {message.value.decode(errors='replace')}")
        self.job: Job | None = None
        self._stopped = False

    def run(
        self,
        words: np.ndarray,
        out_words: int,
        *,
        frames: int = 1,
        in_stall: float = 0.0,
        out_stall: float = 0.0,
        seed: int = 0,
        arrivals: np.ndarray | None = None,
        stamps: bool = False,
        watchdog: int = 2_000_000,
        drain: int = 1000,
        strict: bool = False,
    ) -> StreamRun:
        """Stream `words` in, back to back, and collect `out_words` words.

        Args:
            words: uint8 [in_words, ceil(in_bits / 8)].
            frames: equal parts in which TLAST is driven, expected and cycles are noted.
            in_stall, out_stall: probability per cycle that the source (sink) pauses, drawn from `seed`.
            arrivals: int64 [in_words], first cycle in which each word may be offered (cycle 0 = first of this run).
            watchdog: cycles without any handshake after which the run counts as deadlocked.
            drain: cycles watched for surplus words after the last expected one.
            strict: also prove that valid and data do not depend combinationally on ready (one more evaluation a cycle).
        Raises: StreamError with `kind` "deadlock" (also: words missing), "last early", "last missing", "surplus",
            "unstable" (valid or data changed before it was taken), "combinational", "rtl" ($stop, $fatal, assertion) or
            "stopped" (by stop()). The design is then in an unknown state: reset() it, or make a new one.
        """
        words = self._checked(words, out_words, frames, arrivals)
        in_words, bytes_out = len(words), (self.model.out_bits + 7) // 8
        sizes = {"first_in": frames, "last_out": frames, "in_cycles": in_words, "out_cycles": out_words}
        cycles = {name: np.full(size, -1, np.int64) for name, size in sizes.items()}
        keep = np.ascontiguousarray(arrivals, np.int64) if arrivals is not None else None
        result = np.zeros((out_words, bytes_out), np.uint8)
        job = self.job = Job(in_words=in_words, in_frame=in_words // frames)
        job.stop = int(self._stopped)
        setattr(job, "in", words.ctypes.data)
        job.out, job.out_words, job.out_frame = result.ctypes.data, out_words, out_words // frames
        job.arrivals = keep.ctypes.data if keep is not None else None
        for name in cycles if stamps else ["first_in", "last_out"]:
            setattr(job, name, cycles[name].ctypes.data)
        job.in_stall, job.out_stall = _probability("in_stall", in_stall), _probability("out_stall", out_stall)
        job.seed, job.watchdog, job.drain, job.strict = seed, watchdog, drain, int(strict)
        start, cpu_start = time.perf_counter(), time.thread_time()
        status = self._library.sim_run(self._sim, ctypes.byref(job))
        seconds, cpu_seconds = time.perf_counter() - start, time.thread_time() - cpu_start
        if KINDS[status] != "done":
            raise _error(self.model.top, KINDS[status], job)
        per_word = (cycles["in_cycles"], cycles["out_cycles"]) if stamps else (None, None)
        return StreamRun(result, cycles["first_in"], cycles["last_out"], *per_word, job.cycles, seconds, cpu_seconds)

    def reset(self) -> None:
        """Reset the design (what its memories hold stays)."""
        self._library.sim_reset(self._sim)

    def stop(self) -> None:
        """End the current run early, from another thread; a run that starts later ends at once."""
        self._stopped = True
        if self.job is not None:
            self.job.stop = 1

    def progress(self) -> tuple[int, int, int]:
        """(words sent, words received, cycles) of the current run; to be called from another thread."""
        return (self.job.sent, self.job.received, self.job.cycles) if self.job is not None else (0, 0, 0)

    def close(self) -> None:
        """Free the model and finish its wave file."""
        if getattr(self, "_sim", None):
            self._library.sim_delete(self._sim)
            self._sim = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _checked(self, words: np.ndarray, out_words: int, frames: int, arrivals: np.ndarray | None) -> np.ndarray:
        """The words as one contiguous block, or ValueError saying what does not fit the ports."""
        bits, size = self.model.in_bits, (self.model.in_bits + 7) // 8
        words = np.asarray(words)
        if words.dtype != np.uint8 or words.ndim != 2 or words.shape[1] != size:
            found = f"{words.dtype} {list(words.shape)}"
            raise ValueError(f"input words must be uint8 [n, {size}] for a {bits}-bit port, not {found}")
        if bits % 8 and words.size and words[:, -1].max() >> bits % 8:
            raise ValueError(f"an input word has bits set above bit {bits - 1}, the highest of the port")
        if frames < 1 or len(words) % frames or out_words % frames:
            raise ValueError(f"{len(words)} input and {out_words} output words do not make {frames} equal frames")
        if arrivals is not None and np.shape(arrivals) != (len(words),):
            raise ValueError(f"arrivals must give {len(words)} cycles, one a word, not shape {np.shape(arrivals)}")
        return np.ascontiguousarray(words)


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    text, number = ctypes.c_char_p, ctypes.c_uint64
    library.sim_new.argtypes = [text, number, text, text, ctypes.c_void_p, number, ctypes.c_void_p, ctypes.c_size_t]
    library.sim_new.restype = ctypes.c_void_p
    library.sim_run.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    library.sim_reset.argtypes = library.sim_delete.argtypes = [ctypes.c_void_p]
    return library


def _probability(name: str, value: float) -> int:
    if not 0 <= value < 1:
        raise ValueError(f"{name} is {value}: a probability must be at least 0 and below 1")
    return round(value * 2**32)


def _error(top: str, kind: str, job: Job) -> StreamError:
    """The error of a broken run: what rule, and where every stream stood."""

    def place(count: int, total: int, frame: int) -> str:
        inside = f", in frame {count // frame} word {count % frame}" if frame and count < total else ""
        return f"{count} of {total}{inside}"

    sent, received = place(job.sent, job.in_words, job.in_frame), place(job.received, job.out_words, job.out_frame)
    state = f"Input words taken: {sent} (valid={job.in_valid} ready={job.in_ready}); "
    state += f"output words: {received} (valid={job.out_valid} ready={job.out_ready})"
    stuck = "the design stopped taking input although output is missing"
    if job.sent == job.in_words:
        stuck = "all input was taken but output is missing: the design dropped words or still holds them"
    elif job.received == job.out_words:
        stuck = "all output came but the design takes no more input"
    rule = {
        "stopped": "the run was stopped",
        "deadlock": f"no word moved for {job.watchdog} cycles; {stuck}",
        "last early": "TLAST came before the last word of the frame",
        "last missing": "TLAST is missing on the last word of the frame",
        "surplus": "an output word came that nobody expects",
        "unstable": "valid fell or data changed before the word was taken",
        "combinational": "out_valid or out_data depends combinationally on out_ready",
        "rtl": job.message.decode(errors="replace"),
    }[kind]
    message = f"{top}, cycle {job.cycles}: {rule}. {state}"
    return StreamError(message, kind, job.sent, job.received, job.cycles)
