"""Fork: words and cycles, with outputs that are taken at the same time and at times of their own."""

import numpy as np
import pytest
from qonnx.core.datatype import DataType
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from signflow.hw.ops.base import OpError
from signflow.hw.sim import verilator


def fork(bench, channels=8, pe=2, dt="INT5", vectors=(1, 3, 3)):
    attributes = {"NumChannels": channels, "PE": pe, "numInputVectors": list(vectors), "inputDataType": dt}
    return bench("Duplicate_sf", attributes)


@pytest.mark.parametrize(("channels", "pe", "dt", "vectors"), [(8, 2, "INT5", (1, 3, 3)), (6, 6, "BINARY", (1,))])
def test_duplicate(bench, channels, pe, dt, vectors):
    fork(bench, channels, pe, dt, vectors).compile().check(np.random.default_rng(pe))


@pytest.mark.parametrize(
    "gates",
    [(0x1111_1111_1111_1111, 0x0F0F_F0F0_00FF_00FF), (1 << 63, (1 << 64) - 1), (int("01" * 32, 2), int("10" * 32, 2))],
)
def test_each_output_at_its_own_time(bench, gates):
    """Nothing is lost or doubled when one output is taken long before the other, or both never in the same cycle."""
    fork(bench).compile(gates=gates).check_words(np.random.default_rng(3))
    fork(bench).compile(gates=gates[::-1]).check_words(np.random.default_rng(4))


def test_finn_wrapper_has_both_streams(bench, tmp_path):
    node = fork(bench, 8, 4, "UINT4")
    node.op.set_nodeattr("code_gen_dir_ipgen", str(tmp_path))
    node.op.code_generation_ipgen(node.model, "xc7z020clg400-1", 10)
    verilator.lint("dut", node.op.get_rtl_file_list(abspath=True))
    ports = node.op.get_verilog_top_module_intf_names()
    assert ports["s_axis"] == [("in0_V", 16)] and ports["m_axis"] == [("out0_V", 16), ("out1_V", 16)]


def test_shapes_and_types_of_both_outputs(bench):
    """qonnx's inference knows one output of an operator; the second comes from `ChannelOp`."""
    model = fork(bench, vectors=(1, 3, 3)).model
    model.graph.output.pop()
    model.set_tensor_datatype("x", DataType["INT5"])
    model = model.transform(InferShapes()).transform(InferDataTypes())
    assert [model.get_tensor_shape(y) for y in ("y0", "y1")] == [[1, 3, 3, 8]] * 2
    assert [model.get_tensor_datatype(y).name for y in ("y0", "y1")] == ["INT5"] * 2


def test_illegal_attributes(bench):
    node = fork(bench)
    node.op.set_nodeattr("PE", 3)
    with pytest.raises(OpError, match="PE = 3 does not divide NumChannels = 8"):
        node.op.rtl_instance(node.model)
