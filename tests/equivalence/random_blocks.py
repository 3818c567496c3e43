"""Random small residual networks of our own layers: a `Plan` from a seed, built as PyTorch modules with parameters that
no training would choose.

A first layer makes a stream of codes. Then come up to three steps: a layer, a residual block with any shortcut, a pool,
or new channels beside the old ones. Kernels, strides, dilations, groups, borders (0, -1 or 1; of 1 to 2 pixels, on each
side another number), bits of streams and weights, and normalisations are drawn for each step. Every branch ends on a
grid of its own, which is the stream's or lies a power of two beside it, or is a raw sum.
"""

from collections import Counter
from dataclasses import dataclass

import brevitas.nn as qnn
import numpy as np
import torch
from torch import nn

from signflow.deploy.compile.images import ImageInput
from signflow.models.layers.binary import binary_linear
from signflow.models.layers.ends import Dense8
from signflow.models.layers.shortcut import PickAndPad, Residual
from signflow.models.layers.stream import on_grid, stream
from signflow.models.methods import method, root_of_fan_in
from signflow.models.quant import BinaryWeight, Weight8
from signflow.models.untrained import random_images, randomise

from .random_networks import entry, of_kind

SEEN = 32
"""Images that the statistics come from."""
SHORTCUTS = ("identity", "binary", "8 bits", "option A", "average")
POOLS = ("max", "overlapping max", "average", "overlapping average")
NORMS = ("bn", "bn", "abn", "bnfree", "sd", "scale", "none")


@dataclass(frozen=True)
class Step:
    """What happens to the stream."""

    kind: str
    """"layer", one of `SHORTCUTS`, one of `POOLS` or "beside"."""
    method: str
    outputs: int
    kernel: int
    stride: int
    dilation: int
    groups: int
    value: float
    """Of the border."""
    uneven: bool
    """One row and column of it more at the end."""
    bits: int
    """Of the stream behind it."""
    finer: int
    """The branch's step is the stream's times 2 to the power of this; 9 for a branch without a quantiser."""


@dataclass(frozen=True)
class Plan:
    """A network, but for its numbers, which follow from ``seed``."""

    shape: tuple[int, int, int]
    first: Step
    entry: str
    """What the first layer reads: "codes" of 8 bits, or "pixels"."""
    steps: tuple[Step, ...]
    end: str
    """"flat", "mean" or "mean of logits"."""
    classes: int
    seed: int
    kind: str = "uint8"
    """How images reach it."""


def plan(seed: int) -> Plan:
    """Any combination."""
    rng = np.random.default_rng([seed, 2])
    shape = tuple(int(n) for n in (rng.integers(1, 4), *rng.integers(5, 9, 2)))
    steps = [_step(rng, "layer")]
    for _ in range(rng.integers(1, 4)):
        steps.append(_step(rng, str(rng.choice([*SHORTCUTS, *SHORTCUTS, *POOLS, "layer", "beside"]))))
    entry, end = str(rng.choice(["codes", "codes", "pixels"])), str(rng.choice(["flat", "mean", "mean of logits"]))
    kind = str(rng.choice(["uint8", "uint8/255", "int8"] if entry == "codes" else ["uint8", "int8", "bipolar"]))
    return Plan(shape, steps[0], entry, tuple(steps[1:]), end, int(rng.integers(2, 6)), seed, kind)


def _step(rng: np.random.Generator, kind: str) -> Step:
    pick = lambda *values: values[rng.integers(len(values))]  # noqa: E731
    finer = pick(0, 0, 1, -1, 9) if kind in SHORTCUTS else 0
    return Step(kind, str(pick(*NORMS)), int(rng.integers(1, 5)) * pick(1, 2, 2), pick(1, 2, 3, 3, 3), pick(1, 1, 2),
                pick(1, 1, 2), pick(1, 1, 2), pick(0.0, 0.0, -1.0, 1.0), pick(True, False), pick(3, 4, 5, 6),
                finer)  # fmt: skip


def images(plan: Plan, count: int, seed: int = 0) -> np.ndarray:
    """(count, *shape), integers as ``plan.kind`` has them."""
    return of_kind(plan.kind, random_images(plan.shape, count, np.random.default_rng([plan.seed, seed])))


def parts(plan: Plan) -> Counter:
    """What it is made of."""
    found = Counter(name for step in plan.steps for name in (step.kind, step.method))
    return found + Counter([f"images {plan.kind}, {plan.entry}", f"end: {plan.end}"])


