"""Each known bug of finn-plus 1.6.1 that signflow avoids: wrong with FINN's passes, right with ours."""

import numpy as np
import pytest
from finn.core.onnx_exec import execute_onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from signflow.deploy.compile import export, lower, streamline


def finn_hardware(graph: ModelWrapper) -> ModelWrapper:
    """The integer graph in FINN's own operators, by its own conversions."""
    from finn.transformation.fpgadataflow.convert_to_hw.binary_matrix_vector_activation import (
        InferBinaryMatrixVectorActivation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
        InferQuantizedMatrixVectorActivation,
    )

    for step in (InferBinaryMatrixVectorActivation(), InferQuantizedMatrixVectorActivation()):
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
    hardware = lower.lower(graph)
    assert hardware.get_tensor_datatype(hardware.graph.output[0].name).name == "UINT3"


def test_channel_that_ignores_its_input(own_network, pixels):
    """FINN's streamlining divides thresholds by gamma: 0 / 0 is no threshold, a Mul is left over, logits are wrong."""
    import torch
    from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
    from finn.transformation.streamline import Streamline

    from signflow.deploy.compile.passes.head import Head
    from signflow.deploy.golden.intgraph import IntGraph
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
