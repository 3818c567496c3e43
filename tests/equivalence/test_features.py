"""Behind a Flatten every feature is a channel of its own: normalisations that tell the positions of a channel apart,
PyTorch = integer graph = hardware graph = RTL on every logit, in exactly the predicted cycles.
"""

import numpy as np
import pytest
import torch
from brevitas.nn import QuantIdentity
from torch import nn

from signflow.deploy.compile import lower, streamline
from signflow.deploy.compile.export import export
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.golden.intgraph import IntGraph
from signflow.models.layers.abn import ABN
from signflow.models.layers.binary import binary_conv, binary_linear, sign
from signflow.models.quant import fixed_act
from signflow.models.untrained import random_images, randomise

from .test_random_networks import accelerator, random_folding, simulate

IMAGES, CHANNELS, CLASSES, SHAPE = 20, 3, 5, (2, 7, 5)


def codes(bits: int = 3) -> nn.Module:
    return QuantIdentity(act_quant=fixed_act(bits, 2.0))


FRONTS = {
    "sums": (lambda: [], (6, 4)),
    "average pool": (lambda: [nn.AvgPool2d(2)], (3, 2)),
    "max pool": (lambda: [nn.MaxPool2d((3, 2))], (2, 2)),
    "pooled codes": (lambda: [nn.BatchNorm2d(CHANNELS), codes(), nn.MaxPool2d((6, 2))], (1, 2)),
    "signs": (lambda: [nn.BatchNorm2d(CHANNELS), sign()], (6, 4)),
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
ALL = [(front, behind) for front in FRONTS for behind in BEHIND]
QUICK = ALL[::6]
"""Each once; all with all in the slow tests."""


def compared(front: str, behind: str):
    """(integer graph, images, what it gives for them); its logits are PyTorch's."""
    rng = np.random.default_rng([*f"{front}{behind}".encode()])
    torch.manual_seed(int(rng.integers(1000)))
    make, area = FRONTS[front]
    features = CHANNELS * area[0] * area[1]
    layers = [binary_conv(SHAPE[0], CHANNELS, 2), *make(), nn.Flatten(), *BEHIND[behind](features)]
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
    simulator = accelerator(hardware, random_folding(hardware, rng), tmp_path / "a")
    simulate(simulator, ImageInput.of(hardware).stream(pixels), expected, rng)


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
