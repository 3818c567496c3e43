"""The papers' networks written by Brevitas as QONNX and run node by node by qonnx: the logits of PyTorch.

A normalisation is a few float operations that the two libraries may order differently; where it stands in front of a
sign or of a grid that difference disappears, so the logits are equal bit by bit. The ABN paper's networks end with one:
their logits may differ by a few float32 roundings.

The networks are narrow, and of their blocks only a choice is kept that has every kind of block: the exporter needs a
minute for all of them.
"""

import io
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import onnx
import pytest
import torch
from brevitas.export import export_qonnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.util.cleanup import cleanup_model
from torch import nn

from signflow.models.layers.bake import bake
from signflow.models.networks import predict
from signflow.models.networks.reactnet import reactnet18, reactnet_a
from signflow.models.networks.resnet import abn_resnet18, sd_resnet18, sd_resnet18_imagenet, sd_resnet20
from signflow.models.networks.vgg import binarynet, vgg_small

IMAGES = 4
W = 0.125

# name: (network, kept blocks, image size, tolerance of the logits); blocks None: all
CASES = {
    "binarynet": (lambda: binarynet(width=1 / 16, features=16, hidden=32), None, 32, 1e-5),
    "vgg-small": (lambda: vgg_small(width=W), None, 32, 0),
    "abn-resnet18": (lambda: abn_resnet18(width=0.1), None, 32, 1e-5),
    "resnet20": (lambda: sd_resnet20(width=0.5), (0, 6, 12), 32, 0),
    "sd-resnet18": (lambda: sd_resnet18(width=W), (0, 2, 4, 6), 32, 0),
    "bireal": (lambda: sd_resnet18_imagenet(10, width=W), (0, 4, 8, 12), 64, 0),
    "reactnet18": (lambda: reactnet18(width=W), (0, 4, 8, 12), 32, 0),
    "reactnet18-bn": (lambda: reactnet18(normalisation="bn", width=W), (0, 4, 8, 12), 32, 0),
    "reactnet18-none": (lambda: reactnet18(normalisation="magnitude", width=W), (0, 4, 8, 12), 32, 0),
    "reactnet18-imagenet": (lambda: reactnet18(statistics="imagenet", width=W), (0, 4, 8, 12), 64, 0),
    "reactnet-a": (lambda: reactnet_a(10, width=W), (0, 1, 2, 3, 6, 7, 10, 11, 22, 23), 64, 0),
}
QUICK = ("resnet20",)


def trained(name: str) -> tuple[nn.Module, torch.Tensor]:
    """A short narrow network after two steps that move every parameter and statistic, baked, and images for it."""
    torch.manual_seed(0)
    build, kept, size, _ = CASES[name]
    net = build()
    if kept:
        net.blocks = nn.Sequential(*(net.blocks[i] for i in kept))
    x = torch.randint(0, 256, (2 * IMAGES, 3, size, size), dtype=torch.uint8)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01)
    for _ in range(2):
        net.train()
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x.float()), torch.arange(len(x))).backward()
        optimiser.step()
    return bake(net).eval(), x[:IMAGES]


def exported(net: nn.Module, shape: tuple[int, ...], path) -> ModelWrapper:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), torch.no_grad():
        export_qonnx(net, torch.zeros(1, *shape), export_path=str(path))
    return cleanup_model(ModelWrapper(onnx.load(path)))


def run(model: ModelWrapper, images: torch.Tensor) -> np.ndarray:
    name, out = model.graph.input[0].name, model.graph.output[0].name
    return np.concatenate([execute_onnx(model, {name: i[None].float().numpy()})[out] for i in images])


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in CASES])
def test_qonnx_gives_the_logits_of_pytorch(name, tmp_path):
    net, x = trained(name)
    want = predict(net, x).numpy()
    got = run(exported(net, tuple(x.shape[1:]), tmp_path / "net.onnx"), x)
    np.testing.assert_allclose(got, want, rtol=0, atol=CASES[name][3])
    assert len(np.unique(want, axis=0)) == IMAGES  # the images are told apart
