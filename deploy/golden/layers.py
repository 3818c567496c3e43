"""The layers of an integer graph, packed for the interpreter of `signflow.deploy.golden.intgraph`.

    nodes                                              layer
    the image; with a MultiThreshold alone behind it   image; Thresholding_sf
    [Im2Col or Flatten], MatMul or XnorPopcountMatMul  MVAU_sf, with a Window, or a MultiThreshold of at most two steps,
                                                       where nothing else reads the product
    [Mul by signs], MultiThreshold; Window             Thresholding_sf
    MaxPoolNHWC, ReduceSum, Add, TopK                  MaxPool_sf, AccPool_sf, Add_sf, LabelSelect_sf

Maps of integers are floats, exact up to `EXACT`; every layer's reach is followed from the pixels on, from the real
weights, and a layer that may leave that range is refused.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.golden.pack import COUNT, PLAIN, STEP, WINDOW, WORD, Steps, pack_bits, pack_floats, pack_steps

TABLE, SUM, POPCOUNT, POOL, ARGMAX, THRESHOLD, TOTAL, ADD = range(8)
EXACT = 2**24
PRODUCTS = ("MatMul", "XnorPopcountMatMul")
THRESHOLDS = ("MultiThreshold", "Window")
PIXEL = (1, 1, 1, 1)


@dataclass
class Layer:
    """One layer of the program."""

    kind: int
    shape: tuple[int, int, int]
    """(height, width, channels) of its output."""
    bits: bool
    """Its output holds bits (0 and 1), else integers."""
    reads: tuple[int, ...]
    """Positions in the program of the layers that it reads; the image reads none."""
    reach: tuple[int, int]
    """(smallest, largest) number that its output can hold, or wider."""
    entries: dict = field(default_factory=dict)
    """Numbers and arrays for the C++ side."""
    name: str = ""
    """As the hardware graph names the node; ``image`` for the image itself."""


@dataclass(frozen=True)
class View:
    """A tensor: the map of a layer as the next node reads it."""

    layer: int
    shape: tuple[int, int, int]
    window: tuple[int, int, int, int] = PIXEL
    """Height, width and strides of the window that a product reads: an Im2Col's, or behind a Flatten the whole map."""
    signs: np.ndarray | None = None
    """+-1 (channels,): factor in front of a MultiThreshold."""


