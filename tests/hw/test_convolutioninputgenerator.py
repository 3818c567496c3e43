"""Sliding windows, serial and whole: words, cycles and refusals."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from signflow.hw.ops import window_control
from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

P = (1, 1, 1, 1)


def swg(
    bench, h, w, channels, simd, kh=3, kw=3, sh=1, sw=1, dh=1, dw=1, pads=(0, 0, 0, 0), parallel=0, dt="BINARY", **more
):
    attributes = {
        "ConvKernelDim": [kh, kw],
        "IFMChannels": channels,
        "IFMDim": [h, w],
        "OFMDim": [1, 1],
        "SIMD": simd,
        "Stride": [sh, sw],
        "Dilation": [dh, dw],
        "Pads": list(pads),
        "inputDataType": dt,
        "outputDataType": dt,
        "parallel_window": parallel,
    }
    return bench("ConvolutionInputGenerator_sf", attributes | more)


def of(draw, most, least=1):
    return draw(st.integers(least, most))


@st.composite
def shapes(draw, beyond=False):
    """Windows with strides and dilations, of maps with a border: up to the window's size, or beyond it."""
    kh, kw, dh, dw = of(draw, 4), of(draw, 4), of(draw, 2), of(draw, 2)
    eh, ew = (kh - 1) * dh + 1, (kw - 1) * dw + 1
    pads = [of(draw, e + 1 if beyond else e - 1, 0) for e in (eh, ew, eh, ew)]
    pads = draw(st.sampled_from([[0, 0, 0, 0], pads, pads]))
    h, w = (of(draw, 9, max(1, e - pads[k] - pads[k + 2])) for k, e in enumerate((eh, ew)))
    channels = of(draw, 6)
    simd = draw(st.sampled_from([d for d in range(1, channels + 1) if channels % d == 0]))
    windows = {"kh": kh, "kw": kw, "sh": of(draw, 4), "sw": of(draw, 4), "dh": dh, "dw": dw, "pads": pads}
    return {"h": h, "w": w, "channels": channels, "simd": simd} | windows


def border(rng, dt, channels):
    """Values of a type for all channels, or for each one."""
    if dt == "BIPOLAR":
        return (rng.integers(0, 2, rng.choice([1, channels])) * 2 - 1).tolist()
    low, high = {"BINARY": (0, 1), "UINT8": (0, 255), "INT3": (-4, 3)}[dt]
    return rng.integers(low, high + 1, rng.choice([1, channels])).tolist()


@FEW
@given(shapes(beyond=True), st.sampled_from(["BINARY", "BIPOLAR", "UINT8", "INT3"]), st.integers(0, 99))
def test_serial(bench, shape, dt, seed):
    rng = np.random.default_rng(seed)
    ram_style = rng.choice(["auto", "block"])
    node = swg(bench, **shape, dt=dt, Border=border(rng, dt, shape["channels"]), ram_style=ram_style)
    node.compile().check(rng)


@FEW
@given(shapes(), st.sampled_from(["BINARY", "UINT8"]), st.integers(0, 99))
def test_parallel(bench, shape, dt, seed):
    rng, shape = np.random.default_rng(seed), shape | {"simd": shape["channels"]}
    swg(bench, **shape, parallel=1, dt=dt, Border=border(rng, dt, shape["channels"])).compile().check(rng)


@settings(FEW, max_examples=6)
@given(shapes(), st.sampled_from([(2, 1), (2, 3), (6, 2)]), st.sampled_from(["distributed", "block", "whole"]))
def test_zeros_between_bits(bench, shape, groups, kind):
    """Every word has a flag for each group of its bits."""
    group, words = groups
    shape |= {"channels": group * words * 2, "simd": group * words, "dt": "BIPOLAR" if shape["h"] % 2 else "BINARY"}
    shape |= {"parallel": 1, "simd": shape["channels"]} if kind == "whole" else {"ram_style": kind}
    swg(bench, **shape, padGroup=group).compile().check(np.random.default_rng(shape["h"]), frames=3)


