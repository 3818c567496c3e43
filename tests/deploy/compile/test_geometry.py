"""Networks of every geometry, from other makers' files and from PyTorch: what is built has every logit of the
reference, ONNX' own implementation or PyTorch.
"""

import numpy as np
import pytest
import torch
from brevitas import nn as qnn
from brevitas.quant import SignedBinaryActPerTensorConst, SignedBinaryWeightPerTensorConst
from torch import nn

from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.signs import Sign
from signflow.deploy.golden.intgraph import IntGraph
from signflow.deploy.verify.probes import extremes
from signflow.deploy.verify.signs import first_difference

from .onnx_networks import network, node, quant, sign, signs, verdict

ENTRY = [node("Sub", "x half", "x0"), sign("x0", "s0")]
SPREAD = np.float32([0.3, -0.7, 1.1, -1.3, 0.5, -0.5, 1.7, -2.1]).reshape(8, 1, 1)


def built(middle, features: int, image=(3, 8, 8), first="s0 k0", **constants):
    """The signs of an image through a convolution of 8 channels, ``middle`` from its sums a0 to features f, a dense
    layer.
    """
    nodes = [*ENTRY, node("Conv", first, "a0", pads=[1] * (2 * (len(image) - 1))), *middle, node("MatMul", "f w", "y")]
    weights = {"k0": signs(8, image[0], *[3] * (len(image) - 1)), "w": signs(features, 3), "spread": SPREAD}
    return network(nodes, [1, *image], [1, 3], **weights | constants)


