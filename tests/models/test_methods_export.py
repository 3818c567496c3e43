"""Every method written by Brevitas as QONNX and run node by node by qonnx: the logits of PyTorch, image by image.

Compared is what models/ is responsible for: the exported graph as it is, with nothing of the compiler in between. Two
libraries round a float normalisation differently in the last bit, so equality on other images is no law where one of
its values lies that close to a switch; the compiler's export takes care of that.
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

from signflow.models import data
from signflow.models.layers.bake import bake
from signflow.models.methods import METHODS
from signflow.models.networks import cnv, mlp, predict

IMAGES = 20


def sample(size: int) -> torch.Tensor:
    """Fashion-MNIST images (N, 1, size, size), uint8; the small ones are every fifth pixel."""
    images = data.load("fashion-mnist", "sample", (32, 32))[0][:IMAGES]
    return images if size == 32 else images[..., 1::5, 1::5][..., :size, :size].contiguous()


BUILD = {
    "mlp": (lambda name: mlp(16, pixels=36, normalisation=name), 6),
    "cnv": (lambda name: cnv(1, width=0.125, normalisation=name), 32),
}


def trained(family: str, name: str) -> tuple[nn.Module, torch.Tensor]:
    """A small network of the method, after a few steps that give every parameter and statistic a value of its own."""
    torch.manual_seed(0)
    build, size = BUILD[family]
    net, x = build(name), sample(size)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.005)
    for _ in range(3):
        net.train()
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(x.float()), torch.arange(len(x)) % 10).backward()
        optimiser.step()
    return bake(net).eval(), x


def exported(net: nn.Module, images: torch.Tensor, path) -> ModelWrapper:
    """Written for the whole batch, so that every node runs once."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), torch.no_grad():
        export_qonnx(net, torch.zeros(images.shape), export_path=str(path))
    return cleanup_model(ModelWrapper(onnx.load(path)))


def run(model: ModelWrapper, images: torch.Tensor) -> np.ndarray:
    name, out = model.graph.input[0].name, model.graph.output[0].name
    return execute_onnx(model, {name: images.float().numpy()})[out]


QUICK = {"mlp": ("bn", "abn", "abn-gate", "bnfree", "none", "bn-magnitude", "sd", "sd-static"), "cnv": ("abn",)}
"""Methods that every run exports."""
CASES = [
    pytest.param(family, name, marks=[pytest.mark.slow] * (name not in QUICK[family]))
    for family in BUILD
    for name in METHODS
]


@pytest.mark.parametrize(("family", "name"), CASES)
def test_qonnx_gives_the_logits_of_pytorch(family, name, tmp_path):
    net, images = trained(family, name)
    want = predict(net, images).numpy()
    got = run(exported(net, images, tmp_path / "net.onnx"), images)
    np.testing.assert_array_equal(got, want)
    assert len(np.unique(want, axis=0)) > IMAGES // 4  # the images are told apart
