"""Behind a Flatten every feature is a channel of its own: normalisations that tell the positions of a channel apart,
PyTorch = integer graph = hardware graph = RTL on every logit, in exactly the predicted cycles.
"""

import numpy as np
import pytest
import torch
from brevitas.nn import QuantIdentity
from torch import nn

from signflow.deploy.compile import lower, streamline
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.export import export
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.models.layers.abn import ABN
from signflow.models.layers.binary import binary_conv, binary_linear, sign
from signflow.models.quant import fixed_act
from signflow.models.untrained import random_images, randomise

from .climbing import simulate
from .foldings import accelerator, random_folding

IMAGES, CHANNELS, CLASSES, SHAPE = 20, 3, 5, (2, 7, 5)


def codes(bits: int = 3) -> nn.Module:
    return QuantIdentity(act_quant=fixed_act(bits, 2.0))


def norm() -> nn.Module:
    return nn.BatchNorm2d(CHANNELS)


FRONTS = {
    "sums": (lambda: [], (6, 4)),
    "average pool": (lambda: [nn.AvgPool2d(2)], (3, 2)),
    "max pool": (lambda: [nn.MaxPool2d((3, 2))], (2, 2)),
    "pooled codes": (lambda: [norm(), codes(), nn.MaxPool2d((6, 2))], (1, 2)),
    "signs": (lambda: [norm(), sign()], (6, 4)),
}
"""What is in front of the Flatten, and the height and width of the map there."""
BEHIND = {
    "sign": lambda features: [nn.BatchNorm1d(features), sign()],
    "codes": lambda features: [nn.BatchNorm1d(features), codes()],
    "fine codes": lambda features: [nn.BatchNorm1d(features), codes(7)],
    "turning": lambda features: [ABN(features), sign()],
    "two layers": lambda features: [nn.BatchNorm1d(features), codes(), nn.BatchNorm1d(features), sign()],
}
"""What is behind it, in front of the dense layer."""
NORMS = {
    "sign": lambda: [norm(), nn.Flatten(), sign()],
    "codes": lambda: [norm(), nn.Flatten(), codes()],
    "turning": lambda: [norm(), nn.Flatten(), nn.SiLU(), codes()],
    "of a pool": lambda: [nn.MaxPool2d(2), norm(), nn.Flatten(), nn.ReLU(), codes()],
    "of an average": lambda: [nn.AvgPool2d((1, 2)), norm(), nn.Flatten(), sign()],
}
"""Normalisation of channels in front of the Flatten, what it is for behind."""
ALL = [(front, behind) for front in FRONTS for behind in BEHIND]
QUICK = ALL[::6]
"""Each once; all with all in the slow tests."""


def compared(front: str, behind: str):
    """(integer graph, images, what it gives for them) of a network of `ALL`; its logits are PyTorch's."""
    make, area = FRONTS[front]
    return equal([*make(), nn.Flatten(), *BEHIND[behind](CHANNELS * area[0] * area[1])], f"{front}{behind}")


def equal(layers: list[nn.Module], name: str):
    """As `compared`, for any ``layers`` between a convolution and a dense layer; numbers follow from the ``name``."""
    rng = np.random.default_rng([*name.encode()])
    torch.manual_seed(int(rng.integers(1000)))
    layers = [binary_conv(SHAPE[0], CHANNELS, 2), *layers]
    features = nn.Sequential(*layers).eval()(torch.zeros(1, *SHAPE)).shape[1]
    net = randomise(nn.Sequential(*layers, binary_linear(features, CLASSES)), random_images(SHAPE, 48, rng), rng)
    pixels = random_images(SHAPE, IMAGES, rng)
    with torch.no_grad():
        logits = net(torch.from_numpy(pixels).float()).numpy()
    integer = streamline.streamline(export(net, SHAPE))
    expected, distance = Head.of(integer).invert(logits)
    assert distance == 0 and len(np.unique(expected, axis=0)) > IMAGES // 4
    np.testing.assert_array_equal(IntGraph(integer)(pixels), expected)
    np.testing.assert_array_equal(streamline.execute(integer, pixels[:2]), expected[:2])
    return integer, pixels, expected


@pytest.mark.parametrize("front, behind", [p if p in QUICK else pytest.param(*p, marks=pytest.mark.slow) for p in ALL])
def test_every_logit(front, behind):
    integer, pixels, expected = compared(front, behind)
    hardware = lower.lower(integer)
    np.testing.assert_array_equal(streamline.execute(hardware, pixels[:2]), expected[:2])


@pytest.mark.parametrize("front, behind", [("average pool", "codes"), ("max pool", "two layers"), ("signs", "turning")])
def test_rtl(front, behind, tmp_path):
    integer, pixels, expected = compared(front, behind)
    hardware, rng = lower.lower(integer), np.random.default_rng(1)
    simulator = accelerator(hardware, random_folding(hardware, 1), tmp_path / "a")
    simulate(simulator, ImageInput.of(hardware).stream(pixels), expected, rng)


@pytest.mark.parametrize("name", NORMS)
def test_normalised_channels_in_front_of_the_flatten(name, tmp_path):
    integer, pixels, expected = equal(NORMS[name](), name)
    hardware, rng = lower.lower(integer), np.random.default_rng(1)
    np.testing.assert_array_equal(streamline.execute(hardware, pixels[:2]), expected[:2])
    if name in ("turning", "of a pool"):
        simulator = accelerator(hardware, random_folding(hardware, 1), tmp_path / "a")
        simulate(simulator, ImageInput.of(hardware).stream(pixels), expected, rng)


@pytest.mark.parametrize("behind", ["sign", "two layers"])
def test_normalised_channels_and_then_features_need_a_quantiser_between(behind):
    words = "activation quantiser .* in front of the Flatten, behind which features have constants of their own"
    with pytest.raises(UnsupportedError, match=f"multiples of .* in channel 0 and of .* in 1.*{words}"):
        equal([norm(), nn.Flatten(), *BEHIND[behind](CHANNELS * 24)], behind)
    equal([norm(), codes(), nn.Flatten(), *BEHIND[behind](CHANNELS * 24)], behind)


def test_one_function_for_all_positions_stays_in_front_of_the_flatten():
    """Then every channel needs one row of thresholds only."""

    def rows(gains):
        norm = nn.BatchNorm1d(8)
        norm.weight.data = torch.tensor(gains)
        net = nn.Sequential(binary_conv(1, 2, 2), nn.Flatten(), norm, sign(), binary_linear(8, 3)).eval()
        integer = streamline.streamline(export(net, (1, 3, 3)), keep_constants=True)
        (node,) = (node for node in integer.graph.node if node.op_type in ("MultiThreshold", "Window"))
        return integer.get_tensor_shape(node.output[0])

    assert rows([1.0] * 4 + [2.0] * 4) == [1, 2, 2, 2]
    assert rows([1.0, -1.0] * 4) == [1, 8]
