"""The shape of a supported network: what `walk` makes of forks and joins, what it refuses; and joins and sums in
enumeration, which are exact or refused.
"""

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes

from signflow.deploy.compile import streamline
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.export import load, reference
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.normal_form import NormalForm
from signflow.deploy.compile.passes.regions import walk
from signflow.deploy.golden.intgraph import IntGraph

SHAPE = (2, 5, 5)


def signs(*shape, seed=1) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=shape)


@pytest.fixture
def regions(tmp_path):
    """Function chain -> its regions."""
    return lambda c: walk(load(c.save(tmp_path / "net.onnx"), "uint8").transform(NormalForm()))


@pytest.fixture
def build(tmp_path):
    """Function chain -> (QONNX model, integer graph)."""

    def make(c):
        model = load(c.save(tmp_path / "net.onnx"), "uint8")
        return model, streamline.streamline(model)

    return make


def add(c, *tensors):
    """Add the current value and ``tensors``, one after the other."""
    for tensor in tensors:
        c.op("Add", first=[tensor])
    return c


def total(c, axes=(2, 3), keepdims=0):
    c.op("ReduceSum", c.const(list(axes), np.int64), keepdims=keepdims)
    c.shape = [1, c.shape[1]]
    return c


def two_results(chain, scales=(0.25, 0.25), bits=4):
    """(chain, tensor): two layers read the image's codes and are quantised; the chain goes on behind the second."""
    c = chain(SHAPE)
    image, shape = c.current, list(c.shape)
    c.conv(signs(4, 2, 2, 2, seed=3)).scalar("Mul", [-0.02, 0.003, 0.01, 0.004]).quant(scales[0], bits)
    first = c.current
    c.current, c.shape = image, shape
    c.conv(signs(4, 2, 2, 2, seed=4)).scalar("Mul", [0.01, 0.02, -0.01, 0.005]).quant(scales[1], bits)
    return c, first


def test_regions_of_a_chain(chain, regions):
    c = chain(SHAPE).scalar("Sub", 127.5).sign().conv(signs(3, 2, 2, 2)).pool().batchnorm(*np.ones((4, 3))).sign()
    found = regions(c.flatten().dense(signs(2, 12)).scalar("Mul", 0.5))
    assert [region.kind for region in found] == ["image", "product", "product"]
    assert [[node.op_type for node in region.nodes] for region in found] == [
        ["Sub", "BipolarQuant"],
        ["MaxPool", "BatchNormalization", "BipolarQuant", "Flatten"],
        ["Mul"],
    ]
    assert [[node.op_type for reader in region.exits.values() for node in reader] for region in found] == [
        ["Conv"],
        ["MatMul"],
        [],
    ]


def test_forks_inside_a_region_are_nothing_special(chain, regions):
    """x * sigmoid(x), and a shortcut around it, belong to the one integer that they start at."""
    c = chain((6,)).dense(signs(3, 6))
    whole = c.current
    c.gate(0.1)
    found = regions(add(c, whole).sign().dense(signs(2, 3)))
    assert [region.kind for region in found] == ["image", "product", "product"]
    (exit_,) = found[1].exits
    assert [node.op_type for node in found[1].path(exit_)] == ["Mul", "Sigmoid", "Mul", "Add", "BipolarQuant"]


def test_paths_hold_what_their_exit_needs(chain, regions):
    c = chain((6,)).dense(signs(3, 6))
    whole = c.current
    c.scalar("Sub", 0.5).quant(1.0, 4)
    codes = c.current
    c.current = whole
    c.op("Neg").quant(1.0, 4)
    found = regions(add(c, codes).sign().dense(signs(2, 3)))
    # both quantisers read the same integers: their sum is a function of them too, no join
    assert [region.kind for region in found] == ["image", "product", "product"]


def test_a_sum_of_two_results_is_a_join(chain, regions):
    c, first = two_results(chain)
    found = regions(add(c, first).sign().flatten().dense(signs(2, 64)))
    assert [region.kind for region in found] == ["image", "product", "product", "join", "product"]
    assert [len(region.exits) for region in found] == [1, 1, 1, 1, 1]
    assert len(next(iter(found[0].exits.values()))) == 2


def test_a_sum_over_positions_is_a_region(chain, regions):
    c = total(chain(SHAPE).conv(signs(4, 2, 2, 2)).quant(4.0, 4))
    found = regions(c.scalar("Mul", 0.25).quant(1.0, 4).dense(signs(2, 4)))
    assert [region.kind for region in found] == ["image", "product", "sum", "product"]
    assert found[2].node.op_type == "ReduceSum"


