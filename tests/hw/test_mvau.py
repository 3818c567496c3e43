"""MVAU: RTL = numpy, cycle for cycle, for any folding, types of inputs and weights, and activation."""

from itertools import combinations_with_replacement, product

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
BITS = ["BINARY", "BIPOLAR"]


STEPS = {"raw": 0, "bit": 1, "count": 2, "window": 2}


def constants(rng, mw, mh, act, weights, steps):
    """Weights with all their extremes, thresholds near the middle of the accumulators with some beyond their ends."""
    if weights == "BIPOLAR":
        values = rng.integers(0, 2, (mw, mh)) * (1 if act == "BINARY" else 2) - (act != "BINARY")
        low, high, spread = (0, mw, mw**0.5) if act in BITS else (-mw * 255, mw * 255, 150 * mw**0.5)
    else:
        least = -(2 ** (int(weights[3:]) - 1))
        values = rng.integers(least, -least, (mw, mh))
        values = np.where(rng.random(values.shape) < 0.2, rng.choice([least, -least - 1], values.shape), values)
        low, high, spread = mw * 255 * least, -mw * 255 * least, -60 * least * mw**0.5
    t = np.round(rng.normal((low + high) / 2, spread, (mh, steps)))
    never = rng.random(t.shape) < 0.2
    t[never] = rng.choice([low, high, high + 1, low - 1], t.shape)[never]
    return values, np.sort(t, axis=1)


def mvau(
    bench, rng, mw, mh, simd, pe, act="BINARY", form="bit", weights="BIPOLAR", vectors=(1,), values=None, **attributes
):
    xnor = act == "BINARY"
    values = values or constants(rng, mw, mh, act, weights, STEPS[form])
    out = {"bit": rng.choice(["BINARY", "BIPOLAR"]), "count": "UINT2", "window": "BINARY"}
    attributes = {
        "MW": mw,
        "MH": mh,
        "SIMD": simd,
        "PE": pe,
        "inputDataType": act,
        "weightDataType": "BINARY" if xnor else weights,
        "outputDataType": out.get(form, "UINT16" if act in BITS else "INT20" if weights == "BIPOLAR" else "INT24"),
        "binaryXnorMode": int(xnor),
        "noActivation": int(form == "raw"),
        "window": int(form == "window"),
        "numInputVectors": list(vectors),
        "ActVal": 0,
    } | attributes
    return bench("MVAU_sf", attributes, *(values if form != "raw" else values[:1]))


def of(most):
    return st.integers(1, most)


@st.composite
def shapes(draw, most=72):
    mw, mh = draw(st.integers(1, most)), draw(st.integers(1, 24))
    return {
        "mw": mw,
        "mh": mh,
        "simd": draw(st.integers(1, mw)),
        "fast": draw(st.integers(0, 1)),
        "pe": draw(st.integers(1, mh)),
        "form": draw(st.sampled_from(sorted(STEPS))),
        "vectors": draw(st.sampled_from([(1,), (3,), (1, 2, 2)])),
        "ram_style": draw(st.sampled_from(["auto", "block", "distributed"])),
    }


@FEW
@given(shapes(), st.sampled_from(BITS), st.integers(0, 99))
def test_binary(bench, shape, act, seed):
    rng = np.random.default_rng(seed)
    mvau(bench, rng, act=act, **shape).compile().check(rng)


@FEW
@given(shapes(most=30), st.sampled_from(["UINT8", "INT8", "UINT2", "INT4"]), st.integers(0, 99))
def test_integer(bench, shape, act, seed):
    rng = np.random.default_rng(seed)
    mvau(bench, rng, act=act, **shape).compile().check(rng)


@FEW
@given(shapes(most=12), st.sampled_from(["UINT8", "INT8", "UINT2", "INT5"]), st.integers(2, 8), st.integers(0, 99))
def test_integer_weights(bench, shape, act, bits, seed):
    rng = np.random.default_rng(seed)
    mvau(bench, rng, act=act, weights=f"INT{bits}", **shape).compile().check(rng)


