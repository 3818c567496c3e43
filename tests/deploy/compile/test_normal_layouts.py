"""Normal form of other layouts (one dimension, channels last), and of modules, where PyTorch is the reference: the
graph computes, bit for bit, what it computed.
"""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from qonnx.transformation.infer_shapes import InferShapes
from torch import nn
from torch.nn import functional as F

from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.export import export
from signflow.deploy.compile.passes.channels_first import ChannelsFirst
from signflow.deploy.compile.passes.normal_form import NormalForm

from .normal_forms import FEW, INF, model_of, normal, refused, run, whole
from .onnx_networks import node

# ---- PyTorch is the reference of modules


class Branches(nn.Module):
    """A convolution with small integer weights, what is tried behind it side by side, all results in one vector."""

    def __init__(self, conv: nn.Module, *branches):
        super().__init__()
        self.conv, self.branches = conv, branches
        self.kept = nn.ModuleList([branch for branch in branches if isinstance(branch, nn.Module)])
        for parameter in conv.parameters():
            parameter.data = torch.from_numpy(whole(*parameter.shape))

    def forward(self, x):
        x = self.conv(x)
        return torch.cat([branch(x).flatten(1) for branch in self.branches], 1)


def like_torch(net: nn.Module, shape: tuple[int, ...]) -> list[str]:
    """Export, normalise, compare with PyTorch on images of the extremes and random ones; returns the operators."""
    model = export(net.eval(), shape, "uint8").transform(NormalForm())
    random = np.random.default_rng(1).integers(0, 256, shape)
    for image in (np.zeros(shape), np.full(shape, 255), random):
        x = image[None].astype(np.float32)
        with torch.no_grad():
            wanted = net(torch.from_numpy(x)).numpy()
        np.testing.assert_array_equal(run(model, x)[model.graph.output[0].name], wanted)
    return sorted(n.op_type for n in model.graph.node if n.op_type not in ("Reshape", "Flatten", "Squeeze"))


MAPS = [
    (nn.AvgPool2d(3, 2, 1), ["Pad", "SumPool", "Div"]),
    (nn.AvgPool2d((2, 3), (1, 2), count_include_pad=False), ["SumPool", "Div"]),
    (nn.AvgPool2d(7), ["ReduceSum", "Div"]),
    (nn.AvgPool2d(1, 2), ["Slice"]),
    (nn.AdaptiveAvgPool2d(1), ["ReduceSum", "Div"]),
    (nn.AdaptiveAvgPool2d((1, 7)), ["SumPool", "Div"]),
    (nn.MaxPool2d(3, 2, 1), ["MaxPool"]),
    (nn.MaxPool2d(2, 2, ceil_mode=True), ["MaxPool"]),
    (nn.AdaptiveMaxPool2d(1), ["MaxPool"]),
    (lambda x: x.mean((2, 3)), ["ReduceSum", "Div"]),
    (lambda x: x.mean(-1), ["SumPool", "Div"]),
    (lambda x: x.amax((2, 3)), ["MaxPool"]),
    (lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1)), ["Slice", "Pad"]),
    (lambda x: F.pad(x, (1, 1, 1, 1), value=-1.0), ["Pad"]),
    (lambda x: torch.cat([x, -x], 1), ["Neg", "Concat"]),
    (lambda x: x.permute(0, 2, 3, 1).mul(2.0).permute(0, 3, 1, 2), ["Mul"]),
]
ROWS = [
    (nn.MaxPool1d(3, 2, 1), ["MaxPool"]),
    (nn.AvgPool1d(2), ["SumPool", "Div"]),
    (nn.AdaptiveAvgPool1d(1), ["ReduceSum", "Div"]),
    (lambda x: x.mean(2), ["ReduceSum", "Div"]),
    (lambda x: F.pad(x, (1, 2))[:, :, ::2], ["Pad", "Slice"]),
    (nn.Sequential(nn.BatchNorm1d(4), nn.ReLU(), nn.MaxPool1d(2)), ["BatchNormalization", "Relu", "MaxPool"]),
    (lambda x: torch.relu(x * torch.tensor([[1.0], [2.0], [-1.0], [0.5]])), ["Mul", "Relu"]),
]


def operators(first: list[str], branches) -> list[str]:
    return sorted([*first, *(name for _, names in branches for name in names), "Concat"])


def test_maps_of_pytorch():
    conv = nn.Conv2d(3, 4, 3, padding=1, bias=False)
    found = like_torch(Branches(conv, *(branch for branch, _ in MAPS)), (3, 7, 7))
    assert found == operators(["Pad", "Conv"], MAPS)


@pytest.mark.parametrize(("size", "shape"), [((3, 4), (8, 6)), ((2, None), (7, 6))])
def test_adaptive_pools_over_uneven_windows_are_named(size, shape):
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(size))
    after = [m or n for m, n in zip(size, shape, strict=True)]
    wanted = f"'1', operator AdaptiveAvgPool2d: a map of {list(shape)} does not divide into {after} windows"
    with pytest.raises(UnsupportedError, match=re.escape(wanted)):
        export(net, (1, *shape), "uint8")
    assert not net[1]._forward_hooks


