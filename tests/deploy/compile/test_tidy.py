"""Constants folded, shapes, data types and names in one walk: what qonnx' clean-up gives by repetition."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames, SortGraph
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.util.cleanup import cleanup_model

from signflow.deploy.compile.names import name_nodes, name_tensors, sort_nodes
from signflow.deploy.compile.tidy import infer_shapes, tidy

GENERAL = "qonnx.custom_op.general"


def network(nodes, constants, out, image=(1, 4)):
    """Nodes are (operator, inputs, output, attributes)."""
    made = [
        helper.make_node(kind, inputs, [output], domain=GENERAL if "Quant" in kind else "", **more)
        for kind, inputs, output, more in nodes
    ]
    graph = helper.make_graph(
        made,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, image)],
        [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(GENERAL, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def cleaned(proto, image):
    """qonnx' way."""
    model = cleanup_model(ModelWrapper(proto, make_deepcopy=True))
    for step in (SortGraph(), GiveUniqueNodeNames(), GiveReadableTensorNames()):
        model = model.transform(step)
    model.set_tensor_datatype(model.graph.input[0].name, image)
    return model.transform(InferDataTypes())


def parts(model):
    """All that a graph says, whatever the order of its lists."""
    graph = model.graph
    values = (*graph.value_info, *graph.input, *graph.output)
    names = [name for node in graph.node for name in (*node.input, *node.output) if name]
    return {
        "nodes": [node.SerializeToString(deterministic=True) for node in graph.node],
        "constants": {t.name: (t.data_type, numpy_helper.to_array(t).tolist()) for t in graph.initializer},
        "shapes": {value.name: value.type.SerializeToString(deterministic=True) for value in values},
        "types": {name: model.get_tensor_datatype(name).name for name in names},
    }


F = np.float32
BLOCK = {
    "dense": [("MatMul", ["{x}", "w"], "{y}", {})],
    "quantised": [("Quant", ["w", "half", "zero", "bits"], "{y}_w",
                   {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}),
                  ("MatMul", ["{x}", "{y}_w"], "{y}", {})],
    "transposed": [("BipolarQuant", ["w", "half"], "{y}_q", {}),
                   ("Transpose", ["{y}_q"], "{y}_w", {"perm": [1, 0]}), ("MatMul", ["{x}", "{y}_w"], "{y}", {})],
    "computed": [("Mul", ["b", "half"], "{y}_c", {}), ("Neg", ["{y}_c"], "{y}_d", {}),
                 ("Add", ["{y}_d", "{x}"], "{y}", {})],
    "shaped": [("Shape", ["{x}"], "{y}_s", {}), ("Reshape", ["{x}", "{y}_s"], "{y}", {})],
    "sign": [("BipolarQuant", ["{x}", "one"], "{y}", {})],
    "branches": [("Abs", ["{x}"], "{y}_a", {}), ("Neg", ["{y}_a"], "{y}_b", {}), ("Mul", ["b", "{x}"], "{y}_d", {}),
                 ("Add", ["{y}_b", "{y}_d"], "{y}", {})],
}  # fmt: skip
CONSTANTS = {
    "w": np.arange(16, dtype=F).reshape(4, 4) - F(7.5), "b": np.array([1, -2, 3, 4], F), "half": F(0.5), "one": F(1),
    "zero": F(0), "bits": F(4), "unused": F(3),
}  # fmt: skip


def chain(kinds):
    """Blocks one behind the other, which share their constants."""
    nodes, x = [], "x"
    for k, kind in enumerate(kinds):
        for op, inputs, output, more in BLOCK[kind]:
            names = [name.format(x=x, y=f"t{k}") for name in inputs]
            nodes.append((op, names, output.format(y=f"t{k}"), more))
        x = f"t{k}"
    return network(nodes, CONSTANTS, x)


@settings(max_examples=25)
@given(st.lists(st.sampled_from(sorted(BLOCK)), min_size=1, max_size=5), st.sampled_from(["UINT8", "BIPOLAR"]))
def test_equals_the_clean_up_of_qonnx(kinds, image):
    proto = chain(kinds)
    expected = parts(cleaned(proto, DataType[image]))
    assert parts(tidy(proto, DataType[image])) == expected


