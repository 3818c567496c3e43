"""Constant channels are folded away: fewer channels, the same logits, in every place where a layer can read them."""

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile import export, lower, streamline
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes import fold_constants
from signflow.deploy.compile.passes.fold_constants import constant_bits
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.integer_graph import IntegerGraph
from signflow.deploy.compile.passes.signs import Sign, save_signs
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.verify import signs


def constants(rng, channels: int, count: int) -> np.ndarray:
    """Offsets behind a product: 0, but for ``count`` channels that become +1 or -1 for good."""
    offsets = np.zeros(channels)
    offsets[rng.permutation(channels)[:count]] = rng.choice([-1e6, 1e6], count)
    return offsets


def ones(rng, *shape):
    return rng.choice([-1.0, 1.0], shape)


def network(chain, rng, pool: str, window: bool):
    """conv (19 of 30 channels constant) -> [pool] -> conv (9 of 12) -> flatten -> dense (all 16) -> dense."""
    c = chain((2, 9, 9)).conv(ones(rng, 30, 2, 3, 3))
    if pool == "before":
        c.pool()
    c.scalar("Sub", rng.normal(size=30) * 300 + 100)
    if window:
        c.op("Abs").scalar("Sub", 200.0)
    c.scalar("Mul", rng.choice([-1.0, 1.0], 30)).scalar("Add", constants(rng, 30, 19)).sign()
    if pool == "behind":
        c.pool()
    c.conv(ones(rng, 12, 30, 2, 2)).scalar("Add", 0.5 + constants(rng, 12, 9)).sign().flatten()
    c.dense(ones(rng, 16, c.shape[1])).scalar("Add", constants(rng, 16, 16)).sign()
    return c.dense(ones(rng, 3, 16)).scalar("Mul", 0.25).scalar("Add", [0.5, -1.0, 2.0])


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    monkeypatch.setattr(fold_constants, "GROUP", 8)


CASES = [("none", False), ("none", True), ("before", False), ("before", True), ("behind", False)]


@pytest.mark.parametrize(("pool", "window"), CASES)
def test_the_same_logits_with_fewer_channels(chain, tmp_path, pixels, pool, window):
    c = network(chain, np.random.default_rng(5), pool, window)
    model, images = export.load(c.save(tmp_path / "net.onnx"), "uint8"), pixels(40, (2, 9, 9))
    integer, whole = streamline.streamline(model), streamline.streamline(model, keep_constants=True)
    assert [len(sign.channels) for sign in Sign.of(whole)] == [30, 12, 16]
    assert [len(sign.channels) for sign in Sign.of(integer)] == [14, 8, 8]
    found, expected = IntGraph(integer)(images), export.reference(model, images[:4])["output"]
    assert (Head.of(integer)(found) == Head.of(whole)(IntGraph(whole)(images))).all()
    assert (Head.of(integer)(found[:4]) == expected).all()
    assert (streamline.execute(lower.lower(integer), images[:2]) == found[:2]).all()
    assert signs.first_difference(model, integer, images[0]) is None


def test_thresholds_of_negated_popcounts(chain, tmp_path, pixels):
    """Two readers want the sums of a layer, rising and falling ones: the thresholds of the latter lie below 0."""
    rng = np.random.default_rng(5)
    c = chain((2, 5, 5)).conv(ones(rng, 30, 2, 3, 3)).scalar("Add", constants(rng, 30, 19)).sign()
    sums = c.conv(ones(rng, 4, 30, 1, 1)).current
    codes = c.scalar("Mul", [0.5, -0.5, 0.25, -0.2]).quant(0.25, 4).current
    c.current = sums
    c.scalar("Add", 0.5).sign().conv(ones(rng, 4, 4, 1, 1)).scalar("Mul", 0.3).quant(0.25, 4).op("Add", first=[codes])
    c.scalar("Add", 0.07).sign().flatten().dense(ones(rng, 3, 36))
    model, images = export.load(c.save(tmp_path / "net.onnx"), "uint8"), pixels(40, (2, 5, 5))
    integer = streamline.streamline(model)
    assert len(Sign.of(integer)[0].channels) == 14 and "Mul" in [node.op_type for node in integer.graph.node]
    expected = export.reference(model, images)["output"]
    assert (Head.of(integer)(IntGraph(integer)(images)) == expected).all()


def test_arg_max_keeps_its_inputs(chain, tmp_path):
    """Popcounts that lack different numbers of bits cannot be compared: the last hidden layer stays whole."""
    rng = np.random.default_rng(3)
    c = chain((20,)).dense(ones(rng, 24, 20)).scalar("Add", constants(rng, 24, 20)).sign().dense(ones(rng, 4, 24))
    model = export.load(c.op("ArgMax", axis=1, keepdims=1).save(tmp_path / "net.onnx"), "bipolar")
    integer, images = streamline.streamline(model), rng.choice([-1, 1], (50, 20))
    assert len(Sign.of(integer)[0].channels) == 24
    assert (IntGraph(integer)(images) == export.reference(model, images)["output"].reshape(-1, 1)).all()


@pytest.mark.parametrize("window", [False, True])
def test_constant_bits_by_brute_force(window):
    rng = np.random.default_rng(1)
    low = rng.integers(-4, 3, 400)
    high = low + rng.integers(0, 5, 400)
    steps = np.sort(rng.integers(-6, 8, (400, 2 if window else 1)), axis=1)
    for bit, (*step,), least, most in zip(constant_bits(steps, low, high, window), steps, low, high, strict=True):
        x = np.arange(least, most + 1)
        seen = set(((x < step[0]) | (x >= step[1]) if window else x >= step[0]).astype(int).tolist())
        assert seen == {bit} if bit >= 0 else seen == {0, 1}


def test_popcounts_that_a_sum_reads_keep_their_channels():
    """No threshold could take over what constant channels add."""
    rng = np.random.default_rng(5)
    graph = IntegerGraph((1, 1, 40), "BINARY")
    sums = graph.product(graph.image, ones(rng, 40, 96).astype(int), True)
    bits = graph.threshold(sums, np.where(np.arange(96) < 70, 0, 20)[:, None], bits=True)
    counts = graph.product(bits, ones(rng, 96, 8).astype(int), True)
    model = graph.model(graph.add(counts, counts, (1, 0)))
    ImageInput("bipolar", (40, 1, 1), "NHWC", binary=True).save_to(model)
    sign = Sign("product", "sign", bits.name, list(range(96)), [])
    save_signs(model, [sign])
    images = rng.choice([-1, 1], (20, 40, 1, 1))
    folded = ModelWrapper(model.model, make_deepcopy=True).transform(fold_constants.FoldConstants())
    assert folded.get_tensor_shape(bits.name) == [1, 1, 1, 96]
    assert (IntGraph(folded)(images) == IntGraph(model)(images)).all()