def test_rows_of_pytorch():
    """One dimension becomes two where the image is read; no other Unsqueeze is left."""
    conv = nn.Conv1d(2, 4, 3, padding=1, groups=2)
    found = like_torch(Branches(conv, *(branch for branch, _ in ROWS)), (2, 9))
    assert found == operators(["Unsqueeze", "Pad", "Conv", "Add"], ROWS)


def test_convolutions_of_pytorch():
    convs = [
        nn.Conv2d(4, 4, 3, padding=1, groups=4),
        nn.Conv2d(4, 8, (3, 2), stride=2, padding=(2, 1), groups=2),
        nn.Conv2d(4, 4, 3, padding="same", dilation=2),
        nn.Conv2d(4, 4, 7, stride=2, padding=3, bias=False),
    ]
    for conv in convs:
        for parameter in conv.parameters():
            parameter.data = torch.from_numpy(whole(*parameter.shape))
    found = like_torch(Branches(nn.Conv2d(3, 4, 1, bias=False), *convs), (3, 9, 8))
    assert found == sorted(["Conv"] * 5 + ["Pad"] * 4 + ["Add"] * 3 + ["Concat"])


# ---- channels last

LAST, FIRST = [0, 2, 3, 1], [0, 3, 1, 2]


def last(x: str, y: str):
    return node("Transpose", x, y, perm=LAST)


def first(x: str, y: str):
    return node("Transpose", x, y, perm=FIRST)


def test_scalar_operators_between_transposes():
    """Constants on the last axis move to axis 1; a quantiser's scale per channel too; the sum of two branches."""
    nodes = [
        *(node("Conv", "x w", "a"), last("a", "b"), node("Mul", "b m", "c"), node("Relu", "c", "d")),
        node(
            "Quant", "d s zero bits", "e", domain="qonnx.custom_op.general", signed=1, narrow=0, rounding_mode="ROUND"
        ),
        *(first("e", "f"), node("Conv", "f v", "g"), last("g", "h"), node("Add", "h e", "i"), node("Sub", "o i", "j")),
        *(first("j", "k"), node("MaxPool", "k", "y", kernel_shape=[2, 2], strides=[2, 2])),
    ]
    constants = {"w": whole(4, 3, 3, 3), "v": whole(4, 4, 1, 1), "m": whole(4), "o": np.float32(7),
                 "bits": np.float32(6), "s": np.float32([[[[1, 2, 4, 0.5]]]]), "zero": np.float32(0)}  # fmt: skip
    found = normal(model_of(nodes, [1, 3, 7, 6], **constants),
                   ["Conv", "Mul", "Relu", "Quant", "Conv", "Add", "Sub", "MaxPool"])  # fmt: skip
    assert [n.output[0] for n in found.graph.node] == ["a", "c_first", "d_first", "f", "g", "i_first", "k", "y"]
    assert found.get_initializer("m").shape == (1, 4, 1, 1) and found.get_initializer("s").shape == (1, 4, 1, 1)


def test_geometry_between_transposes():
    nodes = [
        *(node("Conv", "x w", "a"), last("a", "b"), node("Pad", "b p", "c"), node("Neg", "c", "d")),
        *(node("Concat", "c d", "e", axis=-1), node("Slice", "e z i axes steps", "f"), first("f", "g")),
        *(node("AveragePool", "g", "h", kernel_shape=[2, 2]), last("h", "i0"), node("Mul", "i0 m", "j")),
        *(node("ReduceMean", "j", "k", axes=[1, 2], keepdims=0), node("MatMul", "k l", "y")),
    ]
    constants = {"w": whole(4, 3, 3, 3), "p": np.array([0, 1, 0, 0, 0, 2, 1, 0]), "z": np.array([0, 0]), "m": whole(8),
                 "i": np.array([INF, INF]), "axes": np.array([1, 2]), "steps": np.array([2, 1]),
                 "l": whole(8, 2)}  # fmt: skip
    found = normal(model_of(nodes, [1, 3, 7, 6], **constants))
    assert [n.op_type for n in found.graph.node] == [
        *("Conv", "Pad", "Neg", "Concat", "Slice", "SumPool", "Div", "Mul", "ReduceSum", "Div", "Squeeze", "MatMul"),
    ]


@pytest.mark.parametrize("flatten", ["Flatten", "Reshape"])
def test_features_of_a_map_with_channels_last(flatten):
    """The rows of the weights, and constants per feature, move instead; twice, where these tell positions apart."""
    nodes = [node("Conv", "x w", "a"), last("a", "b"), node(flatten, "b flat" if flatten == "Reshape" else "b", "c"),
             node("Mul", "c m", "d"), node("Add", "d c", "e"), node("MatMul", "e l", "y")]  # fmt: skip
    constants = {"w": whole(4, 3, 3, 3), "m": whole(1, 4 * 10 * 9), "l": whole(360, 5), "flat": np.array([1, -1])}
    normal(model_of(nodes, [1, 3, 12, 11], **constants), ["Conv", "FlattenNHWC", "Mul", "Add", "MatMul"])


