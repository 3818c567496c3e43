"""Padding, streams, pools and tables in enumeration: the integer graph is the reference on every logit, or the network
is refused with the join, the pad, the value.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signflow.deploy.compile import streamline
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.export import load, reference
from signflow.deploy.compile.passes.codes import Codes
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph

SHAPE = (2, 6, 6)


def signs(*shape, seed=1) -> np.ndarray:
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=shape)


def kinds(graph) -> list[str]:
    return [node.op_type for node in graph.graph.node]


@pytest.fixture
def exact(tmp_path):
    """Function chain -> its integer graph, which is QONNX, node by node and compiled, on images of very different
    brightness.
    """

    def check(c, kind="uint8"):
        model = load(c.save(tmp_path / "net.onnx"), kind)
        graph, rng = streamline.streamline(model), np.random.default_rng(0)
        shape = tuple(dim.dim_value for dim in c.input.type.tensor_type.shape.dim[1:])
        mean, noise = rng.integers(0, 256, (40, shape[0], *[1] * (len(shape) - 1))), rng.integers(-90, 91, (40, *shape))
        images = np.clip(mean + noise, 0, 255).astype(np.uint8)
        integers, head = IntGraph(graph)(images), Head.of(graph)
        np.testing.assert_array_equal(head(integers), reference(model, images)["output"].reshape(integers.shape))
        np.testing.assert_array_equal(streamline.execute(graph, images[:2]), integers[:2])
        assert len(np.unique(integers, axis=0)) > 10
        return graph

    return check


def pad(c, top, left, bottom, right, value=0.0, channels=(0, 0)):
    """A Pad node around the current map."""
    pads = [0, channels[0], top, left, 0, channels[1], bottom, right]
    c.op("Pad", c.const(pads, np.int64), c.const(np.float32(value)))
    _, n, height, width = c.shape
    c.shape = [1, n + sum(channels), height + top + bottom, width + left + right]
    return c


def average(c, kernel, stride):
    c.op("AveragePool", kernel_shape=list(kernel), strides=list(stride))
    c.shape = [*c.shape[:2], *((n - k) // s + 1 for n, k, s in zip(c.shape[2:], kernel, stride, strict=True))]
    return c


def max_pool(c, kernel, stride, pads=(0, 0, 0, 0)):
    c.op("MaxPool", kernel_shape=list(kernel), strides=list(stride), pads=list(pads))
    before = [n + pads[i] + pads[i + 2] for i, n in enumerate(c.shape[2:])]
    c.shape = [*c.shape[:2], *((n - k) // s + 1 for n, k, s in zip(before, kernel, stride, strict=True))]
    return c


def add(c, tensor):
    return c.op("Add", first=[tensor])


def stream(chain, bits=5, channels=4):
    """A stream of codes of a quarter: the first layer's results."""
    c = chain(SHAPE).scalar("Sub", 128)
    c.conv(signs(channels, 2, 1, 1)).scalar("Mul", np.linspace(0.01, 0.03, channels)).quant(0.25, bits)
    return c


def ends(c, outputs=3):
    """A sign and a dense layer."""
    return c.scalar("Add", 0.07).sign().flatten().dense(signs(outputs, int(np.prod(c.shape)), seed=9))


# ---- padding


@pytest.mark.parametrize("value", [0.0, -1.0, 1.0])
@pytest.mark.parametrize("channels", [4, 3])
def test_signs_are_padded(chain, exact, value, channels):
    """Around every side another number of pixels; one bit wherever the channels are even, or the border is no zero."""
    c = chain(SHAPE).scalar("Sub", 128).conv(signs(channels, 2, 1, 1)).scalar("Mul", [1, -1, 2, -0.5][:channels]).sign()
    pad(c, 1, 0, 2, 1, value).conv(signs(6, channels, 3, 3, seed=2), stride=2).batchnorm(
        [1, -1, 0.3, 2, -0.2, 1], [0.2, 0.4, -0.3, 1, 0, -1], np.arange(6) - 3, np.ones(6)
    )
    found = kinds(exact(ends(c)))
    assert found.count("Border") == 1
    assert found.count("MatMul") == (2 if value == 0 and channels == 3 else 1)  # the image's, and that of integers