FLAT = [sign("b", "s"), node("Flatten", "s", "f")]
BIAS = [node("Add", "a spread", "b"), *FLAT]
NETWORKS = {
    "max pool as in ImageNet stems": lambda: built(
        [node("MaxPool", "a0", "a", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), *BIAS], 128),
    "ceil_mode": lambda: built(
        [node("MaxPool", "a0", "a", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), *BIAS], 128),
    "average of codes": lambda: built(
        [quant("a0", "c"), node("AveragePool", "c", "a", kernel_shape=[2, 2], strides=[2, 2]), *BIAS], 128),
    "padded average of codes": lambda: built(
        [quant("a0", "c"), node("AveragePool", "c", "a", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4,
                                count_include_pad=1), *BIAS], 128),
    "average of signs": lambda: built(
        [sign("a0", "c"), node("AveragePool", "c", "a", kernel_shape=[3, 2], strides=[1, 2]), *BIAS], 192),
    "global average": lambda: built(
        [quant("a0", "c"), node("GlobalAveragePool", "c", "a"), *BIAS], 8),
    "mean over the width": lambda: built(
        [quant("a0", "c"), node("ReduceMean", "c", "a", axes=[3]), *BIAS], 64),
    "global maximum": lambda: built([node("GlobalMaxPool", "a0", "a"), *BIAS], 8),
    "depthwise": lambda: built(
        [sign("a0", "c"), node("Conv", "c k1", "a", group=8, pads=[1] * 4), *BIAS], 512, k1=signs(8, 1, 3, 3)),
    "groups, dilated, SAME": lambda: built(
        [sign("a0", "c"), node("Conv", "c k1", "a", group=2, dilations=[2, 1], pads=[2, 1, 2, 1]), *BIAS], 512,
        k1=signs(8, 4, 3, 3)),
    "option A": lambda: built(
        [quant("a0", "c"), node("Slice", "c zeros ends axes steps", "p"), node("Pad", "p pads", "q"),
         node("Conv", "q k1", "a"), *BIAS], 128, zeros=np.array([0, 0]), ends=np.array([99, 99]),
        axes=np.array([2, 3]), steps=np.array([2, 2]), pads=np.array([0, 2, 0, 0, 0, 2, 0, 0]),
        k1=signs(8, 12, 1, 1)),
    "channels last": lambda: built(
        [sign("a0", "c"), node("Transpose", "c", "d", perm=[0, 2, 3, 1]), node("Pad", "d pads", "e"),
         node("Transpose", "e", "g", perm=[0, 3, 1, 2]), node("Conv", "g k1", "h"),
         node("Transpose", "h", "i", perm=[0, 2, 3, 1]), node("Add", "i last", "j"), sign("j", "k"),
         node("Flatten", "k", "f")], 512, pads=np.array([0, 1, 1, 0, 0, 1, 1, 0]), k1=signs(8, 8, 3, 3),
        last=SPREAD.reshape(8)),
    "one dimension": lambda: built(
        [sign("a0", "c"), node("MaxPool", "c", "d", kernel_shape=[2], strides=[2]),
         node("Conv", "d k1", "a", pads=[1, 1], group=2), node("Add", "a row", "b"), *FLAT], 64, image=(3, 16),
        k1=signs(8, 4, 3), row=SPREAD[:, :, 0]),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_files(name, tmp_path):
    assert verdict(NETWORKS[name](), tmp_path) == "equal"


def test_an_image_whose_channels_come_last(tmp_path):
    """Its pixels reach the stream as they come."""
    nodes = [*ENTRY, node("Transpose", "s0", "t", perm=[0, 3, 1, 2]), node("Conv", "t k0", "a"),
             node("Add", "a spread", "b"), *FLAT, node("MatMul", "f w", "y")]  # fmt: skip
    constants = {"k0": signs(8, 3, 3, 3), "w": signs(8 * 4 * 5, 3), "spread": SPREAD}
    model = network(nodes, [1, 6, 7, 3], [1, 3], **constants)
    assert verdict(model, tmp_path) == "equal"
    integer = streamline.streamline(export.load(tmp_path / "net.onnx", "uint8"))
    facts = streamline.image_facts(integer)
    assert (facts["shape"], facts["order"]) == ([6, 7, 3], "HWC")
    assert extremes(integer).shape == (16, 6, 7, 3)


class Weights(SignedBinaryWeightPerTensorConst):
    """A power of two: every sum is exact, in any order."""

    scaling_const = 0.125


BINARY = {"bias": False, "weight_quant": Weights}


def act() -> nn.Module:
    return qnn.QuantIdentity(act_quant=SignedBinaryActPerTensorConst)


def norm(layer: nn.Module, mean: float, variance: float) -> nn.Module:
    layer.running_mean.normal_(0, mean)
    layer.running_var.uniform_(variance / 2, variance * 2)
    layer.weight.data.uniform_(-1.5, 1.5)
    layer.bias.data.normal_()
    return layer


class Order(nn.Module):
    """Axes in another order."""

    def __init__(self, *axes):
        super().__init__()
        self.axes = axes

    def forward(self, x):
        return x.permute(self.axes)


def rows() -> tuple[nn.Module, tuple[int, ...]]:
    """One dimension."""
    return nn.Sequential(
        qnn.QuantConv1d(3, 8, 3, padding=1, **BINARY), norm(nn.BatchNorm1d(8), 30, 900), act(),
        qnn.QuantConv1d(8, 8, 3, padding=1, stride=2, **BINARY), norm(nn.BatchNorm1d(8), 0.2, 0.3), act(),
        nn.MaxPool1d(2), nn.Flatten(), qnn.QuantLinear(32, 5, **BINARY),
    ), (3, 16)  # fmt: skip


def last() -> tuple[nn.Module, tuple[int, ...]]:
    """Channels last, in front and behind."""
    return nn.Sequential(
        Order(0, 3, 1, 2), qnn.QuantConv2d(3, 8, 3, padding=1, **BINARY), norm(nn.BatchNorm2d(8), 50, 9000), act(),
        nn.MaxPool2d(3, 2, 1), Order(0, 2, 3, 1), nn.Flatten(), qnn.QuantLinear(8 * 12, 5, **BINARY),
    ), (6, 7, 3)  # fmt: skip


def grouped() -> tuple[nn.Module, tuple[int, ...]]:
    """A block of a MobileNet."""
    return nn.Sequential(
        qnn.QuantConv2d(3, 8, 3, stride=2, padding=1, **BINARY), norm(nn.BatchNorm2d(8), 50, 9000), act(),
        qnn.QuantConv2d(8, 8, 3, padding=1, groups=8, **BINARY), norm(nn.BatchNorm2d(8), 0.2, 0.2), act(),
        qnn.QuantConv2d(8, 16, 1, **BINARY), norm(nn.BatchNorm2d(16), 0.3, 0.3), act(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), qnn.QuantLinear(16, 5, **BINARY),
    ), (3, 8, 8)  # fmt: skip


@pytest.mark.parametrize("make", [rows, last, grouped])
def test_modules(make):
    torch.manual_seed(0)
    net, shape = make()
    net.eval()
    network = export.export(net, shape, "uint8")
    integer = streamline.streamline(network)
    images = np.random.default_rng(4).integers(0, 256, (64, *shape))
    with torch.no_grad():
        logits = net(torch.from_numpy(images).float()).numpy()
    wanted, distance = Head.of(integer).invert(logits)
    assert distance < 1e-3 and len(np.unique(wanted, axis=0)) > 16, "the network tells images apart"
    np.testing.assert_array_equal(Head.of(integer).settle(IntGraph(integer)(images)), wanted)
    assert (streamline.execute(integer, images[:2]) == IntGraph(integer)(images[:2])).all()
    assert Sign.of(integer) and first_difference(network, integer, images[0]) is None
