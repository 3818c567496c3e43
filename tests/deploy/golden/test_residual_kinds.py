"""The operators of padded and residual networks: random graphs from the builder, every number of every tensor of the
golden program against the graph run node by node, and the number 0 around bits against PyTorch.
"""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from signflow.deploy.compile import engine
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.integer_graph import IntegerGraph, Tensor
from signflow.deploy.compile.reach import reaches
from signflow.deploy.golden.intgraph import IntGraph

engine.boot()
HUGE = 5000
"""Numbers above become codes before anything multiplies them again."""


def built(graph: IntegerGraph, out: Tensor):
    """The model, with what says how images become its stream."""
    model, (height, width, channels) = graph.model(out), graph.image.shape
    binary = graph.image.datatype == "BINARY"
    ImageInput("bipolar" if binary else "uint8", (channels, height, width), "NHWC", binary).save_to(model)
    return model


def is_map(model, tensor: str) -> bool:
    """It lies in memory: no windows of something, and no product whose threshold goes along."""
    made, readers = model.find_producer(tensor).op_type, [n.op_type for n in model.graph.node if tensor in n.input]
    fused = (
        made in ("MatMul", "XnorPopcountMatMul") and len(readers) == 1 and readers[0] in ("Window", "MultiThreshold")
    )
    return made != "Im2Col" and not fused


def check(graph: IntegerGraph, out: Tensor, rng, count=3) -> IntGraph:
    """Every tensor that is a layer's map, on random images; and each lies in its range."""
    from finn.core.onnx_exec import execute_onnx

    model = built(graph, out)
    program, image, reach = IntGraph(model), ImageInput.of(model), reaches(model)
    images = rng.integers(0, 256, (count, *image.shape))
    images = 2 * (images % 2) - 1 if image.binary else images
    stream = image.stream(images).astype(np.float32)
    contexts = [execute_onnx(model, {"global_in": one[None]}, return_full_exec_context=True) for one in stream]
    zeros = {node.output[0] for node in model.graph.node if node.op_type == "Border"}
    assert (program(images) == np.stack([context[out.name].reshape(-1) for context in contexts])).all()
    for tensor in [name for node in model.graph.node for name in node.output]:
        expected = np.stack([context[tensor] for context in contexts])[:, 0]
        low, high = reach[tensor]
        assert (low <= expected).all() and (expected <= high).all(), tensor
        if not is_map(model, tensor):
            continue
        found = program.maps(images, program.layer_of[tensor]).reshape(expected.shape)
        assert (found == (np.floor(expected) if tensor in zeros else expected)).all(), tensor  # 0.5 is stored as bit 0
    return program


def pair(rng, least: int, most: int) -> tuple[int, int]:
    return int(rng.integers(least, most + 1)), int(rng.integers(least, most + 1))


def quantised(graph: IntegerGraph, x: Tensor, rng) -> Tensor:
    """Codes or bits of ``x``, in any of the ways there are."""
    way, most = rng.integers(0, 4), 300
    if way == 0:
        low = rng.integers(-most, most, x.channels)
        return graph.window(x, low, low + rng.integers(0, most, x.channels))
    rows = x.channels if rng.random() < 0.7 else 1
    if way == 1:
        return graph.threshold(x, rng.integers(-most, most, (rows, 1)), bits=True)
    if way == 2:
        return graph.threshold(x, np.sort(rng.integers(-most, most, (rows, 3)), axis=1), -2)
    factor, offset = rng.integers(-(2**20), 2**20, (2, rows)) * [[1], [500]]
    return graph.requantise(x, factor, offset, int(rng.integers(0, 29)), -4, 11)


