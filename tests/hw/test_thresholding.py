"""Thresholding as a table: words, cycles and refusals."""

import numpy as np
import pytest

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError


def thresholding(bench, rng, channels, pe, idt="UINT8", odt="BIPOLAR", common=True, act_val=None):
    steps = {"BIPOLAR": 1, "BINARY": 1, "UINT2": 3, "INT2": 3}[odt]
    low, high = {"UINT8": (0, 255), "INT8": (-128, 127), "UINT3": (0, 7), "BIPOLAR": (-1, 1)}[idt]
    thresholds = np.sort(rng.integers(low, high + 2, (1 if common else channels, steps)), axis=1)
    act_val = {"BIPOLAR": -1, "INT2": -2}.get(odt, 0) if act_val is None else act_val
    attributes = {
        "PE": pe,
        "NumChannels": channels,
        "numSteps": steps,
        "inputDataType": idt,
        "weightDataType": "INT32",
        "outputDataType": odt,
        "numInputVectors": [1, 3, 2],
        "ActVal": act_val if odt != "BIPOLAR" else 0,
    }
    return bench("Thresholding_sf", attributes, thresholds)


@pytest.mark.parametrize(
    ("channels", "pe", "idt", "odt", "common"),
    [
        (1, 1, "UINT8", "BIPOLAR", True),
        (12, 4, "UINT8", "BINARY", True),
        (6, 3, "INT8", "UINT2", False),
        (4, 4, "UINT3", "INT2", False),
        (5, 1, "UINT8", "BIPOLAR", False),
        (6, 2, "BIPOLAR", "BINARY", False),
    ],
)
def test_thresholding(bench, channels, pe, idt, odt, common):
    rng = np.random.default_rng(channels)
    thresholding(bench, rng, channels, pe, idt, odt, common).compile().check(rng)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("PE", 5, "PE = 5 does not divide NumChannels = 12"),
        ("inputDataType", "INT16", "input is INT16; a table has hardware up to 10 bits"),
        ("inputDataType", "FLOAT32", "input is FLOAT32; a table has hardware for integers"),
        ("ActVal", 3, r"codes 3\.\.4 do not fit the output, UINT2"),
        ("runtime_writeable_weights", 1, "runtime_writeable_weights"),
    ],
)
def test_illegal_attributes(bench, attribute, value, message):
    node = thresholding(bench, np.random.default_rng(0), 12, 4)
    node.op.set_nodeattr("outputDataType", "UINT2")
    node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


def test_elaboration_refuses(bench):
    with pytest.raises(RtlError, match="PE = 5 does not divide CHANNELS = 12"):
        thresholding(bench, np.random.default_rng(0), 12, 4).compile(CHANNELS=12, PE=5)
