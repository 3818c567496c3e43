"""LabelSelect: index of the first maximum; words, cycles and refusals."""

import numpy as np
import pytest

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError


def label_select(bench, labels, idt="INT6", odt="UINT8", vectors=(1,)):
    attributes = {
        "Labels": labels,
        "PE": 1,
        "K": 1,
        "inputDataType": idt,
        "outputDataType": odt,
        "numInputVectors": list(vectors),
    }
    return bench("LabelSelect_sf", attributes)


@pytest.mark.parametrize(
    ("labels", "idt"), [(10, "INT6"), (10, "UINT10"), (3, "UINT1"), (2, "INT2"), (17, "INT3"), (1, "INT4")]
)
def test_label_select(bench, labels, idt):
    """Narrow types make ties frequent: the first of equal values wins."""
    label_select(bench, labels, idt).compile().check(np.random.default_rng(labels), frames=12)


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("K", 2, "K = 2, PE = 1; only K = 1"),
        ("PE", 2, "PE = 2; only K = 1 and PE = 1"),
        ("outputDataType", "UINT3", "UINT3 cannot hold the index 9"),
        ("inputDataType", "FLOAT32", "inputDataType is FLOAT32"),
    ],
)
def test_illegal_attributes(bench, attribute, value, message):
    node = label_select(bench, 10)
    node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("override", "message"),
    [({"LABELS": 0}, "LABELS = 0"), ({"OUT_WIDTH": 3}, "OUT_WIDTH = 3 cannot hold the index of 10 labels")],
)
def test_elaboration_refuses(bench, override, message):
    with pytest.raises(RtlError, match=message):
        label_select(bench, 10).compile(**override)