def convolution(graph: IntegerGraph, x: Tensor, rng) -> Tensor:
    """A padded convolution, with dilation and stride, around which lies the number 0, a bit, or an integer."""
    kernel, dilation = pair(rng, 1, 3), pair(rng, 1, 2)
    bits = x.datatype == "BINARY"
    pads = [int(n) for n in rng.integers(0, 3, 4)] if rng.random() < 0.7 else [0, 0, 0, 0]
    for axis in (0, 1):  # the window fits, and is one pixel high where the map is
        reach = dilation[axis] * (kernel[axis] - 1) + 1
        pads[axis + 2] = max(pads[axis + 2], reach - x.shape[axis] - pads[axis])
    zero = bits and x.channels % 2 == 0 and rng.random() < 0.7
    values = [0.5] if zero else rng.integers(0 if bits else -3, 2, x.channels if rng.random() < 0.5 else 1)
    x = graph.border(x, tuple(pads), values)
    kernel = tuple(1 if side == 1 else k for side, k in zip(x.shape, kernel, strict=False))
    x = graph.windows(x, kernel, pair(rng, 1, 2), dilation)
    return graph.product(x, rng.choice([-1, 1], (x.channels, int(rng.integers(1, 40)))), True)


def pooled(graph: IntegerGraph, x: Tensor, rng) -> Tensor:
    """Pools whose windows overlap, leave pixels out, or are single pixels; a border of the least value in front."""
    kernel = tuple(int(rng.integers(1, min(3, side) + 1)) for side in x.shape[:2])
    if rng.random() < 0.5:
        return graph.sum_pool(x, kernel, pair(rng, 1, 3))
    least = 0 if x.datatype == "BINARY" else -HUGE // 2
    x = graph.border(x, (1, 0, 0, 1), [least]) if rng.random() < 0.3 else x
    return graph.pool(x, kernel, pair(rng, 1, 3))


def joined(graph: IntegerGraph, x: Tensor, tensors: list[Tensor], rng) -> Tensor:
    """With another tensor of the same size, a vector, or constants."""
    others = [t for t in tensors if t.shape == x.shape]
    other, way = others[int(rng.integers(0, len(others)))], rng.integers(0, 4)
    if way == 0:
        return graph.concat(x, other)
    if way == 1:
        before, after = pair(rng, 0, 70)
        return graph.pad_channels(x, before, after, int(rng.integers(-2, 3)))
    other = graph.total(x) if way == 2 else other
    one, two = (x, other) if rng.random() < 0.5 else (other, x)
    return graph.add(one, two, pair(rng, 0, 3))


def looked_up(graph: IntegerGraph, x: Tensor, rng) -> Tensor:
    """Codes, and a table over them."""
    codes = graph.threshold(x, np.sort(rng.integers(-300, 300, (1, 5)), axis=1), -3)
    return graph.lookup(codes, rng.integers(-9, 10, (x.channels if rng.random() < 0.7 else 1, 6)), -3)


def random_graph(rng) -> tuple[IntegerGraph, Tensor]:
    """Any tensor may be read several times."""
    binary = rng.random() < 0.4
    graph = IntegerGraph((*pair(rng, 1, 6), int(rng.integers(1, 70))), "BINARY" if binary else "UINT8")
    tensors = [graph.image]
    ways = {
        "convolution": lambda x: convolution(graph, x, rng),
        "quantised": lambda x: quantised(graph, x, rng),
        "pooled": lambda x: pooled(graph, x, rng),
        "joined": lambda x: joined(graph, x, tensors, rng),
        "looked up": lambda x: looked_up(graph, x, rng),
    }
    for _ in range(int(rng.integers(1, 8))):
        x = tensors[-1] if rng.random() < 0.6 else tensors[int(rng.integers(0, len(tensors)))]
        way = str(rng.choice(list(ways)))
        if way != "quantised" and DataType[x.datatype].max() > HUGE:
            x = quantised(graph, x, rng)
        tensors.append(ways[way](x))
    return graph, tensors[-1]


