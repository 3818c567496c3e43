"""Where the integers of a region come from: `regions` says which kinds there are, this makes their operators.

Every kind reads feeds, the results of regions in front of it (`Feed`: integers that stand for scale * integer +
offset), and gives a `Source`: which integers can occur, what they stand for, and the tensor that holds them. Products
wait for their weights, because the quantiser behind may want some of them negated (`transitions`).

Additions need one grid: scales whose ratio is a power of two, which is a shift. A constant that a Pad puts around or
behind a map is a code like all others; the 0 between values of +-1 held as bits is the half of a bit (`Border`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import frexp, gcd

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import DataType

from signflow.deploy.compile.dialect.base import check_exact
from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.passes.geometry import padding_of, slices_of
from signflow.deploy.compile.passes.integer_graph import IntegerGraph, Tensor
from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.products import Feed, Product
from signflow.deploy.compile.passes.regions import Region, attribute
from signflow.deploy.compile.passes.rewrite import Graph
from signflow.deploy.compile.passes.rounding import sum_error
from signflow.deploy.compile.passes.scales import TOLERANCE
from signflow.deploy.compile.passes.transitions import Accumulators, Steps

SAME = "results on one grid: put quantisers of one scale (or of scales a power of two apart) in front of it"


@dataclass
class Source:
    """The integers that a region starts at."""

    numbers: Numbers
    tensor: Tensor | None = None
    """The integers themselves; of a product, once they are made."""
    feed: Feed | None = None
    """What they are, where the region starts at a feed that only moved: bits, perhaps."""
    product: Product | None = None
    reads: Tensor | None = None
    """What the product reads, ready for its weights."""
    popcount: int = 0
    """Fan-in K of a product of bits, whose tensor holds (K + n) / 2; else 0."""
    several: bool = False
    """Several exits read the integers, each in its own way."""

    @property
    def may_negate(self) -> bool:
        """A single exit may have the weights negated that make its integers."""
        return self.product is not None and not self.several

    def stored(self, steps: np.ndarray, signs: np.ndarray) -> np.ndarray:
        """Thresholds (channels or 1, ...) on s * n as thresholds on s times what the tensor holds, n = 2 p - K for
        popcounts p; ``signs`` s int64 (channels,).
        """
        if not self.popcount:
            return steps
        signs = signs.reshape(-1, *(1,) * (steps.ndim - 1))
        return (steps + (signs[: len(steps)] if (signs == signs[0]).all() else signs) * self.popcount) // 2

    def held(self, codes: Steps, signs: np.ndarray) -> Steps:
        """Steps on s * n as steps on s times what the tensor holds, as `stored`."""
        reach = codes.accumulators
        low, high = (self.stored(end, signs) for end in (reach.low, reach.high))
        return replace(codes, accumulators=Accumulators(low, high, reach.step // 2 if self.popcount else reach.step))


class Sources:
    """Makes the operators at the start of regions in ``graph``; ``feeds``: tensor of the network -> what holds it."""

    def __init__(self, network: Graph, graph: IntegerGraph, products: dict[str, Product]):
        self.network, self.graph, self.products = network, graph, products
        self.feeds: dict[str, tuple[Tensor, Feed]] = {}

    def of(self, region: Region) -> Source:
        """The start of ``region``. Raises UnsupportedError."""
        make: dict[str, Callable[[Region], Source]] = {
            "product": self._product,
            "sum": self._sum,
            "join": self._join,
            "codes": lambda region: self._moved(*self.feeds[region.start]),
            "move": lambda region: self._moved(*getattr(self, f"_{region.node.op_type.lower()}")(region.node)),
        }
        return make[region.kind](region)

    def _product(self, region: Region) -> Source:
        node, product = region.node, self.products[region.node.name]
        x, feed = self.feeds[node.input[0]]
        product.undo(feed)
        numbers = product.numbers(feed, self._bias(region))
        if node.op_type == "Conv":
            stride, dilations = attribute(node, "strides", [1, 1]), attribute(node, "dilations", [1, 1])
            reads = self.graph.windows(x, product.weights.shape[2:], stride, dilations)
        else:
            if len(x.shape) == 3:  # features in front of a flatten run channel by channel, the stream pixel by pixel
                outputs = len(product.weights)
                moved = product.weights.reshape(outputs, x.channels, -1).transpose(0, 2, 1)
                product.weights = moved.reshape(outputs, -1)
            reads = self.graph.flatten(x)
        return Source(numbers, product=product, reads=reads, popcount=product.fan_in if feed.bits else 0)

    def _bias(self, region: Region) -> np.ndarray:
        """The layer's own, which `PlainProducts` split off under this name; empty without one."""
        first = region.nodes[0] if region.nodes else None
        if first is None or first.name != f"{region.node.name}_Add":
            return np.empty(0)
        return self.network.constant(first.input[1]).reshape(-1)

    def _sum(self, region: Region) -> Source:
        node = region.node
        x, feed = self._plain(node, node.input[0])
        if node.op_type == "ReduceSum":
            return Source(feed.sums(node, x.positions), self.graph.total(x))
        kernel = attribute(node, "kernel_shape", [])
        pooled = self.graph.sum_pool(x, kernel, attribute(node, "strides", kernel))
        return Source(feed.sums(node, int(np.prod(kernel))), pooled)

    def _join(self, region: Region) -> Source:
        node = region.node
        (x, a), (y, b) = (self._plain(node, name) for name in node.input)
        one, two = (self.network.shape(name) for name in node.input)
        vectors = [shape for shape in (one, two) if set(shape[2:]) == {1}]  # added to every position of a map
        if len(one) != len(two) or (one != two and not vectors) or not (_beside(x, y) or (one != two and vectors)):
            reason = f"it adds tensors of shapes {one} and {two}"
            raise refuse(node, reason, "two maps or vectors of one shape, or a map and [1, channels, 1, 1]")
        if len(a.low) != len(b.low):
            raise refuse(node, f"it adds {len(a.low)} and {len(b.low)} channels", "equally many channels")
        left, right = _shifts(node, a, b)
        low, high = ((one << left) + (two << right) for one, two in ((a.low, b.low), (a.high, b.high)))
        reach = Accumulators(low, high, gcd(a.step << left, b.step << right))
        check_exact(node, int(max(-reach.low.min(), reach.high.max())))
        scale = np.full(len(a.low), min(a.scale, b.scale))
        error = sum_error(np.stack([a.largest, b.largest], axis=1), min(a.grain, b.grain)) + a.error + b.error
        return Source(Numbers(reach, scale, a.offsets + b.offsets, error), self.graph.add(x, y, (left, right)))

    def _plain(self, node: NodeProto, tensor: str) -> tuple[Tensor, Feed]:
        """Integers that stand for what they are."""
        self.check_plain(node, self.feeds[tensor][1])
        return self.feeds[tensor]

    def check_plain(self, node: NodeProto, feed: Feed) -> None:
        """Raises UnsupportedError for an image of which a channel is stored with the opposite sign."""
        if feed.negated.any():
            channel = int(np.argmax(feed.negated))
            reason = f"it reads the image, whose quantiser falls with the pixel in channel {channel}"
            raise refuse(node, reason, "sums of results of layers, or of an image that rises with the pixel")

    # ---- results that only move

    def _moved(self, x: Tensor, feed: Feed) -> Source:
        return Source(feed.numbers, x, feed)

    def _pad(self, node: NodeProto) -> tuple[Tensor, Feed]:
        """A constant around the map, and channels of it in front and behind."""
        x, feed = self.feeds[node.input[0]]
        pad = padding_of(self.network, node)
        border = (*pad.begin[2:], *pad.end[2:])
        channels = (pad.begin[1], pad.end[1])
        codes, error = _codes(node, pad.value, feed)
        if any(border):
            if len(x.shape) == 1:
                reason = "it pads the one pixel that a pool over the whole map leaves"
                raise refuse(
                    node, reason, "a 1 x 1 convolution there; at its one pixel it is what a padded one would be"
                )
            kind = DataType[x.datatype]
            if not feed.bits and not all(kind.allowed(code) for code in codes.tolist()):
                reason = (
                    f"it pads with {pad.value:g}, which is {codes[0]} among the integers of what it pads, {kind.name}"
                )
                raise refuse(node, reason, "a value that the quantiser, or the image, in front of it can have")
            x = self.graph.border(x, border, (codes + 1) / 2 if feed.bits else codes)
            feed = _with_codes(feed, codes, error)
        if any(channels):
            if feed.bits or len(np.unique(codes)) > 1 or np.ptp(feed.offsets) or feed.negated.any():
                raise refuse(node, "it adds channels to a map whose channels differ in what a code means", "codes")
            x = self.graph.pad_channels(x, *channels, int(codes[0]))
            more = lambda values, fill: np.pad(values, channels, constant_values=fill)  # noqa: E731
            feed = replace(
                feed, low=more(feed.low, codes[0]), high=more(feed.high, codes[0]), step=1,
                negated=more(feed.negated, False), offset=float(feed.offsets[0]), error=max(feed.error, error),
            )  # fmt: skip
        return x, feed

    def _slice(self, node: NodeProto) -> tuple[Tensor, Feed]:
        """Every n-th pixel: a pool of one pixel."""
        x, feed = self.feeds[node.input[0]]
        return self.graph.pool(x, (1, 1), [part.step for part in slices_of(self.network, node)[2:]]), feed

    def _flattennhwc(self, node: NodeProto) -> tuple[Tensor, Feed]:
        """Every channel of every position as a channel."""
        x, feed = self.feeds[node.input[0]]
        wide = lambda values: np.tile(values, x.positions)  # noqa: E731
        offset = wide(feed.offsets)
        low, high, negated = (wide(values) for values in (feed.low, feed.high, feed.negated))
        return self.graph.flatten(x), replace(feed, low=low, high=high, negated=negated, offset=offset)

    def _concat(self, node: NodeProto) -> tuple[Tensor, Feed]:
        """Channels behind channels, on the finer grid of two."""
        (x, feed), *others = (self.feeds[name] for name in node.input)
        for y, other in others:
            if not _beside(x, y):
                reason = f"it puts features of maps of {_size(x)} pixels and of {_size(y)} pixels side by side"
                raise refuse(node, reason, "maps of one size, or vectors")
            shifts = _shifts(node, feed, other, "it puts multiples of {} beside multiples of {}")
            (x, feed), (y, other) = (
                self._shifted(node, *one, shift) for one, shift in zip(((x, feed), (y, other)), shifts, strict=True)
            )
            x = self.graph.concat(x, y)
            both = lambda name: np.concatenate([getattr(feed, name), getattr(other, name)])  # noqa: E731, B023
            feed = replace(
                feed, low=both("low"), high=both("high"), negated=both("negated"), offset=both("offsets"),
                step=gcd(feed.step, other.step), grain=min(feed.grain, other.grain), error=max(feed.error, other.error),
            )  # fmt: skip
        return x, feed

    def _shifted(self, node: NodeProto, x: Tensor, feed: Feed, shift: int) -> tuple[Tensor, Feed]:
        """Integers of a grid that is so many halvings finer."""
        if shift == 0:
            return x, feed
        low, high = feed.low << shift, feed.high << shift
        check_exact(node, int(max(-low.min(), high.max())))
        x = self.graph.requantise(x, np.array([1 << shift]), np.zeros(1), 0, int(low.min()), int(high.max()))
        return x, replace(feed, low=low, high=high, scale=feed.scale / (1 << shift), step=feed.step << shift)