def test_a_transpose_that_has_company_stays():
    nodes = [("BipolarQuant", ["w", "half"], "q", {}), ("Transpose", ["q"], "t", {}),
             ("MatMul", ["x", "q"], "a", {}), ("MatMul", ["a", "t"], "y", {})]  # fmt: skip
    model = tidy(network(nodes, CONSTANTS, "y"), DataType["UINT8"])
    assert [node.op_type for node in model.graph.node] == ["BipolarQuant", "Transpose", "MatMul", "MatMul"]


def test_scales_of_a_channel_keep_their_axis():
    nodes = [("BipolarQuant", ["w", "b"], "q", {}), ("Transpose", ["q"], "t", {}), ("MatMul", ["x", "t"], "a", {})]
    model = tidy(network(nodes, CONSTANTS, "a"), DataType["UINT8"])
    assert [node.op_type for node in model.graph.node] == ["BipolarQuant", "Transpose", "MatMul"]


def test_a_transpose_of_quantised_weights_moves_the_axes_that_it_names():
    weights, scales = np.arange(12, dtype=F).reshape(1, 3, 4) - 5, np.array([1, 2, 4], F).reshape(1, 3, 1)
    nodes = [("BipolarQuant", ["w", "s"], "q", {}), ("Transpose", ["q"], "t", {"perm": [0, 2, 1]}),
             ("MatMul", ["x", "t"], "a", {})]  # fmt: skip
    model = tidy(network(nodes, {"w": weights, "s": scales}, "a"), DataType["UINT8"])
    quantiser, product = model.graph.node
    for name, value in zip(quantiser.input, (weights, scales), strict=True):
        np.testing.assert_array_equal(model.get_initializer(name), value.transpose(0, 2, 1))
    assert list(product.input) == [model.graph.input[0].name, quantiser.output[0]]


def test_shapes_that_contradict_each_other_are_an_error_with_its_node():
    proto = network([("MatMul", ["x", "w"], "a", {})], {"w": np.ones((3, 4), F)}, "a")
    proto.graph.node[0].name = "dense"
    with pytest.raises(ValueError, match=r"node 'dense', operator MatMul.*[Ii]ncompatible"):
        tidy(proto, DataType["UINT8"])


def test_the_shapes_of_all_tensors_are_noted():
    nodes = [("Transpose", ["w"], "t", {}), ("MatMul", ["x", "t"], "a", {}), ("Relu", ["a"], "b", {})]
    proto = network([*nodes, ("Neg", ["b"], "c", {})], {"w": np.ones((3, 4), F)}, "c")
    infer_shapes(proto)
    infer_shapes(proto)
    noted = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in proto.graph.value_info
    }
    assert noted == {"w": [3, 4], "t": [4, 3], "a": [1, 3], "b": [1, 3]}
    assert len(proto.graph.value_info) == len(noted)


def test_time_grows_with_the_number_of_nodes():
    def seconds(depth):
        proto = chain(["quantised", "computed", "shaped", "sign"] * depth)
        begin = time.process_time()
        tidy(proto, DataType["UINT8"])
        return time.process_time() - begin

    seconds(1)
    few, many = (min(seconds(depth) for _ in range(3)) for depth in (10, 80))
    assert many < 24 * few  # proportional is 8 times, quadratic 64 times


def test_a_shape_that_is_declared_wrongly_is_an_error():
    proto = network([("MatMul", ["x", "w"], "a", {}), ("BipolarQuant", ["a", "one"], "q", {})], CONSTANTS, "q")
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("q", TensorProto.FLOAT, [1, 3]))
    with pytest.raises(ValueError, match=r"'q' is declared as \[1, 3\] and has shape \[1, 4\]"):
        tidy(proto, DataType["UINT8"])


@settings(max_examples=25)
@given(st.lists(st.sampled_from(sorted(BLOCK)), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_nodes_in_any_order_are_sorted_and_named_as_qonnx_does(kinds, random):
    model = tidy(chain(kinds), DataType["UINT8"])
    nodes = list(model.graph.node)
    random.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    expected = ModelWrapper(model.model, make_deepcopy=True)
    for step in (SortGraph(), GiveUniqueNodeNames(), GiveReadableTensorNames()):
        expected = expected.transform(step)
    for step in (sort_nodes, name_nodes, name_tensors):
        step(model.graph)
    assert parts(model) == parts(expected)
