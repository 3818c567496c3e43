"""The golden program as data: what an operator of the integer graph tells the interpreter of
`signflow.deploy.golden.intgraph` to do. How the words of it lie in memory is golden's own.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

TABLE, SUM, POPCOUNT, POOL, ARGMAX, THRESHOLD, TOTAL, ADD, PLACE, LOOKUP, REQUANTISE = range(11)
"""`Layer.kind`; `Kind` of intgraph.h."""
PLAIN, STEP, COUNT, WINDOW = range(4)
"""`Steps.form`; `Form` of intgraph.h."""


@dataclass(frozen=True)
class Windows:
    """Windows of a map; every pair is (vertical, horizontal)."""

    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)

    def places(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """(height, width) of the places on a map of ``shape``."""
        axes = zip(shape[:2], self.kernel, self.stride, self.dilation, strict=True)
        return tuple((side - dilation * (k - 1) - 1) // stride + 1 for side, k, stride, dilation in axes)

    @property
    def entries(self) -> dict[str, int]:
        """The entries of a layer that reads them."""
        sizes = {"kernel": self.kernel, "stride": self.stride, "dilation": self.dilation}
        return {f"{name}_{axis}": pair[i] for name, pair in sizes.items() for i, axis in enumerate("hw")}


PIXEL = Windows()
"""Every pixel alone."""


@dataclass(frozen=True)
class Steps:
    """What is stored of a number x."""

    thresholds: np.ndarray
    """(channels or 1, steps), ascending."""
    form: int
    """PLAIN x, STEP [x >= T], COUNT of thresholds at or below x, WINDOW [x < T1 or x >= T2]."""
    bias: int = 0
    """What COUNT 0 is stored as."""

    @property
    def bits(self) -> bool:
        """The output holds bits."""
        return self.form in (STEP, WINDOW)

    def by_channel(self, channels: int) -> np.ndarray:
        """Thresholds (channels, steps)."""
        return np.broadcast_to(self.thresholds, (channels, self.thresholds.shape[1]))


NOTHING = Steps(np.empty((1, 0)), PLAIN)
"""The number itself is stored."""


@dataclass(frozen=True)
class Layer:
    """One layer of the program."""

    kind: int
    shape: tuple[int, int, int]
    """(height, width, channels) of its output."""
    bits: bool
    """Its output holds bits (0 and 1), else integers."""
    reads: tuple[int, ...]
    """Positions in the program of the layers that it reads; the image reads none."""
    steps: Steps = NOTHING
    """What is stored of its numbers."""
    weights: np.ndarray | None = None
    """Of a product: (inputs, outputs)."""
    signs: np.ndarray | None = None
    """+-1 (channels,): factor in front of ``steps``."""
    entries: dict = field(default_factory=dict)
    """Further numbers and arrays for the C++ side, by the names of intgraph.h."""
    zeros: tuple[int, ...] | None = None
    """Of a product of bits: [top, left, bottom, right] of its input where the number 0 lies, not a bit."""
    name: str = ""
    """As the hardware graph names the node; what is no node there is named ``image``, ``Border_0``, ..."""


@dataclass(frozen=True)
class View:
    """A tensor: the map of a layer as the next node reads it."""

    layer: int
    shape: tuple[int, int, int]
    window: Windows = PIXEL
    """What a product reads: an Im2Col's windows, or behind a Flatten of bits the whole map as one."""
    signs: np.ndarray | None = None
    """+-1 (channels,): factor in front of a MultiThreshold."""
    zeros: tuple[int, ...] | None = None
    """[top, left, bottom, right] of a map of bits where the number 0 lies; the layer's map has the bit 0 there."""


class Program:
    """Layers, and where the tensors of ``model``, an integer graph, lie in them."""

    def __init__(self, model: ModelWrapper):
        self.model = model
        self.done: list[Layer] = []
        self.views: dict[str, View] = {}
        self._counts: dict[str, int] = {}

    def reader(self, tensor: str) -> NodeProto | None:
        """The only node that reads ``tensor``; None if there are several, or if it is the graph's output."""
        readers = [node for node in self.model.graph.node if tensor in node.input]
        outputs = [out.name for out in self.model.graph.output]
        return readers[0] if len(readers) == 1 and tensor not in outputs else None

    def source(self, view: View) -> Layer:
        """The layer whose map a view is."""
        return self.done[view.layer]

    def add(self, node: NodeProto | None, hardware: str, layer: Layer, view: View) -> None:
        """Append ``layer``, whose first input is ``view``, as what ``node`` gives; it is named after its ``hardware``
        operator, or after the node itself where that is "".
        """
        height, width, channels = view.shape
        more = {"in_h": height, "in_w": width, "in_c": channels}
        name = self._name(f"{hardware}_sf" if hardware else node.op_type) if node is not None else "image"
        self.done.append(replace(layer, name=name, entries=layer.entries | more))
        for tensor in node.output if node is not None else ():
            self.views[tensor] = View(len(self.done) - 1, layer.shape)

    def _name(self, kind: str) -> str:
        number = self._counts.get(kind, 0)
        self._counts[kind] = number + 1
        return f"{kind}_{number}"
