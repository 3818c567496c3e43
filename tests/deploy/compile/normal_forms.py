"""Networks before and behind the passes of the normal form: equal, or refused."""

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from signflow.deploy.compile import engine
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.passes.normal_form import NormalForm, check

engine.boot()
FEW = settings(max_examples=40, deadline=None, derandomize=True)
INF = 2**63 - 1


def whole(*shape: int) -> np.ndarray:
    """Random small integers, float32: every sum of them is exact."""
    return np.random.default_rng(shape).integers(-9, 10, shape).astype(np.float32)


def model_of(nodes, shape, opset=13, **constants) -> ModelWrapper:
    """From "x" to "y", shapes inferred."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    general = helper.make_opsetid("qonnx.custom_op.general", 1)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), general])
    proto.ir_version = 8
    proto = onnx.shape_inference.infer_shapes(proto)
    return ModelWrapper(proto).transform(InferShapes())


def run(model: ModelWrapper, x: np.ndarray) -> dict[str, np.ndarray]:
    return execute_onnx(model, {model.graph.input[0].name: x}, return_full_exec_context=True)


def normal(model: ModelWrapper, wanted: list[str] | None = None, x: np.ndarray | None = None) -> ModelWrapper:
    """The normal form, which computes the same; ``wanted`` lists its operators."""
    shape = model.get_tensor_shape(model.graph.input[0].name)
    x = whole(*shape) if x is None else x
    found = model.transform(NormalForm())
    check(found)
    before, after, out = run(model, x), run(found, x), model.graph.output[0].name
    assert before[out].shape == after[out].shape
    np.testing.assert_array_equal(before[out], after[out])
    for name in set(before) & set(after) - {node.input[1] for node in found.graph.node if len(node.input) > 1}:
        if before[name] is not None and after[name] is not None and name in {n.output[0] for n in found.graph.node}:
            np.testing.assert_array_equal(before[name].squeeze(), after[name].squeeze(), err_msg=name)
    for value in found.graph.value_info:
        assert list(after[value.name].shape) == found.get_tensor_shape(value.name), value.name
    if wanted is not None:
        assert [n.op_type for n in found.graph.node] == wanted
    return found


def refused(model: ModelWrapper) -> str:
    with pytest.raises(UnsupportedError) as error:
        model.transform(NormalForm())
    return str(error.value)
