"""The quick lookup of constants and shapes answers as qonnx' own."""

import numpy as np
import onnx
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.passes.lookup import Lookup


def test_it_answers_as_qonnx_does():
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy"]
    known = onnx.numpy_helper.from_array(np.float32([1, 2, 3]), "c")
    graph = helper.make_graph([helper.make_node("Mul", ["x", "c"], ["y"])], "g", ends[:1], ends[1:], [known])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    quick, slow = Lookup(ModelWrapper(proto)), ModelWrapper(proto)
    for name in ("x", "c", "y", "nowhere"):
        np.testing.assert_array_equal(quick.get_initializer(name), slow.get_initializer(name))
        assert quick.get_tensor_shape(name) == slow.get_tensor_shape(name)
        assert quick.get_tensor_shape(name, True) == slow.get_tensor_shape(name, True)
    values, kind = quick.get_initializer("c", return_dtype=True)
    assert values.tolist() == [1, 2, 3] and kind == TensorProto.FLOAT
    quick.set_initializer("c", np.float32([4, 5, 6]))
    assert quick.get_initializer("c").tolist() == [4, 5, 6]
