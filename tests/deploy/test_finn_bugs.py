"""Each known bug of finn-plus 1.6.1 and qonnx 1.0.0 that signflow works around: the wrong result without, the right one
with.
"""

import subprocess
import sys

import numpy as np
import pytest
from finn.core.onnx_exec import execute_onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy import export, lower, streamline
from signflow.deploy.passes.lower_max_pool import LowerMaxPool
from signflow.deploy.passes.plain_windows import PlainWindows


def finn_hardware(graph: ModelWrapper) -> ModelWrapper:
    """The integer graph in FINN's own operators: `lower` up to its conversions."""
    passes = lower.passes()
    for step in passes[: next(i for i, step in enumerate(passes) if isinstance(step, LowerMaxPool))]:
        graph = graph.transform(step)
    return graph


def run(model: ModelWrapper, image: np.ndarray) -> np.ndarray:
    return execute_onnx(model, {model.graph.input[0].name: image.astype(np.float32)})[model.graph.output[0].name]


@pytest.fixture
def wide(chain, tmp_path):
    """One neuron of 784 inputs whose popcount 560 stays below its threshold 600: (integer graph, image as bits)."""
    rng = np.random.default_rng(0)
    weights = rng.choice([-1.0, 1.0], size=(4, 784))
    c = chain((784,)).dense(weights).scalar("Sub", 2.0 * 600 - 784).sign().dense(np.ones((2, 4)))
    graph = streamline.streamline(export.load(c.save(tmp_path / "net.onnx"), "bipolar"))
    bits = weights[0] > 0
    bits[rng.permutation(784)[:224]] ^= True
    return graph, bits[None]


def test_xnor_accumulator_range(wide):
    """MVAU.minimize_accumulator_width takes the bits 0/1 for numbers: the range [-n0, n1] instead of the popcount's [0,
    K].
    """
    from finn.transformation.fpgadataflow.minimize_accumulator_width import MinimizeAccumulatorWidth
    from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds

    graph, bits = wide
    expected = run(graph, bits)
    minimised = finn_hardware(graph).transform(MinimizeAccumulatorWidth()).transform(RoundAndClipThresholds())
    op = getCustomOp(minimised.graph.node[0])
    assert op.get_accumulator_datatype().max() < 560, "FINN's accumulator does not hold the popcount"
    assert (run(minimised, bits) != expected).any(), "FINN clips the threshold, and the neuron fires"

    hardware = lower.lower(graph)
    assert getCustomOp(hardware.graph.node[0]).get_nodeattr("accDataType") == "UINT10"
    assert (run(hardware, bits) == expected).all()


def test_bipolar_weights_widened(chain, tmp_path):
    """minimize_weight_bit_width makes INT2 of -1/+1 wherever the inputs are no bits: twice the weight memory."""
    from finn.transformation.fpgadataflow.minimize_weight_bit_width import MinimizeWeightBitWidth

    c = chain((8,)).dense(np.tile([1.0, -1.0], (3, 4))).scalar("Sub", 9.0).sign().dense(np.ones((2, 3)))
    graph = streamline.streamline(export.load(c.save(tmp_path / "net.onnx"), "uint8"))
    minimised = finn_hardware(graph).transform(MinimizeWeightBitWidth())
    assert getCustomOp(minimised.graph.node[0]).get_nodeattr("weightDataType") == "INT2"
    assert getCustomOp(lower.lower(graph).graph.node[0]).get_nodeattr("weightDataType") == "BIPOLAR"


def test_output_padded_to_bytes(wide):
    """The last accumulator grows to a multiple of 8 bits, in the operator instead of in the stream around it."""
    from finn.transformation.fpgadataflow.minimize_accumulator_width import MinimizeAccumulatorWidth

    graph, _ = wide
    minimised = finn_hardware(graph).transform(MinimizeAccumulatorWidth())
    assert getCustomOp(minimised.graph.node[-1]).get_nodeattr("outputDataType").endswith("8")
    assert lower.lower(graph).get_tensor_datatype(graph.graph.output[0].name).name == "UINT3"


