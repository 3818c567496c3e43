"""Sums over all positions of a map, or window by window: words, cycles and refusals."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(max_examples=3, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


def holds(dt, times):
    """The smallest type for sums of ``times`` values."""
    dt = DataType[dt]
    return DataType.get_smallest_possible(times * dt.min() if dt.signed() else times * dt.max()).name


def accpool(bench, channels, pe, h=4, w=4, dt="INT5", odt=None, sums=(1,)):
    attributes = {"NumChannels": channels, "PE": pe, "numInputVectors": [1, h, w], "inputDataType": dt}
    attributes |= {"outVectors": list(sums), "outputDataType": odt or holds(dt, h * w // int(np.prod(sums)))}
    return bench("AccPool_sf", attributes)


@FEW
@given(st.integers(1, 5), st.sampled_from([1, 2, 3]), st.integers(1, 5), st.integers(1, 4), st.sampled_from(
    ["BINARY", "UINT2", "INT3", "INT12"]))  # fmt: skip
def test_accpool(bench, folds, pe, h, w, dt):
    accpool(bench, folds * pe, pe, h, w, dt).compile().check(np.random.default_rng(folds))


@pytest.mark.parametrize(
    ("channels", "pe", "h", "w", "odt"), [(16, 16, 3, 2, "INT20"), (6, 2, 1, 1, "INT5"), (40, 1, 2, 1, "INT6")]
)
def test_ends_of_the_range(bench, channels, pe, h, w, odt):
    """One word, one position, more channels than one LUT RAM holds; wider sums than needed, and just wide enough."""
    accpool(bench, channels, pe, h, w, odt=odt).compile().check(np.random.default_rng(pe))


@pytest.mark.parametrize(
    ("channels", "pe", "windows", "size"), [(4, 4, (1, 2, 3), 9), (6, 2, (1, 3, 1), 1), (1, 1, (1, 2, 2), 4)]
)
def test_sums_of_windows(bench, channels, pe, windows, size):
    """As they come from a generator of windows; by the definition, too."""
    node = accpool(bench, channels, pe, int(np.prod(windows)), size, sums=windows).compile()
    node.check(rng := np.random.default_rng(pe))
    x = node.draw(rng, 3)
    want = x.reshape(3, *windows, size, channels).sum(axis=4)
    np.testing.assert_array_equal(node.stream(x)[0], want)


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "pe", "dt"), [(32, 32, "INT5"), (64, 4, "UINT4")])
def test_estimate(bench, channels, pe, dt):
    accpool(bench, channels, pe, dt=dt, h=8, w=8).check_estimate()


def test_the_extreme_sums(bench):
    node = accpool(bench, 2, 1, 4, 8, "INT4", "INT9").compile()
    x = np.tile(np.array([-8, 7]), (3, 1, 4, 8, 1))
    np.testing.assert_array_equal(node.stream(x)[0], np.tile([-256, 224], (3, 1, 1)))


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("PE", 3, "PE = 3 does not divide NumChannels = 8"),
        ("outputDataType", "INT8", r"outputDataType INT8 does not hold the sums, -256\.\.240"),
        ("inputDataType", "BIPOLAR", "type BIPOLAR has no arithmetic here; make it BINARY"),
        ("outputDataType", "FLOAT32", "type FLOAT32 has no arithmetic"),
        (
            "outVectors",
            [1, 3],
            r"numInputVectors = \[1, 4, 4\] are not as many vectors for each of outVectors = \[1, 3\]",
        ),
    ],
)
def test_illegal_attributes(bench, attribute, value, message):
    node = accpool(bench, 8, 2)
    node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


def test_elaboration_refuses(bench):
    with pytest.raises(RtlError, match="OUT_WIDTH = 4 is less than WIDTH = 5"):
        accpool(bench, 8, 2).compile(OUT_WIDTH=4)