@settings(FEW, max_examples=100)
@given(shapes(beyond=True), st.sampled_from(["BINARY", "INT3", "flags"]), st.integers(0, 99))
def test_the_reference_is_the_definition(bench, shape, dt, seed):
    """Pixel by pixel of every window."""
    rng, channels = np.random.default_rng(seed), 2 * shape["channels"]
    values = {"padGroup": 2} if dt == "flags" else {"Border": border(rng, dt, channels)}
    node = swg(bench, **shape | {"channels": channels}, dt="BINARY" if dt == "flags" else dt, **values)
    x, top, left = node.draw(rng, 1), *shape["pads"][:2]
    outside = np.broadcast_to(values.get("Border", 0.5), channels)
    windows = node.golden(x)[0][0].reshape(*node.outs[0].shape[1:3], shape["kh"], shape["kw"], channels)
    for (r, c, i, j), _ in np.ndenumerate(windows[..., 0]):
        row, column = r * shape["sh"] + i * shape["dh"] - top, c * shape["sw"] + j * shape["dw"] - left
        inside = 0 <= row < shape["h"] and 0 <= column < shape["w"]
        np.testing.assert_array_equal(windows[r, c, i, j], x[0, 0, row, column] if inside else outside)
    size = shape["h"] + top + shape["pads"][2] - (shape["kh"] - 1) * shape["dh"]
    assert len(windows) == (size - 1) // shape["sh"] + 1


@pytest.mark.parametrize("parallel", [0, 1])
@pytest.mark.parametrize(("h", "w", "channels", "k"), [(8, 8, 32, 3), (5, 5, 4, 1), (3, 3, 16, 3)])
def test_usual_shapes(bench, h, w, channels, k, parallel):
    swg(bench, h, w, channels, channels, k, k, parallel=parallel).compile().check(np.random.default_rng(h))


LEFT_OVER = [
    (5, 5, 2, 2, 2, 2),  # a row and a column left over, windows side by side
    (6, 7, 3, 2, 2, 3),  # windows that overlap in one direction
    (8, 5, 1, 1, 3, 2),  # rows between windows
    (4, 5, 2, 2, 2, 2),  # a column
    (5, 4, 2, 2, 2, 2),  # a row
    (7, 8, 2, 3, 2, 3),
    (3, 9, 3, 2, 3, 4),  # one row of windows
    (9, 3, 2, 3, 4, 3),  # one column of windows
    (5, 6, 1, 4, 1, 4),
]
"""Maps of height and width, windows and strides, which leave rows and columns over."""


@pytest.mark.parametrize("parallel", [0, 1])
@pytest.mark.parametrize(
    ("h", "w", "kh", "kw", "sh", "sw"),
    LEFT_OVER[:3] + [pytest.param(*s, marks=pytest.mark.slow) for s in LEFT_OVER[3:]],
)
def test_strides_that_leave_rows_and_columns_over(bench, h, w, kh, kw, sh, sw, parallel):
    for channels, simd in [(2, 2)] if parallel else [(2, 2), (3, 1)]:
        swg(bench, h, w, channels, simd, kh, kw, sh, sw, parallel=parallel).compile().check(np.random.default_rng(h))


@settings(FEW, max_examples=100)
@given(shapes(beyond=True))
def test_the_model_reaches_the_interval(bench, shape):
    """Pixels of several words too: neither side ever waits for the other, once the pipeline is filled."""
    op = swg(bench, **shape, Border=[0]).op
    words = shape["h"] * shape["w"] * shape["channels"] // shape["simd"]
    last = op.timing(np.zeros(8 * words, np.int64)).reshape(8, -1)[:, -1]
    assert np.diff(last)[-2:].tolist() == [op.get_exp_cycles()] * 2


