"""Thresholding, as a table and as a binary search: words, cycles and refusals."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(max_examples=3, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


def thresholding(
    bench, thresholds, channels, pe, idt, odt, act_val=0, window=0, signs=None, shared=0, vectors=(1, 3, 2)
):
    attributes = {
        "PE": pe,
        "NumChannels": channels,
        "numSteps": np.shape(thresholds)[1],
        "inputDataType": idt,
        "weightDataType": "INT32",
        "outputDataType": odt,
        "numInputVectors": list(vectors),
        "ActVal": act_val,
        "window": window,
        "shared": shared,
    }
    return bench("Thresholding_sf", attributes, thresholds, *([] if signs is None else [signs]))


def random_thresholds(rng, idt, rows, steps):
    """Ascending, from "always" to "never", often several alike or next to each other."""
    low, high = (-1, 1) if idt == "BIPOLAR" else (int(DataType[idt].min()), int(DataType[idt].max()))
    t = rng.integers(low - 2, high + 3, (rows, steps))
    near = t[:, :1] + rng.integers(-2, 3, (rows, steps))
    return np.sort(np.where(rng.random((rows, 1)) < 0.3, near, t), axis=1)


def brute_force(x, thresholds, act_val, window, signs):
    """The definition, element by element."""
    y = np.empty(x.shape, int)
    for i in np.ndindex(x.shape):
        c = i[-1]
        s = 1 if signs is None else signs[c]
        count = sum(int(s * x[i] >= t) for t in thresholds[c % len(thresholds)])
        y[i] = int(count != 1) if window else count + act_val
    return y


@st.composite
def cases(draw):
    window = draw(st.sampled_from([0, 0, 1]))
    steps = 2 if window else draw(st.sampled_from([1, 2, 3, 4, 15, 16]))
    idt = draw(st.sampled_from(["UINT3", "INT6", "UINT8", "INT11", "UINT14", "INT22"]))
    act_val = 0 if window else draw(st.sampled_from([0, -(steps + 1) // 2]))
    bits = max(steps.bit_length(), 2)
    return {
        "pe": draw(st.sampled_from([1, 2, 3])),
        "folds": draw(st.sampled_from([1, 2, 5])),
        "common": draw(st.booleans()),
        "steps": steps,
        "idt": idt,
        "odt": "BINARY" if window else f"INT{bits + 1}" if act_val else f"UINT{bits}",
        "act_val": act_val,
        "window": window,
        "signed": draw(st.booleans()),
        "seed": draw(st.integers(0)),
    }


@FEW
@given(cases())
def test_any_thresholds(bench, case):
    rng, channels = np.random.default_rng(case["seed"]), case["folds"] * case["pe"]
    thresholds = random_thresholds(rng, case["idt"], 1 if case["common"] else channels, case["steps"])
    signs = rng.choice([-1, 1], channels) if case["signed"] else None
    how = {"act_val": case["act_val"], "window": case["window"], "signs": signs}
    node = thresholding(bench, thresholds, channels, case["pe"], case["idt"], case["odt"], **how).compile().check(rng)
    x = node.draw(rng, 2)
    np.testing.assert_array_equal(node.golden(x), brute_force(x, thresholds, **how))


@pytest.mark.parametrize(
    ("channels", "pe", "idt", "odt", "steps", "module"),
    [
        (1, 1, "UINT8", "BIPOLAR", 1, "sf_lut"),
        (3, 1, "UINT8", "UINT8", 255, "sf_lut"),
        (6, 2, "BIPOLAR", "BINARY", 1, "sf_lut"),
        (64, 1, "INT6", "BINARY", 1, "sf_thresholds"),
        (8, 8, "INT13", "BIPOLAR", 1, "sf_thresholds"),
        (4, 2, "INT16", "UINT8", 255, "sf_thresholds"),
        (256, 2, "INT20", "UINT4", 15, "sf_thresholds"),
    ],
)
def test_usual_forms(bench, channels, pe, idt, odt, steps, module):
    """Pixels become a table; sums, and codes with thresholds for each of many channels, a search. The last one has
    memories in logic and in block RAM.
    """
    rng = np.random.default_rng(channels)
    vectors = (1, 2) if channels > 64 else (1, 3, 2)
    thresholds = random_thresholds(rng, idt, channels, steps)
    node = thresholding(bench, thresholds, channels, pe, idt, odt, vectors=vectors).compile()
    assert node.rtl.module == module
    node.check(rng, frames=2)


@pytest.mark.parametrize("idt", ["INT4", "UINT4", "INT12", "UINT12", "BIPOLAR"])
@pytest.mark.parametrize("window", [0, 1])
def test_every_value_against_every_end(bench, idt, window):
    """Thresholds at both ends of the type, and beyond, with either sign: the extremes of -x, "always" and "never"."""
    dt = DataType[idt]
    low, high = int(dt.min()), int(dt.max())
    ends = [t for base in (low, high, -low, -high, 0) for t in (base - 1, base, base + 1)]
    pairs = np.array([(a, b) for a in ends for b in ends if a <= b])
    pairs = np.concatenate([pairs, pairs])
    signs = np.repeat([1, -1], len(pairs) // 2)
    near = sorted({v for t in ends for v in (t, -t) if dt.allowed(v)})
    odt = "BINARY" if window else "UINT2"
    node = thresholding(bench, pairs, len(pairs), 1, idt, odt, window=window, signs=signs, vectors=(len(near),))
    x = np.broadcast_to(np.array(near)[None, :, None], (1, len(near), len(pairs)))
    expected = brute_force(x, pairs, 0, window, signs)
    np.testing.assert_array_equal(node.golden(x), expected)
    np.testing.assert_array_equal(node.compile().stream(x)[0], expected)


def test_thresholds_between_integers(bench):
    node = thresholding(bench, [[-0.5, 0.5, 1e9]], 2, 1, "INT12", "UINT2", signs=[1, -1], vectors=(3,)).compile()
    x = np.array([[[-1, -1], [0, 0], [1, 1]]])
    np.testing.assert_array_equal(node.stream(x)[0], [[[0, 2], [1, 1], [2, 0]]])


@pytest.mark.parametrize("pe", [1, 4])
def test_a_shared_row_is_stored_once(bench, pe):
    rng = np.random.default_rng(pe)
    node = thresholding(bench, random_thresholds(rng, "INT14", 1, 15), 64, pe, "INT14", "UINT4", shared=1).compile()
    assert node.rtl.params["FOLDS"] == 1 and node.op.bram_estimation() == 0
    node.check(rng, frames=2)


@pytest.mark.parametrize("pe", [1, 3])
def test_a_product_instead_of_a_search(bench, pe):
    """(x M + B) >> 6 of every INT9 in -8..7, rising, falling and level lines."""
    factor, offset = np.array([9, -5, 0, 40, -33, 1]), np.array([100, -70, 130, -1000, 31, 0])
    steps = -(-((np.arange(-7, 8) << 6) - offset[:, None]) // np.maximum(abs(factor), 1)[:, None])
    steps[2] = np.where((np.arange(-7, 8) << 6) <= 130, -999, 999)
    signs = np.where(factor < 0, -1, 1)
    node = thresholding(bench, steps, 6, pe, "INT9", "INT4", act_val=-8, signs=signs)
    searched = node.op.lut_estimation()
    node.op.set_line(factor, offset, 6, -8, 7)
    node.op.set_nodeattr("form", "line")
    assert node.compile().rtl.module == "sf_requantise" and node.op.dsp_estimation() == pe
    assert node.op.lut_estimation() < searched
    node.check(np.random.default_rng(pe))


def illegal(bench, thresholds=((1, 2, 3),), signs=None, **attributes):
    node = thresholding(bench, np.array(thresholds, float), 12, 4, "INT16", "UINT2", signs=signs)
    for name, value in attributes.items():
        node.op.set_nodeattr(name, value)
    return node


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"PE": 5}, "PE = 5 does not divide NumChannels = 12"),
        ({"inputDataType": "INT31"}, "input is INT31; thresholds have hardware up to 30 bits"),
        ({"inputDataType": "FLOAT32"}, "input is FLOAT32; thresholds have hardware for integers"),
        ({"ActVal": 1}, r"codes 1\.\.4 do not fit the output, UINT2"),
        ({"outputDataType": "BIPOLAR"}, r"codes 0\.\.3 do not fit the output, BIPOLAR"),
        ({"runtime_writeable_weights": 1}, "runtime_writeable_weights"),
        ({"window": 1}, "window = 1 with numSteps = 3, ActVal = 0 and output UINT2; a window has numSteps = 2"),
        ({"numSteps": 2}, r"thresholds are \(1, 3\), must be \(12 or 1, 2\) numbers"),
        ({"thresholds": ((1, 3, 2),)}, r"thresholds of channel 0 do not ascend: \[1.0, 3.0, 2.0\]; sort them"),
        ({"thresholds": ((1, 2, np.nan),)}, "must be .* numbers"),
        ({"thresholds": [range(256)], "outputDataType": "UINT9"}, "numSteps = 256; a search has hardware up to 255"),
        ({"shared": 1, "thresholds": np.arange(36).reshape(12, 3)}, "shared = 1, but thresholds of 12 channels differ"),
        ({"signs": [1, 0] * 6}, r"signs must be 12 values \+-1"),
        ({"signs": [1, -1]}, r"signs must be 12 values \+-1"),
    ],
)
def test_illegal_nodes(bench, change, message):
    node = illegal(bench, **change)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"STAGES": 0}, "STAGES = 0, must be 1 to 8"),
        ({"WINDOW": 1, "STAGES": 3}, "WINDOW = 1 and STAGES = 3; a window has 2 stages"),
        ({"WINDOW": 1}, "WINDOW = 1 and OUT_WIDTH = 2; a window gives 1 bit"),
        ({"THRESHOLDS_1": ""}, "THRESHOLDS_1 is empty"),
    ],
)
def test_elaboration_refuses(bench, override, message):
    with pytest.raises(RtlError, match=message):
        illegal(bench).compile(**override)
