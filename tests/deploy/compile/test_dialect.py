"""The table of the integer graph's operators: whole, exact in its ranges, and with one bound."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile import engine
from signflow.deploy.compile.dialect import OPERATORS
from signflow.deploy.compile.dialect.base import EXACT, check_exact, partial
from signflow.deploy.compile.dialect.own import Own
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.passes.integer_graph import IntegerGraph

engine.boot()


def operator(name, x_shape, constants=(), computed=1, **attributes):
    """An operator of a node that reads ``computed`` tensors of one shape, and constants."""
    kind = OPERATORS[name]
    inputs = ["x", "y"][:computed] + [f"c{i}" for i in range(len(constants))]
    outputs = ["values", "out"] if name == "TopK" else ["out"]
    node = helper.make_node(name, inputs, outputs, name=name, domain=kind.DOMAIN, **attributes)
    shapes = [*[tuple(x_shape)] * computed, *(value.shape for value in constants)]
    return kind(node, shapes, [*[None] * computed, *(value.astype(np.float32) for value in constants)])


STEPS = {"out_dtype": "INT8", "out_scale": 1.0, "out_bias": -2.0, "data_layout": "NC"}
POOL = {"kernel_shape": [1, 2], "strides": [1, 2], "pads": [0, 0, 0, 0]}
# fmt: off
CASES = {
    "Im2Col": ((1, 2, 1), [], {"kernel_size": [1, 2], "stride": [1, 1], "input_shape": "(1,1,2,1)"},
               lambda x: x.reshape(1, 2)),
    "Flatten": ((1, 2, 2), [], {"axis": 1}, lambda x: x.reshape(1, 4)),
    "Border": ((1, 1, 2), [(2,)], {"pads": [1, 0, 0, 0]}, lambda x, c: np.stack([x[0, 0], c])),
    "MaxPoolNHWC": ((1, 2, 2), [], POOL, lambda x: x.max(axis=(0, 1))[None]),
    "SumPoolNHWC": ((1, 3, 1), [], {"kernel_shape": [1, 2], "strides": [1, 1]},
                    lambda x: np.array([[x[0, 0, 0] + x[0, 1, 0]], [x[0, 1, 0] + x[0, 2, 0]]])),
    "MatMul": ((3,), [(3, 2)], {}, lambda x, c: (x @ c)[None]),
    "XnorPopcountMatMul": ((4,), [(4, 2)], {}, lambda x, c: (x[:, None] == c).sum(axis=0)[None]),
    "MultiThreshold": ((2,), [(2, 3)], STEPS, lambda x, c: ((c <= x[:, None]).sum(axis=1) - 2)[None]),
    "Window": ((2,), [(2, 2)], {}, lambda x, c: ((x < c[:, 0]) | (x >= c[:, 1]))[None].astype(int)),
    "Mul": ((2,), [(2,)], {}, lambda x, c: (x * c)[None]),
    "Lookup": ((2,), [(2, 7)], {"lowest": -3}, lambda x, c: np.array([[c[0][x[0] + 3], c[1][x[1] + 3]]])),
    "Requantise": ((2,), [(2,), (2,)], {"shift": 1, "low": -4, "high": 3},
                   lambda x, m, b: np.clip(np.floor((x * m + b) / 2), -4, 3)[None]),
    "ReduceSum": ((1, 2, 2), [], {"keepdims": 0}, lambda x: x.sum(axis=(0, 1))[None]),
    "ShiftAdd": ((2,), [], {"shifts": [2, 1]}, lambda x, y: (4 * x + 2 * y)[None]),
    "Concat": ((2,), [], {"axis": 1}, lambda x, y: np.array([[*x, *y]])),
    "PadChannels": ((2,), [], {"before": 1, "after": 2, "value": -2}, lambda x: np.array([[-2, *x, -2, -2]])),
    "TopK": ((3,), [(1,)], {"axis": -1}, lambda x, _: np.array([[int(np.argmax(x))]])),
}
"""Operator: shape of x, shapes of the constants, attributes, and its definition: rows of channels."""
# fmt: on
BITS, SIGNS, JOINS = ("XnorPopcountMatMul",), ("Mul",), ("ShiftAdd", "Concat")


def test_every_operator_has_all_of_its_methods_and_a_case_here():
    assert set(CASES) == set(OPERATORS)
    for name, kind in OPERATORS.items():
        assert not kind.__abstractmethods__, name
        assert kind.HARDWARE or name in ("Flatten", "Border"), "what is no operator of its own in hardware"


def test_every_method_that_builds_a_node_takes_it_from_the_table():
    graph = IntegerGraph((2, 2, 3), "UINT8")
    x = graph.windows(graph.image, (2, 2), (1, 1))
    sums = graph.signed(graph.product(x, np.ones((12, 2), int), True), np.array([1, -1]))
    codes = graph.threshold(sums, np.arange(4).reshape(2, 2))
    codes = graph.requantise(graph.lookup(codes, np.array([[0, 2, 5]]), 0), [3], [1], 1, 0, 7)
    pooled = graph.sum_pool(graph.pool(graph.border(codes, (0, 0, 1, 1), [0]), (2, 1), (1, 1)), (1, 2), (1, 1))
    bits = graph.window(pooled, np.array([0, 1]), np.array([1, 2]))
    last = graph.product(graph.flatten(bits), np.ones((2, 3), int), True)
    graph.arg_max(graph.concat(graph.add(last, last), graph.pad_channels(last, 1, 1, 0)))
    graph.total(graph.image)
    assert {node.op_type for node in graph.nodes} == set(OPERATORS)
    for node in graph.nodes:
        assert node.domain == OPERATORS[node.op_type].DOMAIN
        if node.domain:
            getCustomOp(node)


def test_weights_have_a_sign_where_none_is_negative():
    """All weights of integers are held alike."""
    graph = IntegerGraph((2,), "UINT8")
    graph.product(graph.image, np.array([[2], [3]]), False)
    ((_, kind),) = graph.constants.values()
    assert kind == "INT3"


@settings(max_examples=200, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(CASES)))
def test_ranges_are_exact_by_trying_every_input(data, name):
    """Both ends of every channel are reached, and nothing beyond, by independent inputs in ranges of their own."""
    shape, constant_shapes, attributes, definition = CASES[name]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    count, lowest = 2 if name in JOINS else 1, 0 if name in BITS else -3
    low = rng.integers(lowest, 2, (count, shape[-1]))
    high = np.minimum(low + rng.integers(0, 3, low.shape), 1 if name in BITS else 3)
    constants = []
    for one in constant_shapes:
        constant = rng.integers(0, 2, one) if name in BITS else rng.integers(-3, 4, one)
        constant = 2 * rng.integers(0, 2, one) - 1 if name in SIGNS else constant
        constants.append(np.sort(constant, axis=1) if name in ("Window", "MultiThreshold") else constant)
    positions = int(np.prod(shape[:-1]))
    choices = [
        range(low[k, c], high[k, c] + 1) for k in range(count) for _ in range(positions) for c in range(shape[-1])
    ]
    rows = []
    for values in itertools.product(*choices):
        x, *other = (part.reshape(shape) for part in np.array(values).reshape(count, -1))
        rows.append(definition(x, *other, *constants))
    built = operator(name, shape, constants, count, **attributes)
    found = built.range(*zip(low, high, strict=True))
    want = np.array(rows).reshape(-1, np.shape(rows)[-1])
    want_low, want_high = want.min(axis=0), want.max(axis=0)
    assert (found[0] == want_low).all() and (found[1] == want_high).all(), (low, high, constants)
    assert built.largest(*zip(low, high, strict=True)) >= np.abs(want).max()


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_no_partial_sum_is_larger_than_said(seed):
    """In any order, and so for every subset of the terms."""
    rng = np.random.default_rng(seed)
    weights, low = rng.integers(-3, 4, (4, 2)), rng.integers(-3, 3, 4)
    high = low + rng.integers(0, 3, 4)
    most = 0
    for kept in itertools.product((0, 1), repeat=4):
        for x in itertools.product(*(sorted({a, b}) for a, b in zip(low, high, strict=True))):
            most = max(most, int(np.abs((np.array(x) * kept) @ weights).max()))
    assert most <= partial(weights, low, high)


def test_the_bound_is_the_last_integer_whose_own_threshold_float32_still_holds():
    node = helper.make_node("MatMul", ["x", "c"], ["y"], name="sums")
    check_exact(node, EXACT)
    with pytest.raises(UnsupportedError, match=f"'sums'.*can reach {EXACT + 1}.*up to {EXACT}"):
        check_exact(node, EXACT + 1)
    never = EXACT + 1
    assert int(np.float32(never)) == never and int(np.float32(never + 1)) != never + 1


def test_a_table_starts_at_zero_unless_it_says_otherwise():
    table = operator("Lookup", (1,), [np.array([[5, 6, 7]])])
    assert table.compute(np.array([[0], [2]]), table.table).tolist() == [[5], [7]]


@pytest.mark.parametrize(("x", "y"), [(2, 3), (3, 2), (1, 2), (2, 1)])
def test_ranges_of_unlike_channels_are_not_added(x, y):
    ends = [(np.zeros(n, int), np.ones(n, int)) for n in (x, y)]
    with pytest.raises(UnsupportedError, match="maps of one shape, or map and vector"):
        operator("ShiftAdd", (2,), computed=2, shifts=[0, 0]).range(*ends)


@pytest.mark.parametrize("name", [name for name in CASES if issubclass(OPERATORS[name], Own) and name != "Border"])
def test_own_operators_compute_their_definition(name):
    """The definition of `Border` above is of its ranges: it leaves pixels out."""
    shape, constant_shapes, attributes, definition = CASES[name]
    rng = np.random.default_rng(5)
    for _ in range(30):
        inputs = [rng.integers(-3, 4, shape) for _ in range(2 if name in JOINS else 1)]
        constants = [rng.integers(-3, 4, one) for one in constant_shapes]
        constants = [np.sort(one, axis=1) for one in constants] if name == "Window" else constants
        built = operator(name, shape, constants, len(inputs), **attributes)
        found = built.compute(*(x[None].astype(np.float32) for x in inputs), *built.constants[len(inputs) :])
        np.testing.assert_array_equal(found.reshape(-1, found.shape[-1]), definition(*inputs, *constants))
