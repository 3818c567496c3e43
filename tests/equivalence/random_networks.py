"""Random small chains of our own layers: a `Plan` from a seed, built as PyTorch modules with parameters that no
training would choose.

Convolutions and dense layers alternate with any method of `signflow.models.methods`, one for all or another in every
layer. Statistics are those of the network's own random images, so that signs are balanced; everything else (weights,
gammas of both signs and zero, betas that make windows and constants, slopes of both signs, shifts) is random.
"""

from dataclasses import dataclass, replace

import brevitas.nn as qnn
import numpy as np
import torch
from torch import Tensor, nn

from signflow.models.layers.abn import ABN
from signflow.models.layers.asd import ASD, StaticShift
from signflow.models.layers.bake import bake
from signflow.models.layers.binary import binary_conv, binary_linear, sign
from signflow.models.layers.factor import PowerOfTwo
from signflow.models.layers.rprelu import RPReLU
from signflow.models.layers.standardise import Gain
from signflow.models.methods import METHODS, method, root_of_fan_in
from signflow.models.networks.chains import Shift
from signflow.models.quant import fixed_act

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
    """uint8 (count, *shape), of very different brightness and contrast."""
    rng = np.random.default_rng([plan.seed, seed])
    mean, contrast = rng.integers(20, 236, (count, plan.shape[0], 1, 1)), rng.integers(5, 120, (count, 1, 1, 1))
    return np.clip(mean + contrast * rng.normal(size=(count, *plan.shape)), 0, 255).astype(np.uint8)


def build(plan: Plan) -> nn.Sequential:
    """The network, baked, in eval mode: uint8 pixels as floats (N, *shape) -> logits (N, classes)."""
    rng, x = np.random.default_rng(plan.seed), torch.from_numpy(images(plan, SEEN, seed=1)).float()
    net = nn.Sequential().eval()

    def append(module: nn.Module) -> None:
        nonlocal x
        _randomise(module, x, plan.whole_means, rng)
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
    return bake(net)


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


def _randomise(module: nn.Module, x: Tensor, whole: bool, rng: np.random.Generator) -> None:
    """Parameters of ``module``, which reads ``x``."""
    axes = [axis for axis in range(x.dim()) if axis != 1]
    mean, var = x.mean(axes).numpy(), x.var(axes, correction=0).numpy()
    n = len(mean)
    match module:
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            _put(module.running_mean, np.rint(mean) if whole else mean)
            _put(module.running_var, var)
            _put(module.weight, rng.normal(size=n) * rng.choice([0, 1, 1, 1, 1, 1], n))
            _put(module.bias, rng.normal(size=n) * rng.choice([0, 0.3, 0.3, 3], n))
        case ABN():
            _put(module.running_mean, np.rint(mean) if whole else mean)
            _put(module.running_var, var)
            _put(module.gamma, rng.normal(size=n) * rng.choice([0, 1, 1, 1, 1, 1], n))
            _put(module.beta, np.where(rng.random(n) < 0.7, rng.uniform(0, 0.2785, n), rng.normal(size=n)))
        case Gain():
            _put(module.gain, rng.normal(size=n) + 0.1)
        case RPReLU():
            _put(module.before.bias, (0.3 * rng.normal(size=n)) * var**0.5 - mean)
            _put(module.slope, rng.normal(size=n) * rng.choice([0, 1, 1, 1, 1], n))
            _put(module.after.bias, rng.choice([-1, -1, 1], n) * np.abs(rng.normal(size=n)) * var**0.5 / 2)
        case StaticShift():
            _put(module.shift, rng.normal(size=n))
        case ASD():
            for layer in (module.squeeze, module.excite):
                _put(layer.weight, rng.normal(size=layer.weight.shape) * rng.choice([0.3, 1, 3]))
        case qnn.QuantConv2d() | qnn.QuantLinear():
            for values in module.parameters():  # latent weights, and the shares of their means
                _put(values, rng.normal(size=values.shape))


def _put(tensor: Tensor | None, values: np.ndarray) -> None:
    if tensor is not None:
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(np.asarray(values, dtype=np.float32)).reshape(tensor.shape))
