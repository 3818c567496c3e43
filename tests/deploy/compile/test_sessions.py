"""One thread for the models of one node, and no memory that it keeps."""

import numpy as np
from onnx import TensorProto, helper

from signflow.deploy.compile.sessions import session


def test_a_session_computes_with_one_thread_and_is_made_once():
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    found = session(model)
    options = found.get_session_options()
    assert options.intra_op_num_threads == 1 and not options.enable_cpu_mem_arena
    assert found.run(None, {"x": np.float32([1, -2, 0])})[0].tolist() == [-1, 2, 0]
    assert session(model) is found
