"""The papers' networks a second time: plain functions in float64, written from the papers' formulas and the docstrings.

They read the parameters of our modules, in the order of their registration, and share no code with them. Batch
statistics, streams in float. Every sign has the gradient that its paper gives it.
"""

import math
from collections import deque

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from signflow.models.layers.abn import ABN
from signflow.models.layers.asd import ASD
from signflow.models.layers.rprelu import LearnableBias, RPReLU
from signflow.models.layers.standardise import Kappa

SLOPES = {
    "identity": torch.ones_like,
    "clipped": lambda x: (x.abs() <= 1).to(x.dtype),
    "quadratic": lambda x: torch.where(x < 0, 2 + 2 * x, 2 - 2 * x) * (x.abs() < 1),
    "ede": lambda x: 1000 * 0.001 * (1 - torch.tanh(0.001 * x) ** 2),  # at the beginning of the training
    "ede-vgg": lambda x: 10 * 0.1 * (1 - torch.tanh(0.1 * x) ** 2),
}
STATISTICS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "fashion-mnist": ((0.2860,), (0.3530,)),
}


def through(values: Tensor, x: Tensor) -> Tensor:
    """``values`` with the gradient of ``x``."""
    return values.detach() + (x - x.detach())


def sign(x: Tensor, name: str) -> Tensor:
    slope = SLOPES[name](x.detach())
    return through(torch.where(x >= 0, 1.0, -1.0).to(x.dtype), slope * x)


def grid(x: Tensor, bits: int, limit: float, signed: bool = True, floor: bool = False) -> Tensor:
    """Fixed-range quantiser; the gradient passes inside the closed range."""
    step = limit / 2 ** (bits - signed)
    low, high = (-limit if signed else 0.0), limit - step
    inside = (x.detach() >= low) & (x.detach() <= limit)
    rounded = torch.floor(x / step) if floor else torch.round(x / step)
    return through((rounded * step).clamp(low, high), x * inside)


def weight8(w: Tensor) -> Tensor:
    """8-bit weights on the power of two that holds the largest."""
    step = 2.0 ** (math.ceil(math.log2(w.detach().abs().max())) - 7)
    return through((w / step).round().clamp(-127, 127) * step, w)


class Parts:
    """The parameter-bearing parts of a network, kind by kind, in the order of their registration."""

    KINDS = {  # whatever stands first and fits
        "asd": ASD,
        "rprelu": RPReLU,
        "bias": LearnableBias,
        "gain": Kappa,
        "norm": (ABN, nn.BatchNorm1d, nn.BatchNorm2d),
        "prelu": nn.PReLU,
        "conv": nn.Conv2d,
        "dense": nn.Linear,
    }

    def __init__(self, net: nn.Module):
        self.queues = {kind: deque() for kind in self.KINDS}
        self._collect(net)

    def _collect(self, module: nn.Module) -> None:
        kind = next((kind for kind, types in self.KINDS.items() if isinstance(module, types)), None)
        if kind:
            self.queues[kind].append(module)
        for child in [] if kind else module.children():
            self._collect(child)

    def __getattr__(self, kind: str):
        return self.queues[kind].popleft()

    def left(self) -> int:
        return sum(map(len, self.queues.values()))


def wide(v: Tensor, like: Tensor) -> Tensor:
    return v.reshape(1, -1, *[1] * (like.dim() - 2))


def latent(layer: nn.Module) -> Tensor:
    parts = getattr(layer, "parametrizations", None)
    return layer.weight if parts is None else parts.weight.original


def normalised(m: nn.Module, x: Tensor) -> Tensor:
    """BN with what affine parameters it has, or ABN, by the batch's own statistics."""
    axes = [i for i in range(x.dim()) if i != 1]
    mean = x.mean(axes, keepdim=True)
    x = (x - mean) / torch.sqrt(((x - mean) ** 2).mean(axes, keepdim=True) + 1e-5)
    if isinstance(m, ABN):
        return x * torch.sigmoid(x) + wide(m.beta, x)
    return x if m.weight is None else x * wide(m.weight, x) + wide(m.bias, x)


def standardised(w: Tensor) -> Tensor:
    axes = tuple(range(1, w.dim()))
    mean = w.mean(axes, keepdim=True)
    std = ((w - mean) ** 2).mean(axes, keepdim=True).sqrt()
    return (w - mean) / (std + 1e-5) / w[0].numel() ** 0.5


def scaled_signs(w: Tensor) -> Tensor:
    """mean |w| sign(w), gradient 1 where |w| <= 1."""
    kappa = w.detach().abs().mean((1, 2, 3), keepdim=True)
    return through(kappa * torch.where(w >= 0, 1.0, -1.0), w.clamp(-1, 1))


