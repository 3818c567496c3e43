"""The enumeration pass: exact against the reference on whole chains, against closed forms on single layers, and
refusals by name.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.evaluate import follow
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph

from .normal_forms import model_of
from .onnx_networks import node

MIXED = np.array([[1.0, -1, 1, 1], [1, 1, -1, 1], [-1, 1, 1, 1]])
signs = lambda rng, *shape: rng.choice([-1.0, 1.0], size=shape)  # noqa: E731


def images_for(kind: str, shape, count: int, rng) -> np.ndarray:
    low, high = {"int8": (-128, 128), "bipolar": (0, 2)}.get(kind, (0, 256))
    images = rng.integers(low, high, (count, *shape))
    return 2 * images - 1 if kind == "bipolar" else images


def check_equal(model, images) -> None:
    """QONNX = integer graph node by node = compiled integer graph, on every logit; and the head's inverse is exact."""
    expected = export.reference(model, images)["output"]
    graph = streamline.streamline(model)
    integers, head = streamline.execute(graph, images), Head.of(graph)
    assert (IntGraph(graph)(images) == integers).all()
    assert (head(integers) == expected.reshape(integers.shape)).all()
    if not head.index:
        found, distance = head.invert(expected.reshape(integers.shape))
        assert distance == 0
        assert (found == integers).all()


def random_norm(c, rng, channels, fan_in, windows=True):
    """A random scalar chain between a product and a sign, gammas of both signs and zero; windows in three of them."""
    gamma = rng.normal(size=channels) * rng.choice([0, 1, 1, 1, 1], size=channels)
    choice = rng.choice([0, 1, 2, 3, 4, 5, 6] if windows else [0, 1, 2, 3, 6])
    if choice == 0:
        c.batchnorm(
            gamma, rng.normal(size=channels), rng.normal(size=channels) * fan_in**0.5, rng.random(channels) + 0.5
        )
    elif choice == 1:
        c.scalar("Mul", gamma).scalar("Add", rng.normal(size=channels))
    elif choice == 2:
        c.scalar("Sub", rng.integers(-3, 4, channels)).scalar("Div", np.where(gamma == 0, 2, gamma)).op("Neg")
    elif choice == 3:
        slopes = rng.normal(size=channels) if windows else rng.random(channels)
        c.scalar("Add", rng.normal(size=channels)).scalar("PRelu", slopes).scalar("Sub", 0.5)
    elif choice == 4:
        c.gate(gamma * 2 / fan_in**0.5)
        c.scalar("Mul", rng.choice([-1.0, 1.0], channels)).scalar("Add", rng.normal(size=channels) * 0.2)
    elif choice == 5:
        c.scalar("Add", rng.normal(size=channels)).op("Abs").scalar("Sub", rng.random(channels) * fan_in**0.5)