@settings(FEW, max_examples=100)
@given(shapes(beyond=True))
def test_the_steps_that_are_counted_occur(bench, shape):
    """Between the words of two frames, and no others."""
    op = swg(bench, **shape, Border=[0]).op
    (y, x), words = op.axes(), shape["channels"] // shape["simd"]
    rows = np.concatenate([y.taps, y.size + y.taps])
    pixels = rows[:, None, :, None] * x.size + x.taps[None, :, None, :]
    places = pixels[..., None] * words + np.arange(words)
    assert set(np.diff(places.ravel())) == set(window_control.steps(y, x, words))


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [{"pads": P, "padGroup": 16}, {"parallel": 1, "pads": P, "padGroup": 16}]
    + [
        pytest.param(more, marks=pytest.mark.slow)
        for more in (
            {"pads": P, "Border": [0]},
            {"ram_style": "block", "pads": P, "Border": [1]},
            {"kh": 1, "kw": 1, "sh": 2, "sw": 2},
        )
    ],
)
def test_estimates(bench, more):
    swg(bench, **{"h": 16, "w": 16, "channels": 16, "simd": 16} | more).check_estimate()


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("SIMD", 3, "SIMD = 3 does not divide IFMChannels = 4"),
        ("parallel_window", 1, r"parallel_window = 1 needs SIMD = 4 \(all channels\), it is 2"),
        ("ConvKernelDim", [6, 3], "a window of 6.3 pixels is larger than the 5.5 frame"),
        ("Dilation", [3, 1], "a window of 7.3 pixels is larger than the 5.5 frame"),
        ("Dilation", [0, 1], r"Dilation = \[0, 1\], must be >= 1"),
        ("Pads", [0, -1, 0, 0], r"Pads = \[0, -1, 0, 0\], must be >= 0"),
        ("Pads", [0, 1, 0, 0], "Border has 0 values, must be 1 or 4, one a channel"),
        ("Border", [2], r"Border holds values that BINARY has not: \[2\]"),
        ("padGroup", 1, "padGroup = 1 with SIMD = 2: bits that share a flag must be even"),
        ("padGroup", -2, "padGroup = -2"),
        ("depthwise", 1, "depthwise = 1"),
        ("dynamic_mode", 1, "dynamic_mode = 1"),
        ("Stride", [0, 1], r"Stride = \[0, 1\]"),
        ("ram_style", "ultra", "ram_style is ultra"),
    ],
)
def test_illegal_attributes(bench, attribute, value, message):
    node = swg(bench, 5, 5, 4, 2)
    node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("parallel", "override", "message"),
    [
        (0, {"SIMD": 3}, "SIMD = 3 does not divide C = 4"),
        (0, {"KH": 6}, "a window of 6x3 pixels does not fit the 5x5 frame"),
        (0, {"SW": 0}, "stride 1x0"),
        (0, {"TOP": -1}, "a border of -1, 0, 0, 0 pixels must be >= 0"),
        (0, {"GROUP": 3}, "GROUP = 3 does not divide SIMD = 4"),
        (0, {"ROWS": 2}, "ROWS = 2, must be >= 3"),
        (1, {"TOP": 3, "GROUP": 2}, "a border of 3, 0, 0, 0 pixels must be >= 0 and smaller than the 3x3 window"),
        (1, {"GROUP": 3}, "GROUP = 3 does not divide C = 4"),
        (1, {"KW": 6}, "a window of 3x6 pixels does not fit the 5x5 frame"),
        (1, {"SH": 0}, "stride 0x1"),
    ],
)
def test_elaboration_refuses(bench, parallel, override, message):
    with pytest.raises(RtlError, match=message):
        swg(bench, 5, 5, 4, 4, parallel=parallel).compile(**override)


@pytest.mark.parametrize("parallel", [0, 1])
@pytest.mark.parametrize("side", ["TOP", "LEFT", "BOTTOM", "RIGHT"])
def test_elaboration_refuses_a_border_of_nothing(bench, parallel, side):
    with pytest.raises(RtlError, match="a border needs either BORDER_FILE or GROUP > 0"):
        swg(bench, 5, 5, 4, 4, parallel=parallel).compile(**{side: 1})
