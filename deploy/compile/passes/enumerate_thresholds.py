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

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.errors import refuse
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.compile.passes.affine import BEHIND, Affine, affine
from signflow.deploy.compile.passes.choice import coded, few
from signflow.deploy.compile.passes.codes import read_image
from signflow.deploy.compile.passes.head import make_head
from signflow.deploy.compile.passes.integer_graph import IntegerGraph, Tensor
from signflow.deploy.compile.passes.lookup import Lookup
from signflow.deploy.compile.passes.notes import notes_on, save_costs, save_notes
from signflow.deploy.compile.passes.numbers import Numbers
from signflow.deploy.compile.passes.products import Feed, Product
from signflow.deploy.compile.passes.readers import JOINS, Readers
from signflow.deploy.compile.passes.regions import QUANTISERS, Region, attribute, walk
from signflow.deploy.compile.passes.rewrite import Graph
from signflow.deploy.compile.passes.rounding import grain
from signflow.deploy.compile.passes.scales import grid, no_scale, quantiser_scale, scale_and_offset
from signflow.deploy.compile.passes.signs import Sign, save_signs
from signflow.deploy.compile.passes.sources import Source, Sources
from signflow.deploy.compile.passes.transitions import Steps, code_rule, sign_rule
from signflow.deploy.compile.passes.truth import Truth, truth

Before = Callable[[ModelWrapper, Region, str, Numbers], None]


def enumerate_thresholds(model: ModelWrapper, before: Before = lambda *_: None) -> ModelWrapper:
    """The integer graph of a network (in `NormalForm`). Raises UnsupportedError for what has no exact hardware.

    ``before(model, region, exit, reachable numbers)`` is called in front of every enumeration, and may change
    the constants of the region (`signflow.deploy.compile.passes.align`).
    """
    return _Enumeration(model, before).result


@dataclass
class _Exit:
    """Tensors of a region that are one function of its integers."""

    found: Truth | Affine
    tensors: list[str]
    readers: list[NodeProto]


