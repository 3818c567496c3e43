"""Maximum pool: words, cycles and refusals."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
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


def pool(bench, h, w, channels, pe, kh=2, kw=2, dt="BINARY"):
    return bench(
        "MaxPool_sf", {"IFMDim": [h, w], "Channels": channels, "PoolDim": [kh, kw], "PE": pe, "inputDataType": dt}
    )


@st.composite
def shapes(draw):
    h, w, channels = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(1, 12))
    pe = draw(st.sampled_from([d for d in range(1, channels + 1) if channels % d == 0]))
    return {
        "h": h,
        "w": w,
        "channels": channels,
        "pe": pe,
        "kh": draw(st.integers(1, min(h, 4))),
        "kw": draw(st.integers(1, min(w, 4))),
    }


@FEW
@given(shapes(), st.sampled_from(["BINARY", "BIPOLAR"]))
def test_bits(bench, shape, dt):
    pool(bench, **shape, dt=dt).compile().check(np.random.default_rng(shape["h"]))


@FEW
@given(shapes(), st.sampled_from(["UINT", "INT"]), st.integers(2, 9))
def test_integers(bench, shape, kind, bits):
    pool(bench, **shape, dt=f"{kind}{bits}").compile().check(np.random.default_rng(shape["h"]))


@pytest.mark.parametrize("dt", ["UINT2", "INT2"])
def test_all_pairs(bench, datatype, dt):
    """Windows of two pixels that hold every pair of values, by definition, without the numpy reference."""
    values = np.arange(datatype(dt).min(), datatype(dt).max() + 1)
    pairs = np.stack(np.meshgrid(values, values), axis=-1).reshape(-1)
    node = pool(bench, 1, 32, 1, 1, 1, 2, dt).compile()
    got, _ = node.stream(pairs.reshape(1, 1, 1, 32, 1))
    np.testing.assert_array_equal(got.ravel(), np.maximum(pairs[::2], pairs[1::2]))


@pytest.mark.parametrize(("h", "w", "channels", "pe"), [(4, 4, 64, 64), (7, 6, 8, 2)])
def test_usual_shapes(bench, h, w, channels, pe):
    pool(bench, h, w, channels, pe).compile().check(np.random.default_rng(h))


def test_windows_from_a_generator(bench):
    """Windows that overlap, one behind the other, are a map one pixel wide; maxima by definition."""
    rng, (h, w, c), k, stride = np.random.default_rng(1), (7, 6, 4), (3, 2), (2, 1)
    x = rng.integers(-8, 8, (3, h, w, c))
    windows = np.lib.stride_tricks.sliding_window_view(x, k, axis=(1, 2))[:, :: stride[0], :: stride[1]]
    frames = windows.transpose(0, 1, 2, 4, 5, 3).reshape(3, -1, 1, c)
    node = pool(bench, frames.shape[1], 1, c, 2, 6, 1, "INT4").compile().check(rng)
    got, _ = node.stream(frames, in_stall=0.3, out_stall=0.3, seed=1)
    np.testing.assert_array_equal(got.reshape(3, 3, 5, c), windows.max(axis=(4, 5)))


@pytest.mark.slow
@pytest.mark.parametrize(("shape", "pe", "dt"), [((14, 14, 64), 64, "BINARY"), ((900, 1, 32), 8, "INT6")])
def test_estimate(bench, shape, pe, dt):
    kernel = (9, 1) if shape[1] == 1 else (2, 2)
    pool(bench, *shape, pe, *kernel, dt).check_estimate()


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [("PE", 3, "PE = 3 does not divide Channels = 8"), ("PoolDim", [5, 2], "window 5x2 does not fit the 4x4 frame"),
     ("inputDataType", "FLOAT32", "map is FLOAT32; only integers and bits")],
)  # fmt: skip
def test_illegal_attributes(bench, attribute, value, message):
    node = pool(bench, 4, 4, 8, 2)
    node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"PE": 3}, "PE = 3 does not divide C = 8"),
        ({"KH": 5}, "window 5x2 is larger than the 4x4 frame"),
        ({"SIGNED": 1}, "WIDTH = 1 with SIGNED = 1"),
    ],
)
def test_elaboration_refuses(bench, override, message):
    with pytest.raises(RtlError, match=message):
        pool(bench, 4, 4, 8, 2).compile(**override)