def mul_of_two(chain):
    c, first = two_results(chain)
    return c.op("Mul", first=[first]).sign().flatten().dense(signs(2, 64))


def sub_of_two(chain):
    c, first = two_results(chain)
    return c.op("Sub", first=[first]).sign().flatten().dense(signs(2, 64))


def sum_over(axes):
    """The map [1, 4, 4, 4] summed over ``axes``, what is left flattened, a dense layer."""

    def make(chain):
        c = total(chain(SHAPE).conv(signs(4, 2, 2, 2)).quant(4.0, 4), axes)
        c.shape = [1, 4 ** (3 - len(axes))]  # without the batch, whether it is summed or stays
        return c.op("Flatten", axis=1).dense(signs(2, c.shape[1]))

    return make


def behind_arg_max(chain):
    return chain((4,)).dense(signs(3, 4)).op("ArgMax", axis=1).op("Cast", to=1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (mul_of_two, r"operator Mul: it combines results of 2 layers \(.*\)\. Supported: Add of two results"),
        (sub_of_two, r"operator Sub: it combines results of 2 layers"),
        (sum_over([1]), r"operator ReduceSum: it reduces .*\[1, 4, 4, 4\] over the axes \[1\].*over positions"),
        (sum_over([1, 2, 3]), r"over the axes \[1, 2, 3\]"),
        (sum_over([0, -1]), r"over the axes \[0, 3\]"),
        (behind_arg_max, "operator Cast: it follows ArgMax.*as the last operator"),
    ],
)
def test_refused(chain, regions, make, message):
    c = make(chain)
    c.shape = None  # left to inference
    with pytest.raises(UnsupportedError, match=message):
        regions(c)


def dead_end(c):
    x = c.dense(signs(3, 4), gemm=False).sign().current
    c.dense(signs(5, 3), gemm=False)
    c.current = x
    return c.dense(signs(2, 3), gemm=False)


def output_read_inside(c):
    c.dense(signs(4, 4), gemm=False).sign()
    kept, shape = c.current, list(c.shape)
    c.dense(signs(2, 4), gemm=False)
    c.current, c.shape = kept, shape
    return c


def constant_first(c):
    c.dense(signs(4, 4), gemm=False).sign()
    c.shape = [4, 1]
    return c.op("MatMul", first=[c.const(signs(4, 4))])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (dead_end, r"'MatMul_\w+', operator MatMul: nothing reads its result.*without dead ends"),
        (output_read_inside, "is an output of the network and read inside as well.*one result at the end"),
        (constant_first, r"operator MatMul: the data is not its first .*MatMul\(data, constants\)"),
    ],
)
def test_refused_as_it_stands(chain, make, message):
    """What `load` and `NormalForm` would remove, or refuse themselves."""
    model = ModelWrapper(make(chain((4,))).proto()).transform(InferShapes())
    with pytest.raises(UnsupportedError, match=message):
        walk(model)


def check_exact(model, graph, shape=SHAPE) -> None:
    """QONNX = integer graph, node by node and compiled, on images of very different brightness."""
    rng = np.random.default_rng(0)
    mean, noise = rng.integers(0, 256, (40, shape[0], *[1] * (len(shape) - 1))), rng.integers(-90, 91, (40, *shape))
    images = np.clip(mean + noise, 0, 255).astype(np.uint8)
    integers, head = IntGraph(graph)(images), Head.of(graph)
    np.testing.assert_array_equal(head(integers), reference(model, images)["output"].reshape(integers.shape))
    np.testing.assert_array_equal(streamline.execute(graph, images[:3]), integers[:3])
    assert len(np.unique(integers, axis=0)) > 10


@pytest.mark.parametrize("scale", [0.25, 1.0])
def test_a_join_is_exact(chain, build, scale):
    c, first = two_results(chain, (scale, scale))
    add(c, first).scalar("Add", [-0.2, 0.0, 0.3, -1.0]).scalar("Mul", [1, -1, 0.5, -2]).sign()
    model, graph = build(c.flatten().dense(signs(3, 64)))
    assert [node.op_type for node in graph.graph.node].count("ShiftAdd") == 1
    check_exact(model, graph)


def test_a_window_behind_a_join(chain, build):
    c, first = two_results(chain)
    model, graph = build(add(c, first).op("Abs").scalar("Sub", 0.6).sign().flatten().dense(signs(3, 64)))
    assert "Window" in [node.op_type for node in graph.graph.node]
    check_exact(model, graph)