def test_reshape_is_not_registered(streamlined):
    """FINN's Reshape cannot be looked up unless its module happens to be imported; our graphs need no Reshape."""
    script = (
        "import finn.custom_op.fpgadataflow as d; from qonnx.custom_op.registry import get_ops_in_domain as g;"
        "print('Reshape' in [name for name, _ in g('finn.custom_op.fpgadataflow')])"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == "False", done.stderr
    hardware = lower.lower(streamlined("tfc"))
    assert "Reshape" not in {node.op_type for node in hardware.graph.node}


def test_convolution_with_default_attributes(chain, tmp_path, pixels):
    """LowerConvsToMatMul reads group and pads as if they were always written; `PlainProducts` writes them."""
    from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

    c = chain((1, 3, 3)).conv(np.ones((2, 1, 2, 2))).scalar("Sub", 300.0).sign().flatten().dense(np.ones((2, 8)))
    model = export.load(c.save(tmp_path / "net.onnx"), "uint8")
    with pytest.raises(AttributeError, match="NoneType"):
        model.transform(LowerConvsToMatMul())
    images = pixels(4, (1, 3, 3))
    popcounts = streamline.execute(streamline.streamline(model), images)
    assert (2 * popcounts - 8 == export.reference(model, images)["output"]).all()


def test_bipolar_image_in_front_of_a_convolution(chain, tmp_path):
    """ConvertBipolarMatMulToXnorPopcount finds no sign above a window of the image; the image gets one, then it is
    dropped.
    """
    from qonnx.core.datatype import DataType
    from qonnx.transformation.bipolar_to_xnor import ConvertBipolarMatMulToXnorPopcount

    rng = np.random.default_rng(2)
    c = chain((2, 4, 4)).conv(rng.choice([-1.0, 1.0], (3, 2, 2, 2))).scalar("Sub", 1.0).sign().flatten()
    c.dense(rng.choice([-1.0, 1.0], (2, 27)))
    model = export.load(c.save(tmp_path / "net.onnx"), "bipolar")

    passes = streamline.passes()
    position = [type(step) for step in passes].index(ConvertBipolarMatMulToXnorPopcount)
    bare = model
    for step in passes[:position]:
        bare = bare.transform(step)
    threshold = bare.graph.node[0]
    bare.graph.node[1].input[0] = threshold.input[0]
    bare.graph.node.remove(threshold)
    for tensor in (bare.graph.input[0].name, bare.graph.node[0].output[0]):
        bare.set_tensor_datatype(tensor, DataType["BIPOLAR"])
    with pytest.raises(Exception, match=r"(?s)Could not find upstream bipolar"):
        bare.transform(passes[position])

    graph = streamline.streamline(model)
    assert graph.graph.node[0].op_type == "Im2Col"
    images = rng.choice([-1, 1], (6, 2, 4, 4))
    assert (2 * streamline.execute(lower.lower(graph), images) - 27 == export.reference(model, images)["output"]).all()


def test_channel_that_ignores_its_input(own_network, pixels):
    """FINN's streamlining divides thresholds by gamma: 0 / 0 is no threshold, a Mul is left over, logits are wrong."""
    import torch
    from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
    from finn.transformation.streamline import Streamline

    from signflow.deploy.intgraph import IntGraph
    from signflow.deploy.passes.head import Head
    from signflow.models.networks import predict

    net, shape = own_network("tfc", round_means=True)
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm1d)]
    norms[0].weight.data[3] = 0
    model, images = export.export(net, shape), pixels(16, shape)
    expected = predict(net, torch.from_numpy(images)).numpy()

    theirs = model.transform(ConvertQONNXtoFINN()).transform(Streamline())
    assert "Mul" in [node.op_type for node in theirs.graph.node[2:-1]]
    assert (np.concatenate([run(theirs, image[None]) for image in images]) != expected).any()

    ours = streamline.streamline(model)
    assert (Head.of(ours)(IntGraph(ours)(images)) == expected).all()


def test_one_channel_is_not_depthwise(chain, tmp_path, pixels):
    """LowerConvsToMatMul takes 1 -> 1 channel for depthwise, and FINN then leaves the product on the CPU."""
    c = chain((1, 3, 3)).conv(np.ones((1, 1, 2, 2))).scalar("Sub", 500.0).sign().flatten().dense(np.ones((2, 4)))
    model = export.load(c.save(tmp_path / "net.onnx"), "uint8")
    without = model
    for step in streamline.passes():
        without = without if isinstance(step, PlainWindows) else without.transform(step)
    assert "MatMul" in [node.op_type for node in finn_hardware(without).graph.node]

    hardware, images = lower.lower(streamline.streamline(model)), pixels(5, (1, 3, 3))
    assert (2 * streamline.execute(hardware, images) - 4 == export.reference(model, images)["output"]).all()