def random_chain(chain, rng, kind: str):
    """A small convolutional or dense network of random structure."""
    conv = rng.random() < 0.6
    shape = (int(rng.integers(1, 4)), 9, 8) if conv else (int(rng.integers(2, 70)),)
    c = chain(shape)
    quantiser = rng.integers(0, 3) if kind != "bipolar" else 3
    middle = 0.5 if kind == "uint8/255" else 0.0 if kind == "int8" else 127.5
    if quantiser == 0:
        c.scalar("Sub", middle + rng.normal() * 0.1).scalar("Mul", rng.choice([-1.0, 1.0], shape[0])).sign(0.5)
    elif quantiser == 1 or kind == "uint8/255":
        c.scalar("Sub", middle).scalar("Div", middle or 127.5).quant(0.125, 4)
    channels = shape[0]
    for _ in range(int(rng.integers(1, 3)) if conv else 0):
        out, k = int(rng.integers(1, 70)), int(rng.integers(1, 4))
        stride = int(rng.integers(1, 3))
        c.conv(signs(rng, out, channels, k, k), stride, 2.0 ** rng.integers(-2, 2, out), rng.choice([None, 0.5]))
        if c.constants and c.nodes[-1].op_type == "Conv" and len(c.nodes[-1].input) > 2:
            c.constants[c.nodes[-1].input[2]] = rng.integers(-3, 4, out).astype(np.float32) / 2
        pool = min(c.shape[2:]) >= 2 and rng.random() < 0.5
        before = rng.random() < 0.5
        if pool and before:
            c.pool()
        bits = rng.random() < 0.7
        random_norm(c, rng, out, channels * k * k, bits and (before or not pool))  # else nothing may turn back
        if not bits:
            c.scalar("Sub", 0.1).quant(2.0, 3, signed=int(rng.integers(0, 2)))
        else:
            c.sign(2.0 ** rng.integers(-1, 2))
        if pool and not before:
            c.pool()
        channels = out
        if min(c.shape[2:]) < 4:
            break
    if conv:
        c.flatten()
    for _ in range(int(rng.integers(0, 2))):
        out = int(rng.integers(1, 90))
        c.dense(signs(rng, out, c.shape[1]), gemm=bool(rng.random() < 0.5))
        random_norm(c, rng, out, 64)
        c.sign()
    classes = int(rng.integers(2, 12))
    c.dense(signs(rng, classes, c.shape[1]), scale=0.25)
    if rng.random() < 0.3:
        return c.op("ArgMax", axis=1, keepdims=0), shape
    return c.scalar("Mul", rng.normal(size=1) + 3).scalar("Add", rng.normal(size=classes)), shape


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["uint8", "uint8/255", "int8", "bipolar"]))
def test_random_chains(chain, tmp_path_factory, seed, kind):
    rng = np.random.default_rng(seed)
    c, shape = random_chain(chain, rng, kind)
    model = export.load(c.save(tmp_path_factory.mktemp("chain") / "net.onnx"), kind)
    check_equal(model, images_for(kind, shape, 5, rng))


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32 - 1))
def test_batchnorm_closed_form(chain, tmp_path_factory, seed):
    """gamma * (a - mean) / s + beta >= 0, in exact fractions, wherever it is not within rounding of 0."""
    rng = np.random.default_rng(seed)
    fan_in, channels = int(rng.integers(1, 40)), 6
    gamma, beta = rng.normal(size=channels).astype(np.float32), rng.normal(size=channels).astype(np.float32)
    mean, var = (rng.normal(size=channels) * 4).astype(np.float32), (rng.random(channels) * 9 + 0.1).astype(np.float32)
    gamma[0] = 0
    c = chain((fan_in,)).dense(signs(rng, channels, fan_in)).batchnorm(gamma, beta, mean, var).sign()
    c.dense(signs(rng, 2, channels))
    model = streamline.streamline(export.load(c.save(tmp_path_factory.mktemp("bn") / "net.onnx"), "bipolar"))
    product, threshold = model.graph.node[:2]
    weights = 2 * model.get_initializer(product.input[1]) - 1
    stored = 2 * model.get_initializer(threshold.input[1])[:, 0] - fan_in
    original = c.constants["c0"].T
    for channel in range(channels):
        own = np.sign(original[0, channel]) != weights[0, channel]
        for a in range(-fan_in, fan_in + 1, 2):
            scale = Fraction(float(gamma[channel])) / Fraction(float(np.sqrt(np.float64(var[channel]) + 1e-5)))
            exact = scale * (a - Fraction(float(mean[channel]))) + Fraction(float(beta[channel]))
            if abs(exact) > 1e-4:
                assert ((-a if own else a) >= stored[channel]) == (exact >= 0)


def test_torch_batchnorm_decides(own_network, pixels):
    """With means on integers, PyTorch's and ONNX Runtime's BatchNorm disagree on some signs; the export follows
    PyTorch.
    """
    import torch

    from signflow.models.networks import predict

    net, shape = own_network("tfc", round_means=True)
    images = pixels(200, shape)
    graph = streamline.streamline(export.export(net, shape))
    integers, distance = Head.of(graph).invert(predict(net, torch.from_numpy(images)).numpy())
    assert distance == 0
    assert (IntGraph(graph)(images) == integers).all()


