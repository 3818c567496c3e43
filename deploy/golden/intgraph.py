"""The integer graph as a program: bit-packed XNOR-popcount C++ behind ``f(images) -> integers``.

`IntGraph` turns a streamlined graph (`signflow.deploy.compile.streamline`) into a table of layers for the interpreter
in ``intgraph.cpp``. It is the golden model of the hardware: the same integers at every node, without any of its RTL,
and about a thousand times faster than running the graph node by node. Its intermediate maps can be read by name, which
is how `verify` finds the first node, channel and pixel that differs.

Layers are named like the nodes of the hardware graph (`signflow.deploy.compile.lower`): ``MVAU_sf_0``,
``MaxPool_sf_0``, ``Thresholding_sf_0``, ``AccPool_sf_0``, ``Add_sf_0``, ``LabelSelect_sf_0``, ...;
`signflow.deploy.golden.layers` has the list.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.dialect.program import Layer
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.golden.layers import program_of
from signflow.deploy.golden.pack import WORD
from signflow.hw.sim.toolchain import SimError, cached, cxx, digest

SOURCE = Path(__file__).with_name("intgraph.cpp")
HEADERS = [SOURCE.with_name("intgraph.h"), SOURCE.with_name("products.h")]
OPTIONS = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fno-strict-aliasing", "-Wall", "-Wextra"]
SHARE = 64
"""Images of one call into the library: small enough for progress and threads, large enough to cost nothing."""


class _Layer(ctypes.Structure):
    """`Layer` of intgraph.h."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("kind", "form", "source", "other", "slot", "bits")),
        *((name, ctypes.c_int32) for name in ("in_h", "in_w", "in_c", "out_h", "out_w", "out_c")),
        *(
            (name, ctypes.c_int32)
            for name in (
                *("kernel_h", "kernel_w", "stride_h", "stride_w", "dilation_h", "dilation_w"),
                *("in_stride", "out_stride", "top", "left", "before"),
                *("rows", "columns", "fan_in", "bias", "broadcast", "shift", "other_shift", "low", "high"),
            )
        ),
        *(
            (name, ctypes.c_void_p)
            for name in ("weights", "limits", "signs", "table", "order", "zeros", "kinds", "factors", "offsets")
        ),
    ]


@cache
def library() -> ctypes.CDLL:
    """The compiled interpreter (a few seconds the first time on a machine); ToolMissingError without a C++ compiler."""
    probe = subprocess.run(
        [cxx(), "-march=native", "-E", "-dM", "-x", "c++", os.devnull], capture_output=True, text=True
    )

    def build(folder: Path) -> None:
        command = [cxx(), *OPTIONS, str(SOURCE), "-o", str(folder / "intgraph.so")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SimError(f"{cxx()} does not compile {SOURCE.name}:\n{done.stderr[:2000]}")

    key = digest(*(path.read_bytes() for path in (SOURCE, *HEADERS)), " ".join(OPTIONS), cxx(), probe.stdout)
    loaded = ctypes.CDLL(str(cached("intgraph", key, build) / "intgraph.so"))
    pointer, int32, int64 = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
    loaded.signflow_run.argtypes = [pointer, int32, pointer, int64, int64, pointer]
    loaded.signflow_run.restype = None
    return loaded


class IntGraph:
    """``graph(images)`` = the integers that the accelerator gives."""

    def __init__(self, model: ModelWrapper):
        """``model``: integer graph from `signflow.deploy.compile.streamline`; raises UnsupportedError for a node that
        is none of its.
        """
        self.image = ImageInput.of(model)
        program = program_of(model, self.image)
        self.layers: list[Layer] = program.done[: program.views[model.graph.output[0].name].layer + 1]
        """The last one holds the graph's output."""
        self.layer_of = {tensor: program.done[view.layer].name for tensor, view in program.views.items()}
        """Tensor of the integer graph -> name of the layer whose map it is."""
        slots = _slots(self.layers)
        self._structs = (_Layer * len(slots))(*map(_struct, self.layers, slots))

    def __call__(
        self, images: np.ndarray, threads: int = 1, progress: Callable[[int], None] = lambda _: None
    ) -> np.ndarray:
        """``images`` (N, *image shape) integers -> int64 (N, outputs). ``progress`` gets the number of images done."""
        maps = self._run(images, len(self.layers), threads, progress)
        return maps.reshape(len(maps), int(np.prod(maps.shape[1:])))

    def maps(self, images: np.ndarray, layer: str, threads: int = 1) -> np.ndarray:
        """Output of the layer named ``layer``: int64 (N, height, width, channels). Raises ValueError that lists the
        names.
        """
        names = [one.name for one in self.layers]
        if layer not in names:
            raise ValueError(f"no layer {layer!r}; the layers are {', '.join(names)}")
        return self._run(images, names.index(layer) + 1, threads, lambda _: None)

    def _run(self, images: np.ndarray, count: int, threads: int, progress: Callable[[int], None]) -> np.ndarray:
        pixels = self.image.check(images).astype(np.uint8, copy=False)  # of negative ones the same bits
        pixels = np.ascontiguousarray(pixels.reshape(len(pixels), int(np.prod(self.image.shape))))
        out = np.empty((len(pixels), *self.layers[count - 1].shape), dtype=np.int64)
        run, size = library().signflow_run, pixels.shape[1]

        def share(first: int) -> int:
            part, target = pixels[first : first + SHARE], out[first : first + SHARE]
            run(self._structs, count, part.ctypes.data, len(part), size, target.ctypes.data)
            return len(part)

        done, starts = 0, range(0, len(pixels), SHARE)
        with ThreadPoolExecutor(max(1, threads)) as pool:
            for n in pool.map(share, starts) if threads > 1 else map(share, starts):
                done += n
                progress(done)
        return out


def _slots(layers: list[Layer]) -> list[int]:
    """Where every layer's map goes: a slot is used again when the last reader of its map has run."""
    last = {source: i for i, layer in enumerate(layers) for source in layer.reads}
    free, slots = [], []
    for i, layer in enumerate(layers):
        slots.append(free.pop() if free else max(slots, default=-1) + 1)
        free += [slots[source] for source in set(layer.reads) if last[source] == i]
    return slots


def _struct(layer: Layer, slot: int) -> _Layer:
    """The C++ side's view; the layer keeps the arrays alive."""
    height, width, channels = layer.shape
    numbers = {k: v for k, v in layer.entries.items() if not isinstance(v, np.ndarray)}
    arrays = {k: v.ctypes.data for k, v in layer.entries.items() if isinstance(v, np.ndarray)}
    numbers |= dict(zip(("source", "other"), (*layer.reads, -1, -1), strict=False))
    return _Layer(
        kind=layer.kind,
        slot=slot,
        bits=layer.bits,
        out_h=height,
        out_w=width,
        out_c=channels,
        out_stride=-(-channels // WORD) if layer.bits else channels,
        **numbers,
        **arrays,
    )
