"""Lowering: only signflow's operators are left, with exact types; what has none is refused."""

import copy

import numpy as np
import pytest
from onnx import helper
from qonnx.core.datatype import DataType
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile import export, lower, streamline
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.passes.head import Head


def test_types_follow_the_real_weights(streamlined):
    model = lower.lower(streamlined("cnv"))
    products = [node for node in model.graph.node if node.op_type == "MVAU_sf"]
    first = getCustomOp(products[0])
    weights = model.get_initializer(products[0].input[1])
    most = max((255 * np.maximum(weights, 0)).sum(axis=0).max(), (255 * np.maximum(-weights, 0)).sum(axis=0).max())
    assert first.get_nodeattr("weightDataType") == "BIPOLAR"
    assert first.get_accumulator_datatype().max() >= most > DataType["INT11"].max() // 4
    for node in products[1:]:
        op = getCustomOp(node)
        inputs = op.get_nodeattr("MW")
        assert op.get_nodeattr("accDataType") == f"UINT{inputs.bit_length()}"
        if not op.get_nodeattr("noActivation"):
            steps = model.get_initializer(node.input[2])
            assert steps.min() >= 0
            assert steps.max() <= inputs + 1
    inputs = getCustomOp(products[-1]).get_nodeattr("MW")  # 512 but for constant channels
    assert model.get_tensor_datatype(model.graph.output[0].name).name == f"UINT{inputs.bit_length()}"


def test_nodes_are_connected_in_stream_order(streamlined):
    model = lower.lower(streamlined("cnv"))
    tensor = model.graph.input[0].name
    for node in model.graph.node:
        assert node.input[0] == tensor
        tensor = node.output[0]
    assert tensor == model.graph.output[0].name


@pytest.mark.parametrize(("narrow", "operators"), [(1, ["MVAU_sf"]), (0, ["MVAU_sf", "Thresholding_sf"])])
def test_a_count_of_two_thresholds_is_a_products_own(chain, tmp_path, narrow, operators):
    """Codes 0..2 have two thresholds, which an MVAU takes along; 0..3 have three, which it does not."""
    rng = np.random.default_rng(0)
    c = chain((12,)).scalar("Sub", 127.5).sign().dense(rng.choice([-1, 1], (8, 12))).scalar("Mul", 0.4)
    c.quant(1.0, 2, signed=0, narrow=narrow).dense(rng.choice([-1, 1], (5, 8)))
    model = export.load(c.save(tmp_path / "net.onnx"), "uint8")
    hardware = lower.lower(streamline.streamline(model))
    assert [node.op_type for node in hardware.graph.node] == ["Thresholding_sf", *operators, "MVAU_sf"]
    images = rng.integers(0, 256, (200, 12))
    expected = export.reference(model, images)["output"]
    assert (Head.of(hardware)(streamline.execute(hardware, images)) == expected).all()
    assert len(np.unique(expected, axis=0)) > 10


def test_argmax_becomes_label_select(chain, tmp_path):
    rng = np.random.default_rng(0)
    c = chain((12,)).scalar("Sub", 127.5).sign().dense(rng.choice([-1, 1], (5, 12)))
    c.scalar("Mul", 0.5).op("ArgMax", axis=1, keepdims=1)
    model = export.load(c.save(tmp_path / "net.onnx"), "uint8")
    hardware = lower.lower(streamline.streamline(model))
    assert [node.op_type for node in hardware.graph.node] == ["Thresholding_sf", "MVAU_sf", "LabelSelect_sf"]
    images = rng.integers(0, 256, (200, 12))
    expected = export.reference(model, images)["output"].reshape(-1, 1)
    assert (streamline.execute(hardware, images) == expected).all(), "also where logits are equal"


def test_fully_convolutional_end(chain, tmp_path):
    rng = np.random.default_rng(1)
    c = chain((1, 4, 4)).conv(rng.choice([-1, 1], (9, 1, 2, 2))).scalar("Sub", 10.0).sign()
    c.conv(rng.choice([-1, 1], (3, 9, 3, 3))).flatten()
    model = export.load(c.save(tmp_path / "net.onnx"), "uint8")
    hardware = lower.lower(streamline.streamline(model))
    images = rng.integers(0, 256, (5, 1, 4, 4))
    expected = export.reference(model, images)["output"]
    assert (2 * streamline.execute(hardware, images) - 81 == expected).all()


def test_bipolar_image_in_front_of_a_convolution(chain, tmp_path):
    rng = np.random.default_rng(2)
    c = chain((2, 4, 4)).conv(rng.choice([-1.0, 1.0], (3, 2, 2, 2))).scalar("Sub", 1.0).sign().flatten()
    c.dense(rng.choice([-1.0, 1.0], (2, 27)))
    model = export.load(c.save(tmp_path / "net.onnx"), "bipolar")
    graph = streamline.streamline(model)
    assert graph.graph.node[0].op_type == "Im2Col"
    images = rng.choice([-1, 1], (6, 2, 4, 4))
    assert (2 * streamline.execute(lower.lower(graph), images) - 27 == export.reference(model, images)["output"]).all()


def test_one_channel_into_one(chain, tmp_path, pixels):
    """No depthwise convolution, although group = channels in = channels out."""
    c = chain((1, 3, 3)).conv(np.ones((1, 1, 2, 2))).scalar("Sub", 500.0).sign().flatten().dense(np.ones((2, 4)))
    model, images = export.load(c.save(tmp_path / "net.onnx"), "uint8"), pixels(5, (1, 3, 3))
    hardware = lower.lower(streamline.streamline(model))
    assert (2 * streamline.execute(hardware, images) - 4 == export.reference(model, images)["output"]).all()


def test_left_over_operator_is_refused(streamlined):
    graph = copy.deepcopy(streamlined("tfc"))
    last = graph.graph.output[0].name
    graph.graph.node[-1].output[0] = "inner"
    graph.set_tensor_shape("inner", [1, 10])
    graph.set_tensor_datatype("inner", DataType["UINT7"])
    graph.graph.node.append(helper.make_node("Softmax", ["inner"], [last], name="Softmax_0"))
    with pytest.raises(
        UnsupportedError, match=r"'Softmax_0', operator Softmax: it has no hardware operator.*MultiThreshold"
    ):
        lower.lower(graph)


def test_a_hardware_graph_is_not_lowered_once_more(streamlined):
    hardware = lower.lower(streamlined("tfc"))
    with pytest.raises(UnsupportedError, match=r"it has no hardware operator\. Supported: graphs from signflow"):
        lower.lower(hardware)
