"""Random small chains of our own layers: a `Plan` from a seed, built as PyTorch modules with parameters that no
training would choose.

Convolutions and dense layers alternate with any method of `signflow.models.methods`, one for all or another in every
layer. Kernels, strides, dilations, groups, borders and pools are drawn for each layer, images are pixels of any kind
that a network can declare, and the first layer may have weights of 8 bits. Statistics are those of the network's own
random images, so that signs are balanced; everything else (weights, gammas of both signs and zero, betas that make
windows and constants, slopes of both signs, shifts) is random.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import brevitas.nn as qnn
import numpy as np
import torch
from torch import nn

from signflow.deploy.compile.images import ImageInput
from signflow.models.layers.binary import binary_linear, sign
from signflow.models.layers.factor import PowerOfTwo
from signflow.models.methods import METHODS, method, root_of_fan_in
from signflow.models.networks.chains import Shift
from signflow.models.quant import BinaryWeight, Weight8, fixed_act
from signflow.models.untrained import random_images, randomise

TURNING = ("abn", "abn-gate", "abn-gamma", "abn-gamma-beta", "abn-keep", "bnfree")
"""Methods whose numbers may rise and fall: a pool behind their signs has no hardware."""
SEEN = 48
"""Images that the statistics come from."""


ENTRIES = {
    "uint8": ("centred", "codes", "pixels", "signs"),
    "uint8/255": ("codes", "signs"),
    "int8": ("centred", "codes", "pixels", "signs"),
    "bipolar": ("pixels",),
}
"""How images reach the network -> what its first layer may read, in front of which no float rounds."""
LATENT = ("magnitude", "bn-magnitude", "bnfree", "sd", "sd-wsd", "sd-static", "sd-wide")
"""Methods that do something to binary weights."""


@dataclass(frozen=True)
class Layer:
    """One layer and what follows it."""

    kind: str
    """"conv" or "dense"."""
    outputs: int
    method: str
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pool: str = ""
    """"before" the normalisation, "behind" the sign, or none."""
    window: tuple[int, int] = (2, 2)
    """Of the pool."""
    overlap: bool = False
    """Windows of the pool share a row and a column."""
    dilation: int = 1
    groups: int = 1
    border: tuple[int, int] = (0, 0)
    """Rows and columns in front and at the end."""
    value: float = 0.0
    """Of the border."""
    eight: bool = False
    """Weights of 8 bits; of a first layer."""

    def after(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width behind the layer and its pool; below 1 where it does not fit."""
        reach = [(kernel - 1) * self.dilation + 1 for kernel in self.kernel]
        size = [(n + sum(self.border) - r) // s + 1 for n, r, s in zip(size, reach, self.stride, strict=True)]
        if self.pool:
            size = [(n - w) // s + 1 for n, w, s in zip(size, self.window, self.steps(), strict=True)]
        return tuple(size)

    def steps(self) -> tuple[int, int]:
        """Strides of the pool."""
        return tuple(max(1, n - self.overlap) for n in self.window)


@dataclass(frozen=True)
class Plan:
    """A network, but for its numbers, which follow from ``seed``."""

    shape: tuple[int, int, int]
    entry: str
    """What the first layer reads, one of `ENTRIES`."""
    layers: tuple[Layer, ...]
    classes: int
    whole_means: bool
    """Running means are integers, so that normalised values are exactly 0 where rounding decides."""
    seed: int
    kind: str = "uint8"
    """How images reach it, one of `ENTRIES`."""


def plan(seed: int) -> Plan:
    """Dense, convolutional, or convolutions in front of dense layers; up to two pools; odd widths, and 1."""
    rng = np.random.default_rng(seed)
    convs, denses = [(0, 1), (0, 2), (1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (3, 1)][rng.integers(8)]
    shape = tuple(int(n) for n in (rng.integers(1, 4), *rng.integers(4, 9, 2)))
    names = list(METHODS)
    known = names if rng.random() < 0.75 else [str(rng.choice(names))]
    kind = str(rng.choice(["uint8", "uint8", *ENTRIES]))
    entry = str(rng.choice(ENTRIES[kind]))
    layers, (features, *size) = [], shape
    for _ in range(convs):
        layers.append(_conv(rng, known, features, tuple(size), sum(bool(layer.pool) for layer in layers)))
        features, size = layers[-1].outputs, layers[-1].after(size)
    features *= size[0] * size[1]
    for _ in range(denses):
        layers.append(Layer("dense", int(rng.integers(1, 13)), _method(rng, known, features)))
        features = layers[-1].outputs
    layers[0] = _first(rng, layers[0], entry)
    return Plan(shape, entry, tuple(layers), int(rng.integers(1, 7)), bool(rng.integers(2)), seed, kind)


def _conv(rng: np.random.Generator, known: list[str], features: int, size: tuple[int, int], pools: int) -> Layer:
    """Whatever leaves one pixel or more; square and plain more often than not."""
    outputs = int(rng.integers(1, 13))
    while True:
        side = int(rng.integers(1, 4))
        kernel = (side, side) if rng.random() < 0.7 else tuple(int(n) for n in rng.integers(1, 4, 2))
        stride = int(rng.choice([1, 1, 2]))
        stride = (stride, stride) if rng.random() < 0.8 else tuple(int(n) for n in rng.integers(1, 3, 2))
        groups = int(rng.choice([1, 1, 1, 2, 3]))
        groups = groups if features % groups == outputs % groups == 0 else 1
        border = (0, 0) if rng.random() < 0.6 else tuple(int(n) for n in rng.integers(0, 2, 2))
        layer = Layer(
            "conv", outputs, _method(rng, known, features // groups * kernel[0] * kernel[1]), kernel, stride,
            dilation=int(rng.choice([1, 1, 1, 2])), groups=groups, border=border,
            value=float(rng.choice([-1, 0, 1]))
        )  # fmt: skip
        if pools < 2 and rng.random() < 0.6:
            place = "before" if layer.method in TURNING or rng.random() < 0.5 else "behind"
            window = (2, 2) if rng.random() < 0.7 else tuple(int(n) for n in rng.integers(1, 4, 2))
            layer = replace(layer, pool=place, window=window, overlap=bool(rng.random() < 0.25))
        if min(layer.after(size)) > 0 and max(border) < min(kernel):
            return layer


def _method(rng: np.random.Generator, known: list[str], fan_in: int) -> str:
    """A standardised filter of one weight is 0, which has no sign."""
    return str(rng.choice([name for name in known if fan_in > 1 or name != "bnfree"] or ["bn"]))


def _first(rng: np.random.Generator, layer: Layer, entry: str) -> Layer:
    """The first layer: weights of 8 bits where its method leaves weights alone; no border but zeros of numbers."""
    if entry != "signs":
        layer = replace(layer, value=0.0)
    return replace(layer, eight=layer.method not in LATENT and bool(rng.random() < 0.3))


def images(plan: Plan, count: int, seed: int = 0) -> np.ndarray:
    """(count, *shape), integers as ``plan.kind`` has them."""
    return of_kind(plan.kind, random_images(plan.shape, count, np.random.default_rng([plan.seed, seed])))


def of_kind(kind: str, pixels: np.ndarray) -> np.ndarray:
    """uint8 ``pixels`` as images of another kind."""
    if kind == "int8":
        return (pixels.astype(np.int16) - 128).astype(np.int8)
    return np.where(pixels < 128, -1, 1).astype(np.int8) if kind == "bipolar" else pixels


def parts(plan: Plan) -> Counter:
    """What it is made of."""
    found = Counter(name for layer in plan.layers for name in _features(layer))
    found["two pools"] = sum(bool(layer.pool) for layer in plan.layers) == 2
    found[f"images {plan.kind}, {plan.entry}"] = 1
    return found


def _features(layer: Layer) -> Iterator[str]:
    yield layer.method
    has = {
        "kernel with unequal sides": layer.kernel[0] != layer.kernel[1],
        "stride": max(layer.stride) > 1,
        "dilation": layer.dilation > 1 < max(layer.kernel),
        "groups": layer.groups > 1,
        f"border of {layer.value:g}": layer.kind == "conv" and max(layer.border) > 0,
        f"pool {layer.pool} the normalisation": bool(layer.pool),
        "pool with unequal sides": bool(layer.pool) and layer.window[0] != layer.window[1],
        "overlapping pool": bool(layer.pool) and layer.overlap and max(layer.window) > 1,
        "first layer of 8 bits": layer.eight,
    }
    yield from (name for name, present in has.items() if present)


def build(plan: Plan) -> nn.Sequential:
    """The network, baked, in eval mode: pixels as it sees them (N, *shape) -> logits (N, classes)."""
    seen = ImageInput(plan.kind, plan.shape).seen(images(plan, SEEN, seed=1))
    net, x = nn.Sequential().eval(), torch.from_numpy(seen[:1])

    def append(module: nn.Module) -> None:
        nonlocal x
        net.append(module.eval())
        with torch.no_grad():
            x = module(x)

    for module in entry(plan.kind, plan.entry):
        append(module)
    for layer in plan.layers:
        if layer.kind == "dense" and x.dim() > 2:
            append(nn.Flatten())
        for module in _modules(layer, x.shape[1]):
            append(module)
    for module in [nn.Flatten()] * (x.dim() > 2):
        append(module)
    append(binary_linear(x.shape[1], plan.classes))
    append(root_of_fan_in(net[-1].in_features))
    return randomise(net, seen, np.random.default_rng(plan.seed), wild=True, whole_means=plan.whole_means)


def entry(kind: str, name: str, bits: int = 3) -> list[nn.Module]:
    """From images of a ``kind`` to what the first layer reads; codes have so many ``bits``."""
    if name == "pixels":
        return []
    half = {"uint8": 128, "uint8/255": 0.5}.get(kind, 0)
    if name == "signs":
        return [Shift(127.5 if kind == "uint8" else half), sign()]
    codes = [qnn.QuantIdentity(act_quant=fixed_act(bits, 1.0))] if name == "codes" else []
    return [Shift(half), *([] if kind == "uint8/255" else [PowerOfTwo(-7)]), *codes]


def _modules(layer: Layer, inputs: int) -> list[nn.Module]:
    how, spatial = method(layer.method), layer.kind == "conv"
    weights = Weight8 if layer.eight else BinaryWeight
    if spatial:
        options = {"dilation": layer.dilation, "groups": layer.groups, "bias": False, "weight_quant": weights}
        product = qnn.QuantConv2d(inputs, layer.outputs, layer.kernel, layer.stride, **options)
    else:
        product = qnn.QuantLinear(inputs, layer.outputs, bias=False, weight_quant=weights)
    product = how.weights(product)
    border = [nn.ConstantPad2d([*layer.border] * 2, layer.value)] if spatial and max(layer.border) else []
    pool = [nn.MaxPool2d(layer.window, layer.steps())]
    before, behind = (pool if layer.pool == place else [] for place in ("before", "behind"))
    return [*border, product, *before, *how.normalise(product, layer.outputs, spatial), *behind]
