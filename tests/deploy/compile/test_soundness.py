"""What is a sound file: rules that ONNX' own checker does not have."""

import pytest
from onnx import TensorProto, helper

from signflow.deploy.compile.errors import ModelFileError, UnsupportedError
from signflow.deploy.compile.soundness import QONNX, _check_modes, _with_shapes, make_sound

IMAGE = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))


def model(node, *constants, version=1, shape=(1, 4)):
    """One node of an image x, and constants that are single numbers."""
    values = [helper.make_tensor(name, TensorProto.FLOAT, (), [4.0]) for name in constants]
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "g", [IMAGE], [result], values)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(QONNX, version)])


def trunc(inputs, version):
    node = helper.make_node("Trunc", ["x", *"abcde"[: inputs - 1]], ["y"], domain=QONNX, rounding_mode="FLOOR")
    return model(node, *"abcde"[: inputs - 1], version=version)


def test_trunc_has_six_inputs_since_version_2_and_five_before():
    make_sound("file", trunc(5, version=1))
    make_sound("file", trunc(6, version=2))
    with pytest.raises(ModelFileError, match="it has 6 inputs and 1 outputs; the operator has 5 and 1"):
        make_sound("file", trunc(6, version=1))
    with pytest.raises(ModelFileError, match="it has 5 inputs and 1 outputs; the operator has 6 and 1"):
        make_sound("file", trunc(5, version=2))


def test_several_outputs_mean_training_of_a_normalisation_and_of_nothing_else():
    attention = helper.make_node("Attention", ["x", "x", "x"], ["y", "keys", "values"])
    _check_modes(model(attention))
    normalisation = helper.make_node("BatchNormalization", ["x", "a", "b", "c", "d"], ["y", "mean", "var"])
    with pytest.raises(UnsupportedError, match="BatchNormalization: it is in training mode"):
        _check_modes(model(normalisation, *"abcd"))


def test_an_output_has_the_shape_of_the_file_or_any():
    with_shape, without = (model(helper.make_node("Relu", ["x"], ["y"]), shape=shape) for shape in ((1, 4), None))
    assert _with_shapes(with_shape) == with_shape
    assert [dim.dim_param for dim in _with_shapes(without).graph.output[0].type.tensor_type.shape.dim] == ["any"]
