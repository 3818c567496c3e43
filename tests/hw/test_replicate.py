"""Broadcast of a vector: words, cycles and refusals."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(max_examples=4, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))


def replicate(bench, channels, pe, h=4, w=4, dt="INT5"):
    return bench("Replicate_sf", {"NumChannels": channels, "PE": pe, "outVectors": [1, h, w], "inputDataType": dt})


@FEW
@given(st.integers(1, 5), st.sampled_from([1, 2, 3]), st.integers(1, 5), st.integers(1, 4), st.sampled_from([1, 7]))
def test_replicate(bench, folds, pe, h, w, bits):
    replicate(bench, folds * pe, pe, h, w, f"UINT{bits}").compile().check(np.random.default_rng(folds))


@pytest.mark.parametrize(("channels", "pe", "h", "w"), [(16, 16, 2, 2), (6, 2, 1, 1), (40, 1, 2, 1)])
def test_ends_of_the_range(bench, channels, pe, h, w):
    """One word, one copy, a vector longer than one LUT RAM."""
    replicate(bench, channels, pe, h, w).compile().check(np.random.default_rng(pe))


def test_every_position_gets_the_vector(bench):
    node, x = replicate(bench, 4, 2, 3, 2), np.array([[[1, -2, 3, -16]]])
    got, _ = node.compile().stream(x)
    np.testing.assert_array_equal(got, np.tile(x.reshape(1, 1, 1, 1, 4), (1, 1, 3, 2, 1)))


def test_illegal_attributes(bench):
    node = replicate(bench, 8, 2)
    node.op.set_nodeattr("PE", 3)
    with pytest.raises(OpError, match="PE = 3 does not divide NumChannels = 8"):
        node.op.rtl_instance(node.model)


def test_elaboration_refuses(bench):
    with pytest.raises(RtlError, match="COPIES = 0, must be >= 1"):
        replicate(bench, 8, 2).compile(COPIES=0)
