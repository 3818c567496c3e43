"""Every kind of layer of the compiled integer graph, on random directed graphs, against the graph run node by node."""

import platform

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.images import ImageInput, image_kind
from signflow.deploy.golden import intgraph
from signflow.deploy.golden.intgraph import IntGraph

from .integer_graphs import GENERAL, Graph, Tensor

KINDS = {
    "MultiThreshold": "Thresholding",
    "Window": "Thresholding",
    "MatMul": "MVAU",
    "XnorPopcountMatMul": "MVAU",
    "MaxPoolNHWC": "MaxPool",
    "ReduceSum": "AccPool",
    "ShiftAdd": "Add",
    "TopK": "LabelSelect",
}


def layer_tensors(model) -> dict[str, str]:
    """Names of layers -> tensors, by the rule: one per node, but a product with its short threshold, and the image
    with its threshold, are one, where nothing else reads what lies between.
    """
    nodes, names, fused, counts = list(model.graph.node), {}, set(), {}
    for node in nodes:
        if node.op_type not in KINDS or node.name in fused:
            continue
        kind, tensor = KINDS[node.op_type], node.output[-1]
        readers = [n for n in nodes if tensor in n.input]
        if kind == "MVAU" and len(readers) == 1 and tensor != model.graph.output[0].name:
            after = readers[0]
            short = after.op_type == "Window" or (
                after.op_type == "MultiThreshold" and model.get_initializer(after.input[1]).shape[1] <= 2
            )
            if short:
                tensor = after.output[0]
                fused.add(after.name)
        names[f"{kind}_sf_{counts.get(kind, 0)}"] = tensor
        counts[kind] = counts.get(kind, 0) + 1
    return names


def check(graph: Graph, out: Tensor, rng, count=11) -> IntGraph:
    """Every map of every layer, and the result, on random images."""
    from finn.core.onnx_exec import execute_onnx

    model = graph.model(out)
    for i, node in enumerate(model.graph.node):
        node.name = f"n{i}"
    program, image = IntGraph(model), ImageInput.of(model)
    kind = image_kind(graph.kind)
    images = rng.choice(kind.pixels, size=(count, *image.shape))
    stream = image.stream(images).astype(np.float32)
    contexts = [execute_onnx(model, {"x": one[None]}, return_full_exec_context=True) for one in stream]
    expected = lambda name: np.stack([context[name].reshape(-1) for context in contexts])  # noqa: E731
    assert (program(images) == expected(out.name)).all()
    names = layer_tensors(model)
    assert [layer.name for layer in program.layers if layer.name != "image"] == list(names)
    for name, tensor in names.items():
        assert (program.maps(images, name).reshape(count, -1) == expected(tensor)).all(), name
    return program


def random_steps(rng, x: Tensor, count: int) -> np.ndarray:
    """Ascending thresholds, some beyond what can occur, often equal."""
    rows = x.shape[-1] if rng.random() < 0.7 else 1
    reach = rng.choice([2, x.reach + 2])
    return np.sort(rng.integers(-reach, reach + 1, (rows, count)), axis=1)


def requantise(graph: Graph, x: Tensor, rng) -> Tensor:
    """A threshold of some form."""
    form = rng.integers(0, 4)
    if form == 0:
        return graph.window(x, random_steps(rng, x, 2))
    if rng.random() < 0.3:
        x = graph.signs(x, rng.choice([-1, 1], size=x.shape[-1]))
    if form == 1:
        return graph.threshold(x, random_steps(rng, x, 1), binary=True)
    return graph.threshold(x, random_steps(rng, x, int(rng.choice([1, 2, 2, 3, 7, 15, 20]))), int(rng.integers(-9, 3)))


