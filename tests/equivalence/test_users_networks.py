"""Networks as people write them in Brevitas, with its default quantisers and float scales: what builds is right.

Weights of 2 to 8 bits, one scale or one for each channel; activations of 2 to 8 bits; biases, float and quantised;
pixels of 1/255, with and without an input quantiser, normalised or not. Scales are no powers of two, so PyTorch rounds
its sums. The hardware gives what the network gives where nothing is rounded: float64 PyTorch's, on every logit of every
image. float32 PyTorch's, too, but for sums that the build has noted as undecided.
"""

import brevitas.nn as qnn
import numpy as np
import pytest
import torch
from brevitas.quant import (
    Int8Bias,
    Int8BiasPerTensorFloatInternalScaling,
    Int8WeightPerChannelFloat,
    Int8WeightPerTensorFixedPoint,
    Int32Bias,
    ShiftedUint8ActPerTensorFloat,
    ShiftedUint8WeightPerTensorFloat,
    Uint8ActPerTensorFixedPoint,
)
from torch import nn

from signflow.deploy import flow
from signflow.deploy.compile import export, streamline
from signflow.deploy.compile.errors import UnsupportedError
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.head import Head
from signflow.deploy.compile.passes.notes import notes_of
from signflow.deploy.golden.intgraph import IntGraph
from signflow.hw.sim import RtlSimulator

from .users import SIZE, Normalise, ToTensor, integers, pixels, saved, trained

COUNT, HIDDEN = 150, 16
CHANNEL, FIXED = {"weight_quant": Int8WeightPerChannelFloat}, {"weight_quant": Int8WeightPerTensorFixedPoint}


def entry(kind="float") -> list[nn.Module]:
    quantisers = {"fixed": Uint8ActPerTensorFixedPoint, "shifted": ShiftedUint8ActPerTensorFloat}
    if kind in quantisers:
        return [qnn.QuantIdentity(act_quant=quantisers[kind])]
    return [qnn.QuantIdentity(bit_width=8, return_quant_tensor=True)] if kind else []


def mlp(first="float", bits=4, act=4, bias=True, **options) -> nn.Sequential:
    linear = lambda i, o: qnn.QuantLinear(i, o, bias=bias, weight_bit_width=bits, **options)  # noqa: E731
    relu = lambda: qnn.QuantReLU(bit_width=act, return_quant_tensor=True)  # noqa: E731
    hidden = [linear(HIDDEN, HIDDEN), nn.BatchNorm1d(HIDDEN), relu(), linear(HIDDEN, 10), ToTensor()]
    return nn.Sequential(*entry(first), nn.Flatten(), linear(SIZE**2, HIDDEN), nn.BatchNorm1d(HIDDEN), relu(), *hidden)


def cnn(first="float", front=(), channels=1, ends=8, bits=4, act=4, **options) -> nn.Sequential:
    conv = lambda i, o, w: qnn.QuantConv2d(i, o, 3, bias=False, weight_bit_width=w, **options)  # noqa: E731
    return nn.Sequential(
        *front, *entry(first), conv(channels, 6, ends), nn.BatchNorm2d(6), qnn.QuantReLU(bit_width=act),
        nn.MaxPool2d(2), conv(6, 12, bits), nn.BatchNorm2d(12), qnn.QuantReLU(bit_width=act), nn.Flatten(),
        qnn.QuantLinear(12, 10, bias=True, weight_bit_width=ends, **options),
    )  # fmt: skip


def signed() -> nn.Sequential:
    codes = [nn.BatchNorm1d(HIDDEN), nn.Hardtanh(), qnn.QuantIdentity(bit_width=4)]
    shifted = qnn.QuantLinear(HIDDEN, 10, bias=True, weight_quant=ShiftedUint8WeightPerTensorFloat)
    dense = qnn.QuantLinear(SIZE**2, HIDDEN, bias=True, weight_bit_width=4)
    return nn.Sequential(*entry("shifted"), nn.Flatten(), dense, *codes, shifted)


