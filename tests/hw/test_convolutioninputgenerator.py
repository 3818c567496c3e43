"""Sliding windows, serial and whole: words, cycles and refusals."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def swg(bench, h, w, channels, simd, kh=3, kw=3, sh=1, sw=1, parallel=0, dt="BINARY"):
    attributes = {
        "ConvKernelDim": [kh, kw],
        "IFMChannels": channels,
        "IFMDim": [h, w],
        "OFMDim": [(h - kh) // sh + 1, (w - kw) // sw + 1],
        "SIMD": simd,
        "Stride": [sh, sw],
        "Dilation": [1, 1],
        "inputDataType": dt,
        "outputDataType": dt,
        "parallel_window": parallel,
    }
    return bench("ConvolutionInputGenerator_sf", attributes)


@st.composite
def shapes(draw):
    kh, kw = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    h, w, channels = draw(st.integers(kh, 9)), draw(st.integers(kw, 9)), draw(st.integers(1, 6))
    simd = draw(st.sampled_from([d for d in range(1, channels + 1) if channels % d == 0]))
    stride = {"sh": draw(st.integers(1, 4)), "sw": draw(st.integers(1, 4))}
    return {"h": h, "w": w, "channels": channels, "simd": simd, "kh": kh, "kw": kw} | stride


@FEW
@given(shapes(), st.sampled_from(["BINARY", "BIPOLAR", "UINT8", "INT3"]))
def test_serial(bench, shape, dt):
    swg(bench, **shape, dt=dt).compile().check(np.random.default_rng(shape["h"]))


@FEW
@given(shapes(), st.sampled_from(["BINARY", "UINT8"]))
def test_parallel(bench, shape, dt):
    swg(bench, **shape | {"simd": shape["channels"]}, parallel=1, dt=dt).compile().check(
        np.random.default_rng(shape["h"])
    )


@pytest.mark.parametrize("parallel", [0, 1])
@pytest.mark.parametrize(("h", "w", "channels", "k"), [(8, 8, 32, 3), (5, 5, 4, 1), (3, 3, 16, 3)])
def test_usual_shapes(bench, h, w, channels, k, parallel):
    swg(bench, h, w, channels, channels, k, k, parallel=parallel).compile().check(np.random.default_rng(h))


@pytest.mark.parametrize("parallel", [0, 1])
@pytest.mark.parametrize(
    ("h", "w", "kh", "kw", "sh", "sw"),
    [
        (5, 5, 2, 2, 2, 2),  # a row and a column left over, windows side by side
        (4, 5, 2, 2, 2, 2),  # a column
        (5, 4, 2, 2, 2, 2),  # a row
        (7, 8, 2, 3, 2, 3),
        (8, 5, 1, 1, 3, 2),  # rows between windows
        (6, 7, 3, 2, 2, 3),  # windows that overlap in one direction
        (3, 9, 3, 2, 3, 4),  # one row of windows
        (9, 3, 2, 3, 4, 3),  # one column of windows
        (5, 6, 1, 4, 1, 4),
    ],
)
def test_strides_that_leave_rows_and_columns_over(bench, h, w, kh, kw, sh, sw, parallel):
    for channels, simd in [(2, 2)] if parallel else [(2, 2), (3, 1)]:
        swg(bench, h, w, channels, simd, kh, kw, sh, sw, parallel).compile().check(np.random.default_rng(h))


def test_no_word_is_freed_before_it_is_written(bench):
    """All small shapes: the ring frees rows with the last word of a row of windows, so what lies in them, covered by a
    window or not, must have been written in an earlier cycle than that word is read, however slowly words come.
    """
    sizes, kernels = range(1, 7), range(1, 4)
    shapes = [(n, k, s) for n in sizes for k in kernels for s in range(1, 5) if k <= n]
    for h, kh, sh in shapes:
        for w, kw, sw in shapes:
            op = swg(bench, h, w, 1, 1, kh, kw, sh, sw).op
            writes, reads = op._serial(np.arange(2 * h * w, dtype=np.int64) * 100)
            rows, last = (h - kh) // sh + 1, op._last_rows()
            ends = reads.reshape(2, rows, -1)[:, :, -1]  # (frame, row of windows)
            freed = [[n * h + (r * sh + sh if r < rows - 1 else (rows - 1) * sh + last) for r in range(rows)]
                     for n in range(2)]  # rows of pixels  # fmt: skip
            assert (writes[np.array(freed) * w - 1] < ends).all(), (h, w, kh, kw, sh, sw)


@settings(FEW, max_examples=200)
@given(shapes())
def test_the_model_reaches_the_interval(bench, shape):
    """The buffer is large enough for any shape: neither side ever waits for the other, once the pipeline is filled."""
    op = swg(bench, **shape).op
    words = shape["h"] * shape["w"] * shape["channels"] // shape["simd"]
    last = op.timing(np.zeros(8 * words, np.int64)).reshape(8, -1)[:, -1]
    assert np.diff(last)[-2:].tolist() == [op.get_exp_cycles()] * 2


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("SIMD", 3, "SIMD = 3 does not divide IFMChannels = 4"),
        ("parallel_window", 1, r"parallel_window = 1 needs SIMD = 4 \(all channels\), it is 2"),
        ("ConvKernelDim", [6, 3], "6x3 kernel is larger than the 5x5 frame"),
        ("Dilation", [2, 1], r"Dilation = \[2, 1\]"),
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
        (0, {"KH": 6}, "kernel 6x3 is larger than the 5x5 frame"),
        (0, {"SW": 0}, "stride 1x0"),
        (1, {"KW": 6}, "kernel 3x6 is larger than the 5x5 frame"),
        (1, {"SH": 0}, "stride 0x1"),
    ],
)
def test_elaboration_refuses(bench, parallel, override, message):
    with pytest.raises(RtlError, match=message):
        swg(bench, 5, 5, 4, 4, parallel=parallel).compile(**override)
