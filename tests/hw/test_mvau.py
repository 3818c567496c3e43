"""MVAU: RTL = numpy, cycle for cycle, for any folding, input type and activation."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def mvau(bench, rng, mw, mh, simd, pe, act="BINARY", threshold=True, vectors=(1,), **attributes):
    xnor = act == "BINARY"
    low, high = (0, mw) if act in ("BINARY", "BIPOLAR") else (-mw * 255, mw * 255)
    weights = rng.integers(0, 2, (mw, mh)) * (1 if xnor else 2) - (0 if xnor else 1)
    t = np.round(rng.normal((low + high) / 2, mw**0.5 * (1 if act in ("BINARY", "BIPOLAR") else 150), (mh, 1)))
    t[rng.random((mh, 1)) < 0.2] = rng.choice([low, high, high + 1, low - 1])
    out = rng.choice(["BINARY", "BIPOLAR"]) if threshold else "UINT16" if act in ("BINARY", "BIPOLAR") else "INT20"
    attributes = {
        "MW": mw,
        "MH": mh,
        "SIMD": simd,
        "PE": pe,
        "inputDataType": act,
        "weightDataType": "BINARY" if xnor else "BIPOLAR",
        "outputDataType": out,
        "binaryXnorMode": int(xnor),
        "noActivation": int(not threshold),
        "numInputVectors": list(vectors),
        "ActVal": 0,
    } | attributes
    return bench("MVAU_sf", attributes, weights, *([t] if threshold else []))


def divisor(draw, n):
    return draw(st.sampled_from([d for d in range(1, n + 1) if n % d == 0]))


@st.composite
def shapes(draw, most=72):
    mw, mh = draw(st.integers(1, most)), draw(st.integers(1, 24))
    return {
        "mw": mw,
        "mh": mh,
        "simd": divisor(draw, mw),
        "pe": divisor(draw, mh),
        "threshold": draw(st.booleans()),
        "vectors": draw(st.sampled_from([(1,), (3,), (1, 2, 2)])),
        "ram_style": draw(st.sampled_from(["auto", "block", "distributed"])),
    }


@FEW
@given(shapes(), st.sampled_from(["BINARY", "BIPOLAR"]), st.integers(0, 99))
def test_binary(bench, shape, act, seed):
    rng = np.random.default_rng(seed)
    mvau(bench, rng, act=act, **shape).compile().check(rng)


@FEW
@given(shapes(most=30), st.sampled_from(["UINT8", "INT8", "UINT2", "INT4"]), st.integers(0, 99))
def test_integer(bench, shape, act, seed):
    rng = np.random.default_rng(seed)
    mvau(bench, rng, act=act, **shape).compile().check(rng)


@pytest.mark.parametrize("ram_style", ["block", "distributed"])
@pytest.mark.parametrize(("simd", "pe"), [(64, 4), (192, 2), (5, 1)])
def test_the_synthesised_tree_is_the_count_that_is_simulated(bench, simd, pe, ram_style):
    rng = np.random.default_rng(simd)
    node = mvau(bench, rng, simd * 2, 8, simd, pe, vectors=(2,), ram_style=ram_style)
    node.compile(TREE=1).check(rng)


def test_wide(bench):
    rng = np.random.default_rng(5)
    mvau(bench, rng, 1152, 16, 384, 8, vectors=(5,)).compile().check(rng)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"SIMD": 5}, r"dut .*SIMD = 5 does not divide MW = 12"),
        ({"PE": 3}, r"PE = 3 does not divide MH = 8"),
        ({"PE": 0}, r"PE = 0 does not divide MH = 8"),
        ({"weightDataType": "INT4"}, r"weights are INT4; only BIPOLAR"),
        ({"outputDataType": "UINT2"}, r"gives UINT2; only one threshold"),
        ({"inputDataType": "FLOAT32"}, r"FLOAT32; only integers"),
        ({"binaryXnorMode": 0}, r"BINARY without binaryXnorMode"),
        ({"ram_style": "ultra"}, r"ram_style is ultra"),
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
    node.model.set_initializer("c0", np.full((12, 8), 0.5, np.float32))
    with pytest.raises(OpError, match=r"weights hold values other than \+-1: \[0.5\]"):
        node.op.rtl_instance(node.model)
    node.model.set_initializer("c0", np.zeros((8, 12), np.float32))
    with pytest.raises(OpError, match=r"weights are \(8, 12\), must be \(MW, MH\)"):
        node.op.rtl_instance(node.model)


def test_raw_accumulators_must_fit(bench):
    node = mvau(bench, np.random.default_rng(0), 12, 8, 4, 2, threshold=False, outputDataType="UINT3")
    with pytest.raises(OpError, match=r"UINT3 does not hold the accumulators, 0\.\.12"):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("override", "message"),
    [({"SIMD": 5}, "SIMD = 5 does not divide MW = 12"), ({"PE": 3}, "PE = 3 does not divide MH = 8")],
)
def test_elaboration_refuses(bench, override, message):
    node = mvau(bench, np.random.default_rng(0), 12, 8, 4, 2)
    with pytest.raises(RtlError, match=message):
        node.compile(**override)
