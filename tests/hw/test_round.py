"""Thresholds that only round: found from the numbers alone, and an adder instead of a search."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import OpError
from signflow.hw.ops.rounding import shift_of, steps

FEW = settings(max_examples=4, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


@given(shift=st.integers(1, 12), low=st.integers(-300, 300), count=st.integers(3, 255))
def test_steps_are_where_numpy_rounds_to_the_next_code(shift, low, count):
    found = steps(shift, low, count)
    codes = low + 1 + np.arange(count)
    assert (np.rint(found / 2**shift) >= codes).all() and (np.rint((found - 1) / 2**shift) < codes).all()
    assert shift_of(found[None].astype(np.float64), low) == shift


@given(shift=st.integers(1, 8), low=st.integers(-20, 20), count=st.integers(3, 60), data=st.data())
def test_one_step_elsewhere_is_no_rounding(shift, low, count, data):
    found = steps(shift, low, count)
    found[data.draw(st.integers(0, count - 1))] += data.draw(st.sampled_from([-1, 1]))
    assert shift_of(found[None], low) == 0
    assert shift_of(steps(shift, low, count)[None], low + 1) == 0


def node(bench, idt, odt, shift, low, count, channels=6, pe=2, **more):
    attributes = {
        "PE": pe, "NumChannels": channels, "numSteps": count, "inputDataType": idt, "weightDataType": "INT32",
        "outputDataType": odt, "numInputVectors": [1, 3], "ActVal": low, "shared": 1, "shift": shift,
    }  # fmt: skip
    return bench("Thresholding_sf", attributes | more, steps(shift, low, count)[None])


@FEW
@given(
    kind=st.sampled_from([("INT15", "INT8", 7, -113, 217), ("UINT12", "UINT8", 3, 0, 99), ("INT9", "INT8", 1, -99, 99),
                          ("INT19", "UINT8", 8, 0, 255), ("INT13", "INT5", 9, -6, 16), ("UINT9", "INT6", 2, 3, 20)]),
    pe=st.sampled_from([1, 3]), seed=st.integers(0),
)  # fmt: skip
def test_an_adder_rounds_halves_to_even_and_clips(bench, kind, pe, seed):
    idt, odt, shift, low, count = kind
    rng, dt = np.random.default_rng(seed), DataType[idt]
    made = node(bench, idt, odt, shift, low, count, channels=3, pe=pe).compile()
    assert made.rtl.module == "sf_round"
    made.check(rng)
    halves = np.arange(-4, 5) * 2 ** (shift - 1)
    x = np.concatenate([halves - 1, halves, halves + 1, rng.integers(int(dt.min()), int(dt.max()) + 1, 27)])
    x = np.clip(np.concatenate([x, np.repeat([dt.min(), dt.max()], 9)]), dt.min(), dt.max()).astype(int)
    x = np.resize(x, (8, 1, 3, 3))
    np.testing.assert_array_equal(made.stream(x)[0], np.clip(np.rint(x / 2**shift), low, low + count))


@pytest.mark.slow
def test_estimate(bench):
    node(bench, "INT15", "INT8", 7, -113, 217, pe=6).check_estimate()


def test_a_search_where_weights_can_be_loaded_or_are_few(bench):
    assert node(bench, "INT15", "INT8", 7, -113, 217, loadable=1).compile().rtl.module == "sf_thresholds"
    few = node(bench, "INT15", "INT3", 7, -2, 3, channels=2, pe=1).op
    assert few.rounds() == (few._round_luts() < few._search_luts())


def test_other_thresholds_are_refused(bench):
    with pytest.raises(OpError, match="shift = 6, but its thresholds do not round by that power of two"):
        wrong = node(bench, "INT15", "INT8", 7, -113, 217)
        wrong.op.set_nodeattr("shift", 6)
        wrong.compile()