def random_product(graph: Graph, x: Tensor, rng, outputs: int | None = None) -> Tensor:
    way, outputs = rng.integers(0, 3), outputs or int(rng.integers(1, 80))
    if len(x.shape) == 3 and way == 0:
        k = [int(rng.integers(1, min(4, side) + 1)) for side in x.shape[:2]]
        x = graph.im2col(x, k, [int(rng.integers(1, 3)) for _ in k])
    elif len(x.shape) == 3 and way == 1:
        x = graph.flatten(x)
    largest = 1 if x.bits else int(rng.choice([1, 7]))
    weights = rng.integers(0 if x.bits else -largest, largest + 1, (x.shape[-1], outputs))
    return graph.product(x, weights)


def branch(graph: Graph, x: Tensor, rng) -> Tensor:
    """The map ``x`` plus, at every position, a vector that comes from all of it."""
    y = requantise(graph, graph.total(x), rng)
    if rng.random() < 0.5:
        y = requantise(graph, random_product(graph, y, rng, x.shape[-1]), rng)
    return graph.add(x, y) if rng.random() < 0.7 else graph.add(y, x)


def random_graph(rng) -> tuple[Graph, Tensor]:
    """A directed graph in which any tensor may be read several times."""
    shape = (*rng.integers(1, 7, 2), rng.integers(1, 70)) if rng.random() < 0.8 else (rng.integers(1, 150),)
    graph = Graph([int(n) for n in shape], str(rng.choice(["uint8", "int8", "bipolar"])))
    tensors = [graph.image]
    for _ in range(int(rng.integers(1, 9))):
        x = tensors[-1] if rng.random() < 0.6 else tensors[int(rng.integers(0, len(tensors)))]
        if x.reach > 3000:
            x = requantise(graph, x, rng)
        same = [t for t in tensors if t.shape[-1] == x.shape[-1] and (t.shape == x.shape or len(t.shape) == 1)]
        op, is_map = (
            rng.choice(["product", "product", "threshold", "pool", "total", "add", "branch"]),
            len(x.shape) == 3,
        )
        if op == "threshold":
            tensors.append(requantise(graph, x, rng))
        elif op == "add" and same:
            pair = [x, same[int(rng.integers(0, len(same)))]]
            tensors.append(graph.add(*(pair if rng.random() < 0.5 else pair[::-1])))
        elif op == "branch" and is_map:
            tensors.append(branch(graph, x, rng))
        elif op == "pool" and is_map:
            tensors.append(graph.pool(x, [int(rng.integers(1, side + 1)) for side in x.shape[:2]]))
        elif op == "total" and is_map:
            tensors.append(graph.total(x))
        else:
            product = random_product(graph, x, rng)
            tensors += [product] if rng.random() < 0.3 else []
            tensors.append(requantise(graph, product, rng) if rng.random() < 0.7 else product)
    out = tensors[-1]
    if rng.random() < 0.2:
        if len(out.shape) == 3:
            out = graph.total(out) if out.bits else graph.flatten(out)
        out = graph.topk(out)
    return graph, out


@settings(max_examples=80)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_graphs(seed):
    rng = np.random.default_rng(seed)
    check(*random_graph(rng), rng)


@pytest.mark.parametrize("flags", ["-march=native", "-march=x86-64-v2"])
def test_portable_code(flags, monkeypatch, tmp_path):
    """The same without wide vectors."""
    if platform.machine() != "x86_64" and flags != "-march=native":
        pytest.skip("an x86-64 level")
    monkeypatch.setenv("SIGNFLOW_CACHE", str(tmp_path))
    monkeypatch.setattr(intgraph, "OPTIONS", [o for o in intgraph.OPTIONS if "march" not in o] + [flags])
    intgraph.library.cache_clear()
    try:
        for seed in range(15):
            rng = np.random.default_rng(seed)
            check(*random_graph(rng), rng)
    finally:
        intgraph.library.cache_clear()