def _shifts(node: NodeProto, a: Feed, b: Feed, does: str = "it adds multiples of {} and of {}") -> tuple[int, int]:
    """Powers of two that bring both to the finer grid. Raises UnsupportedError where there are none."""
    mantissa, exponent = frexp(a.scale / b.scale)
    if mantissa != 0.5:
        raise refuse(node, does.format(*(f"{feed.scale:.9g}" for feed in (a, b))), SAME)
    return max(0, exponent - 1), max(0, 1 - exponent)


def _codes(node: NodeProto, value: float, feed: Feed) -> tuple[np.ndarray, float]:
    """(the integer that each channel's ``value`` is, int64 (channels,), and how far off it is)."""
    exact = (value - feed.offsets) / feed.scale
    codes = np.rint(exact)
    error = float(np.abs(codes * feed.scale + feed.offsets - value).max())
    if error > TOLERANCE * feed.largest.max() or (feed.bits and np.abs(codes).max() > 1):
        channel = int(np.argmax(np.abs(codes - exact)))
        means = "-1 or +1" if feed.bits else f"{feed.scale:.6g} * integer + {feed.offsets[channel]:.6g}"
        reason = f"it pads with {value:g}, and what it pads is {means} in channel {channel}"
        raise refuse(node, reason, "a quantiser in front of it that has a code for the padding's value")
    return np.where(feed.negated, -codes, codes).astype(np.int64), error


def _with_codes(feed: Feed, codes: np.ndarray, error: float) -> Feed:
    """``feed`` that may also hold ``codes``; the zeros between signs keep parity, because a pixel has an even number of
    channels.
    """
    if feed.bits:
        return feed
    step = feed.step if not ((codes - feed.low) % feed.step).any() else 1
    ends = np.minimum(feed.low, codes), np.maximum(feed.high, codes)
    return replace(feed, low=ends[0], high=ends[1], step=step, error=max(feed.error, error))


def _beside(x: Tensor, y: Tensor) -> bool:
    """Both have the same positions."""
    return x.shape[:-1] == y.shape[:-1] or x.positions == y.positions == 1


def _size(x: Tensor) -> str:
    """Height and width."""
    return " x ".join(str(n) for n in x.shape[:-1]) or "1"