class _Enumeration:
    def __init__(self, model: ModelWrapper, before: Before):
        self.model = model = Lookup(model)
        self.before = before
        self.signs: list[Sign] = []
        self.notes: list[str] = []
        image, *regions = walk(model)
        products = [region.node for region in regions if region.kind == "product"]
        self.products = {node.name: Product(model, node) for node in products}
        self.network = Graph(model)
        self.readers = Readers(self.network, self.products, regions)
        self.image = ImageInput.of(model)
        self._image(image)
        for region in regions:
            source = self.sources.of(region)
            if region.selector is not None or model.graph.output[0].name in region.exits:
                self.result = self._end(region, source)
            else:
                self._exits(region, source)

    def _image(self, region: Region) -> None:
        """The input's scaling and quantiser."""
        kind, codes = image_kind(self.image.kind), read_image(self.model, region)
        image, binary = self.image, kind.datatype == "BIPOLAR"
        ((tensor, readers),) = region.exits.items()
        codes = codes.with_values(self.readers.paddings(readers), self.readers.weights(readers))
        codes.bits = codes.signs and self.readers.want_bits(readers, codes.scale)
        last = image.order == "HWC"
        flat = len(image.map) == 1 or (not last and all(node.op_type == "MatMul" for node in readers))
        stream = (int(np.prod(image.shape)),) if flat else image.map
        self.graph = IntegerGraph(stream, "BINARY" if binary else kind.datatype)
        self.sources = Sources(self.network, self.graph, self.products)
        order = "HWC" if last else "NHWC" if not flat else "flat" if len(image.map) == 3 else "NCHW"
        self.image = replace(image, binary=binary, order=order)
        steps, lowest = codes.thresholds(kind.pixels), int(codes.codes.min())
        if binary:  # the stream carries bits: -1, +1 and "never" become 0, 1 and 2
            steps = (steps + 2) // 2
            straight = codes.bits and (steps == 1).all()
        else:
            straight = (codes.codes == kind.pixels[:, None]).all()
        x = self.graph.image
        if codes.finer > 1:
            x = self.graph.lookup(x, codes.table, int(kind.pixels[0]))
        elif not straight:
            rows = steps[:1] if (steps == steps[:1]).all() else np.repeat(steps, x.channels // len(steps), axis=0)
            x = self.graph.threshold(x, rows, 0 if codes.bits else lowest, codes.bits)
        self.sources.feeds[tensor] = (x, codes.feed)

    # ---- what becomes of the integers

    def _exits(self, region: Region, source: Source) -> None:
        exits: list[_Exit] = []
        joins = lambda item: any(node.op_type in JOINS for node in self.readers.ends(item[1]))  # noqa: E731
        joined_first = sorted(region.exits.items(), key=lambda item: not joins(item))
        for tensor, readers in joined_first:  # joins choose the grid, whoever reads the same numbers besides
            found = self._found(region, tensor, source.numbers)
            same = next((known for known in exits if _same(known.found, found)), None)
            if same is None:
                exits.append(_Exit(found, [tensor], list(readers)))
            else:
                same.tensors.append(tensor)
                same.readers += readers
        source.several = len(exits) > 1
        for known in exits:
            if source.feed is not None and (known.found.pools or isinstance(known.found, Truth)):
                self.sources.check_plain(region.node, source.feed)
            if isinstance(known.found, Affine):
                feed = self._affine(source, known.found)
            else:
                self.notes += notes_on(region, known.tensors[0], source.numbers, known.found)
                feed = self._quantise(region, source, known)
            self.sources.feeds |= dict.fromkeys(known.tensors, feed)

    def _found(self, region: Region, tensor: str, numbers: Numbers) -> Truth | Affine:
        """What the network makes of the integers on their way to ``tensor``."""
        if any(node.op_type in QUANTISERS for node in region.path(tensor)):
            self.before(self.model, region, tensor, numbers)
            return truth(self.model, region, tensor, numbers)
        found = affine(self.model, region, tensor, numbers)
        if found is None and region.kind not in ("codes", "move"):
            raise refuse(region.node, "no quantiser follows it in front of the next layer", BEHIND)
        return found or truth(self.model, region, tensor, numbers)

    def _affine(self, source: Source, found: Affine) -> tuple[Tensor, Feed]:
        """The integers themselves."""
        if source.feed is not None and (source.feed.negated.any() or source.feed.bits):
            return source.tensor, source.feed
        numbers, sign, half = source.numbers, found.sign, 2 if source.popcount else 1
        x = self._pooled(self.graph.signed(self._made(source), sign), found)
        offset = found.offset - found.factor * sign * source.popcount
        reach = numbers.reach
        ends = np.sort([sign * ((end + source.popcount) // half) for end in (reach.low, reach.high)], axis=0)
        step = reach.step // half
        negated = np.zeros(numbers.channels, dtype=bool)
        return x, Feed(*ends, found.factor * half, negated, found.grain, step=step, offset=offset, error=found.error)

    def _quantise(self, region: Region, source: Source, known: _Exit) -> tuple[Tensor, Feed]:
        """One exit: a sign if it has two values -s and +s and only products read it, else codes."""
        found, tensor = known.found, known.tensors[0]
        values = np.unique(np.concatenate([found.steps.first, found.steps.value]))
        signs = np.unique(np.abs(values)).size == 1 and values[0] != 0
        if signs and all(node.name in self.products for node in self.readers.ends(known.readers)):
            bits = self._sign(region, source, found, tensor)
            return bits if self.readers.want_bits(known.readers, float(abs(values[0]))) else self._numbers(*bits)
        scale, offset = self._grid(region, known, values)
        code = lambda v: np.rint((v.astype(np.float64) - offset) / float(scale)).astype(np.int64)  # noqa: E731
        codes, error = found.steps.map(code), float(np.abs(code(values) * float(scale) + offset - values).max())
        x, low, high = self._codes(region, source, found, codes)
        channels = source.numbers.channels
        ends, negated = (np.full(channels, int(end)) for end in (low, high)), np.zeros(channels, dtype=bool)
        return x, Feed(*ends, float(scale), negated, grain(values), offset=offset, error=error)

    def _grid(self, region: Region, known: _Exit, values: np.ndarray) -> tuple[float, float]:
        """Scale and offset of the codes."""
        nodes = region.path(known.tensors[0])
        joins = [node.op_type in JOINS for node in self.readers.ends(known.readers)]
        alone = all(joins)
        stated = grid(self.model, nodes, values) if any(joins) else None
        if stated is not None and (alone or stated[1] == 0):
            return stated
        if alone and (exact := scale_and_offset(values)) is not None:
            return exact
        scale = quantiser_scale(self.model, nodes, values)
        if scale is None:
            raise refuse(nodes[-1], *no_scale(self.model, nodes, known.found.steps.values))
        return scale, 0.0

    def _made(self, source: Source) -> Tensor:
        """The tensor of the region's integers, with the product's weights as they are."""
        if source.tensor is None:
            product = source.product
            weights = product.weights
            if weights.ndim == 4:  # (outputs, inputs, kh, kw) -> as windows run
                weights = weights.transpose(0, 2, 3, 1)
            source.tensor = self.graph.product(source.reads, weights.reshape(len(weights), -1).T, product.bipolar)
        return source.tensor

    def _integers(self, source: Source, own: np.ndarray, pooled: bool = False) -> tuple[Tensor, np.ndarray]:
        """The region's integers, negated for channels in ``own``: in the weights, where no other exit reads them; by a
        multiplication, where they are ``pooled`` next. Also the signs, int64 (channels,), of what the tensor holds.
        """
        own = np.broadcast_to(own, (source.numbers.channels,))
        if source.may_negate:
            source.product.negate(own)
            return self._made(source), np.ones(len(own), dtype=np.int64)
        made, signs = self._made(source), np.where(own, -1, 1)
        if pooled and own.any():
            reach = source.numbers.reach
            most = int(max(-reach.low.min(), reach.high.max())) + source.popcount
            return self.graph.requantise(made, signs, np.zeros(1), 0, -most, most), signs
        return self.graph.signed(made, signs), signs

    def _sign(self, region: Region, source: Source, found: Truth, tensor: str) -> tuple[Tensor, Feed]:
        steps, channels = found.steps.map(lambda values: values > 0), source.numbers.channels
        if (steps.counts > 2).any():
            x, _, _ = self._codes(region, source, found, steps.map(lambda values: values.astype(np.int64)))
            x = self.graph.threshold(x, np.array([[1]]), bits=True)
            return self._signed(region, found, tensor, x, np.zeros(channels, dtype=bool))
        rule = sign_rule(steps, found.in_front, source.may_negate)
        x, signs = self._integers(source, rule.own)
        low, high = source.stored(rule.low, signs), source.stored(rule.high, signs)
        if rule.window and not found.pools:
            x = self.graph.window(x, low, high)
        elif rule.window:
            x = self._pooled(self.graph.threshold(x, np.stack([low, high], axis=1)), found)
            x = self.graph.window(x, np.array([1]), np.array([2]))
        else:
            x = self._pooled(self.graph.threshold(x, high[:, None], bits=True), found)
        return self._signed(region, found, tensor, x, np.broadcast_to(rule.next, (channels,)))

    def _signed(self, region: Region, found: Truth, tensor: str, x: Tensor, negated: np.ndarray) -> tuple[Tensor, Feed]:
        """Note a sign; ``negated`` bool (channels,): stored as the complement."""
        complement = [int(c) for c in np.flatnonzero(negated)]
        self.signs.append(Sign(region.node.name, tensor, x.name, list(range(len(negated))), complement))
        return x, Feed.of_signs(float(abs(found.steps.first[0])), negated)

    def _numbers(self, bits: Tensor, feed: Feed) -> tuple[Tensor, Feed]:
        """Bits as the integers -1 and +1."""
        return self.graph.threshold(bits, np.array([[1, 1]]), -1), replace(feed, bits=False)

    def _codes(self, region: Region, source: Source, found: Truth, codes: Steps) -> tuple[Tensor, int, int]:
        """Codes, int64; and their smallest and largest. A quantiser whose codes are the integers adds nothing."""
        if region.kind == "codes" and codes.straight:
            return self._pooled(source.tensor, found), *codes.ends
        if not few(codes):
            falls = found.in_front == -1
            x, signs = self._integers(source, falls, bool(found.pools))
            held = source.held(codes.turned(falls), signs)
            return coded(self.graph, region.node, self._pooled(x, found), held), *held.ends
        rule = code_rule(codes, found.in_front, source.may_negate)
        x, signs = self._integers(source, rule.own, bool(found.pools))
        turned = np.broadcast_to(rule.signs, signs.shape)
        steps = source.stored(rule.steps, signs * turned)
        x = self.graph.threshold(self.graph.signed(self._pooled(x, found), turned), steps, rule.lowest)
        return x, rule.lowest, rule.lowest + steps.shape[1]

    def _pooled(self, x: Tensor, found: Truth | Affine) -> Tensor:
        for pool in found.pools:
            kernel, pads = attribute(pool, "kernel_shape", []), attribute(pool, "pads", [0] * 4)
            if any(pads):  # with what no pixel is smaller than
                x = self.graph.border(x, tuple(pads), np.array([x.least]))
            x = self.graph.pool(x, kernel, attribute(pool, "strides", [1, 1]))
        return x

    # ---- the end

    def _end(self, region: Region, source: Source) -> ModelWrapper:
        x = self._made(source)
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
        save_signs(result, self.signs)
        save_costs(result, self.graph.costs)
        return result


def _same(one: Truth | Affine, two: Truth | Affine) -> bool:
    """Both are one function, behind the same pools."""
    if [pool.name for pool in one.pools] != [pool.name for pool in two.pools] or type(one) is not type(two):
        return False
    return one.steps.same(two.steps) if isinstance(one, Truth) else one.same(two)