def self_distribution(rng, channels=20) -> tuple[Graph, Tensor]:
    """A convolution, codes of five bits, and a branch that moves their threshold: the shape of SD-BNN."""
    graph = Graph((6, 7, 3))
    sums = graph.product(graph.im2col(graph.image, [3, 3], [1, 1]), rng.choice([-1, 1], size=(27, channels)))
    steps = np.sort(rng.integers(-2000, 2000, (channels, 31)), axis=1)
    codes = graph.threshold(graph.signs(sums, rng.choice([-1, 1], size=channels)), steps, -16)
    mean = graph.threshold(graph.total(codes), np.arange(-127, 128)[None] * 2, -127)
    squeezed = graph.product(mean, rng.integers(-127, 128, (channels, 2)))
    hidden = graph.threshold(squeezed, np.arange(1, 256)[None] * 40)
    levels = graph.product(hidden, rng.integers(-127, 128, (2, channels)))
    levels = graph.threshold(levels, np.arange(-7, 8)[None] * 900)
    signs = graph.threshold(graph.add(codes, levels), np.zeros((1, 1)), binary=True)
    return graph, graph.product(signs, rng.integers(0, 2, (channels, 5)))


def test_self_distribution():
    rng = np.random.default_rng(0)
    graph, out = self_distribution(rng)
    program = check(graph, out, rng)
    assert [layer.name for layer in program.layers[1:]] == [
        "MVAU_sf_0", "Thresholding_sf_0", "AccPool_sf_0", "Thresholding_sf_1", "MVAU_sf_1", "Thresholding_sf_2",
        "MVAU_sf_2", "Thresholding_sf_3", "Add_sf_0", "Thresholding_sf_4", "MVAU_sf_3",
    ]  # fmt: skip
    stream = program.maps(np.zeros((3, 3, 6, 7), dtype=np.uint8), "Thresholding_sf_0")
    assert stream.shape == (3, 4, 5, 20) and len(np.unique(stream)) > 3


def test_a_chain_uses_two_slots_and_a_fork_three():
    chain, fork = Graph((4,)), Graph((4,))
    x = chain.product(chain.product(chain.image, np.eye(4)), np.eye(4))
    y = fork.product(fork.image, np.eye(4))
    y = fork.product(fork.add(fork.product(y, np.eye(4)), y), np.eye(4))
    for graph, out, slots in ((chain, x, 2), (fork, y, 3)):
        assert len(set(intgraph._slots(IntGraph(graph.model(out)).layers))) == slots


REFUSED = {
    "thresholds are .5.0, 4.0.*T1 <= T2": lambda g: g.window(g.image, np.array([[0, 1], [5, 4], [1, 1]])),
    "thresholds are .1.0, 2.0, 3.0": lambda g: g.window(g.image, np.array([[1, 2, 3]])),
    "2 steps give BINARY": lambda g: g.threshold(g.image, np.array([[1, 2]]), binary=True),
    "can reach 16777470.*up to 16777215": lambda g: g.add(g.image, g.product(g.image, np.eye(3) * 65793)),
    "can reach 16777980.*up to 16777215": lambda g: g.product(g.image, np.full((3, 1), 21932)),
    "its factor is no sign": lambda g: g.op("Mul", g.image, np.array([1, 2, 1], dtype=np.float32)),
    "reads a product with signs": lambda g: g.window(g.signs(g.image, np.ones(3)), np.array([[1, 2]])),
    "adds a constant": lambda g: g.op("ShiftAdd", g.image, np.ones(3, dtype=np.float32), domain=GENERAL),
    "does not sum each channel": lambda g: g.op("ReduceSum", g.image, np.array([1]), shape=(2, 3), keepdims=0),
    "reads windows": lambda g: g.threshold(g.im2col(g.image, [2, 2], [1, 1]), np.array([[1]]), binary=True),
    "reads bits.*Supported: XnorPopcountMatMul on bits": lambda g: g.op(
        "MatMul", g.window(g.image, np.array([[1, 2]])), np.eye(3, dtype=np.float32)
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message):
    """By name, with the value and the rule."""
    graph = Graph((2, 2, 3))
    out = REFUSED[message](graph)
    model = graph.model(out)
    with pytest.raises(UnsupportedError, match=message):
        IntGraph(model)