def self_distributed(layer: nn.Module, estimator: str) -> Tensor:
    w, alpha = latent(layer), layer.parametrizations.weight[0].alpha
    mean = 0.01 * w.detach().mean((1, 2, 3))
    return sign(w + (torch.sigmoid(alpha) * mean).view(-1, 1, 1, 1), estimator)


def asd(m: ASD, z: Tensor, estimator: str) -> Tensor:
    """sign(a + s), s of 16 levels from 8-bit means and weights (the docstring of `ASD`)."""
    a = grid(z, 5, 1.0)
    means = a.sum((2, 3)) / 2 ** math.ceil(math.log2(z.shape[2] * z.shape[3]))
    hidden = grid(F.linear(grid(means, 8, 1.0), weight8(m.squeeze.weight)), 8, 4.0, signed=False)
    s = torch.sigmoid(F.linear(hidden, weight8(m.excite.weight)))
    s = grid(s, 4, 1.0, signed=False, floor=True) + 1 / 32
    return sign(a + s[:, :, None, None], estimator)


def pixels(x: Tensor, statistics: str) -> Tensor:
    mean, std = (torch.tensor(v, dtype=torch.float64).view(1, -1, 1, 1) for v in STATISTICS[statistics])
    return grid((x / 255 - mean) / std, 8, 4.0)


