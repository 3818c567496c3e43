"""A generated accelerator as a function: `RtlSimulator(folder).run(images).outputs` is what the hardware computes.

The folder is what `signflow.deploy.generate.accelerator` wrote: `accel.json`, the SystemVerilog, the memory images, and
of a loadable accelerator `weights.bin`, which fills its memories through their load chain before each run.
Each worker streams its share of the images back to back through its own instance of the compiled model. The instances
are separate objects and the compiled loop releases the lock of Python, so the workers are threads and still use one
core each.
"""

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from signflow.hw.sim import verilator
from signflow.hw.sim.stream import StreamModel, StreamRun
from signflow.hw.sim.toolchain import SimError
from signflow.hw.sim.view import gtkwave, surfer
from signflow.hw.sim.words import filled, pack, unpack

Progress = Callable[[int, int], None]  # (images done, images in all)


@dataclass(frozen=True)
class SimResult:
    """What the images gave. Cycles count from the start of each worker's share; shares are contiguous."""

    outputs: np.ndarray  # int64 [N, *output shape]
    first_in: np.ndarray  # int64 [N or whole batches] cycle in which the first input word of each image was taken
    last_out: np.ndarray  # int64 [the same] cycle in which the last output word of each image was taken
    starts: tuple[int, ...]  # index of the first image of each worker's share
    cycles: int  # simulated by all workers together
    seconds: float  # wall time of the simulation alone
    cpu_seconds: float  # processor time of all workers together
    batch: int = 1  # images that go in together

    @property
    def cycles_per_second(self) -> float:
        """Simulated clock cycles per second, all workers together."""
        return self.cycles / self.seconds

    @property
    def cycles_per_core_second(self) -> float:
        """Simulated clock cycles per second of processor time: what one undisturbed core does."""
        return self.cycles / self.cpu_seconds

    @property
    def latency(self) -> int:
        """Cycles from the first input word to the last output word of an image, or a batch, that meets an empty
        pipeline.
        """
        return int(self.last_out[self.batch - 1] - self.first_in[0])

    @property
    def interval(self) -> int | float | None:
        """Cycles between the last two images of the longest share, the steady state if it is long; None below 2. Of
        batches, which leave in one go, the cycles between the last two for each of their images.
        """
        bounds = [*self.starts, len(self.last_out)]
        first, last = max(pairwise(bounds), key=lambda share: share[1] - share[0])
        if last - first < 2 * self.batch:
            return None
        cycles = int(self.last_out[last - 1] - self.last_out[last - 1 - self.batch])
        return cycles / self.batch if cycles % self.batch else cycles // self.batch


