"""Networks with pads, branches, pools and groups, as people write them in Brevitas: what builds is right, and what does
not is refused with what to change.

Built from the module and from its QONNX file. As for `test_users_networks`: the integers are those of float64 PyTorch
on every logit of every image, and of float32 PyTorch but for sums that the build has noted as undecided.
"""

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from torch import nn

from signflow.deploy import flow
from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.notes import notes_of
from signflow.deploy.golden.intgraph import IntGraph
from signflow.hw.sim import RtlSimulator

from .users import Normalise, ToTensor, integers, logits, pixels, saved, shape_of, trained
from .users_blocks import BLOCKS, WIDTH, Sum, chain, classifier, conv, last, padded, relu, stem, unit

COUNT = 120
QUICK = ("padding and bias", "residual, binary")


def slow_but(quick: tuple[str, ...], names) -> list:
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


def compare(net: nn.Module, graph) -> None:
    """Every logit; float32's where nothing is noted."""
    images, head = pixels(net, COUNT, 1), Head.of(graph)
    found = head.settle(IntGraph(graph)(images))
    assert len(np.unique(found, axis=0)) > COUNT / 2, "the images are told apart"
    assert (found == integers(net, head, images, torch.float64)).all()
    rounded = (found != integers(net, head, images, torch.float32)).any(axis=1)
    assert rounded.sum() <= (1 if notes_of(graph) else 0), "float32 decides otherwise only where that was noted"


@pytest.mark.parametrize("name", slow_but(QUICK, BLOCKS))
def test_every_logit(name, tmp_path):
    net = trained(BLOCKS[name])
    compare(net, streamline.streamline(export.load(saved(net, tmp_path / "net.onnx"), "uint8/255")))
    if name not in QUICK[:1]:
        compare(net, streamline.streamline(export.export(net, shape_of(net), "uint8/255")))


@pytest.mark.slow
@pytest.mark.parametrize("name", BLOCKS)
def test_the_simulated_accelerator(name, tmp_path):
    """Without stalls, in the predicted cycles, and with random ones on both sides."""
    net, work = trained(BLOCKS[name]), tmp_path / "work"
    flow.build(flow.Settings(str(saved(net, tmp_path / "net.onnx")), input="uint8/255", fps=1e4), work)
    simulator, images = RtlSimulator(work / flow.ACCELERATOR), pixels(net, 6, 2)
    stream = ImageInput.of(flow.read(work, flow.FOLDED)).stream(images)
    stream = stream.reshape(len(images), *simulator.facts["input"]["shape"])
    expected = integers(net, Head.of(flow.read(work, flow.INTEGER)), images, torch.float64)
    run, stalled = simulator.run(stream), simulator.run(stream[:3], in_stall=0.4, out_stall=0.4, seed=1)
    assert (run.outputs.reshape(expected.shape) == expected).all()
    assert (stalled.outputs.reshape(-1, expected.shape[1]) == expected[:3]).all()
    predicted = simulator.facts["predicted"]
    assert (run.latency, run.interval) == (predicted["latency"], predicted["interval"])


# ---- refusals


class Twice(nn.Module):
    """x times its own mean, as attention does."""

    def __init__(self):
        super().__init__()
        self.pool, self.codes = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Sigmoid()), qnn.QuantIdentity(bit_width=8)

    def forward(self, x):
        return x * self.codes(self.pool(x))


def joined(*branch: nn.Module) -> nn.Sequential:
    """``branch`` and a shortcut around it."""
    return chain(*stem(), ToTensor(), Sum(nn.Sequential(*branch, ToTensor()), nn.Sequential()), relu(),
                 *classifier(WIDTH))  # fmt: skip


REFUSED = {
    "quantisers of their own": (
        lambda: joined(*unit(WIDTH, WIDTH)),
        r"operator Add: it adds multiples of 0\.\d+ and of 0\.\d+\. Supported: results on one grid: put quantisers of "
        r"one scale .* in front of it",
    ),
    "no quantiser in front of the addition": (
        lambda: joined(conv(WIDTH, WIDTH), nn.BatchNorm2d(WIDTH)),
        r"'Conv_1'.* multiples of 0\.\d+ in channel 0 and of 0\.\d+ in 1\. Supported: one scale for all channels, or "
        r"an activation quantiser",
    ),
    "MNIST's mean with 8 bits": (
        lambda: padded(Normalise([0.1307], [0.3081])),
        r"operator Pad: it pads with 0, and what it pads is 0\.0127\d* \* integer \+ -0\.424\d* in channel 0\. "
        r"Supported: a quantiser in front of it",
    ),
    "a border of what lies there": (
        lambda: chain(*stem(), *unit(WIDTH, 8, padding_mode="reflect"), *classifier(8)),
        r"operator Pad: its mode is 'reflect': the border depends on the image",
    ),
    "averages of fewer pixels at the edge": (
        lambda: chain(*stem(), nn.AvgPool2d(3, 2, 1, count_include_pad=False), *classifier(WIDTH)),
        r"operator AveragePool: with count_include_pad = 0, its averages are over 2 to 3 pixels along the height",
    ),
    "pads larger than the kernel": (
        lambda: chain(*stem(), *unit(WIDTH, 8, padding=4), *classifier(8)),
        r"operator Conv: a window spans 3 pixels of the height, the padding \[4, 4\], and may hold nothing else\. "
        r"Supported: pads smaller than the kernel",
    ),
    "a product of two results": (
        lambda: chain(*stem(), Twice(), relu(), *classifier(WIDTH)),
        r"operator Mul: it combines results of 2 layers .*\. Supported: Add of two results",
    ),
    "more pixels than before": (
        lambda: chain(*stem(), nn.Upsample(scale_factor=2), *classifier(WIDTH)),
        r"operator Resize: it makes more positions of a map",
    ),
    "a scale for each channel of a map": (
        lambda: chain(qnn.QuantIdentity(bit_width=8), conv(1, WIDTH, bits=8), by_channel(WIDTH), last(WIDTH * 64)),
        r"operator Reshape: it has a scale for each channel, .* in channel 0 and .* in 1, and the next layer sums",
    ),
}


def by_channel(channels: int) -> nn.Sequential:
    """A scale for each channel of what a dense layer reads."""
    shape = {"per_channel_broadcastable_shape": (1, channels, 1, 1), "scaling_stats_permute_dims": (1, 0, 2, 3)}
    return nn.Sequential(qnn.QuantReLU(bit_width=4, scaling_per_output_channel=True, **shape), nn.Flatten())


@pytest.mark.parametrize("name", slow_but(("quantisers of their own", "pads larger than the kernel"), REFUSED))
def test_refused(name, tmp_path):
    make, message = REFUSED[name]
    net = trained(make, steps=2)
    assert np.isfinite(logits(net, pixels(net, 2, 0), torch.float32)).all()
    with pytest.raises(UnsupportedError, match=message):
        streamline.streamline(export.load(saved(net, tmp_path / "net.onnx"), "uint8/255"))
