"""The integer graph as a program: bit-packed XNOR-popcount C++ behind ``f(images) -> integers``.

`IntGraph` turns a streamlined graph (`signflow.deploy.streamline`) into a table of layers for the interpreter in
``intgraph.cpp``. It is the golden model of the hardware: the same integers at every node, without any of its RTL, and
about a thousand times faster than running the graph node by node. Its intermediate maps can be read by name, which is
how `verify` finds the first node, channel and pixel that differs.

Layers are named like the nodes of the hardware graph (`signflow.deploy.lower`): ``MVAU_sf_0``, ``MaxPool_sf_0``,
``Thresholding_sf_0``, ``LabelSelect_sf_0``.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.images import ImageInput, image_kind
from signflow.deploy.passes.errors import refuse
from signflow.hw.sim.toolchain import SimError, cached, cxx, digest

SOURCE = Path(__file__).with_name("intgraph.cpp")
OPTIONS = ["-O3", "-march=native", "-std=c++17", "-shared", "-fPIC", "-fno-strict-aliasing", "-Wall", "-Wextra"]
TABLE, SUM, POPCOUNT, POOL, ARGMAX = range(5)
LANES, FLOAT_LANES, WORD = 16, 32, 64
SHARE = 64
"""Images of one call into the library: small enough for progress and threads, large enough to cost nothing."""


class _Layer(ctypes.Structure):
    """`Layer` of intgraph.cpp."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("kind", "bits", "in_h", "in_w", "in_c", "out_h", "out_w", "out_c")),
        *((name, ctypes.c_int32) for name in ("kernel_h", "kernel_w", "stride_h", "stride_w")),
        *((name, ctypes.c_int32) for name in ("in_stride", "out_stride", "rows", "fan_in")),
        *((name, ctypes.c_void_p) for name in ("weights", "limits", "table", "order")),
    ]


@dataclass
class Layer:
    """One layer of the program."""

    name: str
    """As the hardware graph names the node."""
    kind: int
    shape: tuple[int, int, int]
    """(height, width, channels) of its output."""
    bits: bool
    """Its output holds bits (0 and 1), else integers."""
    entries: dict = field(default_factory=dict)
    """Numbers and arrays for the C++ side."""


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

    key = digest(SOURCE.read_bytes(), " ".join(OPTIONS), cxx(), probe.stdout)
    loaded = ctypes.CDLL(str(cached("intgraph", key, build) / "intgraph.so"))
    pointer, int32, int64 = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64
    loaded.signflow_run.argtypes = [pointer, int32, pointer, int64, int64, pointer]
    loaded.signflow_run.restype = None
    return loaded


class IntGraph:
    """``graph(images)`` = the integers that the accelerator gives."""

    def __init__(self, model: ModelWrapper):
        """``model``: integer graph from `signflow.deploy.streamline`; raises UnsupportedError for a node that is none
        of its.
        """
        self.image = ImageInput.of(model)
        self.layers: list[Layer] = Builder(model, self.image).layers()
        self._structs = (_Layer * len(self.layers))(*(_struct(layer) for layer in self.layers))

    def __call__(
        self, images: np.ndarray, threads: int = 1, progress: Callable[[int], None] = lambda _: None
    ) -> np.ndarray:
        """``images`` (N, *image shape) integers -> int64 (N, outputs). ``progress`` gets the number of images done."""
        return self._run(images, len(self.layers), threads, progress)[:, 0, 0]

    def maps(self, images: np.ndarray, layer: str, threads: int = 1) -> np.ndarray:
        """Output of the layer named ``layer``: int64 (N, height, width, channels). Raises ValueError that lists the
        names.
        """
        names = [one.name for one in self.layers]
        if layer not in names:
            raise ValueError(f"no layer {layer!r}; the layers are {', '.join(names)}")
        return self._run(images, names.index(layer) + 1, threads, lambda _: None)

    def _run(self, images: np.ndarray, count: int, threads: int, progress: Callable[[int], None]) -> np.ndarray:
        kind = image_kind(self.image.kind)
        pixels = self.image.check(images).astype(np.int8 if kind.low < 0 else np.uint8, copy=False).view(np.uint8)
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


