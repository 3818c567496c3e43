"""The inverse of a head by halving rows against trying every integer, and what it costs."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.util.basic import qonnx_make_model

from signflow.deploy.compile.passes import inverse as module
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.inverse import ByBisection, ByTable, inverse
from signflow.deploy.compile.passes.transitions import Accumulators


@st.composite
def heads(draw):
    """(logits of every row, float32 (rows, classes); the reach): rising and falling classes with runs, also one run."""
    classes, step = draw(st.integers(1, 4)), draw(st.sampled_from((1, 2)))
    low = np.array(draw(st.lists(st.integers(-9, 9), min_size=classes, max_size=classes)))
    rows = np.array(draw(st.lists(st.integers(1, 12), min_size=classes, max_size=classes)))
    rises = [draw(st.lists(st.sampled_from((0, 0, 1, 3)), min_size=n - 1, max_size=n - 1)) for n in rows.tolist()]
    signs = [draw(st.sampled_from((1, -1))) for _ in rows]
    found = [sign * (np.cumsum([0, *rise]) - 2) / 3 for sign, rise in zip(signs, rises, strict=True)]
    return [f.astype(np.float32) for f in found], Accumulators(low, low + step * (rows - 1), step)


def _function(found, reach):
    def head(integers):
        rows = (integers - reach.low) // reach.step
        return np.stack([f[np.clip(rows[:, c], 0, len(f) - 1)] for c, f in enumerate(found)], axis=1)

    return head


def _defined(found, reach, wanted):
    """The definition, one number at a time: (integer, distance)."""
    values = sorted({float(f) for f in found})
    nearest = min(values, key=lambda v: (abs(wanted - v), v))
    integer = reach[0] + reach[1] * next(i for i, f in enumerate(found) if float(f) == nearest)
    off = abs(wanted - nearest)
    if len(values) == 1:
        return integer, np.inf if off else 0.0
    right = min(max(sum(v < wanted for v in values), 1), len(values) - 1)
    return integer, off / (values[right] - values[right - 1])


@settings(deadline=None, max_examples=300)
@given(heads(), st.data())
def test_both_ways_are_the_definition(drawn, data):
    found, reach = drawn
    head = _function(found, reach)
    on = [sorted({float(v) for v in f}) for f in found]
    tried = [sorted({*v, *((a + b) / 2 for a, b in pairwise(v)), v[0] - 1, v[-1] + 1}) for v in on]
    extra = st.floats(-20, 20, width=32)
    wanted = np.array([[data.draw(st.sampled_from(t) | extra) for t in tried] for _ in range(3)])
    pairs = [
        [_defined(f, (reach.low[c], reach.step), x) for c, (f, x) in enumerate(zip(found, row, strict=True))]
        for row in wanted
    ]
    for way in (ByTable(head, reach), ByBisection(head, reach)):
        integers, worst = way.invert(wanted)
        assert integers.tolist() == [[int(pair[0]) for pair in row] for row in pairs]
        assert worst == max(pair[1] for row in pairs for pair in row)


@settings(deadline=None, max_examples=200)
@given(heads())
def test_an_integer_settles_at_the_smallest_that_is_equal(drawn):
    found, reach = drawn
    head, table = _function(found, reach), reach.table
    least = [[int(np.flatnonzero(f == f[r])[0]) for f, r in zip(found, row, strict=True)] for row in _rows(reach)]
    outside = np.stack([reach.low - 1, reach.high + 1])
    for way in (ByTable(head, reach), ByBisection(head, reach)):
        assert (way.settle(table) == reach.low + reach.step * np.array(least)).all()
        assert (way.settle(outside) == outside).all()


def _rows(reach):
    return (reach.table - reach.low) // reach.step


def test_no_number_is_infinitely_far():
    reach = Accumulators(np.array([0]), np.array([3]), 1)
    for way in (ByTable, ByBisection):
        assert way(lambda x: x.astype(np.float32), reach).invert(np.array([[np.nan]]))[1] == np.inf


def test_few_integers_and_what_turns_back_are_all_tried(monkeypatch):
    monkeypatch.setattr(module, "DENSE", 8)
    fewer, few, many = (Accumulators(np.array([0]), np.array([n - 1]), 1) for n in (7, 8, 9))
    cases = [(fewer, True), (few, True), (many, False), (many, True)]
    assert [type(inverse(np.abs, *case)) for case in cases] == [ByTable, ByTable, ByTable, ByBisection]


@pytest.mark.parametrize("falls", [False, True])
def test_a_thousand_classes_of_a_million_integers(falls):
    """7 GB an array if all were tried. A scale and a bias of each class, float32, as the network computes them."""
    classes, rng = 1000, np.random.default_rng(0)
    scale = rng.uniform(1e-4, 1e-3, (1, classes)).astype(np.float32) * (-1 if falls else 1)
    names = "accumulators", "scaled", "logits"
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, classes]) for name in names]
    nodes = [helper.make_node("Mul", [names[0], "scale"], [names[1]], name="Scale")]
    nodes += [helper.make_node("Add", [names[1], "bias"], [names[2]], name="Bias")]
    graph = helper.make_graph(nodes, "head", infos[:1], infos[2:], value_info=infos[1:2])
    model = ModelWrapper(qonnx_make_model(graph))
    model.set_initializer("scale", scale)
    model.set_initializer("bias", rng.normal(0, 1, (1, classes)).astype(np.float32))
    high = rng.integers(400_000, 480_293, classes)
    reach = Accumulators(-high, high, 1)
    head, integers = Head(model, reach, False, 0.0), rng.integers(-high, high + 1, (4, classes))
    tracemalloc.start()
    logits = head(integers)
    found, distance = head.invert(logits)
    settled = head.settle(integers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert distance == 0 and (head(found) == logits).all() and (settled == found).all()
    before = np.maximum(found - 1, reach.low)
    assert ((head(before) != logits) | (found == reach.low)).all()
    assert peak < 16e6
