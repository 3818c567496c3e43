"""Requantisation: words, cycles, costs and refusals."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(max_examples=3, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


def requantise(bench, factor, offset, shift, ends, kinds, channels=8, pe=2, vectors=(1, 2, 3), **more):
    """``ends`` low and high, ``kinds`` types of x, M, B and the codes."""
    attributes = {"NumChannels": channels, "PE": pe, "numInputVectors": list(vectors), "shift": shift}
    attributes |= dict(zip(("low", "high"), ends, strict=True))
    names = ("inputDataType", "factorDataType", "offsetDataType", "outputDataType")
    attributes |= dict(zip(names, kinds, strict=True)) | {"shared": int(len(factor) == len(offset) == 1)}
    node = bench("Requantise_sf", attributes | more, factor, offset)
    for name, values in (("c0", factor), ("c1", offset)):
        node.model.set_initializer(name, np.asarray(values, np.int64))  # float32 has not the bits of an offset
    return node


def draw(rng, kind, count):
    """Integers of a type, both ends among them."""
    low, high = int(DataType[kind].min()), int(DataType[kind].max())
    return np.resize([low, high, *rng.integers(low, high + 1, count)], count)


@FEW
@given(
    *(st.integers(1, 4), st.sampled_from([1, 3]), st.sampled_from([(0, 0), (1, 0), (0, 1), (1, 1)])),
    st.sampled_from(["block", "distributed"]),
    st.sampled_from([
        ("INT14", "INT26", "INT38", "INT9", 22, (-256, 255)), ("UINT8", "INT12", "INT20", "UINT4", 9, (0, 15)),
        ("INT3", "UINT4", "UINT7", "INT5", 3, (-11, 9)), ("UINT4", "INT5", "INT6", "INT12", 0, (-500, 300)),
    ]),
)  # fmt: skip
def test_requantise(bench, folds, pe, shared, style, case):
    """Any constants, also such as no fit gives: sums fill their width, codes are clipped on both sides."""
    (*kinds, shift, ends), rng = case, np.random.default_rng(folds)
    factor, offset = (draw(rng, kind, 1 if one else folds * pe) for kind, one in zip(kinds[1:], shared, strict=False))
    requantise(bench, factor, offset, shift, ends, kinds, folds * pe, pe, ram_style=style).compile().check(rng)


def test_every_input_of_every_channel_by_definition(bench):
    """(5 x + 3) / 4 and (7 - 3 x) / 4, rounded down, in -4..5."""
    kinds = ("INT4", "INT4", "UINT3", "INT4")
    node = requantise(bench, [5, -3], [3, 7], 2, (-4, 5), kinds, 2, 1, (16,)).compile()
    x = np.tile(np.arange(-8, 8)[:, None], (2, 1, 2))
    got, _ = node.stream(x, in_stall=0.3, out_stall=0.3, seed=1)
    want = [[min(max((m * a + b) // 4, -4), 5) for m, b in ((5, 3), (-3, 7))] for a in range(-8, 8)]
    np.testing.assert_array_equal(got, [want, want])


@pytest.mark.parametrize(
    ("kinds", "channels", "pe", "dsp"),
    [
        pytest.param(("INT12", "INT16", "INT28", "INT5"), 64, 4, 4, marks=pytest.mark.slow),
        pytest.param(("UINT12", "INT16", "INT28", "INT5"), 80, 2, 2, marks=pytest.mark.slow),
        pytest.param(("INT12", "INT16", "INT28", "INT5"), 512, 1, 1, marks=pytest.mark.slow),
        pytest.param(("INT14", "INT26", "INT38", "INT9"), 16, 1, 2, marks=pytest.mark.slow),
        pytest.param(("INT18", "INT19", "INT27", "INT5"), 16, 16, 16, marks=pytest.mark.slow),
        (("INT4", "INT4", "INT8", "INT3"), 8, 2, 0),
    ],
)
def test_estimate(bench, kinds, channels, pe, dsp):
    """In logic and in block RAM; products in one DSP block, in two, and in LUTs; sums of many bits to be clipped."""
    rng = np.random.default_rng(0)
    factor, offset = (draw(rng, kind, channels) for kind in kinds[1:3])
    ends = [int(end) for end in (DataType[kinds[3]].min(), DataType[kinds[3]].max())]
    shift = DataType[kinds[1]].bitwidth()
    node = requantise(bench, factor, offset, shift, ends, kinds, channels, pe).check_estimate()
    assert node.op.dsp_estimation() == dsp


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"PE": 3}, "PE = 3 does not divide NumChannels = 8"),
        ({"shared": 1}, "shared = 1, but M has 8 values"),
        ({"NumChannels": 6}, r"M is \(8,\), must be \(6 or 1,\) integers"),
        ({"low": 8}, r"shift = 4, low = 8, high = 7; 0 <= shift < 48 and low <= high"),
        ({"shift": 48}, "shift = 48, low = -8"),
        ({"inputDataType": "BIPOLAR"}, "type BIPOLAR has no arithmetic here"),
        ({"inputDataType": "INT45"}, "takes 50 bits for INT45; it has hardware up to 48"),
        ({"factorDataType": "INT4"}, r"M reaches -16\.\.15, which INT4 does not hold"),
        ({"offsetDataType": "UINT6"}, r"B reaches -32\.\.31, which UINT6 does not hold"),
        ({"outputDataType": "UINT4"}, r"outputDataType UINT4 does not hold the codes, -8\.\.7"),
    ],
)
def test_illegal_attributes(bench, attributes, message):
    rng, kinds = np.random.default_rng(0), ("INT8", "INT5", "INT6", "INT4")
    node = requantise(bench, draw(rng, "INT5", 8), draw(rng, "INT6", 8), 4, (-8, 7), kinds)
    for attribute, value in attributes.items():
        node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"FOLDS": 0}, "FOLDS = 0, must be >= 1"),
        ({"LOW": 9}, "LOW = 9 is more than HIGH = 7"),
        ({"SUM_WIDTH": 4}, "SHIFT = 4, must be 0 to SUM_WIDTH - 1 = 3"),
        ({"SUM_WIDTH": 12}, "SUM_WIDTH = 12 does not hold a product of 13 bits"),
        ({"CONSTANTS_FILE": ""}, "CONSTANTS_FILE is empty"),
    ],
)
def test_elaboration_refuses(bench, override, message):
    with pytest.raises(RtlError, match=message):
        requantise(bench, [3], [1], 4, (-8, 7), ("INT8", "INT5", "INT6", "INT4")).compile(**override)