def test_a_residual_stream(chain, build):
    """stream = Q(a + b), pooled; then a convolution of its codes, quantised, is added to it: two readers."""
    c, first = two_results(chain)
    add(c, first).quant(0.25, 5).pool()
    stream = c.current
    c.conv(signs(4, 4, 1, 1, seed=2)).scalar("Mul", 0.3).quant(0.25, 4)
    model, graph = build(add(c, stream).scalar("Sub", 0.3).sign().flatten().dense(signs(3, 16)))
    check_exact(model, graph)


def test_two_quantisers_behind_one_result(chain, build):
    """The signs of a stream beside the stream."""
    c, first = two_results(chain)
    add(c, first).quant(0.25, 5)
    stream = c.current
    c.scalar("Sub", 0.1).sign().conv(signs(4, 4, 1, 1)).scalar("Mul", 0.3).quant(0.25, 4)
    check_exact(*build(add(c, stream).sign().flatten().dense(signs(3, 64))))


def test_a_sum_that_moves_thresholds(chain, build):
    """a + Q(mean(a)): self-distribution without its dense layers, on maps of 16 positions."""
    c = chain(SHAPE).scalar("Sub", 128).conv(signs(4, 2, 2, 2)).scalar("Mul", 0.003).quant(0.125, 4)
    a, shape = c.current, list(c.shape)
    total(c, keepdims=1).scalar("Mul", 1 / 16).quant(0.125, 4)
    c.shape = shape
    model, graph = build(add(c, a).scalar("Add", 0.05).sign().flatten().dense(signs(3, 64)))
    kinds = [node.op_type for node in graph.graph.node]
    assert "ReduceSum" in kinds and "ShiftAdd" in kinds
    check_exact(model, graph)


@pytest.mark.parametrize(("first", "second"), [(0.25, 0.25), (0.0, 0.25), (0.25, 0.0)], ids=["none", "first", "second"])
def test_a_constant_result_joins_its_quantisers_grid(chain, build, first, second):
    """A branch that is always 0 has no grid but its quantiser's."""
    c = chain(SHAPE)
    image, shape = c.current, list(c.shape)
    c.conv(signs(4, 2, 2, 2)).scalar("Mul", first / 20).quant(0.25, 4)
    one = c.current
    c.current, c.shape = image, shape
    c.conv(signs(4, 2, 2, 2, seed=4)).scalar("Mul", second / 20).quant(0.25, 4)
    model, graph = build(add(c, one).scalar("Add", 0.3).sign().flatten().dense(signs(3, 64)))
    check_exact(model, graph)


def test_different_grids_are_refused(chain, build):
    c, first = two_results(chain, (0.25, 0.3))
    with pytest.raises(UnsupportedError, match=r"it adds multiples of 0\.25 and of 0\.3.*on one grid"):
        build(add(c, first).sign().flatten().dense(signs(2, 64)))


def test_a_pool_on_one_side_of_a_fork_is_refused(chain, build):
    """A padded MaxPool keeps the shape, so the network is valid: what it adds is still not one integer."""
    c = chain(SHAPE).conv(signs(4, 2, 2, 2))
    whole = c.current
    c.op("MaxPool", kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1])
    with pytest.raises(UnsupportedError, match="in front of a MaxPool with numbers behind it"):
        build(add(c, whole).sign().flatten().dense(signs(2, 64)))


def test_a_sum_of_columns(chain, build):
    """ReduceSum over the height alone: windows as high as the map."""
    c = chain(SHAPE).scalar("Sub", 128).conv(signs(4, 2, 2, 2)).scalar("Mul", 0.003).quant(0.125, 4)
    c.op("ReduceSum", c.const([2], np.int64), keepdims=1)
    c.shape = [1, 4, 1, 4]
    check_exact(*build(c.scalar("Sub", 0.2).sign().flatten().dense(signs(3, 16))))


@pytest.mark.parametrize("bits", [False, True])
def test_the_image_joins_as_codes(chain, build, bits):
    """Pixels are integers on a grid like any others, and so are their signs."""
    c = chain((8,))
    x = c.scalar("Sub", 127.5).sign().current if bits else c.current
    c.dense(signs(8, 8)).scalar("Mul", 0.02 if not bits else 1).quant(1.0, 8 if not bits else 3)
    add(c, x).scalar("Sub", 100.0 if not bits else 0.5).sign().dense(signs(3, 8))
    check_exact(*build(c), shape=(8,))


def test_an_image_that_falls_with_the_pixel_is_no_summand(chain, build):
    c = chain((8,)).scalar("Sub", 127.5).scalar("Mul", -1.0).sign()
    x = c.current
    c.dense(signs(8, 8)).quant(1.0, 3)
    with pytest.raises(UnsupportedError, match=r"whose quantiser falls with the pixel in channel 0"):
        build(add(c, x).scalar("Sub", 0.5).sign().dense(signs(3, 8)))
