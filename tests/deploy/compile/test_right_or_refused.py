"""Files of other makers: what builds computes what the file says, what cannot be exact is refused with the reason."""

import itertools

import numpy as np
import pytest
from onnx import helper, numpy_helper

from signflow.deploy.compile import export, streamline

from .onnx_networks import GENERAL, network, node, quant, sign, signs, verdict

ENTRY = [node("Sub", "x half", "x0"), sign("x0", "s0")]
DENSE = [*ENTRY, node("MatMul", "s0 w0", "a0"), sign("a0", "s1")]
MAP = [*ENTRY, node("Conv", "s0 k0", "a0"), sign("a0", "s1")]
WEIGHTS = {"w0": signs(8, 6), "w1": signs(6, 6, seed=1), "w2": signs(6, 3)}
KERNELS = {"k0": signs(4, 1, 3, 3), "k1": signs(4, 4, 2, 2)}


def dense(*nodes, **constants):
    """Two dense layers with ``nodes`` between them, from the map of signs s1 to s2."""
    return network([*DENSE, *nodes, node("MatMul", "s2 w2", "y")], [1, 8], [1, 3], **WEIGHTS, **constants)


def conv(*nodes, size=(8, 6), features=6, **constants):
    """A convolution, ``nodes`` from its signs s1 to features f, a dense layer."""
    last = {"w2": signs(features, 3)}
    return network([*MAP, *nodes, node("MatMul", "f w2", "y")], [1, 1, *size], [1, 3], **KERNELS, **last, **constants)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.5, 1.0), (2.0, 0.25), (0.5, -3.0), (-1.0, 0.0)])
@pytest.mark.parametrize("bias", [None, (6,), (1, 6), (1, 1), (1,), ()])
def test_gemm_in_all_its_forms(alpha, beta, bias, tmp_path):
    for trans in (0, 1):
        constants = {"w": WEIGHTS["w1"].T.copy() if trans else WEIGHTS["w1"]}
        if bias is not None:
            constants["b"] = np.random.default_rng(2).integers(-9, 9, bias).astype(np.float32) / 2
        inputs = "s1 w" if bias is None else "s1 w b"
        gemm = node("Gemm", inputs, "a1", alpha=alpha, beta=beta, transB=trans)
        assert verdict(dense(gemm, sign("a1", "s2"), **constants), tmp_path) == "equal"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (dense(node("Gemm", "s1 w1 a0", "a1"), sign("a1", "s2")), "third input 'MatMul_0_out0' depends on the image"),
        (dense(node("Gemm", "w1 s1", "a1", transB=1), sign("a1", "s2")), "'MatMul_y', operator MatMul: [Shape"),
        (dense(node("Gemm", "s1 w1", "a1", transA=1), sign("a1", "s2")), "declared as [1, 3]"),
        (dense(node("Gemm", "s1 w1", "a1", gamma=1.0), sign("a1", "s2")), "Unrecognized attribute: gamma"),
        (dense(node("Softmax", "a0", "m"), sign("m", "s2")), "operator Softmax: what it makes of a number depends"),
        (dense(node("Cast", "a0", "m", to=6), node("Cast", "m", "n", to=1), sign("n", "s2")), "casts to INT32"),
        (dense(node("Custom", "a0", "m", domain="os.path"), sign("m", "s2")), "belongs to the domain 'os.path'"),
        (dense(node("FloatQuant", "a0", "m", domain=GENERAL), sign("m", "s2")), f"belongs to the domain '{GENERAL}'"),
        (dense(node("Dropout", "a0 ratio yes", "m"), sign("m", "s2"), ratio=np.float32(0.5), yes=np.array(True)),
         "call net.eval()"),
        (dense(node("BatchNormalization", "a0 g g g g", "m", training_mode=1), sign("m", "s2"),
               opset=14, g=np.ones(6, np.float32)), "call net.eval()"),
        (dense(node("BatchNormalization", "a0 g g g g", "m u v w z"), sign("m", "s2"), opset=9,
               g=np.ones(6, np.float32)), "call net.eval()"),
        (dense(node("Reshape", "a0 two", "m"), node("Reshape", "m six", "n"), sign("n", "s2"), two=np.array([2, 3]),
               six=np.array([1, 6])), "[2, 3]"),
        (conv(node("Conv", "s1 k1 v", "a1"), sign("a1", "s2"), node("Flatten", "s2", "f"), features=60,
              v=np.zeros(3, np.float32)), "its bias has shape [3]"),
        (conv(node("Reshape", "s1 turned", "r"), node("Conv", "r k1", "a1"), sign("a1", "s2"),
              node("Flatten", "s2", "f"), features=60, turned=np.array([1, 4, 4, 6])), "it makes [1, 4, 4, 6]"),
        (conv(node("MatMul", "s1 wide", "a1"), sign("a1", "s2"), node("Flatten", "s2", "f"), features=96,
              wide=signs(4, 4)), "it multiplies the last axis of a tensor of shape [1, 4, 6, 4]"),
    ],
)  # fmt: skip
def test_what_has_no_exact_hardware_is_refused_with_the_reason(model, words, tmp_path):
    assert words in verdict(model, tmp_path)


