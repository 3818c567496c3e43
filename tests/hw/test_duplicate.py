"""Fork: words and cycles, with outputs that are taken at the same time and at times of their own."""

import numpy as np
import pytest

from signflow.hw.ops.base import OpError


def fork(bench, channels=8, pe=2, dt="INT5", vectors=(1, 3, 3)):
    attributes = {"NumChannels": channels, "PE": pe, "numInputVectors": list(vectors), "inputDataType": dt}
    return bench("Duplicate_sf", attributes)


@pytest.mark.parametrize(("channels", "pe", "dt", "vectors"), [(8, 2, "INT5", (1, 3, 3)), (6, 6, "BINARY", (1,))])
def test_duplicate(bench, channels, pe, dt, vectors):
    fork(bench, channels, pe, dt, vectors).compile().check(np.random.default_rng(pe))


@pytest.mark.parametrize("gates", [(0x1111_1111_1111_1111, 0x0F0F_F0F0_00FF_00FF), (1 << 63, (1 << 64) - 1)])
def test_each_output_at_its_own_time(bench, gates):
    """Nothing is lost or doubled when one output is taken long before the other."""
    fork(bench).compile(gates=gates).check_words(np.random.default_rng(3))
    fork(bench).compile(gates=gates[::-1]).check_words(np.random.default_rng(4))


def test_illegal_attributes(bench):
    node = fork(bench)
    node.op.set_nodeattr("PE", 3)
    with pytest.raises(OpError, match="PE = 3 does not divide NumChannels = 8"):
        node.op.rtl_instance(node.model)