def test_a_wide_kernel_over_zeros(chain, exact):
    """7 x 7 with stride 2, and a second reader without a pad."""
    c = chain(SHAPE).scalar("Sub", 128).conv(signs(4, 2, 1, 1)).sign()
    x, shape = c.current, list(c.shape)
    pad(c, 3, 3, 3, 3).conv(signs(4, 4, 7, 7, seed=2), stride=2).scalar("Mul", 0.5).quant(1.0, 6)
    one = c.current
    c.current, c.shape = x, shape
    c.conv(signs(4, 4, 1, 1, seed=3), stride=2).quant(1.0, 6)
    exact(ends(add(c, one)))


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_codes_are_padded(chain, exact, shift):
    """Codes of many bits by the code of 0, also where 0 itself never occurs otherwise."""
    c = stream(chain)
    if shift:
        c.scalar("Add", shift)
    pad(c, 1, 1, 1, 1).conv(signs(4, 4, 3, 3, seed=2)).scalar("Mul", [0.1, -0.2, 0.3, 0.1])
    exact(ends(c))


def test_a_padding_without_a_code_is_refused(chain, exact):
    c = stream(chain)
    with pytest.raises(UnsupportedError, match=r"it pads with 0\.1, and what it pads is 0\.25 \* integer"):
        exact(ends(pad(c, 1, 1, 1, 1, 0.1).conv(signs(4, 4, 3, 3))))
    words = "operator Pad: it pads with {}, which is {} among the integers of what it pads, {}. Supported: a value that"
    with pytest.raises(UnsupportedError, match=words.format(4.25, 17, "INT5")):
        exact(ends(pad(stream(chain), 1, 1, 1, 1, 4.25).conv(signs(4, 4, 3, 3))))
    with pytest.raises(UnsupportedError, match=words.format(-1, -1, "UINT8")):
        exact(ends(pad(chain(SHAPE), 1, 1, 1, 1, -1.0).conv(signs(4, 2, 3, 3))))


@pytest.mark.parametrize(
    ("mean", "deviation"), [([0.0, 0.0], 1.0), ([0.5, 0.5], 0.5), ([0.286, 0.4], 0.353)], ids=["0..1", "-1..1", "mean"]
)
def test_pixels_are_padded(chain, exact, mean, deviation):
    """A mean of two or three decimals: pixels become multiples of some steps, so that 0 is one, too."""
    c = chain(SHAPE).scalar("Mul", 1 / 255).scalar("Sub", mean).scalar("Div", deviation)
    pad(c, 1, 1, 1, 1).conv(signs(4, 2, 3, 3)).batchnorm([1, -1, 0.3, 2], [0.2, 0.4, 0, 1], [0, 1, 2, -1], [4, 1, 2, 1])
    assert ("Lookup" in kinds(exact(ends(c)))) == (mean[0] > 0)


@pytest.mark.parametrize(("steps", "finer"), [(255, 255), (256, 1)])
def test_how_many_steps_lie_between_two_pixels(steps, finer):
    codes = Codes(np.arange(3)[:, None], 1.0, np.zeros(1), np.zeros(1, dtype=bool), False, 0.0, 1.0)
    found = codes.with_values([1 / steps], 1)
    assert found.finer == finer and found.table.tolist() == [[0, finer, 2 * finer]]


def test_a_mean_that_no_grid_holds_is_refused(chain, exact):
    c = chain(SHAPE).scalar("Mul", 1 / 255).scalar("Sub", [0.4914211, 0.4822313])
    with pytest.raises(UnsupportedError, match=r"it pads with 0, and what it pads is .*a quantiser in front of it"):
        exact(ends(pad(c, 1, 1, 1, 1).conv(signs(4, 2, 3, 3))))


