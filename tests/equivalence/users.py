"""What users of Brevitas do to a network, shared by the tests that build theirs: a few steps of training, its file, its
logits as integers.
"""

import copy
from pathlib import Path

import brevitas.nn as qnn
import numpy as np
import torch
from brevitas.export import export_qonnx
from torch import nn

from signflow.deploy.compile import export
from signflow.deploy.compile.passes.head import Head

SIZE = 8
"""Height and width of the images, where a network does not say otherwise."""
NORMS = nn.BatchNorm1d | nn.BatchNorm2d


class Normalise(nn.Module):
    """(x - mean) / std, as transforms.Normalize does it."""

    def __init__(self, mean: list[float], std: list[float]):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).reshape(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(1, -1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) / self.std


class ToTensor(nn.Module):
    """Returns the tensor of a quantised tensor."""

    def forward(self, x):
        return getattr(x, "value", x)


def shape_of(net: nn.Module) -> tuple[int, ...]:
    """One image of ``net``: what it says itself, or as many channels as its first layer reads."""
    if hasattr(net, "shape"):
        return net.shape
    first = next(m for m in net.modules() if isinstance(m, qnn.QuantConv2d | qnn.QuantLinear))
    return (first.in_channels if isinstance(first, qnn.QuantConv2d) else 1, SIZE, SIZE)


def pixels(net: nn.Module, count: int, seed: int | None) -> np.ndarray:
    """Random images, uint8 (count, *shape); a ``seed`` of None draws one from PyTorch."""
    rng = np.random.default_rng(int(torch.randint(0, 2**31, ())) if seed is None else seed)
    return rng.integers(0, 256, (count, *shape_of(net)), dtype=np.uint8)


def trained(make, seed: int = 0, steps: int = 12) -> nn.Module:
    """A few steps on random images; gammas of both signs. In double precision, so that how a processor rounds float32
    does not decide which network it is.
    """
    torch.manual_seed(seed)
    net = make().train()
    for module in net.modules():
        if isinstance(module, NORMS):
            n = module.num_features
            module.weight.data = (torch.rand(n) + 0.5) * torch.where(torch.rand(n) < 0.25, -1.0, 1.0)
            module.bias.data = torch.rand(n) * 1.2 - 0.6
    optimiser = torch.optim.Adam(net.double().parameters(), 1e-3)
    for _ in range(steps):
        x = torch.from_numpy(pixels(net, 32, None)).double() / 255
        loss = nn.functional.cross_entropy(net(x), torch.randint(0, 10, (len(x),)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net.float().eval()


def logits(net: nn.Module, images: np.ndarray, kind: torch.dtype) -> np.ndarray:
    """PyTorch's, computed in ``kind``, of uint8 ``images`` as ToTensor() makes them."""
    with torch.no_grad():
        return copy.deepcopy(net).to(kind)(torch.from_numpy(images).to(kind) / 255).numpy()


def integers(net: nn.Module, head: Head, images: np.ndarray, kind: torch.dtype) -> np.ndarray:
    """What PyTorch's logits are the logits of, computed in ``kind``."""
    found, distance = head.invert(logits(net, images, kind))
    assert distance < 0.01  # of a step from one integer to the next
    return found


def saved(net: nn.Module, path: Path) -> Path:
    """The network's QONNX file, as Brevitas writes it."""
    with export._quiet():
        export_qonnx(net, torch.zeros(1, *shape_of(net)), export_path=str(path))
    return path