@pytest.mark.parametrize(
    "model",
    [
        conv(node("Conv", "s1 k1", "a1", auto_pad="SAME_UPPER"), sign("a1", "s2"), node("Flatten", "s2", "f"),
             features=96),
        conv(node("Transpose", "s1", "r", perm=[0, 1, 3, 2]), node("Flatten", "r", "f"), features=96),
        conv(node("MaxPool", "a0", "p", kernel_shape=[3, 3], strides=[2, 2]), sign("p", "s2"),
             node("Flatten", "s2", "f"), features=8),
    ],
)  # fmt: skip
def test_geometry_of_every_kind_is_right(model, tmp_path):
    assert verdict(model, tmp_path) == "equal"


def test_a_function_that_the_file_defines_is_refused(tmp_path):
    model = dense(node("Relu", "a0", "m"), sign("m", "s2"))
    body = helper.make_function("", "Relu", ["a"], ["b"], [node("Neg", "a", "b")], [helper.make_opsetid("", 13)])
    model.functions.append(body)
    assert "the file defines it as a function" in verdict(model, tmp_path)


@pytest.mark.parametrize("domain", ["onnx.brevitas", "finn.custom_op.general", GENERAL])
@pytest.mark.parametrize("name", ["Quant", "IntQuant"])
def test_quantisers_of_older_exporters(domain, name, tmp_path):
    model = dense(quant("a0", "m"), sign("m", "s2"))
    found = next(n for n in model.graph.node if n.op_type == "Quant")
    found.domain, found.op_type = domain, name
    if domain != GENERAL:
        model.opset_import.append(helper.make_opsetid(domain, 1))
    assert verdict(model, tmp_path) == "equal"


def test_a_version_of_the_quantisers_that_does_not_exist(tmp_path):
    model = dense(quant("a0", "m"), sign("m", "s2"))
    next(opset for opset in model.opset_import if opset.domain == GENERAL).version = 0
    assert "asks for version 0 of qonnx.custom_op.general: its versions begin with 1" in verdict(model, tmp_path)


@pytest.mark.parametrize("change, words", [
    (lambda q: q.attribute.pop(), "is missing"),
    (lambda q: q.attribute.append(helper.make_attribute("foo", 1)), "attribute 'foo' is unknown"),
    (lambda q: q.attribute.append(q.attribute[0]), "appeared multiple times"),
    (lambda q: q.input.pop(), "it has 3 inputs"),
    (lambda q: q.input.__setitem__(2, ""), "none of them empty"),
    (lambda q: q.output.append("z"), "2 outputs"),
])  # fmt: skip
def test_quantisers_are_checked_as_onnx_checks_its_own(change, words, tmp_path):
    model = dense(quant("a0", "m"), sign("m", "s2"))
    change(next(n for n in model.graph.node if n.op_type == "Quant"))
    assert words in verdict(model, tmp_path)


@pytest.mark.parametrize("end", [
    [node("Flatten", "a1", "y")],
    [node("Reshape", "a1 shape", "y")],
    [node("Squeeze", "a1 axes", "y")],
    [node("Squeeze", "a1 axes", "m"), node("Mul", "m quarter", "y")],
    [node("Squeeze", "a1 axes", "m"), sign("m", "y")],
    [node("Squeeze", "a1 axes", "m"), quant("m", "y")],
    [node("Squeeze", "a1 axes", "m"), node("Relu", "m", "y")],
    [node("Squeeze", "a1 axes", "m"), node("Mul", "m zero", "y")],
    [sign("a1", "m"), node("Flatten", "m", "y")],
])  # fmt: skip
def test_any_end_of_the_network(end, tmp_path):
    """Also where several sums have one result: a sign, a quantiser, a ReLU, a constant."""
    last = {"k1": signs(3, 4, 4, 6), "shape": np.array([1, -1]), "axes": np.array([2, 3])}
    model = network([*MAP, node("Conv", "s1 k1", "a1"), *end], [1, 1, 6, 8], [1, 3], **KERNELS | last)
    assert verdict(model, tmp_path, 64) == "equal"


@pytest.mark.parametrize("scale", [np.inf, np.nan])
def test_an_end_that_is_no_number_is_refused(scale, tmp_path):
    model = network([*DENSE, node("MatMul", "s1 w2", "a1"), node("Mul", "a1 scale", "y")], [1, 8], [1, 3], **WEIGHTS,
                    scale=np.float32(scale))  # fmt: skip
    assert "parameters that keep every reachable value finite" in verdict(model, tmp_path)


def test_parameters_may_be_computed(tmp_path):
    """A quantised bias, a scale that is a quotient: evaluated once."""
    made = [quant("b", "bq"), node("Div", "one quarter", "four"), node("Mul", "bq four", "b4")]
    model = dense(node("Add", "a0 b4", "m"), sign("m", "s2"), b=np.random.default_rng(3).normal(0, 1, 6).astype("f4"))
    del model.graph.node[:]
    model.graph.node.extend([*made, *DENSE, node("Add", "a0 b4", "m"), sign("m", "s2"), node("MatMul", "s2 w2", "y")])
    assert verdict(model, tmp_path) == "equal"