# ---- streams


def test_a_stream_is_read_as_codes_and_by_its_sign(chain, exact):
    c = stream(chain)
    one = c.current
    c.scalar("Sub", 0.1).sign()
    pad(c, 1, 1, 1, 1).conv(signs(4, 4, 3, 3)).scalar("Mul", 0.3).quant(0.25, 4)
    graph = exact(ends(add(c, one)))
    assert kinds(graph).count("ShiftAdd") == 1


def test_two_blocks_and_a_clip(chain, exact):
    """stream -> clip(stream + branch) twice, the second time over raw sums."""
    c = stream(chain)
    for seed in (2, 3):
        one = c.current
        c.scalar("Sub", [0.1, -0.1, 0.3, 0]).sign()
        pad(c, 1, 1, 1, 1).conv(signs(4, 4, 3, 3, seed=seed))
        if seed == 2:
            c.scalar("Mul", 0.3).quant(0.25, 4)
        add(c, one).op("Clip", c.const(np.float32(-2)), c.const(np.float32(2))).quant(0.25, 5)
    exact(ends(c))


def test_raw_sums_are_added(chain, exact):
    """An accumulator without any quantiser, a bias, a third operand: one quantiser behind all of them."""
    c = stream(chain)
    one = c.current
    c.scalar("Sub", 0.1).sign()
    x, shape = c.current, list(c.shape)
    c.conv(signs(4, 4, 1, 1, seed=2), bias=[0.5, -0.25, 1, 0])
    raw = c.current
    c.current, c.shape = x, shape
    add(add(c.conv(signs(4, 4, 1, 1, seed=3), scale=0.5), raw), one)
    graph = exact(ends(c.quant(0.25, 6)))
    assert kinds(graph).count("ShiftAdd") == 2


def test_raw_sums_of_one_channel(chain, exact):
    c = stream(chain, channels=1)
    one = c.current
    exact(ends(add(c.scalar("Sub", 0.1).sign().conv(signs(1, 1, 1, 1)), one).quant(0.25, 6)))


def test_a_stream_of_few_codes_keeps_its_grid(chain, exact):
    """Of the quarters that it may hold, 0 and 3 occur: multiples of 3/4 could not be added to quarters."""
    c = stream(chain)
    one = c.current
    c.scalar("Sub", 0.1).sign().conv(signs(4, 1, 1, 1), group=4).scalar("Mul", 0.375).scalar("Add", 0.375)
    exact(ends(add(c.quant(0.25, 5), one)))


def test_pooled_codes_are_read_as_codes_and_by_their_sign(chain, exact):
    """The pool stands once, behind one quantiser, though its channels fall with the sums in front of it."""
    c = chain(SHAPE).scalar("Sub", 128).conv(signs(4, 2, 1, 1)).scalar("Mul", [0.01, -0.02, 0.03, -0.01]).quant(0.25, 5)
    max_pool(c, (2, 2), (2, 2))
    one = c.current
    c.scalar("Sub", 0.1).sign().conv(signs(4, 4, 1, 1)).scalar("Mul", 0.3).quant(0.25, 4)
    assert kinds(exact(ends(add(c, one)))).count("MaxPoolNHWC") == 1


def test_pooled_sums_are_quantised_in_two_ways(chain, exact):
    """Both fall with the sums in some channels, whose weights nobody may negate: they are multiplied by -1."""
    c = chain(SHAPE).scalar("Sub", 128).conv(signs(4, 2, 1, 1)).scalar("Mul", [0.01, -0.02, 0.03, -0.01])
    max_pool(c, (2, 2), (2, 2))
    x, shape = c.current, list(c.shape)
    c.quant(0.25, 5).conv(signs(4, 4, 1, 1, seed=3)).scalar("Mul", 0.3).quant(0.25, 5)
    one = c.current
    c.current, c.shape = x, shape
    c.scalar("Add", 0.3).quant(0.5, 4).conv(signs(4, 4, 1, 1, seed=4)).scalar("Mul", 0.3).quant(0.25, 5)
    assert "Requantise" in kinds(exact(ends(add(c, one))))


