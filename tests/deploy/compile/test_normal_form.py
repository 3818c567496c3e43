"""Normal form of windows, borders and reductions: the graph computes, bit for bit, what it computed in ONNX Runtime;
what has no normal form is refused.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.passes.regions import attribute

from .normal_forms import FEW, INF, model_of, normal, refused, whole
from .onnx_networks import node

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
pairs = lambda low, high: st.tuples(st.integers(low, high), st.integers(low, high))  # noqa: E731
opsets = st.sampled_from([10, 11, 13, 18, 20])


@given(sizes, pairs(1, 3), pairs(1, 3), pairs(1, 2), st.tuples(pairs(0, 2), pairs(0, 2)), st.integers(1, 3), opsets,
       st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]), st.booleans())  # fmt: skip
@FEW
def test_convolutions(size, kernel, stride, dilation, pads, groups, opset, auto, bias):
    extent = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if auto.startswith("SAME"):
        dilation, extent = (1, 1), list(kernel)
    pads = [[min(p, e - 1) for p, e in zip(row, extent, strict=True)] for row in pads]
    size = [max(s, e) for s, e in zip(size, extent, strict=True)]
    geometry = {"pads": [*pads[0], *pads[1]]} if auto == "NOTSET" else {"auto_pad": auto}
    conv = node("Conv", "x w b" if bias else "x w", "y", strides=stride, dilations=dilation, group=groups, **geometry)
    constants = {"w": whole(2 * groups, 2, *kernel), **({"b": whole(2 * groups)} if bias else {})}
    model = model_of([conv], [1, 2 * groups, *size], opset, **constants)
    try:
        found = normal(model)
    except UnsupportedError as error:
        assert "leaves out pixels" in str(error)
        ends = [(-(-s // t) - 1) * t + k < s for s, t, k in zip(size, stride, kernel, strict=True)]
        assert auto.startswith("SAME") and any(ends)
        return
    assert {n.op_type for n in found.graph.node} <= {"Pad", "Conv", "Add"}


@given(sizes, pairs(1, 4), pairs(1, 3), st.tuples(pairs(0, 2), pairs(0, 2)), opsets, st.booleans(),
       st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]), st.sampled_from([None, 0, 1]))  # fmt: skip
@settings(FEW, max_examples=120)
def test_pools(size, kernel, stride, pads, opset, ceil, auto, counted):
    """``counted``: None for MaxPool, else count_include_pad of AveragePool."""
    ceil = ceil and auto == "NOTSET" and (counted is None or opset > 18)  # earlier averages know no ceil_mode
    pads = [[min(p, k - 1) for p, k in zip(row, kernel, strict=True)] for row in pads]
    size = [max(s, k) for s, k in zip(size, kernel, strict=True)]
    attributes = {"pads": [*pads[0], *pads[1]]} if auto == "NOTSET" else {"auto_pad": auto}
    attributes |= {"ceil_mode": 1} if ceil else {}
    attributes |= {} if counted is None else {"count_include_pad": counted}
    pool = node("MaxPool" if counted is None else "AveragePool", "x", "y", kernel_shape=kernel, strides=stride,
                **attributes)  # fmt: skip
    model = model_of([pool], [1, 3, *size], opset)
    try:
        found = {n.op_type for n in normal(model).graph.node}
    except UnsupportedError as error:
        words = ("leaves out pixels", "pixels along the", "begin in the padding")
        assert any(word in str(error) for word in words)
        return
    assert found <= ({"MaxPool", "Slice", "Identity"} if counted is None else
                     {"Pad", "SumPool", "ReduceSum", "Div", "Slice", "Identity"})  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"pads": [1, 1, 1, 1], "kernel_shape": [3, 3]},
         "operator AveragePool: with count_include_pad = 0, its averages are over 2 to 3 pixels along the height"),
        ({"ceil_mode": 1, "kernel_shape": [1, 2], "strides": [1, 2]},
         "with ceil_mode, its averages are over 1 to 2 pixels along the width"),
        ({"auto_pad": "SAME_UPPER", "kernel_shape": [2, 2], "strides": [3, 3]},
         "auto_pad SAME_UPPER with kernel 2 and stride 3 leaves out pixels of 6"),
        ({"ceil_mode": 1, "kernel_shape": [1, 2], "strides": [1, 3], "pads": [0, 0, 0, 1], "count_include_pad": 1},
         "its result is said to have"),
        ({"dilations": [2, 1], "kernel_shape": [2, 2]}, "its windows are dilated by [2, 1]"),
    ],
)  # fmt: skip
def test_averages_that_are_refused(attributes, words):
    assert words in refused(model_of([node("AveragePool", "x", "y", **attributes)], [1, 2, 6, 5], 20))


def test_windows_that_begin_in_the_padding():
    """ONNX' shape inference counts them, ONNX Runtime and PyTorch do not."""
    pool = node("MaxPool", "x", "y", kernel_shape=[1, 2], strides=[1, 4], pads=[0, 1, 0, 1], ceil_mode=1)
    sizes = [n for n in range(2, 12) if model_of([pool], [1, 1, 1, n], 20).get_tensor_shape("y")[3] > -(-(n + 1) // 4)]
    assert sizes
    for size in sizes:
        assert "the last ones begin in the padding" in refused(model_of([pool], [1, 1, 1, size], 20))


def test_results_of_another_shape_than_the_windows_give():
    """No word of padding where there is none."""
    pool = node("MaxPool", "x", "y", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    model = model_of([pool], [1, 1, 5, 8], 20)
    model.set_tensor_shape("y", [1, 1, 2, 4])
    message = refused(model)
    assert "it has [3, 4] windows, but its result is said to have [2, 4]. Supported: results of the shape" in message


def test_windows_that_hang_over_the_map_get_pads():
    pool = node("MaxPool", "x", "y", kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1)
    found = normal(model_of([pool], [1, 3, 5, 6]), ["MaxPool"])
    assert attribute(found.graph.node[0], "pads", []) == [0, 0, 1, 1]


def test_an_operator_on_a_row_is_one_on_a_map():
    conv = node("Conv", "x w", "y", strides=[2], dilations=[2])
    normal(model_of([conv], [1, 2, 9], w=whole(3, 2, 3)), ["Unsqueeze", "Conv", "Squeeze"])


def test_pools_of_nothing_but_padding():
    pool = node("MaxPool", "x", "y", kernel_shape=[2, 3], pads=[2, 1, 0, 1])
    message = refused(model_of([pool], [1, 1, 6, 6], 20))
    assert "its pads [2, 1, 0, 1] are not smaller than its kernel [2, 3]. Supported: pads smaller than" in message


# ---- borders, pixels, channels


@given(sizes, st.lists(st.tuples(*[st.integers(0, 2)] * 6, st.sampled_from([0.0, -1.0])), min_size=1, max_size=3),
       st.sampled_from([10, 13, 18]))  # fmt: skip
@FEW
def test_pads(size, borders, opset):
    """Pads of height and width and of channels, merged where their value is the same."""
    nodes, constants = [], {}
    for i, (*pads, value) in enumerate(borders):
        x, y = "x" if i == 0 else f"t{i}", "y" if i == len(borders) - 1 else f"t{i + 1}"
        if opset < 11:
            nodes.append(node("Pad", x, y, pads=[0, *pads[:3], 0, *pads[3:]], value=value))
            continue
        constants |= {f"p{i}": np.array([0, *pads[:3], 0, *pads[3:]]), f"v{i}": np.float32(value)}
        axes = ""
        if opset >= 18:
            constants |= {f"p{i}": np.array(pads), f"a{i}": np.array([1, -2, 3])}
            axes = f"a{i}"
        nodes.append(node("Pad", f"{x} p{i} v{i} {axes}".strip(), y))
    found = normal(model_of(nodes, [1, 2, *size], opset, **constants))
    kinds = [n.op_type for n in found.graph.node if n.op_type != "Identity"]
    values = [value for *pads, value in borders if any(pads)]
    runs = sum(a != b for a, b in zip(values, [None, *values], strict=False))
    assert set(kinds) <= {"Pad"} and len(kinds) <= 2 * runs


def test_pads_in_front_of_a_padded_convolution_are_one():
    nodes = [node("Pad", "x p", "t"), node("Conv", "t w", "y", pads=[1, 0, 2, 2])]
    constants = {"p": np.array([0, 0, 1, 0, 0, 0, 0, 1]), "w": whole(3, 2, 4, 4)}
    found = normal(model_of(nodes, [1, 2, 5, 6], **constants), ["Pad", "Conv"])
    assert list(found.get_initializer(found.graph.node[0].input[1])) == [0, 0, 2, 0, 0, 0, 2, 3]


@pytest.mark.parametrize("pads", [[1, 1, 1, 1], [0, 1, 2, 0]])
def test_minus_infinity_belongs_to_the_pool(pads):
    nodes = [node("Pad", "x p v", "t"), node("MaxPool", "t", "y", kernel_shape=[3, 3], strides=[2, 2])]
    constants = {"p": np.array([0, 0, *pads[:2], 0, 0, *pads[2:]]), "v": np.float32(-np.inf)}
    normal(model_of(nodes, [1, 2, 6, 7], **constants), ["MaxPool"])


@given(sizes, pairs(1, 3), pairs(1, 2), st.sampled_from([10, 13]), pairs(0, 2))
@FEW
def test_picked_pixels_and_padded_channels(size, first, second, opset, channels):
    """ResNet's option A: x[:, :, ::s, ::s] in one or several Slices, then channels of zeros."""
    nodes = [
        node("Slice", "x s0 e0 a0 t0", "r"),
        node("Slice", "r s0 e1 a1 t1", "s"),
        node("Slice", "s s2 e2 a2 t2", "t"),
    ]
    zeros, ends = np.array([0]), np.array([INF])
    constants = {"s0": zeros, "e0": ends, "a0": np.array([2]), "t0": np.array(first[:1]), "e1": ends,
                 "a1": np.array([-1]), "t1": np.array(first[1:]), "s2": np.array([0, 0]), "e2": np.array([INF, INF]),
                 "a2": np.array([2, 3]), "t2": np.array(second)}  # fmt: skip
    pads = [0, channels[0], 0, 0, 0, channels[1], 0, 0]
    if opset < 11:
        nodes.append(node("Pad", "t", "y", pads=pads))
    else:
        nodes.append(node("Pad", "t p", "y"))
        constants["p"] = np.array(pads)
    found = normal(model_of(nodes, [1, 3, *size], opset, **constants))
    kinds = [n.op_type for n in found.graph.node if n.op_type != "Identity"]
    assert kinds == ["Slice"] * (set(first + second) != {1}) + ["Pad"] * any(channels)


def test_slices_of_slices_are_one():
    """x[:, :, ::2, ::2][:, :, ::3] is x[:, :, ::6, ::2]."""
    nodes = [node("Slice", "x s e a first", "r"), node("Slice", "r s e a second", "y")]
    places = {"s": np.array([0, 0]), "e": np.array([INF, INF]), "a": np.array([2, 3])}
    model = model_of(nodes, [1, 3, 9, 5], **places, first=np.array([2, 2]), second=np.array([3, 1]))
    found = normal(model, ["Slice"])
    assert found.get_initializer(found.graph.node[0].input[4]).tolist() == [1, 1, 6, 2]


@given(sizes, st.sampled_from(["ReduceMean", "ReduceSum", "ReduceMax"]), st.sampled_from([[2, 3], [-1, -2], [3], [-2]]),
       st.booleans(), st.sampled_from([11, 13, 18, 20]))  # fmt: skip
@FEW
def test_reductions(size, kind, axes, keep, opset):
    inputs = opset >= (13 if kind == "ReduceSum" else 18)
    attributes = {"keepdims": int(keep)} | ({} if inputs else {"axes": axes})
    reduce = node(kind, "x a" if inputs else "x", "y", **attributes)
    found = normal(model_of([reduce], [1, 3, *size], opset, **({"a": np.array(axes)} if inputs else {})))
    kinds = [n.op_type for n in found.graph.node]
    everywhere = len(axes) == 2
    alone = all(size[axis % 4 - 2] == 1 for axis in axes)  # a maximum of one pixel
    first = ("Identity" if alone else "MaxPool") if kind == "ReduceMax" else "ReduceSum" if everywhere else "SumPool"
    squeeze = not keep and (kind == "ReduceMax" or not everywhere)
    assert kinds == [first, *["Squeeze"] * squeeze, *["Div"] * (kind == "ReduceMean")]


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool"])
def test_pools_of_the_whole_map(kind):
    wanted = ["MaxPool"] if kind == "GlobalMaxPool" else ["ReduceSum", "Div"]
    normal(model_of([node(kind, "x", "y")], [1, 3, 7, 7]), wanted)


def test_concatenated_channels():
    normal(
        model_of([node("Identity", "x", "t"), node("Concat", "x t", "y", axis=-3)], [1, 3, 2, 2]),
        ["Identity", "Concat"],
    )


@pytest.mark.parametrize("opset", [10, 13])
@pytest.mark.parametrize(("inputs", "axis"), [("b x", 1), ("x b", -3), ("a x b", 1), ("b x b", 1), ("x a", 2)])
def test_constants_beside_a_result_are_a_border(inputs, axis, opset):
    """ResNet's option A, as torch.cat with zeros."""
    shape = [1, 3, 4, 5]
    parts = {name: np.full([*shape[: axis % 4], n, *shape[axis % 4 + 1 :]], 7, np.float32) for name, n in
             (("a", 1), ("b", 2)) if name in inputs.split()}  # fmt: skip
    normal(model_of([node("Concat", inputs, "y", axis=axis)], shape, opset, **parts), ["Pad"])


# ---- what has no normal form

CONV = {"w": whole(2, 3, 3, 3)}


@pytest.mark.parametrize(
    ("nodes", "constants", "words"),
    [
        ([node("Pad", "x p", "y", mode="reflect")], {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])},
         "operator Pad: its mode is 'reflect': the border depends on the image. Supported: Pad with mode constant"),
        ([node("Pad", "x p", "y")], {"p": np.array([0, 0, -1, 1, 0, 0, 1, 1])}, "are negative: it cuts the map"),
        ([node("Pad", "x p", "t"), node("Slice", "t o i o", "y")],
         {"p": np.array([1, 0, 0, 0, 0, 0, 0, 0]), "o": np.array([0]), "i": np.array([9])},
         "it pads a tensor of shape [1, 3, 6, 5] by [1, 0, 0, 0] and [0, 0, 0, 0]"),
        ([node("GlobalMaxPool", "x", "r"), node("Pad", "x p r", "y")], {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])},
         "its value 'r' depends on the image"),
        ([node("Pad", "x p v", "y")], {"p": np.array([0, 0, 1, 0, 0, 0, 0, 0]), "v": np.float32(np.inf)},
         "its value is inf. Supported: a finite value"),
        ([node("Conv", "x w", "y", pads=[0, 3, 0, 0])], CONV,
         "a window spans 3 pixels of the width, the padding [3, 0], and may hold nothing else. Supported: pads"),
        ([node("Conv", "x w", "y", pads=[0, 0, 4, 0])], CONV,
         "a window spans 3 pixels of the height, the padding [0, 4]"),
        ([node("Pad", "x p", "t"), node("Conv", "t w", "y", pads=[1, 1, 1, 1])],
         CONV | {"p": np.array([0, 0, 2, 0, 0, 0, 0, 0])}, "a window spans 3 pixels of the height, the padding [3, 1]"),
        ([node("MaxPool", "x", "y", kernel_shape=[2, 2], dilations=[2, 1])], {}, "its windows are dilated by [2, 1]"),
        ([node("Slice", "x s e a", "y")], {"s": np.array([1]), "e": np.array([9]), "a": np.array([2])},
         "it takes 1:6:1 of 6 on axis 2. Supported: x[:, :, ::sh, ::sw]"),
        ([node("Slice", "x s e a", "y")], {"s": np.array([0]), "e": np.array([2]), "a": np.array([1])},
         "it takes 0:2:1 of 3 on axis 1"),
        ([node("Slice", "x s e a t", "y")],
         {"s": np.array([-1]), "e": np.array([-99]), "a": np.array([3]), "t": np.array([-1])},
         "its step on axis 3 is -1"),
        ([node("Neg", "x", "t"), node("Concat", "x t", "y", axis=2)], {}, "along axis 2 of [1, 3, 12, 5]"),
        ([node("Concat", "x c", "y", axis=1)], {"c": whole(1, 2, 6, 5)},
         "operator Concat: beside results of the image (1) it puts 19 different constants. Supported: one result"),
        ([node("Neg", "x", "t"), node("Concat", "x c t", "y", axis=1)], {"c": np.zeros((1, 2, 6, 5), np.float32)},
         "beside results of the image (2) it puts 1 different constants"),
        ([node("ReduceMean", "x", "y", axes=[1])], {}, "it reduces a tensor of shape [1, 3, 6, 5] over the axes [1]"),
        ([node("ReduceSum", "x", "y")], {}, "over the axes [0, 1, 2, 3]"),
        ([node("Resize", "x - s", "y")], {"s": np.float32([1, 1, 2, 2])}, "it makes more positions of a map"),
        ([node("DepthToSpace", "x4", "y", blocksize=2)], {}, "it makes more positions of a map"),
        ([node("Unsqueeze", "x a", "t"), node("MaxPool", "t", "y", kernel_shape=[1, 2, 2])], {"a": np.array([2])},
         "its kernel [1, 2, 2] reads a tensor of shape [1, 3, 1, 6, 5]"),
        ([node("Unsqueeze", "x a", "t"), node("Conv", "t w", "y")], {"a": np.array([2]), "w": whole(2, 3, 1, 3, 3)},
         "it reads a tensor of shape [1, 3, 1, 6, 5]. Supported: maps [1, channels, height, width]"),
    ],
)  # fmt: skip
def test_what_has_no_normal_form_is_refused_with_the_reason(nodes, constants, words):
    channels = 4 if nodes[0].input[0] == "x4" else 3
    nodes[0].input[0] = "x"
    assert words in refused(model_of(nodes, [1, channels, 6, 5], **constants))
