"""Random small chains of our own layers: a `Plan` from a seed, built as PyTorch modules with parameters that no
training would choose.

Convolutions and dense layers alternate with any method of `signflow.models.methods`, one for all or another in every
layer. Statistics are those of the network's own random images, so that signs are balanced; everything else (weights,
gammas of both signs and zero, betas that make windows and constants, slopes of both signs, shifts) is random.
"""

from collections import Counter
from dataclasses import dataclass, replace

import brevitas.nn as qnn
import numpy as np
import torch
from torch import nn

from signflow.models.layers.binary import binary_conv, binary_linear, sign
from signflow.models.layers.factor import PowerOfTwo
from signflow.models.methods import METHODS, method, root_of_fan_in
from signflow.models.networks.chains import Shift
from signflow.models.quant import fixed_act
from signflow.models.untrained import random_images, randomise

TURNING = ("abn", "abn-gate", "abn-gamma", "abn-gamma-beta", "bnfree")
"""Methods whose numbers may rise and fall: a pool behind their signs has no hardware."""
SEEN = 48
"""Images that the statistics come from."""


@dataclass(frozen=True)
class Layer:
    """One binary layer and what follows it."""

    kind: str
    outputs: int
    method: str
    kernel: int = 1
    stride: int = 1
    pool: str = ""
    """"before" the normalisation, "behind" the sign, or none."""


@dataclass(frozen=True)
class Plan:
    """A network, but for its numbers, which follow from ``seed``."""

    shape: tuple[int, int, int]
    entry: str
    """What the first layer reads: "pixels", "centred", "codes" or "signs"."""
    layers: tuple[Layer, ...]
    classes: int
    whole_means: bool
    """Running means are integers, so that normalised values are exactly 0 where rounding decides."""
    seed: int


def plan(seed: int) -> Plan:
    """Dense, convolutional, or convolutions in front of dense layers; up to two pools; odd widths, and 1."""
    rng = np.random.default_rng(seed)
    convs, denses = [(0, 1), (0, 2), (1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (3, 1)][rng.integers(8)]
    shape = tuple(int(n) for n in (rng.integers(1, 4), *rng.integers(4, 9, 2)))
    names = list(METHODS)
    known = names if rng.random() < 0.75 else [str(rng.choice(names))]
    layers, (features, *size) = [], shape
    for _ in range(convs):
        layers.append(_conv(rng, known, features, size, sum(bool(layer.pool) for layer in layers)))
        features, size = layers[-1].outputs, [_after(layers[-1], n) for n in size]
    features *= size[0] * size[1]
    for _ in range(denses):
        layers.append(Layer("dense", int(rng.integers(1, 13)), _method(rng, known, features)))
        features = layers[-1].outputs
    entry = str(rng.choice(["centred", "codes", "pixels", "signs"]))
    return Plan(shape, entry, tuple(layers), int(rng.integers(1, 7)), bool(rng.integers(2)), seed)


def _conv(rng: np.random.Generator, known: list[str], features: int, size: list[int], pools: int) -> Layer:
    kernel, stride = int(rng.integers(1, min(3, *size) + 1)), int(rng.choice([1, 1, 2]))
    layer = Layer("conv", int(rng.integers(1, 13)), _method(rng, known, features * kernel**2), kernel, stride)
    if pools == 2 or min(_after(layer, n) for n in size) < 2 or rng.random() < 0.4:
        return layer
    return replace(layer, pool="before" if layer.method in TURNING or rng.random() < 0.5 else "behind")


def _method(rng: np.random.Generator, known: list[str], fan_in: int) -> str:
    """A standardised filter of one weight is 0, which has no sign."""
    return str(rng.choice([name for name in known if fan_in > 1 or name != "bnfree"] or ["bn"]))


def _after(layer: Layer, size: int) -> int:
    """Height or width behind the layer and its pool."""
    return ((size - layer.kernel) // layer.stride + 1) // (2 if layer.pool else 1)


def images(plan: Plan, count: int, seed: int = 0) -> np.ndarray:
    """uint8 (count, *shape)."""
    return random_images(plan.shape, count, np.random.default_rng([plan.seed, seed]))


def parts(plan: Plan) -> Counter:
    """What it is made of."""
    found = Counter(layer.method for layer in plan.layers)
    found["two pools"] = sum(bool(layer.pool) for layer in plan.layers) == 2
    return found


def build(plan: Plan) -> nn.Sequential:
    """The network, baked, in eval mode: uint8 pixels as floats (N, *shape) -> logits (N, classes)."""
    seen = images(plan, SEEN, seed=1)
    net, x = nn.Sequential().eval(), torch.from_numpy(seen[:1]).float()

    def append(module: nn.Module) -> None:
        nonlocal x
        net.append(module.eval())
        with torch.no_grad():
            x = module(x)

    for module in _entry(plan.entry):
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


def _entry(name: str) -> list[nn.Module]:
    if name == "signs":
        return [Shift(127.5), sign()]
    codes = [qnn.QuantIdentity(act_quant=fixed_act(3, 1.0))] if name == "codes" else []
    return [] if name == "pixels" else [Shift(128), PowerOfTwo(-7), *codes]


def _modules(layer: Layer, inputs: int) -> list[nn.Module]:
    how, spatial = method(layer.method), layer.kind == "conv"
    if spatial:
        binary = binary_conv(inputs, layer.outputs, layer.kernel, layer.stride)
    else:
        binary = binary_linear(inputs, layer.outputs)
    binary = how.weights(binary)
    normalise = how.normalise(binary, layer.outputs, spatial)
    pools = {name: [nn.MaxPool2d(2)] if layer.pool == name else [] for name in ("before", "behind")}
    return [binary, *pools["before"], *normalise, *pools["behind"]]
