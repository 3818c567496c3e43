"""A latent weight of exactly 0 or -0 is +1 on every rung, as sign(0) is: in PyTorch, in QONNX and in the compiler."""

import numpy as np
import pytest
import torch
from torch import nn

from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.passes.head import Head
from signflow.models.layers.bake import bake
from signflow.models.layers.binary import binary_conv, binary_linear, sign
from signflow.models.layers.magnitude import latent
from signflow.models.layers.wsd import self_distribute
from signflow.models.networks import predict

ZEROS = {"+0": [0.0], "-0": [-0.0], "both": [0.0, -0.0]}


def network(zeros: list[float], prepare) -> nn.Sequential:
    """Convolution and dense layer with a third of their latent weights exactly zero."""
    torch.manual_seed(4)
    layers = [prepare(binary_conv(2, 6, 3)), prepare(binary_linear(6 * 9, 5))]
    rng = np.random.default_rng(5)
    for layer in layers:
        parts = getattr(layer, "parametrizations", None)
        stored = layer.weight if parts is None else parts.weight.original
        w = rng.choice([-0.5, 0.25, *zeros], stored.shape).astype(np.float32)
        if parts is not None:
            w[0] = zeros[0]  # a filter whose mean is 0: a share of it moves nothing
        stored.data.copy_(torch.from_numpy(w))
    return bake(nn.Sequential(sign(), layers[0], sign(), nn.Flatten(), layers[1]))


@pytest.mark.parametrize("prepare", [lambda layer: layer, latent, self_distribute], ids=["plain", "latent", "wsd"])
@pytest.mark.parametrize("zeros", ZEROS.values(), ids=ZEROS)
def test_pytorch_qonnx_and_the_compiler_agree(zeros, prepare):
    net = network(zeros, prepare)
    images = np.random.default_rng(6).integers(-1, 2, (40, 2, 5, 5))  # zeros among the images, too
    want = predict(net, torch.from_numpy(images)).numpy()
    model = export.export(net, (2, 5, 5), "int8")
    np.testing.assert_array_equal(export.reference(model, images)["output"], want)
    graph = streamline.streamline(model)
    np.testing.assert_array_equal(Head.of(graph)(streamline.execute(graph, images)), want)
    dense = net[4].weight.detach().numpy()
    by_hand = np.where(dense >= 0, 1, -1)
    assert (dense == 0).any()
    inner = np.where(net[1](net[0](torch.from_numpy(images).float())).detach().numpy() >= 0, 1, -1)
    np.testing.assert_array_equal(want, inner.reshape(40, -1) @ by_hand.T)