@pytest.mark.parametrize("shape", [[1, 4, 24], [1, 4, 1, 24], [1, 4, 24, 1], [1, 4, 6, 4], [1, 4, 4, 6], [1, 96]])
def test_a_reshape_is_right_or_refused(shape, tmp_path):
    """A map of 4 channels, 4 x 6 positions, in front of a dense layer and, where it stays a map, of a convolution."""
    flat = [node("Reshape", "s1 there", "r"), node("Flatten", "r", "f")]
    found = verdict(conv(*flat, size=(6, 8), features=96, there=np.array(shape)), tmp_path)
    assert found == "equal" if shape in ([1, 4, 24], [1, 4, 4, 6], [1, 96]) else "it makes" in found
    if len(shape) == 4:
        back = [
            node("Reshape", "s1 there", "r"),
            node("Conv", "r k", "a1"),
            sign("a1", "s2"),
            node("Flatten", "s2", "f"),
        ]
        model = conv(*back, size=(6, 8), features=4 * shape[2] * shape[3], k=signs(4, 4, 1, 1), there=np.array(shape))
        assert verdict(model, tmp_path) == ("equal" if shape == [1, 4, 4, 6] else found)


def joined(left: str, right: str, *more, **constants):
    """Add of two results of the 4 x 4 x 6 map q = quant(a0), its sums t [1, 4, 1, 1] and v [1, 4], and ``more``."""
    nodes = [*ENTRY, node("Conv", "s0 k0", "a0"), quant("a0", "q"), node("ReduceSum", "q axes", "t0", keepdims=1),
             quant("t0", "t"), node("ReduceSum", "q axes", "v0", keepdims=0), quant("v0", "v"), *more,
             node("Add", f"{left} {right}", "j"), sign("j", "s2"), node("Flatten", "s2", "f"),
             node("MatMul", "f w2", "y")]  # fmt: skip
    needed, kept = {"y"}, []
    for made in reversed(nodes):
        if needed & set(made.output):
            kept, needed = [made, *kept], needed | set(made.input)
    features = 4 if {left, right} <= {"t", "v"} else 96
    return network(kept, [1, 1, 6, 8], [1, 3], **KERNELS, w2=signs(features, 3), axes=np.array([2, 3]), **constants)


@pytest.mark.parametrize(("left", "right", "found"), [
    ("q", "t", "equal"),
    ("t", "q", "equal"),
    ("q", "q", "equal"),
    ("t", "t", "equal"),
    ("v", "v", "equal"),
    ("q", "v", "Incompatible dimensions"),  # 4 channels against a map 6 wide
    ("t", "v", "Incompatible dimensions"),  # [1, 4, 1, 1] + [1, 4] is [1, 4, 1, 4]
])  # fmt: skip
def test_joins_of_any_two_shapes(left, right, found, tmp_path):
    assert found in verdict(joined(left, right), tmp_path, 24)


def test_a_vector_against_the_columns_of_a_map_is_refused(tmp_path):
    """[1, 4] + [1, 4, 4, 4] adds along the width, not the channels."""
    model = joined("q", "v")
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 6
    w2 = next(tensor for tensor in model.graph.initializer if tensor.name == "w2")
    w2.CopyFrom(numpy_helper.from_array(signs(64, 3), "w2"))
    assert "it adds tensors of shapes [1, 4, 4, 4] and [1, 4]" in verdict(model, tmp_path)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_pools_and_scalars_in_any_order(order, tmp_path):
    steps, nodes, at = (("Mul", "quarter"), ("MaxPool", ""), ("Add", "one")), [], "a0"
    for k in order:
        pool = {"kernel_shape": [2, 2], "strides": [2, 2]} if steps[k][0] == "MaxPool" else {}
        nodes.append(node(steps[k][0], f"{at} {steps[k][1]}", f"m{k}", **pool))
        at = f"m{k}"
    model = conv(*nodes, sign(at, "s2"), node("Flatten", "s2", "f"), size=(7, 9), features=24)
    assert verdict(model, tmp_path, 24) == "equal"


@pytest.mark.parametrize("offset", [0.0, 0.5])
def test_an_image_whose_every_pixel_becomes_one_number(offset, tmp_path):
    """0 is no sign: two values -0 and +0 would be taken for bits."""
    entry = [node("Mul", "x zero", "x0"), node("Add", "x0 offset", "x1"), quant("x1", "s0")]
    model = network([*entry, node("MatMul", "s0 w0", "a0"), node("Sub", "a0 one", "a1"), sign("a1", "s1"),
                     node("MatMul", "s1 w2", "y")], [1, 8], [1, 3], **WEIGHTS, offset=np.float32(offset))  # fmt: skip
    assert verdict(model, tmp_path) == "equal"
    nodes = streamline.streamline(export.load(tmp_path / "net.onnx", "uint8")).graph.node
    assert offset or next(n.op_type for n in nodes if "MatMul" in n.op_type) == "MatMul"