class Builder:
    """Walks an integer graph in topological order and packs it."""

    def __init__(self, model: ModelWrapper, image: ImageInput):
        self.model, self.image = model, image
        self.done: list[Layer] = []
        self.counts: dict[str, int] = {}
        self.views: dict[str, View] = {}

    def layers(self) -> list[Layer]:
        """The layers in order; the last one holds the graph's output. Raises UnsupportedError for what is no integer
        graph.
        """
        rules = {
            **dict.fromkeys(PRODUCTS, self._product),
            **dict.fromkeys(THRESHOLDS, self._threshold),
            "Im2Col": self._window,
            "Flatten": self._flatten,
            "Mul": self._signs,
            "MaxPoolNHWC": self._pool,
            "ReduceSum": self._total,
            "Add": self._join,
            "TopK": self._argmax,
        }
        self._image()
        for node in self.model.graph.node:
            if node.output[0] in self.views:
                continue  # belongs to the layer before
            view = self.views.get(node.input[0]) if node.input else None
            if node.op_type not in rules or view is None:
                raise refuse(
                    node, "it is no node of an integer graph", "graphs from signflow.deploy.compile.streamline"
                )
            if view.window != PIXEL and node.op_type not in PRODUCTS:
                raise refuse(node, "it reads windows, or a flattened map of bits", "products there")
            if view.signs is not None and node.op_type != "MultiThreshold":
                raise refuse(node, "it reads a product with signs", "Mul by signs in front of a MultiThreshold")
            rules[node.op_type](node, view)
        return self.done[: self.views[self.model.graph.output[0].name].layer + 1]

    def _add(self, node: NodeProto | None, operator: str, layer: Layer, view: View) -> None:
        """Append ``layer``, whose first input is ``view``, as what ``node`` gives; its name is made here."""
        number = self.counts.get(operator, 0)
        self.counts[operator] = number + 1
        height, width, channels = view.shape
        packed = bool(layer.reads) and self.done[view.layer].bits
        stride = -(-channels // WORD) if packed else channels
        more = {"in_h": height, "in_w": width, "in_c": channels, "in_stride": stride}
        if node is not None:
            self._check_exact(node, layer.reach)
        name = f"{operator}_sf_{number}" if operator else "image"
        self.done.append(replace(layer, name=name, entries=layer.entries | more))
        for tensor in node.output if node is not None else ():
            self.views[tensor] = View(len(self.done) - 1, layer.shape)

    @staticmethod
    def _check_exact(node: NodeProto, reach: tuple[int, int]) -> None:
        if max(-reach[0], reach[1]) > EXACT:
            raise refuse(node, f"it can reach {max(reach, key=abs)}", f"numbers up to {EXACT}, exact in float32")

    def _steps(self, node: NodeProto | None) -> Steps | None:
        """What the threshold ``node`` does; None without one."""
        if node is None:
            return None
        thresholds = self.model.get_initializer(node.input[1])
        if node.op_type == "Window":
            wrong = thresholds if thresholds.shape[1] != 2 else thresholds[thresholds[:, 0] > thresholds[:, 1]]
            if len(wrong):
                raise refuse(node, f"its thresholds are {wrong[0].tolist()}", "pairs T1 <= T2")
            return Steps(thresholds, WINDOW)
        op, count = getCustomOp(node), thresholds.shape[1]
        scale, bias = op.get_nodeattr("out_scale"), int(op.get_nodeattr("out_bias"))
        binary = op.get_nodeattr("out_dtype") == "BINARY"
        if scale != 1 or (binary and (count, bias) != (1, 0)):
            reason = f"{count} steps give {op.get_nodeattr('out_dtype')}, scale {scale:g}, bias {bias}"
            raise refuse(node, reason, "scale 1; BINARY from one step with bias 0, or from a Window")
        return Steps(np.sort(thresholds, axis=1), STEP if binary else COUNT, bias)

    def _reader(self, tensor: str) -> NodeProto | None:
        """The only node that reads ``tensor``; None if there are several, or if it is the graph's output."""
        readers = [node for node in self.model.graph.node if tensor in node.input]
        outputs = [out.name for out in self.model.graph.output]
        return readers[0] if len(readers) == 1 and tensor not in outputs else None

    def _image(self) -> None:
        """Pixels as they are, or as the input's threshold makes them, from a table over the 256 values of a byte."""
        name = self.model.graph.input[0].name
        shape = self.model.get_tensor_shape(name)
        shape = tuple(shape[1:]) if len(shape) == 4 else (1, 1, shape[1])
        byte = np.arange(256, dtype=np.uint8)
        pixel = (byte.view(np.int8) if image_kind(self.image.kind).low < 0 else byte).astype(np.int64)
        stream = (pixel + 1) // 2 if self.image.binary else pixel
        table, bits = stream[None, :], self.image.binary
        reader = self._reader(name)
        threshold = reader if reader is not None and reader.op_type == "MultiThreshold" else None
        steps = self._steps(threshold)
        if steps is not None:
            table, bits = np.stack([np.searchsorted(row, stream, side="right") for row in steps.thresholds]), steps.bits
            table += steps.bias
        order = np.arange(int(np.prod(self.image.shape)), dtype=np.int32)
        if self.image.order == "NHWC":
            order = np.ascontiguousarray(order.reshape(self.image.shape).transpose(1, 2, 0)).reshape(-1)
        entries = {"table": np.ascontiguousarray(table, dtype=np.float32), "rows": len(table), "order": order}
        layer = Layer(TABLE, shape, bits, (), (int(table.min()), int(table.max())), entries)
        self._add(threshold, "Thresholding" if threshold is not None else "", layer, View(0, shape))
        self.views[name] = View(0, shape)

    def _product(self, node: NodeProto, view: View) -> None:
        weights, source = self.model.get_initializer(node.input[1]), self.done[view.layer]
        xnor = node.op_type == "XnorPopcountMatMul"
        if xnor != source.bits:
            reads = "bits" if source.bits else "integers"
            raise refuse(node, f"it reads {reads}", "XnorPopcountMatMul on bits, MatMul on integers")
        largest = len(weights)
        if not xnor:  # of every partial sum, too
            largest = int(np.abs(weights).sum(axis=0).max()) * max(-source.reach[0], source.reach[1])
        self._check_exact(node, (0, largest))
        fused = self._reader(node.output[0])
        steps = self._steps(fused if fused is not None and fused.op_type in THRESHOLDS else None)
        if steps is None or steps.thresholds.shape[1] > 2:
            fused, steps = node, Steps(np.empty((1, 0)), PLAIN)
        height, width, channels = view.shape
        kernel_h, kernel_w, stride_h, stride_w = view.window
        shape = ((height - kernel_h) // stride_h + 1, (width - kernel_w) // stride_w + 1, weights.shape[1])
        entries = (pack_bits if xnor else pack_floats)(weights, steps, kernel_h * kernel_w, channels)
        entries |= {"kernel_h": kernel_h, "kernel_w": kernel_w, "stride_h": stride_h, "stride_w": stride_w}
        entries |= {"fan_in": len(weights), "form": steps.form, "bias": steps.bias}
        reach = steps.reach((0 if xnor else -largest, largest))
        kind = POPCOUNT if xnor else SUM
        self._add(fused, "MVAU", Layer(kind, shape, steps.bits, (view.layer,), reach, entries), view)
        self.views[node.output[0]] = self.views[fused.output[0]]

    def _threshold(self, node: NodeProto, view: View) -> None:
        steps = self._steps(node)
        entries = pack_steps(steps, view.signs, view.shape[2]) | {"form": steps.form, "bias": steps.bias}
        reach = steps.reach((0, 0))
        self._add(node, "Thresholding", Layer(THRESHOLD, view.shape, steps.bits, (view.layer,), reach, entries), view)

    def _window(self, node: NodeProto, view: View) -> None:
        op = getCustomOp(node)
        if any(op.get_nodeattr("pad_amount")):
            raise refuse(node, f"padding {op.get_nodeattr('pad_amount')}", "windows without padding")
        window = (*op.get_nodeattr("kernel_size"), *op.get_nodeattr("stride"))
        self.views[node.output[0]] = replace(view, window=window)

    def _flatten(self, node: NodeProto, view: View) -> None:
        """Numbers lie side by side; bits do not, but a product can read all pixels as one window."""
        height, width, channels = view.shape
        if self.done[view.layer].bits and (height, width) != (1, 1):
            self.views[node.output[0]] = replace(view, window=(height, width, 1, 1))
        else:
            self.views[node.output[0]] = replace(view, shape=(1, 1, height * width * channels))

    def _signs(self, node: NodeProto, view: View) -> None:
        signs = self.model.get_initializer(node.input[1])
        if signs is None or (np.abs(signs) != 1).any() or signs.size not in (1, view.shape[2]):
            raise refuse(node, "its factor is no sign for each channel", "Mul by +-1 (channels,)")
        self.views[node.output[0]] = replace(view, signs=signs.ravel())

    def _pool(self, node: NodeProto, view: View) -> None:
        op, (height, width, channels) = getCustomOp(node), view.shape
        (kernel_h, kernel_w), (stride_h, stride_w) = op.get_nodeattr("kernel_shape"), op.get_nodeattr("strides")
        source, shape = self.done[view.layer], ((height - kernel_h) // stride_h + 1, (width - kernel_w) // stride_w + 1)
        entries = {"kernel_h": kernel_h, "kernel_w": kernel_w, "stride_h": stride_h, "stride_w": stride_w}
        layer = Layer(POOL, (*shape, channels), source.bits, (view.layer,), source.reach, entries)
        self._add(node, "MaxPool", layer, view)

    def _total(self, node: NodeProto, view: View) -> None:
        axes, (height, width, channels) = self.model.get_initializer(node.input[1]), view.shape
        keep = next((a.i for a in node.attribute if a.name == "keepdims"), 1)
        if axes is None or sorted(axes.tolist()) != [1, 2] or keep:
            raise refuse(node, "it does not sum each channel", "ReduceSum over axes 1 and 2 with keepdims = 0")
        low, high = self.done[view.layer].reach
        reach = (low * height * width, high * height * width)
        self._add(node, "AccPool", Layer(TOTAL, (1, 1, channels), False, (view.layer,), reach), view)

    def _join(self, node: NodeProto, view: View) -> None:
        other = self.views.get(node.input[1])
        if other is None:
            raise refuse(node, "it adds a constant", "sums of two computed maps")
        if other.shape != view.shape and view.shape[:2] == (1, 1):
            view, other = other, view
        if other.shape not in (view.shape, (1, 1, view.shape[2])) or other.window != PIXEL or other.signs is not None:
            raise refuse(node, f"it adds {view.shape} and {other.shape}", "maps of one shape, or map and vector")
        one, two = (self.done[v.layer].reach for v in (view, other))
        layer = Layer(ADD, view.shape, False, (view.layer, other.layer), (one[0] + two[0], one[1] + two[1]))
        self._add(node, "Add", replace(layer, entries={"broadcast": other.shape != view.shape}), view)

    def _argmax(self, node: NodeProto, view: View) -> None:
        reach = (0, view.shape[2] - 1)
        self._add(node, "LabelSelect", Layer(ARGMAX, (1, 1, 1), False, (view.layer,), reach), view)
