"""Which operators give codes: every one is exact, the cheapest is taken, and what none gives is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile import engine, lower, streamline
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.export import load, reference
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes import choice
from signflow.deploy.compile.passes.choice import INTERVALS, TABLE, THRESHOLDS, coded, few, forms
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.integer_graph import IntegerGraph, Tensor
from signflow.deploy.compile.passes.lines import LineRule
from signflow.deploy.compile.passes.transitions import Accumulators, Steps
from signflow.deploy.golden.intgraph import IntGraph

from ...equivalence.climbing import simulate  # noqa: TID252 - the tests are no package that could be named
from ...equivalence.foldings import accelerator, random_folding  # noqa: TID252
from .test_lines import normalised

engine.boot()
NODE = helper.make_node("Quant", ["x"], ["y"], name="quant")
PIXELS = np.arange(256)
PICTURES = np.repeat(PIXELS[:, None], 3, axis=1)


def steps_of(table: np.ndarray, low: int = 0) -> Steps:
    """Of ``table`` (values, channels), whose rows are ``low``, ``low`` + 1 and so on."""
    low = np.full(table.shape[1], low, dtype=np.int64)
    return Steps.of(Accumulators(low, low + len(table) - 1, 1), table.astype(np.int64))


def choose(*arguments):
    """The cheapest form."""
    return forms(*arguments)[0][1]


def image(channels: int = 3) -> tuple[IntegerGraph, Tensor]:
    graph = IntegerGraph((channels,), "UINT8")
    return graph, graph.image


CODES = {
    "line": np.clip((PIXELS[:, None] * [7, 3, -5] + [90, 700, 3]) >> 3, -128, 127),
    THRESHOLDS: np.cumsum(np.random.default_rng(0).random((256, 3)) < 0.3, axis=0) * [1, 1, -1],
    INTERVALS: np.abs(PIXELS[:, None] // 8 - [13, 4, 24]) // [1, 2, 3],
    TABLE: np.random.default_rng(1).integers(-9, 9, (256, 3)),
}


@pytest.mark.parametrize("form", CODES)
@pytest.mark.parametrize("shared", [False, True])
def test_every_form_gives_the_codes(form, shared, monkeypatch):
    """Integer graph, golden program and hardware graph, whatever the form costs."""
    table = CODES[form][:, :1] if shared else CODES[form]
    price = {"line": "Requantise", TABLE: "Lookup"}.get(form, "Thresholding")
    monkeypatch.setattr(choice, "_cost", lambda operator, _: float(operator != price))
    graph, x = image()
    if form == INTERVALS:
        monkeypatch.setattr(choice, "MAX_BITS", 7)
    integer = graph.model(coded(graph, NODE, x, steps_of(table)))
    ImageInput("uint8", (3,), "flat", False).save_to(integer)
    operators = {"line": ["Requantise"], TABLE: ["Lookup"], INTERVALS: ["MultiThreshold", "Lookup"]}
    assert next(iter(graph.costs[integer.graph.output[0].name])) == form  # the cheapest stands first
    kinds = [node.op_type for node in integer.graph.node if node.op_type != "Mul"]
    assert kinds == operators.get(form, ["MultiThreshold"])
    want = np.broadcast_to(table, (256, 3))
    np.testing.assert_array_equal(IntGraph(integer)(PICTURES), want)
    np.testing.assert_array_equal(streamline.execute(integer, PICTURES[::51]), want[::51])
    np.testing.assert_array_equal(streamline.execute(lower.lower(integer), PICTURES[::51]), want[::51])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([4, 40, 400]), st.booleans())
def test_any_codes_of_a_type_are_given(seed, most, rising):
    """Also where a channel does not reach all integers of the type."""
    rng = np.random.default_rng(seed)
    count, low = int(rng.integers(1, 257)), int(rng.integers(0, 3))
    table = rng.integers(-most, most, (count, 3)) // int(rng.integers(1, 9))
    table = np.sort(table, axis=0) * rng.choice([-1, 1], 3) if rising else table
    count = min(count, 256 - low)
    graph, x = image()
    integer = graph.model(coded(graph, NODE, x, steps_of(table[:count], low)))
    ImageInput("uint8", (3,), "flat", False).save_to(integer)
    np.testing.assert_array_equal(IntGraph(integer)(PICTURES[low : low + count]), table[:count])


def popcounts(bits: int, step: float, fan_in: int, channels: int, kind: str = "BN"):
    """Codes of a random layer, and the tensor of its popcounts."""
    table = normalised(np.random.default_rng(0), kind, fan_in, bits, step, channels)
    return steps_of(table), Tensor("x", (channels,), f"UINT{fan_in.bit_length()}")


def test_what_is_cheap_is_taken():
    assert few(popcounts(5, 1 / 8, 576, 64)[0]) and not few(popcounts(6, 1 / 16, 576, 64)[0])
    assert isinstance(choose(NODE, *popcounts(6, 1 / 16, 576, 64)), LineRule)
    assert isinstance(choose(NODE, *popcounts(9, 1 / 128, 1152, 8)), LineRule)
    assert choose(NODE, *popcounts(8, 1 / 64, 1152, 64, "RPReLU")) == THRESHOLDS
    assert choose(NODE, *popcounts(8, 1 / 64, 144, 64, "RPReLU")) == TABLE
    turning = np.abs(np.arange(3000) // 100 - 12)[:, None]
    assert choose(NODE, steps_of(turning, -1500), Tensor("x", (8,), "INT12")) == INTERVALS
    assert few(steps_of(np.arange(0, 256)[:, None])) and not few(steps_of(np.arange(0, 256)[:, None] * [1, 1]))


def test_a_cost_is_what_the_operators_estimate():
    """Of every form, node by node in the hardware graph."""
    for codes in map(steps_of, CODES.values()):
        for cost, form in forms(NODE, codes, image()[1]):
            graph, x = image()
            integer = graph.model(choice._made(graph, x, codes, form))
            ImageInput("uint8", (3,), "flat", False).save_to(integer)
            ops = [getCustomOp(node) for node in lower.lower(integer).graph.node]
            assert cost == sum(
                op.lut_estimation() + 100 * op.bram_estimation() + 100 * op.dsp_estimation("") for op in ops
            )


def test_codes_that_no_operator_gives_are_refused():
    """Over 255 changes up and down, or over 1,020 upwards, that are no line, of 17 bits."""
    rng, x = np.random.default_rng(0), Tensor("x", (2,), "UINT17")
    ends = r"at most 255 changes \(1020 where codes only rise or only fall\), functions that are a line"
    for rate, steps, found in [(0.005, (-1, 1), r"3\d\d"), (0.02, (1, 1), r"1,?3\d\d")]:
        table = np.cumsum((rng.random((2**16 + 5, 2)) < rate) * rng.choice(steps, (2**16 + 5, 2)), axis=0)
        with pytest.raises(UnsupportedError, match=rf"'quant'.*change up to {found} times.*of 17 bits.*{ends}"):
            choose(NODE, steps_of(table), x)
        if rate < 0.01:
            assert choose(NODE, steps_of(table[: 2**16]), Tensor("x", (2,), "UINT16")) == TABLE
            assert choose(NODE, steps_of(np.abs(table).cumsum(axis=0) // 20_000), x) == THRESHOLDS


@pytest.mark.parametrize("falls", [False, True])
def test_more_levels_than_an_operator_counts_are_counted_in_parts(monkeypatch, falls):
    """As in a wide sum whose float32 rounding bends a line of 511 levels; here 83 changes by operators of 25."""
    monkeypatch.setattr(choice, "MAX_STEPS", 25)
    monkeypatch.setattr(choice, "MAX_BITS", 4)
    graph, x = image()
    table = CODES[THRESHOLDS]
    table = np.abs(table) - 9
    if falls:  # in one channel: its signs are part of every operator
        table[:, 1] = table[::-1, 1]
    integer = graph.model(coded(graph, NODE, x, steps_of(table)))
    ImageInput("uint8", (3,), "flat", False).save_to(integer)
    kinds = [node.op_type for node in integer.graph.node]
    assert kinds.count("MultiThreshold") == 4 and kinds.count("ShiftAdd") == 3
    np.testing.assert_array_equal(IntGraph(integer)(PICTURES), table)
    np.testing.assert_array_equal(streamline.execute(lower.lower(integer), PICTURES[::51]), table[::51])
    monkeypatch.setattr(choice, "_cost", lambda _, attributes: attributes["numSteps"])
    assert forms(NODE, steps_of(table), x) == [(4 * 21, THRESHOLDS)]


def signs(*shape) -> np.ndarray:
    return np.random.default_rng(len(shape)).choice([-1.0, 1.0], shape)


SLOPES = [0.371234, -0.813579, 2.345678, 0.051234, 9.123456, -3.956789]
"""Of many digits: multiples of short ones are often half a code, and the rounding of halves is no line."""


def residual(chain, bits: int, pool: bool = False):
    """A stream of ``bits`` bits; a branch from its signs, normalised with slopes of both directions to codes of its
    grid; their sum, normalised, perhaps pooled (what falls, too), to coarser codes; a dense layer.
    """
    c = chain((2, 4, 4)).scalar("Sub", 128).conv(signs(6, 2, 1, 1)).scalar("Mul", np.multiply(SLOPES, 0.1))
    c.quant(2.0**-3, bits)
    x, shape = c.current, list(c.shape)
    c.scalar("Add", 0.07).sign().conv(signs(6, 6, 1, 1)).scalar("Mul", SLOPES)
    c.scalar("Add", np.linspace(-1, 1, 6)).quant(2.0**-3, bits)
    c.op("Add", first=[x])
    c.conv(np.tile([1.0, -1.0], 18).reshape(6, 6, 1, 1)).scalar("Mul", SLOPES).scalar("Add", np.linspace(0.0123, 9, 6))
    if pool:
        c.op("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        c.shape = [*shape[:2], 2, 2]
    return c.quant(2.0**-2, bits).flatten().dense(signs(3, int(np.prod(c.shape))))


def compiled(c, folder):
    """Its integer graph, which is the reference on 60 images; images; integers."""
    model = load(c.save(folder / "net.onnx"), "uint8")
    integer, rng = streamline.streamline(model), np.random.default_rng(0)
    shape = [dim.dim_value for dim in c.input.type.tensor_type.shape.dim[1:]]
    mean, noise = rng.integers(0, 256, (60, 2, 1, 1)), rng.integers(-90, 91, (60, *shape))
    images = np.clip(mean + noise, 0, 255).astype(np.uint8)
    integers = IntGraph(integer)(images)
    np.testing.assert_array_equal(Head.of(integer)(integers), reference(model, images)["output"].reshape(60, -1))
    assert len(np.unique(integers, axis=0)) > 10
    return integer, images, integers


@pytest.mark.parametrize(
    ("pool", "bits"),
    [
        pytest.param(pool, bits, marks=[pytest.mark.slow] * ((pool, bits) not in ((False, 8), (True, 6))))
        for pool in (False, True)
        for bits in (6, 8, 9)
    ],
)
def test_a_residual_block_whose_branches_are_lines(chain, bits, pool, tmp_path):
    """From sums of pixels and of codes, in front of a join, and behind a pool."""
    integer, _, _ = compiled(residual(chain, bits, pool), tmp_path)
    operators = [node.op_type for node in integer.graph.node]
    assert operators.count("Requantise") == 2 and operators.count("Lookup") == 1
    assert operators.count("MaxPoolNHWC") == pool


def test_a_line_of_popcounts(chain, tmp_path):
    """512 signs, normalised to 8 bits."""
    c = chain((2, 16, 16)).scalar("Sub", 128).sign().flatten().dense(signs(6, 512)).scalar("Mul", SLOPES)
    integer, _, _ = compiled(c.scalar("Add", np.linspace(-1, 1, 6)).quant(2.0**-3, 8).dense(signs(3, 6)), tmp_path)
    assert [node.op_type for node in integer.graph.node][-3:] == ["XnorPopcountMatMul", "Requantise", "MatMul"]


def test_a_residual_block_in_hardware(chain, tmp_path):
    """8 bits, folded at random; every logit of the simulation, with and without stalls, in the predicted cycles."""
    integer, images, integers = compiled(residual(chain, 8, True), tmp_path)
    hardware, rng = lower.lower(integer), np.random.default_rng(3)
    assert "Requantise_sf" in [node.op_type for node in hardware.graph.node]
    simulator = accelerator(hardware, random_folding(hardware, 1), tmp_path / "a")
    np.testing.assert_array_equal(streamline.execute(hardware, images[:2]), integers[:2])
    simulate(simulator, ImageInput.of(hardware).stream(images[:12]), integers[:12], rng)
