"""The quantisers against their definitions, and what Brevitas exports of them."""

import torch
from torch import nn

from signflow.models.layers.binary import binary_conv, binary_linear, sign
from signflow.models.layers.factor import PowerOfTwo


def test_layers_compute_integers_with_signs_of_the_latent_weights():
    torch.manual_seed(0)
    conv, dense = binary_conv(3, 5, 3).eval(), binary_linear(7, 4).eval()
    x = torch.randint(0, 256, (2, 3, 6, 6)).float()
    w = torch.where(conv.weight >= 0, 1.0, -1.0)
    assert torch.equal(conv(x), nn.functional.conv2d(x.double(), w.double()).float())
    v = torch.randint(-3, 4, (2, 7)).float()
    assert torch.equal(dense(v), v @ torch.where(dense.weight >= 0, 1.0, -1.0).T)


def test_power_of_two_is_exact_and_reversible():
    x = torch.randn(1000)
    assert torch.equal(PowerOfTwo(4)(PowerOfTwo(-4)(x)), x)


def test_qonnx_export_writes_unit_scale_bipolar_quantisers(tmp_path):
    import onnx
    from brevitas.export import export_qonnx
    from onnx import numpy_helper

    net = nn.Sequential(binary_linear(8, 4), nn.BatchNorm1d(4), sign()).eval()
    export_qonnx(net, torch.zeros(1, 8), export_path=str(tmp_path / "net.onnx"))
    graph = onnx.load(tmp_path / "net.onnx").graph
    scales = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    quantisers = [n for n in graph.node if n.op_type == "BipolarQuant"]
    assert len(quantisers) == 2
    for node in quantisers:
        assert scales.get(node.input[1], 1.0) == 1.0
