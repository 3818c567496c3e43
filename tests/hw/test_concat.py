"""Channels of two streams one behind the other: words and cycles when the streams arrive at times of their own."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(max_examples=3, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


def concat(bench, first=8, second=4, pe=2, a="INT5", b="UINT3", odt="INT5", vectors=(1, 2, 3)):
    attributes = {"NumChannels": first, "NumChannels1": second, "PE": pe, "numInputVectors": list(vectors)}
    return bench("Concat_sf", attributes | {"inputDataType": a, "inputDataType1": b, "outputDataType": odt})


@FEW
@given(
    *(st.integers(1, 4), st.integers(1, 4), st.sampled_from([1, 3]), st.integers(0)),
    st.sampled_from([("BINARY",) * 3, ("BIPOLAR",) * 3, ("UINT4", "INT3", "INT6"), ("INT3", "BINARY", "INT3")]),
)
def test_concat(bench, first, second, pe, seed, types):
    rng = np.random.default_rng(seed)
    gates = tuple(int(rng.integers(1, 1 << 62)) for _ in range(2))
    concat(bench, first * pe, second * pe, pe, *types).compile(gates=gates).check(rng)


@pytest.mark.parametrize("gates", [(1 << 40, (1 << 64) - 1), ((1 << 64) - 1, 1 << 20)])
def test_one_stream_far_ahead(bench, gates):
    concat(bench).compile(gates=gates).check(np.random.default_rng(1))


def test_by_definition(bench):
    """The values of both at the ends of their types, without the numpy reference."""
    node = concat(bench, 4, 2, 2, "INT4", "UINT4", "INT6", (2,)).compile()
    x = [np.array([[[-8, 7, 0, -1], [1, 2, 3, 4]]] * 3), np.array([[[15, 0], [8, 9]]] * 3)]
    got = node.stream(x, in_stall=0.3, out_stall=0.3, seed=1)[0]
    np.testing.assert_array_equal(got, [[[-8, 7, 0, -1, 15, 0], [1, 2, 3, 4, 8, 9]]] * 3)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second", "pe"), [(16, 16, 4), (96, 64, 32)])
def test_estimate(bench, first, second, pe):
    concat(bench, first, second, pe).check_estimate()


def test_lanes_divide_both(bench):
    assert concat(bench, 12, 18).op.foldings() == {"PE": [1, 2, 3, 6]}


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("PE", 3, "PE = 3 does not divide NumChannels = 8"),
        ("PE", 8, "PE = 8 does not divide NumChannels = 4"),
        ("outputDataType", "INT3", r"outputDataType INT3 does not hold the values, -16\.\.15"),
        ("inputDataType1", "BIPOLAR", "type BIPOLAR has no arithmetic here; make it BINARY"),
    ],
)
def test_illegal_attributes(bench, attribute, value, message):
    node = concat(bench)
    node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("override", "message"),
    [({"OUT_WIDTH": 4}, "OUT_WIDTH = 4 is less than WIDTH0 = 5 or WIDTH1 = 3"), ({"WORDS1": 0}, "WORDS1 = 0")],
)
def test_elaboration_refuses(bench, override, message):
    with pytest.raises(RtlError, match=message):
        concat(bench).compile(**override)