def build(c, tmp_path, kind="uint8"):
    return streamline.streamline(export.load(c.save(tmp_path / "net.onnx"), kind))


ONES = lambda *shape: np.ones(shape)  # noqa: E731


def test_a_window_becomes_two_thresholds(chain, tmp_path):
    """|a| >= 3 changes twice (a PRelu of slope -1 is an absolute value); slope -1 of 3 - |a| is +1 inside."""
    c = chain((8,)).dense(ONES(3, 8)).scalar("PRelu", [1.0, -1.0, -1.0]).scalar("Mul", [1, 1, -1])
    c.scalar("Add", [-3.0, -3.0, 3.0]).sign().dense(ONES(2, 3))
    graph = build(c, tmp_path, "bipolar")
    window = graph.graph.node[1]
    assert window.op_type == "Window"
    popcounts = graph.get_initializer(window.input[1]).astype(int)
    assert (2 * popcounts - 8).tolist() == [[-8, 4], [-2, 4], [-2, 4]]
    check_equal(
        export.load(tmp_path / "net.onnx", "bipolar"), images_for("bipolar", (8,), 200, np.random.default_rng(1))
    )


def test_four_changes_are_a_table(chain, tmp_path):
    """||a| - 3| >= 1.5, which a popcount of 4 bits looks up itself."""
    c = chain((8,)).dense(ONES(2, 8)).op("Abs").scalar("Sub", 3.0).op("Abs").scalar("Sub", 1.5).sign().dense(ONES(2, 2))
    graph = build(c, tmp_path, "bipolar")
    table, a = next(node for node in graph.graph.node if node.op_type == "Lookup"), 2 * np.arange(9) - 8
    assert graph.find_producer(table.input[0]).op_type == "XnorPopcountMatMul"
    assert (graph.get_initializer(table.input[1])[:, :9] == (np.abs(np.abs(a) - 3) >= 1.5)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda c: c.dense(MIXED).op("Relu").dense(ONES(2, 3)),
            "no quantiser follows",
        ),
        (lambda c: c.dense(ONES(3, 4)).op("Sign").dense(ONES(2, 3)), "operator Sign: it is not known"),
        (lambda c: c.dense(ONES(3, 4)).op("Cos").sign().dense(ONES(2, 3)), "operator Cos: .*Supported"),
        (
            lambda c: c.op("MatMul", c.const([[1.0], [0.31234], [1], [1]])),
            r"neither \+-1 nor integers of 8 bits times a scale: output channel 0 holds 0.31234, 1\. .*weight_quant",
        ),
        (lambda c: c.dense(ONES(3, 4)).scalar("Mul", np.inf).sign().dense(ONES(2, 3)), "gives -?inf|gives nan"),
        (lambda c: c.scalar("Mul", 0.1).op("Tanh").dense(ONES(3, 4)), "not integers times one scale"),
        (lambda c: c.scalar("Mul", [0.1, 0.1, 0.2, 0.1]).dense(ONES(3, 4)), r"different factors \(0\.1, 0\.1, 0\.2"),
        (lambda c: c.sign(), "no dense or convolution layer"),
    ],
)
def test_refused_dense(chain, tmp_path, make, message):
    c = chain((4,))
    make(c)
    if c.nodes[-1].op_type == "MatMul":
        c.shape = [1, 1]
    with pytest.raises(UnsupportedError, match=message):
        build(c, tmp_path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda c: c.pool(), "it pools pixels"),
        (lambda c: c.op("Transpose", perm=[0, 1, 3, 2]), "operator Transpose: it puts the axes of"),
        (lambda c: c.conv(ONES(2, 2, 3, 3)), "ends with a map"),
    ],
)
def test_refused_maps(chain, tmp_path, make, message):
    c = chain((2, 6, 6))
    make(c)
    if c.nodes[-1].op_type != "Conv":
        c.conv(ONES(2, 2, 1, 1))
    c.shape = None
    with pytest.raises(UnsupportedError, match=message):
        build(c, tmp_path)


