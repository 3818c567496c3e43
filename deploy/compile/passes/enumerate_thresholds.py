"""The heart of the compiler: everything between integers and the next quantiser becomes integer thresholds, by
enumeration.

For every region of the network (`regions`), its own nodes are run, in the arithmetic of the reference, on every integer
that it can start at (ranges from the real weights), per channel; where the result changes *is* the hardware
(`transitions` explains directions, windows and MaxPools). The input quantiser is enumerated over the values of a pixel
in the same way (`codes`). The part behind the last product is no quantiser's input: it is cut off into the recorded
head (`head`), and the graph ends with raw accumulators, or with the index of the largest one.

A sign becomes a bit: MultiThreshold, or Window where it changes twice. In front of MaxPools a window is a count of two
thresholds, and becomes a bit behind them. Where weights other than +-1 read it, the bit becomes -1 or +1 again. Any
other quantiser becomes a MultiThreshold behind the pools. So does what moves a threshold with the input (SD-BNN): there
is no special rule for it, only products, sums and quantisers.

Each sign is noted in the model (`Sign`): which product it belongs to, which tensor of the QONNX graph shows it, and
which channels are stored complemented.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.dialect.base import EXACT
from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.compile.passes.codes import read_image
from signflow.deploy.compile.passes.explain import refuse_steps
from signflow.deploy.compile.passes.head import make_head
from signflow.deploy.compile.passes.integer_graph import IntegerGraph, Tensor
from signflow.deploy.compile.passes.notes import notes_on, save_notes
from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.products import Feed, Product
from signflow.deploy.compile.passes.regions import Region, attribute, walk
from signflow.deploy.compile.passes.rounding import grain
from signflow.deploy.compile.passes.scales import grid, quantiser_scale, scale_and_offset
from signflow.deploy.compile.passes.transitions import Accumulators, CodeRule, code_rule, sign_rule
from signflow.deploy.compile.passes.truth import Truth, truth

SIGNS_KEY = "signflow.signs"


@dataclass(frozen=True)
class Sign:
    """One sign of the network, and where to find it again."""

    product: str
    """Node whose accumulators it reads, as the QONNX graph names it."""
    tensor: str
    """Tensor of the QONNX graph that holds it, pooled and flattened: +-magnitude."""
    integer: str
    """Tensor of the integer graph that holds its bits."""
    channels: list[int]
    """Channel of the network that each stored channel is: all, but for constant ones that were folded away."""
    complement: list[int]
    """Channels of the network that the hardware stores as the complement."""

    @staticmethod
    def of(model: ModelWrapper) -> list["Sign"]:
        """All signs noted in ``model``, in order."""
        return [Sign(**fields) for fields in json.loads(model.get_metadata_prop(SIGNS_KEY) or "[]")]


@dataclass
class _Source:
    """The integers that a region starts at."""

    numbers: Numbers
    product: Product | None
    reads: Tensor | None
    """What the product reads, ready for its weights."""
    tensor: Tensor | None
    """The integers themselves, for sums and joins."""
    popcount: int = 0
    """Fan-in K of a product of bits, whose tensor holds (K + n) / 2; else 0."""


Before = Callable[[ModelWrapper, Region, str, Numbers], None]


def enumerate_thresholds(model: ModelWrapper, before: Before = lambda *_: None) -> ModelWrapper:
    """The integer graph of a network (after `PlainProducts`). Raises UnsupportedError for what has no exact hardware.

    ``before(model, region, exit, reachable numbers)`` is called in front of every enumeration, and may change
    the constants of the region (`signflow.deploy.compile.passes.align`).
    """
    return _Enumeration(model, before).result


class _Enumeration:
    def __init__(self, model: ModelWrapper, before: Before):
        self.model, self.before = model, before
        self.feeds: dict[str, tuple[Tensor, Feed]] = {}
        self.signs: list[Sign] = []
        self.notes: list[str] = []
        image, *regions = walk(model)
        products = [region.node for region in regions if region.kind == "product"]
        self.products = {node.name: Product(model, node) for node in products}
        self.image = ImageInput.of(model)
        self._image(image)
        for region in regions:
            source = getattr(self, f"_{region.kind}")(region)
            if region.selector is not None or model.graph.output[0].name in region.exits:
                self.result = self._end(region, source)
            else:
                self._exits(region, source)

    # ---- where integers come from

    def _image(self, region: Region) -> None:
        """The input's scaling and quantiser."""
        kind, codes = image_kind(self.image.kind), read_image(self.model, region)
        shape, binary = self.image.shape, kind.datatype == "BIPOLAR"
        ((tensor, readers),) = region.exits.items()
        codes.bits = codes.signs and self._read_bits(readers)
        flat = len(shape) == 1 or all(node.op_type == "MatMul" for node in readers)
        stream = (int(np.prod(shape)),) if flat else (shape[1], shape[2], shape[0])
        self.graph = IntegerGraph(stream, "BINARY" if binary else kind.datatype)
        order = "NHWC" if not flat else "flat" if len(shape) == 3 else "NCHW"
        self.image = replace(self.image, binary=binary, order=order)
        steps, lowest = codes.thresholds(kind.pixels), int(codes.codes.min())
        if binary:  # the stream carries bits: -1, +1 and "never" become 0, 1 and 2
            steps = (steps + 2) // 2
            straight = codes.bits and (steps == 1).all()
        else:
            straight = (codes.codes == kind.pixels[:, None]).all()
        x = self.graph.image
        if not straight:
            rows = steps[:1] if (steps == steps[:1]).all() else np.repeat(steps, x.channels // len(steps), axis=0)
            x = self.graph.threshold(x, rows, 0 if codes.bits else lowest, codes.bits)
        self.feeds[tensor] = (x, codes.feed)

    def _product(self, region: Region) -> _Source:
        node, product = region.node, self.products[region.node.name]
        x, feed = self.feeds[node.input[0]]
        product.undo(feed)
        numbers = product.numbers(feed, self._bias(region))
        if node.op_type == "Conv":
            reads = self.graph.windows(x, product.weights.shape[2:], attribute(node, "strides", [1, 1]))
        else:
            if len(x.shape) == 3:  # features in front of a flatten run channel by channel, the stream pixel by pixel
                outputs = len(product.weights)
                moved = product.weights.reshape(outputs, x.channels, -1).transpose(0, 2, 1)
                product.weights = moved.reshape(outputs, -1)
            reads = self.graph.flatten(x)
        return _Source(numbers, product, reads, None, product.fan_in if feed.bits else 0)

    def _bias(self, region: Region) -> np.ndarray:
        """The layer's own, which `PlainProducts` split off under this name; empty without one."""
        first = region.nodes[0] if region.nodes else None
        if first is None or first.name != f"{region.node.name}_Add":
            return np.empty(0)
        return self.model.get_initializer(first.input[1]).reshape(-1)

    def _sum(self, region: Region) -> _Source:
        x, feed = self._plain(region.node, region.node.input[0])
        return _Source(feed.sums(region.node, x.positions), None, None, self.graph.total(x))

    def _join(self, region: Region) -> _Source:
        (x, a), (y, b) = (self._plain(region.node, name) for name in region.node.input)
        one, two = (list(self.model.get_tensor_shape(name)) for name in region.node.input)
        vectors = [shape for shape in (one, two) if set(shape[2:]) == {1}]  # added to every position of a map
        if len(one) != len(two) or (one != two and not vectors) or not (_alike(x, y) or (one != two and vectors)):
            reason = f"it adds tensors of shapes {one} and {two}"
            raise refuse(region.node, reason, "two maps or vectors of one shape, or a map and [1, channels, 1, 1]")
        if a.scale != b.scale or len(a.low) != len(b.low):
            reason = f"it adds multiples of {a.scale:.6g} ({len(a.low)} channels) and of {b.scale:.6g} ({len(b.low)})"
            raise refuse(region.node, reason, "results on the same grid, with equally many channels")
        if (a.largest + b.largest > min(a.grain, b.grain) * EXACT).any() or a.error or b.error:
            raise refuse(region.node, "float32 rounds its sums", "scales that are powers of two")
        reach = Accumulators(a.low + b.low, a.high + b.high, 1)
        scale, exact = np.full(len(a.low), a.scale), np.zeros(len(a.low))
        return _Source(Numbers(reach, scale, a.offsets + b.offsets, exact), None, None, self.graph.add(x, y))

    def _plain(self, node: NodeProto, tensor: str) -> tuple[Tensor, Feed]:
        x, feed = self.feeds[tensor]
        if feed.negated.any():
            channel = int(np.argmax(feed.negated))
            reason = f"it reads the image, whose quantiser falls with the pixel in channel {channel}"
            raise refuse(node, reason, "sums of results of layers, or of an image that rises with the pixel")
        return x, feed

    # ---- what becomes of them

    def _exits(self, region: Region, source: _Source) -> None:
        known: list[tuple[Truth, tuple[Tensor, Feed]]] = []
        joined_first = sorted(region.exits.items(), key=lambda item: all(node.op_type != "Add" for node in item[1]))
        for tensor, readers in joined_first:  # joins choose the grid, whoever reads the same numbers besides
            self.before(self.model, region, tensor, source.numbers)
            found = truth(self.model, region, tensor, source.numbers)
            same = [f for t, f in known if t.steps.same(found.steps) and len(t.pools) == len(found.pools)]
            if known and not same:
                reason = f"its results are quantised in {len(region.exits)} ways ({', '.join(region.exits)})"
                raise refuse(region.node, reason, "one quantiser behind a layer")
            if not same:
                self.notes += notes_on(region, tensor, source.numbers, found)
                known.append((found, self._quantise(region, source, found, readers, tensor)))
            self.feeds[tensor] = same[0] if same else known[0][1]

    def _quantise(
        self, region: Region, source: _Source, found: Truth, readers: list[NodeProto], tensor: str
    ) -> tuple[Tensor, Feed]:
        """One exit: a sign if it has two values -s and +s and only products read it, else codes."""
        values = np.unique(np.concatenate([found.steps.first, found.steps.value]))
        signs = np.unique(np.abs(values)).size == 1 and values[0] != 0
        if (found.in_front == -1).any() and source.product is None:
            raise refuse(region.node, "a MaxPool pools what falls with its result", "MaxPool over rising numbers")
        everyone = [node for nodes in region.exits.values() for node in nodes]
        if signs and all(node.name in self.products for node in everyone):
            bits = self._sign(region, source, found, tensor)
            return bits if self._read_bits(everyone) else self._numbers(*bits)
        scale, offset = quantiser_scale(self.model, region.path(tensor), values), 0.0
        joins = [node.op_type == "Add" for node in readers]
        stated = grid(self.model, region.path(tensor), values) if any(joins) else None
        if stated is not None and (all(joins) or stated[1] == 0):
            scale, offset = stated
        elif all(joins) and (exact := scale_and_offset(values)) is not None:
            scale, offset = exact
        if scale is None:
            shown = ", ".join(f"{value:.6g}" for value in values[:6])
            reason = f"the next layer reads {len(values)} values ({shown}) that are not integers times one scale"
            raise refuse(region.path(tensor)[-1], reason, "BipolarQuant, or Quant with one scale")
        code = lambda v: np.rint((v.astype(np.float64) - offset) / float(scale)).astype(np.int64)  # noqa: E731
        codes, error = found.steps.map(code), float(np.abs(code(values) * float(scale) + offset - values).max())
        refuse_steps(region, found, codes, (codes.slope == 2), "codes that rise or fall over the accumulator's range")
        rule = code_rule(codes, found.in_front, source.product is not None)
        x = self._codes(source, found, rule)
        channels = source.numbers.channels
        low, high = (np.full(channels, int(end)) for end in (rule.lowest, rule.lowest + rule.steps.shape[1]))
        negated = np.zeros(channels, dtype=bool)
        return x, Feed(low, high, float(scale), negated, grain(values), offset=offset, error=error)

    def _read_bits(self, readers: list[NodeProto]) -> bool:
        """All ``readers`` are products with weights +-1, the only operators that take signs as bits."""
        return all(node.name in self.products and self.products[node.name].bipolar for node in readers)

    def _integers(self, source: _Source, own: np.ndarray) -> Tensor:
        """The tensor of the region's integers, with the weights of channels in ``own`` negated."""
        if source.product is None:
            return source.tensor
        product = source.product
        product.negate(np.broadcast_to(own, (len(product.weights),)))
        weights = product.weights
        if weights.ndim == 4:  # (outputs, inputs, kh, kw) -> as windows run
            weights = weights.transpose(0, 2, 3, 1)
        return self.graph.product(source.reads, weights.reshape(len(weights), -1).T, product.bipolar)

    def _sign(self, region: Region, source: _Source, found: Truth, tensor: str) -> tuple[Tensor, Feed]:
        steps = found.steps.map(lambda values: values > 0)
        refuse_steps(region, found, steps, steps.counts > 2, "signs that change at most twice over the range")
        rule = sign_rule(steps, found.in_front, source.product is not None)
        x = self._integers(source, rule.own)
        low, high = _stored(source, rule.low, 1), _stored(source, rule.high, 1)
        if rule.window and not found.pools:
            x = self.graph.window(x, low, high)
        elif rule.window:
            x = self._pooled(self.graph.threshold(x, np.stack([low, high], axis=1)), found)
            x = self.graph.window(x, np.array([1]), np.array([2]))
        else:
            x = self._pooled(self.graph.threshold(x, high[:, None], bits=True), found)
        channels = source.numbers.channels
        negated = np.broadcast_to(rule.next, (channels,))
        complement = [int(c) for c in np.flatnonzero(negated)]
        self.signs.append(Sign(region.node.name, tensor, x.name, list(range(channels)), complement))
        return x, Feed.of_signs(float(abs(found.steps.first[0])), negated)

    def _numbers(self, bits: Tensor, feed: Feed) -> tuple[Tensor, Feed]:
        """Bits as the integers -1 and +1."""
        return self.graph.threshold(bits, np.array([[1, 1]]), -1), replace(feed, bits=False)

    def _codes(self, source: _Source, found: Truth, rule: CodeRule) -> Tensor:
        x = self._pooled(self._integers(source, rule.own), found)
        if (rule.signs == -1).all() and len(rule.signs) < x.channels:
            rule = replace(rule, signs=np.full(x.channels, -1))
        steps = _stored(source, rule.steps, rule.signs[: len(rule.steps), None])
        return self.graph.threshold(self.graph.signed(x, rule.signs), steps, rule.lowest)

    def _pooled(self, x: Tensor, found: Truth) -> Tensor:
        for pool in found.pools:
            x = self.graph.pool(x, attribute(pool, "kernel_shape", []), attribute(pool, "strides", [1, 1]))
        return x

    # ---- the end

    def _end(self, region: Region, source: _Source) -> ModelWrapper:
        x = self._integers(source, np.zeros(1, dtype=bool))
        head = make_head(self.model, region, source.numbers, source.popcount)
        if head.index and source.numbers.error.any():
            self.notes.append(
                f"{region.node.name}: float32 sums round, so that PyTorch may order equal classes otherwise"
            )
        x = self.graph.flatten(x)
        result = self.graph.model(self.graph.arg_max(x) if head.index else x)
        head.save_to(result)
        self.image.save_to(result)
        save_notes(result, self.notes)
        result.set_metadata_prop(SIGNS_KEY, json.dumps([asdict(sign) for sign in self.signs]))
        return result


def _alike(x: Tensor, y: Tensor) -> bool:
    """Both have the same channels at the same positions."""
    return x.channels == y.channels and (x.shape[:-1] == y.shape[:-1] or x.positions == y.positions == 1)


def _stored(source: _Source, steps: np.ndarray, signs: np.ndarray | int) -> np.ndarray:
    """Thresholds on s * n as thresholds on s times what the tensor holds: n = 2 p - K for popcounts p."""
    return (steps + signs * source.popcount) // 2 if source.popcount else steps