def test_layers_of_one_input_have_one_scale(chain, exact):
    """Their weights are integers, no +-1 with scales of their own: averages behind them are on one grid."""
    c = stream(chain, channels=1).conv(np.array([1.0, -3, 2, 4]).reshape(4, 1, 1, 1) / 4, stored=True)
    exact(ends(average(c, (2, 2), (2, 2)).quant(0.25, 5)))


def test_codes_that_turn_back(chain, exact):
    """ABN's gate into a stream that is read as codes."""
    c = stream(chain)
    one = c.current
    c.sign().conv(signs(4, 4, 1, 1)).gate([0.5, -0.7, 1.0, 0.3]).quant(0.125, 5)
    assert "Lookup" in kinds(exact(ends(add(c, one))))


def test_a_sign_that_changes_four_times(chain, exact):
    c = chain((8,)).dense(signs(5, 8)).scalar("Mul", 0.01).op("Abs").scalar("Sub", 3.0).op("Abs").scalar("Sub", 1.5)
    exact(c.sign().dense(signs(3, 5)))


def test_doubled_channels(chain, exact):
    c = stream(chain)
    one = c.current
    c.scalar("Sub", 0.1).sign().conv(signs(4, 4, 1, 1)).scalar("Mul", 0.3).quant(0.25, 5)
    c.op("Concat", first=[one], axis=1)
    c.shape[1] = 8
    assert "Concat" in kinds(exact(ends(c.conv(signs(4, 8, 1, 1, seed=5)).scalar("Mul", 0.2))))


def test_option_a(chain, exact):
    """Every second pixel, and channels of zeros on both sides, beside a convolution of stride 2."""
    c = stream(chain)
    x, shape = c.current, list(c.shape)
    c.scalar("Sub", 0.1).sign()
    pad(c, 1, 1, 1, 1).conv(signs(8, 4, 3, 3), stride=2).scalar("Mul", 0.3).quant(0.25, 5)
    branch = c.current
    c.current, c.shape = x, shape
    c.op("Slice", *(c.const(values, np.int64) for values in ([0, 0], [9999, 9999], [2, 3], [2, 2])))
    c.shape = [1, 4, 3, 3]
    pad(c, 0, 0, 0, 0, channels=(2, 2))
    assert "PadChannels" in kinds(exact(ends(add(c, branch))))


def test_channels_beside_an_image_that_falls_with_the_pixel_are_refused(chain, exact):
    c = chain(SHAPE).scalar("Mul", [0.1, -0.1]).quant(1.0, 4)
    with pytest.raises(UnsupportedError, match="it adds channels to a map whose channels differ in what a code means"):
        exact(ends(pad(c, 0, 0, 0, 0, channels=(0, 1)).conv(signs(4, 3, 1, 1))))


@pytest.mark.parametrize(("kernel", "stride"), [((2, 2), (2, 2)), ((3, 3), (1, 1)), ((3, 2), (2, 3))])
def test_average_pools(chain, exact, kernel, stride):
    """On a stream, in front of a binary 1 x 1 convolution, without and with a quantiser; 9 and 6 are no powers of 2."""
    c = average(stream(chain), kernel, stride)
    exact(ends(c.quant(0.25, 5).conv(signs(4, 4, 1, 1, seed=3)).scalar("Mul", 0.3)))


def test_an_average_of_signs(chain, exact):
    c = stream(chain).sign()
    exact(ends(average(c, (2, 2), (2, 2)).conv(signs(4, 4, 1, 1, seed=3)).scalar("Mul", 0.3)))


