"""Tables: words, cycles and refusals."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError

FEW = settings(max_examples=3, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))

TABLE = np.add.outer(np.arange(8), np.arange(16)) - 20  # 8 channels, -20..2


def lookup(bench, table, channels=8, pe=2, dt="INT4", odt="INT6", lowest=-8, vectors=(1, 2, 3), **more):
    attributes = {"NumChannels": channels, "PE": pe, "numInputVectors": list(vectors), "inputDataType": dt}
    attributes |= {"outputDataType": odt, "lowest": lowest, "shared": int(len(table) == 1)}
    return bench("Lookup_sf", attributes | more, table)


@FEW
@given(
    *(st.integers(1, 4), st.sampled_from([1, 3]), st.booleans(), st.sampled_from(["block", "distributed"])),
    st.sampled_from([("BINARY", 0, 2), ("UINT3", 0, 8), ("INT5", -16, 32)]),
)
def test_lookup(bench, folds, pe, shared, style, inputs):
    rng, (dt, lowest, count) = np.random.default_rng(folds), inputs
    table = rng.integers(-32, 32, (1 if shared else folds * pe, count))
    lookup(bench, table, folds * pe, pe, dt, lowest=lowest, ram_style=style).compile().check(rng)


@pytest.mark.parametrize("style", ["block", "distributed"])
def test_every_input_of_every_channel_by_definition(bench, style):
    """A table that holds fewer inputs than its type: -3..3 of INT3."""
    table = np.array([[10 * c + x * x for x in range(-3, 4)] for c in range(4)])
    node = lookup(bench, table, 4, 2, "INT3", "UINT6", -3, (7,), ram_style=style).compile()
    x = np.tile(np.arange(-3, 4)[:, None], (3, 1, 4))
    got, _ = node.stream(x, in_stall=0.3, out_stall=0.3, seed=1)
    np.testing.assert_array_equal(got, 10 * np.arange(4) + x * x)


def test_a_table_in_block_memory_may_leave_it(bench):
    op = lookup(bench, np.zeros((4, 1024)), 4, 2, "INT10", lowest=-512).op
    block, brams = op.lut_estimation(), op.bram_estimation()
    op.set_nodeattr("ram_style", "distributed")
    assert brams > 0 == op.bram_estimation() and op.lut_estimation() > block + 100 * brams
    styles = [(option.values["ram_style"], option.need[1] > 0) for option in op.options()]
    assert sorted(set(styles)) == [("block", True), ("distributed", False)]


def test_the_reference_refuses_an_input_outside_the_table(bench):
    node = lookup(bench, np.zeros((1, 7)), dt="INT4", lowest=-3)
    with pytest.raises(OpError, match=r"an input lies outside -3\.\.3"):
        node.golden(np.full((1, 1, 2, 3, 8), 4))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("channels", "pe", "dt", "lowest", "count"), [(8, 4, "UINT5", 0, 32), (4, 2, "INT10", -512, 1024)]
)
def test_estimate(bench, channels, pe, dt, lowest, count):
    """In logic and in block RAM."""
    table = np.random.default_rng(0).integers(-32, 32, (channels, count))
    lookup(bench, table, channels, pe, dt, lowest=lowest).check_estimate()


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"PE": 3}, "PE = 3 does not divide NumChannels = 8"),
        ({"shared": 1}, "shared = 1 with a table of 8 rows"),
        ({"NumChannels": 6}, r"the table is \(8, 16\), must be \(6 or 1, N\) integers"),
        ({"lowest": -7}, r"the inputs -7\.\.8 do not fit INT4"),
        ({"inputDataType": "INT17"}, "input is INT17; tables have hardware up to 16 bits"),
        ({"inputDataType": "BIPOLAR"}, "type BIPOLAR has no arithmetic here"),
        ({"outputDataType": "INT5"}, r"outputDataType INT5 does not hold the entries, -20\.\.2"),
    ],
)
def test_illegal_attributes(bench, attributes, message):
    node = lookup(bench, TABLE)
    for attribute, value in attributes.items():
        node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("override", "message"), [({"FOLDS": 0}, "FOLDS = 0, must be >= 1"), ({"TABLE_FILE": ""}, "TABLE_FILE is empty")]
)
def test_elaboration_refuses(bench, override, message):
    with pytest.raises(RtlError, match=message):
        lookup(bench, TABLE).compile(**override)
