"""Width converters and FIFO depths."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signflow.deploy import flow
from signflow.deploy.plan import buffer
from signflow.deploy.plan.graph import operators


def occupancy(pushed, popped):
    """Brute force: most words in the queue in any cycle, a word popped in cycle c leaving after it."""
    most = 0
    for cycle in pushed:
        most = max(most, sum(p <= cycle for p in pushed) - sum(p < cycle for p in popped))
    return most


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=40))
def test_waiting_equals_a_simulated_queue(gaps):
    pushed, popped = [], []
    for gap, wait in gaps:
        pushed.append((pushed[-1] if pushed else 0) + 1 + gap)
        popped.append(max(pushed[-1] + wait, popped[-1] + 1 if popped else 0))
    assert buffer.waiting(np.array(pushed), np.array(popped)) == occupancy(pushed, popped)


@pytest.mark.parametrize("apart", [9, 11])
def test_images_are_added_until_one_repeats_the_one_before(monkeypatch, apart):
    """Every 10 cycles one; here the last of fewer than 16 comes ``apart`` cycles behind the one before it."""
    asked = []

    def frames(_, count):
        asked.append(count)
        starts = 10 * np.arange(count)
        starts[-2:] += apart - 10 if count < 16 else 0
        yield [starts[:, None]], starts[:, None] + [3, 4], False

    monkeypatch.setattr(buffer, "_frames", frames)
    monkeypatch.setattr(buffer, "intervals", lambda _: (10, "input"))
    for name in ("reads", "writes"):
        monkeypatch.setattr(buffer, name, lambda _: ["x"])
    assert buffer.stays([None]) == {} and asked == [4, 8, 16]


def test_both_ends_of_every_edge_are_equally_wide_and_every_edge_has_one_fifo(mini):
    ops = operators(flow.read(mini[1], flow.FOLDED))
    for a, b in itertools.pairwise(ops):
        assert a.get_outstream_width() == b.get_instream_width()
        before, behind = (op.onnx_node.op_type == "StreamingFIFO_sf" for op in (a, b))
        assert before + behind == 1 or (a.room() and not before + behind)  # one of its own is enough


def test_ratios_that_are_no_integers_go_through_the_least_common_multiple(mini):
    from signflow.deploy.plan import fold

    model = flow.read(mini[1], flow.HARDWARE)
    fold.apply_folding(
        model,
        {
            "MVAU_sf_6": {"PE": 32, "SIMD": 32},
            "MVAU_sf_1": {"PE": 2, "SIMD": 9},
            "ConvolutionInputGenerator_sf_1": {"SIMD": 8},
        },
    )
    buffer.insert_width_converters(model)
    converters = [
        (op.get_nodeattr("inWidth"), op.get_nodeattr("outWidth"))
        for op in operators(model)
        if "WidthConverter" in op.onnx_node.op_type
    ]
    assert (8, 72) in converters and (72, 9) in converters  # windows of 8 channels, 9 lanes
    assert all(max(c) % min(c) == 0 for c in converters)