@settings(max_examples=120, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_graphs(seed):
    rng = np.random.default_rng(seed)
    check(*random_graph(rng), rng)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_zero_padding_at_one_bit_is_that_of_pytorch(data):
    """2 * popcounts - K = conv2d of +-1 with zeros around, at any pads, strides and dilations."""
    draw = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    rng = np.random.default_rng(draw(0, 2**32 - 1))
    channels, outputs = 2 * draw(1, 40), draw(1, 40)
    kernel, stride, dilation = [(draw(1, 3), draw(1, 3)) for _ in range(3)]
    pads = tuple(draw(0, 3) for _ in range(4))
    size = [max(draw(2, 6), d * (k - 1) + 1) for k, d in zip(kernel, dilation, strict=True)]
    graph = IntegerGraph((*size, channels), "BINARY")
    weights = rng.choice([-1, 1], (outputs, channels, *kernel))
    x = graph.windows(graph.border(graph.image, pads, [0.5]), kernel, stride, dilation)
    out = graph.product(x, weights.transpose(2, 3, 1, 0).reshape(-1, outputs), True)
    images = rng.choice([-1, 1], (3, channels, *size))
    top, left, bottom, right = pads
    padded = torch.nn.functional.pad(torch.from_numpy(images).double(), (left, right, top, bottom))
    expected = torch.nn.functional.conv2d(padded, torch.from_numpy(weights).double(), stride=stride, dilation=dilation)
    counts = IntGraph(built(graph, out))(images).reshape(3, *expected.shape[2:], outputs)
    assert (2 * counts - weights[0].size == expected.permute(0, 2, 3, 1).numpy()).all()


@pytest.mark.parametrize("pads", [(1, 1, 1, 1), (0, 1, 2, 0)])
def test_ranges_over_the_number_0_by_trying_every_image(pads):
    """Some window lies within the map, so that both ends are reached, and nothing beyond."""
    rng, channels = np.random.default_rng(6), 2
    graph = IntegerGraph((2, 2, channels), "BINARY")
    weights = rng.choice([-1, 1], (4 * channels, 5))
    x = graph.windows(graph.border(graph.image, pads, [0.5]), (2, 2), (1, 1))
    model = built(graph, out := graph.product(x, weights, True))
    images = np.array(list(itertools.product((-1, 1), repeat=4 * channels))).reshape(-1, channels, 2, 2)
    counts = IntGraph(model)(images).reshape(-1, 5)
    low, high = reaches(model)[out.name]
    assert (counts.min(axis=0) == low).all() and (counts.max(axis=0) == high).all()


def half(graph: IntegerGraph) -> Tensor:
    return graph.border(graph.image, (1, 1, 1, 1), [0.5])


REFUSED = {
    "reads bits whose border is the number 0": lambda g: g.pool(half(g), (2, 2), (1, 1)),
    "its border of bits is the number 0": half,
    "an even number of channels": lambda g: g.product(half(g), np.ones((3, 1), dtype=int), True),
    "0.5, 1.0, 0.0. around bits": lambda g: g.border(g.image, (1, 0, 0, 0), [0.5, 1, 0]),
    "pads .0, -1, 0, 1.": lambda g: g.border(g.image, (0, -1, 0, 1), [1]),
    "2.0. around bits": lambda g: g.border(g.image, (1, 0, 0, 0), [2]),
    "0.5. around integers": lambda g: g.border(g.add(g.image, g.image), (1, 0, 0, 0), [0.5]),
    "shifts .25, 0.": lambda g: g.add(g.image, g.image, (25, 0)),
    "it reads 0 to 1.*Supported: 1 to 2": lambda g: g.lookup(g.image, np.array([[4, 5]]), 1),
    "shift 63": lambda g: g.requantise(g.image, [1], [0], 63, 0, 1),
    "low 2, high 1": lambda g: g.requantise(g.image, [1], [0], 0, 2, 1),
    "M . B can reach 9223372036854775808": lambda g: g.requantise(g.image, [2**62], [2**62], 0, 0, 1),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    """By name, with the value and the rule."""
    graph = IntegerGraph((4, 4, 2 if "reads" in message or "its border" in message else 3), "BINARY")
    with pytest.raises(UnsupportedError, match=message):
        IntGraph(built(graph, REFUSED[message](graph)))