def test_one_map_side_by_side_with_none():
    nodes = [node("Conv", "x w", "a"), last("a", "b"), node("Concat", "b", "c", axis=3), first("c", "y")]
    normal(model_of(nodes, [1, 3, 7, 6], w=whole(4, 3, 3, 3)))


def test_geometry_of_one_row():
    """Nothing is left of a Squeeze."""
    nodes = [
        *(node("Conv", "x w", "a"), node("Squeeze", "a axis", "b"), node("Relu", "b", "c"), node("Pad", "c p", "d")),
        *(node("Unsqueeze", "d axis", "e"), node("Conv", "e v", "y")),
    ]
    constants = {"w": whole(4, 3, 3, 2), "axis": np.array([2]), "p": np.array([0, 0, 1, 0, 0, 2]),
                 "v": whole(2, 4, 1, 3)}  # fmt: skip
    normal(model_of(nodes, [1, 3, 3, 6], **constants), ["Conv", "Relu", "Pad", "Conv"])


UNLIKE = [
    *(node("Relu", "x", "a"), node("Transpose", "a", "b", perm=[0, 2, 1]), node("Unsqueeze", "x axis", "c")),
    *(node("Squeeze", "c axis", "d"), node("Transpose", "d", "e", perm=[0, 2, 1]), node("Add", "b e", "y")),
]
"""Views of the axes 0, 2, 1: of three, and of four of which the last is not shown."""
PADDED = [node("Squeeze", "x axis", "a"), node("Pad", "a p", "b"), node("Relu", "b", "y")]


@pytest.mark.parametrize(("nodes", "shape"), [(UNLIKE, [1, 3, 5]), (PADDED, [1, 3, 5, 1])])
def test_axes_that_are_not_shown(nodes, shape):
    """By the one pass: views of unlike ranks are made before they are added, a hidden axis is not padded."""
    model, x = model_of(nodes, shape, axis=np.array([3]), p=np.array([0, 0, 1, 0, 0, 2])), whole(*shape)
    found = model.transform(ChannelsFirst()).transform(InferShapes())
    np.testing.assert_array_equal(run(found, x)["y"], run(model, x)["y"])


@given(st.lists(st.tuples(st.permutations([1, 2, 3]), st.sampled_from(["Relu", "Mul", "Add", "BatchNormalization"])),
                min_size=1, max_size=4), st.booleans())  # fmt: skip
@FEW
def test_any_transposes(steps, back):
    """Whatever is between them, the numbers stay. Refused are a result in another order than its map, and a
    normalisation of height or width.
    """
    nodes, order, constants, normalises = [node("Conv", "x w", "t0")], [0, 1, 2, 3], {"w": whole(2, 2, 1, 1)}, True
    if back:
        inverse = list(range(4))
        for perm, _ in steps:
            inverse = [inverse[axis] for axis in (0, *perm)]
        steps = [*steps, ([inverse.index(axis) for axis in (1, 2, 3)], "Relu")]
    for i, (perm, kind) in enumerate(steps):
        order = [order[axis] for axis in (0, *perm)]
        shape = [[1, 2, 3, 4][axis] for axis in order]
        nodes.append(node("Transpose", f"t{i}", f"u{i}", perm=[0, *perm]))
        constants |= {f"m{i}": whole(*shape[1:]), f"g{i}": whole(shape[1]), f"v{i}": np.ones(shape[1], np.float32)}
        if kind == "Add":
            nodes.append(node("Neg", f"u{i}", f"n{i}"))
        more = {"Relu": "", "Mul": f" m{i}", "Add": f" n{i}", "BatchNormalization": f" g{i} g{i} g{i} v{i}"}[kind]
        nodes.append(node(kind, f"u{i}{more}", f"t{i + 1}"))
        normalises &= kind != "BatchNormalization" or order[1] == 1
    nodes[-1].output[0] = "y"
    model = model_of(nodes, [1, 2, 3, 4], **constants)
    if normalises and order == [0, 1, 2, 3]:
        kinds = [n.op_type for n in normal(model).graph.node]
        assert kinds.count("Transpose") == 0
    else:
        assert "no Transpose behind it undoes that" in refused(model)


def test_a_transpose_that_moves_channels_is_refused():
    nodes = [node("Transpose", "x", "t", perm=[0, 2, 1, 3]), node("Conv", "t w", "y")]
    words = "it puts the axes of [1, 3, 5, 6] in the order [0, 2, 1, 3], and no Transpose behind it undoes that"
    assert words in refused(model_of(nodes, [1, 3, 5, 6], w=whole(2, 5, 1, 1)))