class RtlSimulator:
    """The RTL of one accelerator, compiled."""

    def __init__(self, folder: Path | str, *, variant: str = "fast"):
        """Read `accel.json` and compile the RTL, or find it compiled; `variant` as in `verilator.compile`.

        Raises: SimError if the folder holds no accelerator; ToolMissingError, RtlError.
        """
        self.folder = Path(folder)
        path = self.folder / "accel.json"
        if not path.exists():
            raise SimError(
                f"{path} does not exist: {self.folder} holds no generated accelerator (run `signflow build`)"
            )
        self.facts = _facts(path)
        self._load = np.fromfile(self.folder / "weights.bin", "<u4") if self.facts.get("loadable") else None
        self.model = self._compile(variant)

    def run(
        self,
        images: np.ndarray,
        *,
        workers: int = 1,
        in_stall: float = 0.0,
        out_stall: float = 0.0,
        seed: int = 0,
        progress: Progress | None = None,
        watchdog: int = 2_000_000,
    ) -> SimResult:
        """Stream `images` through the accelerator.

        Args:
            images: integers [N, *input shape] in the range of the input's data type.
            workers: instances that share the batch, each on its own core.
            in_stall, out_stall: probability per cycle that source (sink) pauses; every worker draws from its own seed.
            progress: called from this thread a few times a second.
            watchdog: cycles without any handshake after which the run counts as deadlocked.
        Raises: ValueError for wrong shape or range, StreamError if the stream protocol breaks.
        """
        images = np.asarray(images)
        batch = self.facts.get("batch", 1)
        codes = filled(_codes(images, self.facts["input"]), batch)
        frames = len(codes) // batch
        bounds = np.linspace(0, frames, max(1, min(workers, frames)) + 1).astype(int) * batch
        shares = list(pairwise(bounds))
        with ExitStack() as stack:
            models, calls = [], []
            for k, (low, high) in enumerate(shares):
                options = {"in_stall": in_stall, "out_stall": out_stall, "seed": seed + k, "watchdog": watchdog}
                models.append(stack.enter_context(StreamModel(self.model, self.folder, seed=seed + k, load=self._load)))
                calls.append(partial(self._stream, models[k], codes[low:high], **options))
            runs, seconds = _together(models, calls, lambda: self._report(models, len(images), progress))
        return self._result(runs, len(images), tuple(int(low) for low, _ in shares), seconds)

    def wave(self, images: np.ndarray, file: Path, operator: str = "") -> SimResult:
        """Run a few images and write their waves to `file`, of one operator (a node name of `accel.json`) or of all.

        A ".vcd" file is written as VCD; any other suffix is made ".fst", or ".vcd" where lz4.h and zlib.h are missing.
        Beside the waves of all operators lie views of them for GTKWave and Surfer (`signflow.hw.sim.view`). About 4
        times slower than `run`.
        """
        nodes = [entry["node"] for entry in self.facts.get("operators", [])]
        if operator and operator not in nodes:
            raise SimError(f"no operator {operator!r} in {self.facts['name']}: it has {', '.join(nodes)}")
        model = self._compile("vcd" if file.suffix == ".vcd" else "trace")
        scope = f"i_{operator}" if operator else ""
        file.parent.mkdir(parents=True, exist_ok=True)
        file = file.with_suffix(f".{model.wave}")
        if not operator:
            file.with_suffix(".gtkw").write_text(gtkwave(self.facts, file))
            file.with_suffix(".sucl").write_text(surfer(self.facts))
        options = {"wave": file, "scope": scope, "load": self._load}
        with StreamModel(model, self.folder, **options) as instance:
            codes = filled(_codes(np.asarray(images), self.facts["input"]), self.facts.get("batch", 1))
            run = self._stream(instance, codes)
        return self._result([run], len(images), (0,), run.seconds)

    def _compile(self, variant: str) -> verilator.CompiledModel:
        sources = [self.folder / source for source in self.facts["sources"]]
        return verilator.compile(self.facts["top"], sources, variant=variant)

    def _stream(self, model: StreamModel, codes: np.ndarray, **options: float) -> StreamRun:
        side, count = self.facts["input"], self.facts["output"]["words"]
        words = pack(codes.reshape(-1, side["word_elems"]), side["elem_bits"], side["stream_bits"])
        return model.run(words, len(codes) * count, frames=len(codes), **options)

    def _report(self, models: list[StreamModel], total: int, progress: Progress | None) -> None:
        if progress is not None:
            progress(sum(model.progress()[1] for model in models) // self.facts["output"]["words"], total)

    def _result(self, runs: list[StreamRun], count: int, starts: tuple[int, ...], seconds: float) -> SimResult:
        side = self.facts["output"]
        words = np.concatenate([run.words for run in runs])
        signed = side["dtype"].startswith("INT")
        values = unpack(words, side["elem_bits"], side["word_elems"], signed).reshape(-1, *side["shape"])
        outputs = (2 * values - 1 if side["dtype"] == "BIPOLAR" else values)[:count]
        first_in, last_out = (np.concatenate([getattr(run, name) for run in runs]) for name in ("first_in", "last_out"))
        cycles, cpu_seconds = sum(run.cycles for run in runs), sum(run.cpu_seconds for run in runs)
        batch = self.facts.get("batch", 1)
        return SimResult(outputs, first_in, last_out, starts, cycles, seconds, cpu_seconds, batch)


def _facts(path: Path) -> dict:
    """`accel.json`; SimError unless it holds what a simulation needs."""
    try:
        facts = json.loads(path.read_text())
        lacking = [key for key in ("name", "top", "sources", "input", "output") if key not in facts]
        reason = f"it lacks {', '.join(lacking)}" if lacking else "" if isinstance(facts, dict) else "it is no object"
    except (ValueError, TypeError) as error:
        reason = str(error)
    if reason:
        raise SimError(f"{path} is damaged ({reason}): run `signflow build` with --from generate")
    return facts


def _codes(images: np.ndarray, side: Mapping) -> np.ndarray:
    """Images as the codes the stream carries (BIPOLAR: -1 is 0); ValueError for wrong shape, type or range."""
    shape, dtype, bits = tuple(side["shape"]), side["dtype"], side["elem_bits"]
    if images.shape[1:] != shape or not len(images):
        raise ValueError(
            f"images of shape {list(images.shape)} do not fit: expected [N, {', '.join(map(str, shape))}], N > 0"
        )
    if not np.issubdtype(images.dtype, np.integer):
        raise ValueError(f"images are {images.dtype}: the hardware takes integers of type {dtype}")
    low, high = images.min(), images.max()
    if dtype == "BIPOLAR":
        if low < -1 or high > 1 or (images == 0).any():
            raise ValueError(
                f"images hold values other than -1 and +1 (range {low}..{high}), as BIPOLAR input must not"
            )
        return (images > 0).astype(np.uint8)
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.startswith("INT") else (0, (1 << bits) - 1)
    if low < least or high > most:
        raise ValueError(f"images range over {low}..{high}: {dtype} input holds {least}..{most}")
    return images


def _together(
    models: list[StreamModel], calls: list[Callable[[], StreamRun]], report: Callable[[], None]
) -> tuple[list[StreamRun], float]:
    """Run one call per model at once; an error or an interruption stops all. Returns the runs and the wall time."""
    start = time.perf_counter()
    with ThreadPoolExecutor(len(calls)) as pool:
        tasks = [pool.submit(call) for call in calls]
        try:
            pending = set(tasks)
            while pending and not any(task.done() and task.exception() for task in tasks):
                pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION).not_done
                report()
        finally:
            for model in models:
                model.stop()
        failed = [task for task in tasks if task.done() and task.exception()]
        runs = [task.result() for task in failed[:1] or tasks]
    return runs, time.perf_counter() - start