@FEW
@given(st.sampled_from([(2, 3), (4, 1), (16, 2), (30, 1), (46, 1)]), of(3), of(8), st.sampled_from(sorted(STEPS)))
def test_zeros_between_bits(bench, groups, folds, mh, form):
    """A group under a flag counts half its places, whatever lies there; in the tree, and as Verilator counts."""
    (group, of_a_word), rng = groups, np.random.default_rng(mh)
    shape = {"mw": group * of_a_word * folds, "mh": mh, "simd": group * of_a_word, "pe": mh if mh % 2 else 1}
    node = mvau(bench, rng, **shape, act=BITS[mh % 2], form=form, vectors=(3,), padGroup=group)
    node.compile(TREE=folds % 2).check(rng)


@pytest.mark.parametrize(("simd", "pe", "form"), [(10, 3, "bit"), (16, 5, "window"), (22, 6, "raw")])
def test_zeros_between_bits_and_a_padded_last_step(bench, simd, pe, form):
    """24 places, a flag for two of them; in the tree, and as Verilator counts."""
    rng = np.random.default_rng(simd)
    node = mvau(bench, rng, 24, 7, simd, pe, form=form, vectors=(3,), padGroup=2)
    node.compile(TREE=pe % 2).check(rng)


@pytest.mark.parametrize(
    ("pixels", "simd", "pe", "form", "group", "vectors"),
    [(2, 10, 3, "bit", 0, (1, 2, 4)), (4, 6, 1, "window", 2, (1, 3, 3)), (2, 12, 2, "raw", 2, (1, 1, 3))],
)
def test_vectors_that_share_the_weights_that_are_read(bench, pixels, simd, pe, form, group, vectors):
    """Their words stand side by side, whole groups or not; padded last steps, flags; in the tree, and as Verilator
    counts.
    """
    rng = np.random.default_rng(simd)
    node = mvau(bench, rng, 24, 7, simd, pe, form=form, vectors=vectors, padGroup=group, Pixels=pixels)
    node.compile(TREE=pe % 2).check(rng)


def test_pixels_need_steps(bench):
    node = mvau(bench, np.random.default_rng(0), 24, 8, 12, 4, vectors=(8,), Pixels=4)
    with pytest.raises(OpError, match="Pixels = 4 with 2 steps of SIMD and 2 of PE, which must be 4 or more"):
        node.op.rtl_instance(node.model)
    with pytest.raises(OpError, match=r"Pixels = 2, must be 1..1, the vectors of an image"):
        node = mvau(bench, np.random.default_rng(0), 24, 8, 4, 2, vectors=(4,), Pixels=2)
        node.op.set_nodeattr("numInputVectors", [1])
        node.op.rtl_instance(node.model)
    with pytest.raises(OpError, match="Pixels = 2 with INT8; only bits share"):
        node = mvau(bench, np.random.default_rng(0), 24, 8, 4, 2, act="INT8", vectors=(4,), Pixels=2)
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize("group", [16, pytest.param(4, marks=pytest.mark.slow)])
def test_estimates_with_flags(bench, group):
    node = mvau(bench, np.random.default_rng(0), 144, 16, 48, 4, padGroup=group, ram_style="block")
    node.check_estimate()


@pytest.mark.slow
def test_estimate_of_weights_in_banks_of_block_ram(bench):
    """1,536 words lie in three banks, whose words are chosen in LUTs."""
    mvau(bench, np.random.default_rng(0), 1728, 64, 72, 1, vectors=(1,), ram_style="block").check_estimate()


@pytest.mark.slow
def test_estimates_of_vectors_that_share_their_weights(bench):
    node = mvau(bench, np.random.default_rng(0), 288, 16, 48, 4, vectors=(8,), Pixels=2, ram_style="block")
    node.check_estimate()