def stem(p: Parts, x: Tensor, statistics: str, standardise: bool = False, norm: bool = True) -> Tensor:
    """8-bit convolution of pixels, and the norm."""
    conv = p.conv
    w = standardised(latent(conv)) if standardise else latent(conv)
    k = conv.kernel_size[0]
    y = F.conv2d(pixels(x, statistics), weight8(w), stride=conv.stride, padding=k // 2)
    if standardise:
        return y * wide(p.gain.gain, y)
    return normalised(p.norm, y) if norm else y


def last(p: Parts, x: Tensor, limit: float) -> Tensor:
    layer = p.dense
    return F.linear(grid(x, 8, limit), weight8(layer.weight), layer.bias)


def binarynet(net: nn.Module, x: Tensor, statistics: str = "imagenet") -> Tensor:
    p = Parts(net)
    y = stem(p, x, statistics)
    for pooled in (True, False, True, False, True):
        y = F.conv2d(sign(F.hardtanh(y), "clipped"), sign(latent(p.conv), "identity"), padding=1)
        y = normalised(p.norm, F.max_pool2d(y, 2) if pooled else y)
    y = y.flatten(1)
    for _ in range(2):
        y = normalised(p.norm, F.linear(sign(y, "clipped"), sign(latent(p.dense), "identity")))
    y = normalised(p.norm, last(p, y, 1.0))
    assert not p.left()
    return y


def vgg_small(net: nn.Module, x: Tensor) -> Tensor:
    p = Parts(net)
    y = stem(p, x, "imagenet")
    for pooled in (True, False, True, False, True):
        y = F.conv2d(asd(p.asd, y, "ede-vgg"), self_distributed(p.conv, "ede-vgg"), padding=1)
        y = normalised(p.norm, F.max_pool2d(y, 2) if pooled else y)
    y = last(p, y.flatten(1), 1.0)
    assert not p.left()
    return y


def abn_resnet18(net: nn.Module, x: Tensor, statistics: str = "imagenet") -> Tensor:
    p = Parts(net)
    y = F.hardtanh(stem(p, x, statistics))
    for block in range(6):
        stride = 2 if block in (2, 4) else 1
        signs = sign(y, "identity")
        inner = F.conv2d(signs, sign(latent(p.conv), "identity"), stride=stride, padding=1)
        inner = sign(F.hardtanh(normalised(p.norm, inner)), "clipped")
        out = F.conv2d(inner, sign(latent(p.conv), "identity"), padding=1)
        if stride == 2:
            y = normalised(p.norm, F.conv2d(signs, sign(latent(p.conv), "identity"), stride=2))
        y = out + y
        if block < 5:
            y = F.hardtanh(normalised(p.norm, y))
    y = normalised(p.norm, F.avg_pool2d(y, 8).flatten(1))
    y = normalised(p.norm, last(p, y, 1.0))
    assert not p.left()
    return y


def sd_layer(p: Parts, x: Tensor, stride: int, estimators: tuple[str, str] = ("ede", "ede")) -> Tensor:
    conv = p.conv
    y = F.conv2d(asd(p.asd, x, estimators[0]), self_distributed(conv, estimators[1]), stride=stride, padding=1)
    return normalised(p.norm, y)


def real_shortcut(p: Parts, x: Tensor, stride: int) -> Tensor:
    return normalised(p.norm, F.conv2d(x, weight8(latent(p.conv)), stride=stride))


def sd_resnet20(net: nn.Module, x: Tensor, statistics: str = "imagenet") -> Tensor:
    p = Parts(net)
    y = F.hardtanh(stem(p, x, statistics))
    for block in range(18):
        stride = 2 if block in (6, 12) else 1
        out = sd_layer(p, y, stride)
        new = (out.shape[1] - y.shape[1]) // 2
        y = F.hardtanh(out + F.pad(y[:, :, ::stride, ::stride], (0, 0, 0, 0, new, new)))
    y = last(p, normalised(p.norm, y.mean((2, 3))), 4.0)
    assert not p.left()
    return y


def sd_resnet18(net: nn.Module, x: Tensor) -> Tensor:
    p = Parts(net)
    y = F.hardtanh(stem(p, x, "imagenet"))
    for block in range(8):
        stride = 2 if block in (2, 4, 6) else 1
        out = sd_layer(p, sd_layer(p, y, stride), 1)
        y = F.hardtanh(out + (real_shortcut(p, y, 2) if stride == 2 else y))
    y = last(p, normalised(p.norm, y.mean((2, 3))), 4.0)
    assert not p.left()
    return y


def sd_resnet18_imagenet(net: nn.Module, x: Tensor) -> Tensor:
    p = Parts(net)
    y = F.max_pool2d(stem(p, x, "imagenet"), 3, 2, 1)
    for block in range(16):
        stride = 2 if block in (4, 8, 12) else 1
        out = sd_layer(p, y, stride, ("quadratic", "clipped"))
        y = out + (real_shortcut(p, F.avg_pool2d(y, 2), 1) if stride == 2 else y)
        y = torch.where(y >= 0, y, wide(p.prelu.weight, y) * y)
    y = last(p, y.mean((2, 3)), 4.0)
    assert not p.left()
    return y


class React:
    """The parts of a ReActNet: ``variant`` bf (BN-free), bn or none."""

    def __init__(self, net: nn.Module, variant: str):
        self.p, self.variant = Parts(net), variant
        self.alpha = 0.2 if variant == "bf" else 1.0

    def beta(self, x: Tensor, beta: float) -> Tensor:
        return x * beta if self.variant == "bf" else x

    def conv(self, x: Tensor, stride: int) -> Tensor:
        layer, scale = self.p.conv, self.p.gain
        w = latent(layer)
        w = scale.gain * scaled_signs(standardised(w)) if self.variant == "bf" else scaled_signs(w)
        y = F.conv2d(x, w, stride=stride, padding=layer.kernel_size[0] // 2)
        return normalised(self.p.norm, y) if self.variant == "bn" else y

    def signs(self, x: Tensor) -> Tensor:
        return sign(x + self.p.bias.bias, "quadratic")

    def rprelu(self, x: Tensor) -> Tensor:
        m = self.p.rprelu
        x = x + m.before.bias
        return torch.where(x >= 0, x, wide(m.slope, x) * x) + m.after.bias

    def block(self, x: Tensor, beta: float, stride: int, widens: bool) -> Tensor:
        scaled = self.beta(x, beta)
        y = self.conv(self.signs(scaled), stride)
        if stride == 2:
            x = F.avg_pool2d(scaled, 2)
            x = self.conv(x, 1) if widens else x
        return self.rprelu(self.alpha * y + x)

    def doubling(self, x: Tensor, beta: float) -> Tensor:
        s = self.signs(self.beta(x, beta))
        return self.rprelu(torch.cat([self.alpha * self.conv(s, 1) + x for _ in range(2)], 1))

    def stem(self, x: Tensor, statistics: str) -> Tensor:
        return stem(self.p, x, statistics, self.variant == "bf", self.variant == "bn")

    def head(self, x: Tensor) -> Tensor:
        y = last(self.p, x.mean((2, 3)), 4.0)
        assert not self.p.left()
        return y


def reactnet18(net: nn.Module, x: Tensor, variant: str = "bf", statistics: str = "cifar10") -> Tensor:
    r, variance = React(net, variant), 1.0
    y = r.stem(x, statistics)
    for stage in range(4):
        for block in range(4):
            y = r.block(y, variance**-0.5, 2 if stage and not block else 1, stage > 0 and not block)
            variance = 1.0 if block == 0 else variance + 0.04
    return r.head(y)


def reactnet_a(net: nn.Module, x: Tensor, variant: str = "bf") -> Tensor:
    r, variance = React(net, variant), 1.0
    y, stages = r.stem(x, "imagenet"), (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    for i, out in enumerate(stages):
        stride = 2 if i in (1, 3, 5, 11) else 1
        y = r.block(y, variance**-0.5, stride, False)
        variance += 0.04
        doubles = out > ((32, *stages)[i])
        y = r.doubling(y, variance**-0.5) if doubles else r.block(y, variance**-0.5, 1, False)
        variance = 1.0 if stride == 2 else variance + 0.04
    return r.head(y)