def test_normalisation_per_position_is_refused_where_more_than_dense_layers_reads_it(chain, tmp_path):
    c = chain((2, 3, 3)).conv(ONES(4, 2, 2, 2)).flatten()
    c.scalar("Add", np.tile([-1.0, 1.0], 8)).sign()
    c.op("Concat", c.current, axis=1).dense(ONES(2, 32))
    with pytest.raises(UnsupportedError, match="behind a Flatten"):
        build(c, tmp_path)


@pytest.mark.parametrize("axis", [1, -1])
def test_argmax_on_either_name_of_the_classes(chain, tmp_path, axis):
    c = chain((4,)).dense(MIXED).op("ArgMax", axis=axis)
    model = export.load(c.save(tmp_path / "net.onnx"), "int8")
    check_equal(model, images_for("int8", (4,), 30, np.random.default_rng(1)))


@pytest.mark.parametrize("bias", [1.0, -1.0])
def test_argmax_over_unequal_classes_is_refused(chain, tmp_path, bias):
    c = chain((4,)).dense(ONES(3, 4)).scalar("Add", [0.0, bias, 0.0]).op("ArgMax", axis=1)
    with pytest.raises(UnsupportedError, match=r"operator ArgMax: class 1 has another scale or bias than class 0"):
        build(c, tmp_path)


@pytest.mark.parametrize("mixing", [node("CumSum", "x axis", "y"), node("Softmax", "x", "y", axis=0)])
def test_what_looks_at_other_images_is_refused(mixing):
    """At those in front of it, or at all: no operator of a network does, once it is trained."""
    model = model_of([mixing], [1, 2], axis=np.array(0))
    with pytest.raises(UnsupportedError, match="depends on other numbers, or on chance"):
        follow(model, model.graph.node, "x", "y", np.float32([[1, 2], [3, 4]]))


def test_input_quantiser_that_turns_back_is_refused(chain, tmp_path):
    c = chain((4,)).scalar("Sub", 100.0).scalar("PRelu", -1.0).scalar("Sub", 50.0).quant(1.0, 8).dense(ONES(3, 4))
    with pytest.raises(UnsupportedError, match="channel 0 its values both rise and fall"):
        build(c, tmp_path)


@pytest.mark.parametrize("bits", [2, 3, 8])
def test_input_quantiser_codes(chain, tmp_path, bits, pixels):
    """Levels, rising in one channel and falling in the other."""
    rng = np.random.default_rng(bits)
    c = chain((2, 5, 5)).scalar("Sub", 128.0).scalar("Mul", [1 / 128, -1 / 100]).quant(2.0 ** (1 - bits), bits)
    c.conv(signs(rng, 5, 2, 5, 5)).scalar("Mul", [1, -1, 2, -2, 0]).scalar("Sub", 0.3).sign().flatten().dense(
        ONES(3, 5)
    )
    model = export.load(c.save(tmp_path / "net.onnx"), "uint8")
    check_equal(model, pixels(6, (2, 5, 5)))
    assert ImageInput.of(streamline.streamline(model)).order == "NHWC"


def test_quantiser_with_an_odd_scale(chain, tmp_path, pixels):
    """float32(0.1 * code) is no multiple of 0.1: the codes come from the quantiser's own scale."""
    rng = np.random.default_rng(5)
    weights = signs(rng, 4, 6)
    c = chain((6,)).scalar("Sub", 120.0).scalar("Mul", 0.01).quant(0.1, 4).dense(weights)
    graph = build(c, tmp_path)
    codes = np.clip(np.rint((pixels(5, (6,)).astype(np.float32) - 120) * np.float32(0.01) / np.float32(0.1)), -8, 7)
    assert (IntGraph(graph)(pixels(5, (6,))) == codes @ weights.T).all()