@pytest.mark.parametrize("of_signs", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "pads"), [((3, 3), (2, 2), (1, 1, 1, 1)), ((2, 3), (1, 2), (0, 1, 1, 0))])
def test_overlapping_max_pools(chain, exact, kernel, stride, pads, of_signs):
    c = stream(chain)
    c = max_pool(c.sign() if of_signs else c, kernel, stride, pads)
    exact(ends(c.conv(signs(4, 4, 1, 1, seed=3)).scalar("Mul", 0.3)))


def test_a_constant_of_every_feature(chain, exact):
    """27 of a map of 3 x 3: the stream brings them in another order."""
    rng = np.random.default_rng(8)
    c = chain((2, 4, 4)).scalar("Sub", 127.5).sign().conv(rng.choice([-1, 1], (3, 2, 2, 2))).flatten()
    exact(c.scalar("Sub", rng.integers(-4, 5, 27) + 0.5).sign().dense(rng.choice([-1, 1], (5, 27))))


def test_a_dilated_convolution(chain, exact):
    c = stream(chain).sign()
    pad(c, 2, 2, 2, 2).conv(signs(4, 4, 3, 3, seed=3), dilations=[2, 2]).scalar("Mul", 0.3)
    c.shape = [1, 4, 6, 6]
    exact(ends(c))


# ---- refusals


def test_unequal_grids_are_refused(chain, exact):
    c = stream(chain)
    one = c.current
    c.sign().conv(signs(4, 4, 1, 1)).quant(0.3, 4)
    with pytest.raises(UnsupportedError, match=r"operator Add: it adds multiples of .*0\.3.*on one grid"):
        exact(ends(add(c, one)))


def test_raw_sums_of_unequal_scales_are_refused(chain, exact):
    c = stream(chain)
    one = c.current
    c.sign().conv(signs(4, 4, 1, 1), scale=[1, 2, 1, 3])
    with pytest.raises(UnsupportedError, match=r"'Conv_\d+'.* multiples of 1 in channel 0 and of 2 in 1"):
        exact(ends(add(c, one)))


UNEVEN = np.float32([0.340382, 0.340382, 0.171043, 0.274649])