IMAGENET = [0.485, 0.456, 0.406]
NETWORKS = {
    "mlp, 4 bits": mlp,
    "mlp, 3 bits": lambda: mlp(bits=3, act=3, bias=False),
    "mlp, 4 bits, scale per channel": lambda: mlp(**CHANNEL),
    "mlp, 3 bits, scale per channel": lambda: mlp(bits=3, act=3, **CHANNEL),
    "mlp, 8 bits": lambda: mlp(bits=8, act=8),
    "mlp, 8 bits, scale per channel, not narrow": lambda: mlp(bits=8, act=2, **CHANNEL, weight_narrow_range=False),
    "mlp, 2 bits behind 8": lambda: mlp(bits=2, act=2),
    "mlp, fixed point": lambda: mlp("fixed", **FIXED),
    "mlp, quantised bias": lambda: mlp(bias_quant=Int8Bias),
    "mlp, bias of 32 bits": lambda: mlp(bias_quant=Int32Bias),
    "mlp, bias of its own scale": lambda: mlp(bias_quant=Int8BiasPerTensorFloatInternalScaling),
    "mlp, zero points": signed,
    "mlp of pixels, fixed point": lambda: mlp("", **FIXED),
    "mlp of pixels, 2 bits": lambda: mlp("", bits=2, act=2),
    "cnn, 8 and 4 bits": cnn,
    "cnn, scale per channel": lambda: cnn(bits=3, act=3, **CHANNEL),
    "cnn, fixed point": lambda: cnn("fixed", bits=2, act=2, **FIXED),
    "cnn of pixels, 2 bits": lambda: cnn("", ends=2, bits=2, act=2),
    "cnn of pixels, 8 and 2 bits": lambda: cnn("", bits=2, act=2, **FIXED),
    "cnn, normalised": lambda: cnn(front=[Normalise(IMAGENET, [0.229, 0.224, 0.225])], channels=3),
    "cnn of normalised pixels": lambda: cnn("", front=[Normalise([0.1307], [0.3081])]),
    "cnn of pixels -1..1": lambda: cnn("", front=[Normalise([0.5] * 3, [0.5] * 3)], channels=3),
    "cnn of pixels less their mean": lambda: cnn("", front=[Normalise(IMAGENET, [0.25] * 3)], channels=3),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (k % 2)) for k, name in enumerate(NETWORKS)]
)
def test_every_logit(name, tmp_path):
    net = trained(NETWORKS[name])
    graph = streamline.streamline(export.load(saved(net, tmp_path / "net.onnx"), "uint8/255"))
    images, head = pixels(net, COUNT, 1), Head.of(graph)
    found = IntGraph(graph)(images)
    assert len(np.unique(found, axis=0)) >= 5, "the images are told apart"
    assert (found == integers(net, head, images, torch.float64)).all()
    rounded = (found != integers(net, head, images, torch.float32)).any(axis=1)
    assert rounded.sum() <= (1 if notes_of(graph) else 0), "float32 decides otherwise only where that was noted"


@pytest.mark.parametrize(
    "name", ["mlp, 8 bits, scale per channel, not narrow", "mlp, zero points", "cnn of pixels -1..1"]
)
def test_the_simulated_accelerator(name, tmp_path):
    net = trained(NETWORKS[name])
    flow.build(flow.Settings(str(saved(net, tmp_path / "net.onnx")), input="uint8/255", fps=1e5), tmp_path / "work")
    simulator, images = RtlSimulator(tmp_path / "work" / flow.ACCELERATOR), pixels(net, 40, 2)
    stream = ImageInput.of(flow.read(tmp_path / "work", flow.FOLDED)).stream(images)
    found = simulator.run(stream.reshape(len(images), *simulator.facts["input"]["shape"])).outputs
    head = Head.of(flow.read(tmp_path / "work", flow.INTEGER))
    assert (found.reshape(len(images), -1) == integers(net, head, images, torch.float64)).all()


def test_another_deviation_for_every_channel_is_refused_without_an_input_quantiser(tmp_path):
    net = trained(lambda: cnn("", front=[Normalise(IMAGENET, [0.229, 0.224, 0.225])], channels=3))
    with pytest.raises(
        UnsupportedError, match=r"multiply pixels by different factors.*one standard deviation.*input qu"
    ):
        streamline.streamline(export.load(saved(net, tmp_path / "net.onnx"), "uint8/255"))


def test_one_bit_of_relu_is_noted_as_the_constant_that_the_file_says(tmp_path):
    """Brevitas writes it as a sign behind a Relu."""
    net = trained(lambda: mlp(bits=2, act=1, bias=False))
    graph = streamline.streamline(export.load(saved(net, tmp_path / "net.onnx"), "uint8/255"))
    assert len([note for note in notes_of(graph) if "the same for every image" in note]) == 2