def build(plan: Plan) -> nn.Sequential:
    """The network, baked, in eval mode: pixels as it sees them (N, *shape) -> logits (N, classes)."""
    seen = ImageInput(plan.kind, plan.shape).seen(images(plan, SEEN, seed=1))
    net, x = nn.Sequential().eval(), torch.from_numpy(seen[:1])

    def append(*modules: nn.Module) -> None:
        nonlocal x
        for module in modules:
            net.append(module.eval())
            with torch.no_grad():
                x = module(x)

    reads = {"codes": "codes", "pixels": "pixels" if plan.kind == "bipolar" else "centred"}[plan.entry]
    append(*entry(plan.kind, reads, bits=8))
    first = plan.first
    weights = Weight8 if plan.entry == "codes" else BinaryWeight
    conv = qnn.QuantConv2d(x.shape[1], first.outputs, 3, first.stride, padding=1, bias=False, weight_quant=weights)
    append(conv, *on_grid([nn.BatchNorm2d(first.outputs)], stream(first.bits, 1.0)))
    for step in plan.steps:
        append(*_modules(step, x, first.bits))
    if plan.end != "flat":
        append(nn.AdaptiveAvgPool2d(1) if plan.end == "mean" else nn.Identity())
    if plan.end == "mean of logits":
        append(stream(6, 4.0), qnn.QuantConv2d(x.shape[1], plan.classes, 1, bias=False, weight_quant=Weight8))
        append(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    else:
        binary = plan.end == "flat"
        append(nn.Flatten(), method("bn").sign(x.shape[1], "clipped") if binary else stream(8, 4.0))
        last = binary_linear(x.shape[1], plan.classes) if binary else Dense8(x.shape[1], plan.classes)
        append(last, *([root_of_fan_in(last.in_features)] if binary else []))
    return randomise(net, seen, np.random.default_rng(plan.seed), wild=True)


def _modules(step: Step, x: torch.Tensor, bits: int) -> list[nn.Module]:
    """Of one step of the stream ``x`` of ``bits``."""
    channels, size = x.shape[1], min(x.shape[2:])
    grid, own = 2.0 ** (1 - bits), stream(step.bits, 2.0 ** (step.bits - bits))  # the first stream's step everywhere
    if step.kind in POOLS:
        return _pool(step.kind, size) + ([own] if "average" in step.kind else [])
    if step.kind == "layer":
        return [*_branch(step, channels, step.outputs, size, step.stride), own]
    if step.kind == "beside":
        return [_Beside(nn.Sequential(*_branch(step, channels, step.outputs, size, 1), stream(bits, 1.0)))]
    stride = step.stride if step.kind != "identity" and size > 2 else 1
    outputs = {"identity": channels, "option A": channels + 2}.get(step.kind, step.outputs)
    stride = 2 if step.kind in ("option A", "average") else stride
    branch = _branch(step, channels, outputs, size, stride)
    if step.finer == 9 and step.method in ("none", "scale"):  # a raw sum, whose grid every channel shares
        ends = []
    else:
        shift = step.finer if step.finer < 9 else 0
        ends = [stream(bits + 1, 2.0 ** (bits + shift) * grid)]
    return [Residual(nn.Sequential(*branch, *ends), _shortcut(step.kind, channels, outputs, stride, bits), own)]


def _pool(kind: str, size: int) -> list[nn.Module]:
    if size < 3:
        return [nn.Identity()]
    pool = nn.MaxPool2d if "max" in kind else nn.AvgPool2d
    return [pool(3, 2, 1) if "overlapping" in kind else pool(2)]


def _branch(step: Step, channels: int, outputs: int, size: int, stride: int) -> list[nn.Module]:
    """Signs, a border, a binary convolution that keeps the size but for its stride, a normalisation."""
    how = method(step.method if channels * step.kernel**2 > 1 else "bn")
    groups = step.groups if channels % step.groups == outputs % step.groups == 0 else 1
    dilation = step.dilation if size > 3 else 1
    if step.method == "bnfree" and channels // groups * step.kernel**2 == 1:
        how = method("bn")
    around = (step.kernel - 1) * dilation
    before = around // 2
    pads = [before, around - before] * 2
    if step.uneven and around > 1 and stride == 1 and step.kind in ("layer",):
        pads[3] += 1
    layer = qnn.QuantConv2d(channels, outputs, step.kernel, stride, dilation=dilation, groups=groups, bias=False,
                            weight_quant=BinaryWeight)  # fmt: skip
    layer = how.weights(layer)
    return [*how.signs(channels, True), nn.ConstantPad2d(pads, step.value), layer, *how.norm(layer, outputs, True)]


def _shortcut(kind: str, channels: int, outputs: int, stride: int, bits: int) -> nn.Module | None:
    """Of a residual block; None where the stream itself is added."""
    if kind == "identity":
        return None
    if kind == "option A":
        return PickAndPad(channels, outputs)
    ends = [nn.BatchNorm2d(outputs), stream(bits, 1.0)]
    if kind == "8 bits":
        return nn.Sequential(
            qnn.QuantConv2d(channels, outputs, 1, stride, bias=False, weight_quant=Weight8), *ends)  # fmt: skip
    pool = [nn.AvgPool2d(2, ceil_mode=False)] if kind == "average" else []
    conv = qnn.QuantConv2d(channels, outputs, 1, 1 if pool else stride, bias=False, weight_quant=BinaryWeight)
    return nn.Sequential(*pool, method("bn").sign(channels, "clipped"), conv, *ends)


class _Beside(nn.Module):
    """The branch's channels behind the stream's."""

    def __init__(self, branch: nn.Module):
        super().__init__()
        self.branch = branch

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.branch(x)], dim=1)