@pytest.mark.parametrize("form", ["count", "window"])
def test_all_pairs_of_thresholds_on_all_inputs(bench, form):
    """Also the constant ones, and those that exclude each other; by definition, without the numpy reference."""
    pairs = np.array(list(combinations_with_replacement(range(7), 2)))
    x = np.array(list(product([0, 1], repeat=5)))
    weights = np.random.default_rng(0).integers(0, 2, (5, len(pairs)))
    node = mvau(bench, np.random.default_rng(0), 5, 28, 5, 7, form=form, vectors=(32,), values=(weights, pairs))
    acc = (x[:, :, None] == weights).sum(axis=1)
    expected = {
        "count": (acc >= pairs[:, 0]).astype(int) + (acc >= pairs[:, 1]),
        "window": (acc < pairs[:, 0]) | (acc >= pairs[:, 1]),
    }
    np.testing.assert_array_equal(node.golden(x[None])[0], expected[form])
    np.testing.assert_array_equal(node.compile().stream(x[None])[0][0], expected[form])


def test_products_at_the_ends_of_their_types(bench):
    """Every extreme against every extreme, summed over all lanes, in an output type that only just holds the sum."""
    ends, weights = np.array([-128, -1, 0, 1, 127]), np.array([-8, -1, 0, 1, 7])
    x, w = np.repeat(ends[:, None], 32, axis=1), np.repeat(weights[None], 32, axis=0)
    values = (w, None)
    node = mvau(
        bench, np.random.default_rng(0), 32, 5, 16, 5, "INT8", "raw", "INT4", (5,), values, outputDataType="INT17"
    )
    np.testing.assert_array_equal(node.compile().stream(x[None])[0][0], 32 * np.outer(ends, weights))


@pytest.mark.parametrize(("act", "weights", "dsp", "bram"), [("INT8", "INT8", 8, 2), ("UINT2", "INT2", 0, 1)])
def test_integer_weights_take_dsp_blocks_and_memory(bench, act, weights, dsp, bram):
    """As yosys counts them: 64 words of 8 weights."""
    node = mvau(bench, np.random.default_rng(0), 64, 8, 4, 2, act, "raw", weights, ram_style="block")
    assert (node.op.dsp_estimation(), node.op.bram_estimation(), node.op.macs_per_cycle()) == (dsp, bram, 8)


@pytest.mark.parametrize(
    ("simd", "pe", "ram_style", "fast"),
    [
        pytest.param(*size, *memory, marks=[pytest.mark.slow] * (k != j))
        for j, memory in enumerate([("block", 0), ("block", 1), ("distributed", 0)])
        for k, size in enumerate([(64, 4), (192, 2), (5, 1)])
    ],
)
def test_the_synthesised_tree_is_the_count_that_is_simulated(bench, simd, pe, ram_style, fast):
    rng = np.random.default_rng(simd)
    node = mvau(bench, rng, simd * 2, 8, simd, pe, vectors=(2,), ram_style=ram_style, fast=fast)
    node.compile(TREE=1).check(rng)