def _struct(layer: Layer) -> _Layer:
    """The C++ side's view; the layer keeps the arrays alive."""
    height, width, channels = layer.shape
    numbers = {k: v for k, v in layer.entries.items() if not isinstance(v, np.ndarray)}
    arrays = {k: v.ctypes.data for k, v in layer.entries.items() if isinstance(v, np.ndarray)}
    stride = -(-channels // WORD) if layer.bits else channels
    return _Layer(
        kind=layer.kind,
        bits=layer.bits,
        out_h=height,
        out_w=width,
        out_c=channels,
        out_stride=stride,
        **numbers,
        **arrays,
    )


class Builder:
    """Walks the chain of an integer graph and packs it."""

    def __init__(self, model: ModelWrapper, image: ImageInput):
        self.model, self.image = model, image
        self.done: list[Layer] = []
        self.counts: dict[str, int] = {}
        shape = model.get_tensor_shape(model.graph.input[0].name)
        self.shape = tuple(shape[1:]) if len(shape) == 4 else (1, 1, shape[1])
        self.bits = image.binary
        self.window = (1, 1, 1, 1)

    def layers(self) -> list[Layer]:
        """All layers in order."""
        nodes = list(self.model.graph.node)
        start = 1 if nodes[0].op_type == "MultiThreshold" else 0
        self._image(nodes[0] if start else None)
        i = start
        while i < len(nodes):
            node = nodes[i]
            follower = nodes[i + 1] if i + 1 < len(nodes) else None
            if node.op_type in ("MatMul", "XnorPopcountMatMul"):
                fused = follower if follower is not None and follower.op_type == "MultiThreshold" else None
                self._product(node, fused)
                i += 1 if fused is not None else 0
            else:
                self._other(node)
            i += 1
        return self.done

    def _add(self, operator: str, layer_kind: int, shape: tuple[int, int, int], bits: bool, **entries) -> None:
        number = self.counts.get(operator, 0)
        self.counts[operator] = number + 1
        height, width, channels = self.shape
        stride = -(-channels // WORD) if self.bits else channels
        entries |= {"in_h": height, "in_w": width, "in_c": channels, "in_stride": stride}
        name = f"{operator}_sf_{number}" if operator else "image"
        self.done.append(Layer(name, layer_kind, shape, bits, entries))
        self.shape, self.bits = shape, bits

    def _image(self, threshold) -> None:
        """Pixels as they are, or as the input's threshold makes them, from a table over the 256 values of a byte."""
        kind = image_kind(self.image.kind)
        byte = np.arange(256, dtype=np.uint8)
        pixel = (byte.view(np.int8) if kind.low < 0 else byte).astype(np.int64)
        stream = (pixel + 1) // 2 if self.image.binary else pixel
        table, bits = stream[None, :], self.image.binary
        if threshold is not None:
            from qonnx.custom_op.registry import getCustomOp

            steps = self.model.get_initializer(threshold.input[1])
            bias = int(getCustomOp(threshold).get_nodeattr("out_bias"))
            table = np.stack([np.searchsorted(row, stream, side="right") + bias for row in steps])
            bits = self.model.get_tensor_datatype(threshold.output[0]).name == "BINARY"
        order = np.arange(int(np.prod(self.image.shape)), dtype=np.int32)
        if self.image.order == "NHWC":
            order = np.ascontiguousarray(order.reshape(self.image.shape).transpose(1, 2, 0)).reshape(-1)
        entries = {"table": np.ascontiguousarray(table, dtype=np.float32), "rows": len(table), "order": order}
        self._add("Thresholding" if threshold is not None else "", TABLE, self.shape, bits, **entries)

    def _product(self, node, threshold) -> None:
        weights = self.model.get_initializer(node.input[1])
        xnor = node.op_type == "XnorPopcountMatMul"
        if xnor != self.bits:
            raise refuse(
                node,
                f"it reads {'bits' if self.bits else 'integers'}",
                "XnorPopcountMatMul on bits, MatMul on integers",
            )
        steps = None if threshold is None else self.model.get_initializer(threshold.input[1])[:, 0]
        kernel_h, kernel_w, stride_h, stride_w = self._kernel(len(weights))
        height, width, _ = self.shape
        shape = ((height - kernel_h) // stride_h + 1, (width - kernel_w) // stride_w + 1, weights.shape[1])
        pack = _pack_bits if xnor else _pack_floats
        entries = pack(weights, steps, kernel_h * kernel_w, self.shape[2])
        entries |= {
            "kernel_h": kernel_h,
            "kernel_w": kernel_w,
            "stride_h": stride_h,
            "stride_w": stride_w,
            "fan_in": len(weights),
        }
        self._add("MVAU", POPCOUNT if xnor else SUM, shape, threshold is not None, **entries)
        self.window = (1, 1, 1, 1)

    def _kernel(self, fan_in: int) -> tuple[int, int, int, int]:
        """(height, width, strides) of the next product's window: an Im2Col's, one pixel, or, behind a Flatten, the
        whole map.
        """
        height, width, channels = self.shape
        if self.window == (1, 1, 1, 1) and fan_in == height * width * channels:
            return height, width, 1, 1
        return self.window

    def _other(self, node) -> None:
        from qonnx.custom_op.registry import getCustomOp

        height, width, channels = self.shape
        if node.op_type == "Im2Col":
            op = getCustomOp(node)
            self.window = (*op.get_nodeattr("kernel_size"), *op.get_nodeattr("stride"))
            self.counts["ConvolutionInputGenerator"] = self.counts.get("ConvolutionInputGenerator", 0) + 1
        elif node.op_type == "MaxPoolNHWC" and self.bits:
            kernel_h, kernel_w = getCustomOp(node).get_nodeattr("kernel_shape")
            entries = {"kernel_h": kernel_h, "kernel_w": kernel_w, "stride_h": kernel_h, "stride_w": kernel_w}
            self._add("MaxPool", POOL, (height // kernel_h, width // kernel_w, channels), True, **entries)
        elif node.op_type == "TopK":
            self._add("LabelSelect", ARGMAX, (1, 1, 1), False)
        elif node.op_type != "Flatten":
            raise refuse(node, "it is no node of an integer graph", "graphs from signflow.deploy.streamline")


def _blocks(padded: np.ndarray, lanes: int) -> np.ndarray:
    """(positions, channels) -> contiguous [block][position][lane]."""
    return np.ascontiguousarray(padded.reshape(len(padded), -1, lanes).transpose(1, 0, 2))


def _pack_bits(weights: np.ndarray, steps: np.ndarray | None, pixels: int, channels: int) -> dict:
    """Weights {0, 1} (pixels * channels, outputs) as words; bit = [popcount of equal bits >= step] = [differing <= K -
    step].
    """
    fan_in, outputs = weights.shape
    words, padded = -(-channels // WORD), -(-outputs // LANES) * LANES
    bits = np.zeros((pixels, words * WORD, padded), dtype=np.uint8)
    bits[:, :channels, :outputs] = weights.reshape(pixels, channels, outputs)
    packed = np.packbits(bits.reshape(pixels * words, WORD, padded), axis=1, bitorder="little")
    packed = np.ascontiguousarray(packed.transpose(0, 2, 1)).view("<u8")[:, :, 0]
    limits = np.full(padded, -1, dtype=np.int64)
    if steps is not None:
        limits[:outputs] = fan_in - np.rint(np.broadcast_to(steps, (outputs,))).astype(np.int64)
    return {"weights": _blocks(packed, LANES), "limits": limits}


def _pack_floats(weights: np.ndarray, steps: np.ndarray | None, pixels: int, channels: int) -> dict:
    """Weights +-1 (pixels * channels, outputs) as floats; bit = [sum >= step]."""
    fan_in, outputs = weights.shape
    padded = -(-outputs // FLOAT_LANES) * FLOAT_LANES
    wide = np.zeros((fan_in, padded), dtype=np.float32)
    wide[:, :outputs] = weights
    limits = np.full(padded, np.inf, dtype=np.float32)
    if steps is not None:
        limits[:outputs] = steps
    return {"weights": _blocks(wide, FLOAT_LANES), "limits": limits}