@pytest.mark.parametrize("group", [1, 4])
def test_scales_for_each_channel_are_refused(chain, exact, group):
    """Also in front of a depthwise layer, which could hold them in its weights."""
    c = stream(chain).sign().scalar("Mul", UNEVEN).conv(signs(4, 4 // group, 3, 3), group=group)
    message = (
        r"operator Mul: it has a scale for each channel, 0\.340382 in channel 0 and 0\.171043 in 2, and the next layer "
        r"sums them\. Supported: one scale for all channels: a depthwise layer can hold the others in its weights"
    )
    with pytest.raises(UnsupportedError, match=message):
        exact(ends(c))


def test_scales_in_the_weights_of_a_depthwise_layer(chain, exact):
    """What the message above advises; and zeros in front of a Flatten, for which no bit stands there."""
    c = stream(chain).sign().conv(signs(4, 1, 3, 3), group=4, scale=UNEVEN)
    pad(c.scalar("Add", 0.07).sign(), 1, 0, 2, 1).flatten()
    found = kinds(exact(c.dense(signs(3, int(np.prod(c.shape))))))
    assert found[-3:] == ["Border", "Flatten", "MatMul"]


def test_a_stream_of_more_than_24_bits_is_refused(chain, exact):
    """Two grids far apart: the coarser one's codes are shifted beyond what anything counts."""
    c = stream(chain)
    one = c.current
    c.sign().conv(signs(4, 4, 1, 1)).quant(0.25 / 2**22, 5)
    with pytest.raises(UnsupportedError, match=r"operator Add: it can reach \d+\. Supported: numbers up to 16777215"):
        exact(ends(add(c, one)))


def test_pads_wider_than_the_kernel_are_refused(chain, exact):
    c = pad(stream(chain), 3, 1, 1, 1).conv(signs(4, 4, 3, 3)).scalar("Mul", 0.3)
    message = r"operator Conv: a window spans 3 pixels of the height, the padding \[3, 1\], and may hold nothing else"
    with pytest.raises(UnsupportedError, match=message):
        exact(ends(c))


def test_grids_side_by_side_are_refused(chain, exact):
    c = stream(chain)
    one = c.current
    c.sign().conv(signs(4, 4, 1, 1)).quant(0.3, 4).op("Concat", first=[one], axis=1)
    c.shape[1] = 8
    with pytest.raises(UnsupportedError, match="operator Concat: it puts multiples of"):
        exact(ends(c.conv(signs(4, 8, 1, 1))))


@pytest.mark.parametrize("scales", [(0.25, 0.25), (0.125, 0.5), (1.0, 0.0625)])
def test_grids_a_power_of_two_apart_side_by_side(chain, exact, scales):
    """On the finer one, as for an addition."""
    c = chain(SHAPE).scalar("Sub", 128).conv(signs(4, 2, 1, 1)).scalar("Mul", 0.1).quant(scales[0], 5)
    one = c.current
    c.sign().conv(signs(3, 4, 1, 1)).scalar("Mul", 0.3).quant(scales[1], 4).op("Concat", first=[one], axis=1)
    c.shape[1] = 7
    assert ("Requantise" in kinds(exact(ends(c.conv(signs(8, 7, 1, 1)))))) == (scales[0] != scales[1])


def test_signs_beside_what_a_layer_makes_of_them(chain, exact):
    """A DenseNet of bits: a layer reads them, too."""
    c = stream(chain).scalar("Add", 0.07).sign()
    one = c.current
    c.conv(signs(3, 4, 1, 1)).scalar("Add", 0.3).sign().op("Concat", first=[one], axis=1)
    c.shape[1] = 7
    exact(ends(c.conv(signs(8, 7, 1, 1))))


@pytest.mark.parametrize("kernel, right", [((1, 1), True), ((2, 1), False), ((5, 6), False)])
def test_flattened_maps_side_by_side(chain, exact, kernel, right):
    """Features of maps of one size are channels; others have no common order."""
    c = stream(chain).scalar("Add", 0.07).sign()
    whole = c.current
    c.conv(signs(2, 4, *kernel)).scalar("Add", 0.1).sign().flatten()
    part, inputs = c.current, 4 * 36 + c.shape[1]
    c.current = whole
    c.flatten().op("Concat", first=[part], axis=1).dense(signs(3, inputs, seed=9))
    if right:
        assert "Concat" in kinds(exact(c))
        return
    with pytest.raises(UnsupportedError, match=r"operator Concat: .* of maps of .* pixels and of 6 x 6 pixels side by"):
        exact(c)


# ---- random networks


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_random_blocks(chain, exact, data):
    """Blocks of every kind of branch, shortcut and reader, one behind the other."""
    pick = lambda *values: data.draw(st.sampled_from(values))  # noqa: E731
    c = stream(chain, channels=pick(2, 4, 6))
    for block in range(data.draw(st.integers(1, 3))):
        one, width = c.current, c.shape[1]
        c.scalar("Sub", np.linspace(-0.3, 0.3, width)).sign(pick(1.0, 0.5))
        size = pick(1, 3)
        if size == 3:
            pad(c, 1, 1, 1, 1, pick(0.0, 0.0, c.constants[c.nodes[-1].input[1]].item()))
        c.conv(signs(width, width, size, size, seed=block))
        match pick("codes", "gate", "raw"):
            case "codes":
                c.scalar("Mul", np.linspace(-0.3, 0.5, width)).quant(pick(0.25, 0.125), 5)
            case "gate":
                c.gate(np.linspace(-0.6, 0.7, width)).quant(0.25, 5)
        add(c, one)
        if pick(True, False):
            c.quant(0.25, pick(3, 5))
        if block == 0 and (pool := pick("none", "max", "average")) != "none":
            (max_pool if pool == "max" else average)(c, (2, 2), (2, 2))
    exact(ends(c))