def test_wide(bench):
    rng = np.random.default_rng(5)
    mvau(bench, rng, 1152, 16, 384, 8, vectors=(5,)).compile().check(rng)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"SIMD": 13}, r"dut .*SIMD = 13, must be 1\.\.MW = 12"),
        ({"PE": 9}, r"PE = 9, must be 1\.\.MH = 8"),
        ({"PE": 0}, r"PE = 0, must be 1\.\.MH = 8"),
        ({"weightDataType": "UINT4"}, r"weights are UINT4; BIPOLAR weights and signed integers"),
        ({"weightDataType": "INT4"}, r"weights are INT4 and the input is BINARY"),
        ({"outputDataType": "UINT4"}, r"gives UINT4, .* only BINARY, BIPOLAR, UINT2"),
        ({"outputDataType": "UINT2", "window": 1}, r"gives UINT2, with window = 1 only BINARY"),
        ({"noActivation": 1, "window": 1}, r"window = 1 with noActivation = 1"),
        ({"ActVal": 1, "outputDataType": "UINT2"}, r"ActVal = 1; counts of thresholds start at 0"),
        ({"inputDataType": "FLOAT32"}, r"FLOAT32; only integers"),
        ({"binaryXnorMode": 0}, r"BINARY without binaryXnorMode"),
        ({"inputDataType": "INT8"}, r"INT8 with binaryXnorMode"),
        ({"ram_style": "ultra"}, r"ram_style is ultra"),
        ({"ram_style": "adders"}, r"PE = 2 of 8 and SIMD = 4 of 12; .* PE >= 2 and SIMD = 12"),
        ({"ram_style": "adders", "SIMD": 12, "PE": 1}, r"PE = 1 of 8 and SIMD = 12 of 12; .* PE >= 2"),
        (
            {"ram_style": "adders", "SIMD": 12, "loadable": 1},
            r"adders with loadable = 1, .* constants of \+-1",
        ),
        ({"padGroup": 1}, r"padGroup = 1 with SIMD = 4: bits that share a flag must be even"),
        ({"padGroup": 3}, r"padGroup = 3 with SIMD = 4: bits that share a flag must be even"),
        ({"padGroup": 2, "inputDataType": "INT8", "binaryXnorMode": 0}, r"padGroup = 2 with INT8; flags are for bits"),
    ],
)
def test_illegal_attributes(bench, attributes, message):
    node = mvau(bench, np.random.default_rng(0), 12, 8, 4, 2)
    for name, value in attributes.items():
        node.op.set_nodeattr(name, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


def test_illegal_constants(bench):
    node = mvau(bench, np.random.default_rng(0), 12, 8, 4, 2)
    node.model.set_initializer("c1", np.zeros((8, 3), np.float32))
    with pytest.raises(OpError, match=r"thresholds are \(8, 3\), must be \(8 or 1, 1\)"):
        node.op.rtl_instance(node.model)
    node.op.set_nodeattr("window", 1)
    node.op.set_nodeattr("outputDataType", "BINARY")
    node.model.set_initializer("c1", np.array([[4, 3]], np.float32))
    with pytest.raises(OpError, match=r"thresholds of neuron 0 are \[4, 3\]; they must ascend"):
        node.op.rtl_instance(node.model)
    node.model.set_initializer("c0", np.full((12, 8), 0.5, np.float32))
    with pytest.raises(OpError, match=r"weights hold values other than \+-1: \[0.5\]"):
        node.op.rtl_instance(node.model)
    node.model.set_initializer("c0", np.zeros((8, 12), np.float32))
    with pytest.raises(OpError, match=r"weights are \(8, 12\), must be \(MW, MH\)"):
        node.op.rtl_instance(node.model)


def test_raw_accumulators_must_fit(bench):
    node = mvau(bench, np.random.default_rng(0), 12, 8, 4, 2, form="raw", outputDataType="UINT3")
    with pytest.raises(OpError, match=r"UINT3 does not hold the accumulators, 0\.\.12"):
        node.op.rtl_instance(node.model)
    values = (np.array([[7, -8], [3, 1]]), None)
    node = mvau(
        bench, np.random.default_rng(0), 2, 2, 2, 2, "INT8", "raw", "INT4", values=values, outputDataType="INT11"
    )
    with pytest.raises(OpError, match=r"INT11 does not hold the accumulators, -1280\.\.1270"):
        node.op.rtl_instance(node.model)
    with pytest.raises(OpError, match=r"weights hold values that INT3 has not: \[-8.0, 7.0\]"):
        node.op.set_nodeattr("weightDataType", "INT3")
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"SIMD": 13}, "SIMD = 13, must be 1..MW = 12"),
        ({"PE": 9}, "PE = 9, must be 1..MH = 8"),
        ({"WINDOW": 1}, "WINDOW = 1 needs THRESHOLDS = 2, not 1"),
        ({"THRESHOLDS": 2}, "needs START_FILE and GAP_FILE"),
        ({"THRESHOLDS": 3}, "THRESHOLDS = 3"),
        ({"PIXELS": 2, "ACT_WIDTH": 2}, "PIXELS = 2 with ACT_WIDTH = 2, ADDERS = 0"),
        ({"GROUP": 3}, "GROUP = 3 with ACT_WIDTH = 1; must be even and divide SIMD = 4"),
        ({"WEIGHT_WIDTH": 4}, "WEIGHT_WIDTH = 4 with ACT_WIDTH = 1"),
        ({"ADDERS": 1}, "ADDERS = 1 with SIMD = 4 of 12"),
    ],
)
def test_elaboration_refuses(bench, override, message):
    node = mvau(bench, np.random.default_rng(0), 12, 8, 4, 2)
    with pytest.raises(RtlError, match=message):
        node.compile(**override)


