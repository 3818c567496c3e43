"""Channels of a constant: words, cycles and refusals."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(max_examples=4, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


def padded(bench, channels=8, before=4, after=2, pe=2, value=0, dt="INT5", odt=None, vectors=(1, 2, 3)):
    attributes = {"NumChannels": channels, "PE": pe, "numInputVectors": list(vectors), "inputDataType": dt}
    return bench(
        "PadChannels_sf", attributes | {"before": before, "after": after, "value": value, "outputDataType": odt or dt}
    )


@FEW
@given(
    *(st.integers(1, 4), st.sampled_from([(0, 1), (1, 0), (2, 1), (3, 5)]), st.sampled_from([1, 3])),
    st.sampled_from([(0, "INT3", None), (-1, "BIPOLAR", None), (1, "BINARY", "UINT2"), (-9, "UINT4", "INT6")]),
)
def test_pad_channels(bench, words, pads, pe, value):
    before, after = pads
    padded(bench, words * pe, before * pe, after * pe, pe, *value).compile().check(np.random.default_rng(words))


def test_by_definition(bench):
    node = padded(bench, 4, 2, 4, 2, -3, "UINT4", "INT6", (2,)).compile()
    x = np.array([[[15, 0, 7, 8], [1, 2, 3, 4]]] * 3)
    got, _ = node.stream(x, in_stall=0.3, out_stall=0.3, seed=1)
    one = [[-3, -3, 15, 0, 7, 8, -3, -3, -3, -3], [-3, -3, 1, 2, 3, 4, -3, -3, -3, -3]]
    np.testing.assert_array_equal(got, [one] * 3)


@pytest.mark.parametrize(("channels", "before", "after", "pe"), [(16, 8, 8, 8), (64, 0, 64, 2)])
def test_estimate(bench, channels, before, after, pe):
    padded(bench, channels, before, after, pe).check_estimate()


def test_lanes_divide_all_parts(bench):
    assert padded(bench, 12, 18, 0).op.foldings() == {"PE": [1, 2, 3, 6]}


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("PE", 8, "PE = 8 does not divide NumChannels = 4"),
        ("before", -2, "before = -2 and after = 2; one of them must be >= 1, the other >= 0"),
        ("value", 16, "outputDataType INT5 does not hold value = 16"),
        ("outputDataType", "INT4", r"outputDataType INT4 does not hold the values, -16\.\.15"),
    ],
)
def test_illegal_attributes(bench, attribute, value, message):
    node = padded(bench)
    node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"OUT_WIDTH": 4}, "OUT_WIDTH = 4 is less than WIDTH = 5"),
        ({"BEFORE": 0, "AFTER": 0}, "BEFORE = 0 and AFTER = 0"),
    ],
)
def test_elaboration_refuses(bench, override, message):
    with pytest.raises(RtlError, match=message):
        padded(bench).compile(**override)