@FEW
@given(st.sampled_from([(1, 1, 1), (27, 4, 1), (50, 9, 4), (90, 8, 2), (64, 12, 4)]), st.sampled_from([0, 1]), of(99))
def test_weights_in_the_adders(bench, shape, tree, seed):
    """Up to four steps; as synthesis builds it, and as Verilator counts."""
    (mw, mh, pe), rng = shape, np.random.default_rng(seed)
    form, group = sorted(STEPS)[seed % 4], 2 * (seed % 2) * (mw % 2 == 0)
    style = {"form": form, "vectors": (3,), "ram_style": "adders", "padGroup": group}
    mvau(bench, rng, mw, mh, mw, pe, BITS[seed % 2], **style).compile(TREE=tree).check(rng)


def test_estimate_of_weights_in_the_adders(bench):
    node = mvau(bench, np.random.default_rng(0), 96, 8, 96, 2, ram_style="adders")
    node.check_estimate()
    assert node.op.bram_estimation() == 0 and node.op.get_exp_cycles() == 4


@FEW
@given(
    st.sampled_from([("UINT8", 2), ("UINT8", 3), ("INT8", 1), ("INT5", 5), ("UINT2", 1), ("INT4", 3)]),
    st.sampled_from(["bit", "count", "window"]),
    st.sampled_from([1, 2, 9, 27, 31]),
    of(9),
    st.sampled_from([0, 1]),
)
@example(("INT5", 5), "window", 27, 3, 0)
@example(("UINT8", 3), "count", 9, 4, 1)
def test_bit_planes(bench, act, form, mw, mh, tree):
    """Signed and unsigned, planes that divide the bits and that do not, thresholds beyond the ends; as synthesis builds
    it, and as Verilator counts.
    """
    (act, planes), rng = act, np.random.default_rng(mw)
    style = {"ram_style": "adders", "planes": planes, "vectors": (3,)}
    mvau(bench, rng, mw, mh, mw, mh, act, form, **style).compile(TREE=tree).check(rng)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"planes": 0}, r"planes = 0 with ram_style = adders"),
        ({"ram_style": "auto"}, r"planes = 2 with ram_style = auto"),
        ({"PE": 4}, r"planes = 2 of 8 with PE = 4 of 8 and SIMD = 12 of 12"),
        ({"planes": 9}, r"planes = 9 of 8"),
        ({"loadable": 1}, r"adders with loadable = 1"),
        ({"noActivation": 1, "outputDataType": "INT16"}, r"bit planes need thresholds"),
    ],
)
def test_illegal_bit_planes(bench, attributes, message):
    node = mvau(bench, np.random.default_rng(0), 12, 8, 12, 8, "UINT8", ram_style="adders", planes=2)
    for name, value in attributes.items():
        node.op.set_nodeattr(name, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.slow
def test_estimate_of_bit_planes(bench):
    node = mvau(bench, np.random.default_rng(0), 27, 16, 27, 16, "UINT8", ram_style="adders", planes=2)
    node.check_estimate()
    assert node.op.get_exp_cycles() == 4
