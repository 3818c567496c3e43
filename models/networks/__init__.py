"""The networks as plain modules, and one table `NETWORKS`: name -> how to build it, what it reads, what it is trained
on.

Images enter as uint8 values 0..255 in a float tensor; their scaling belongs to the network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from signflow.models.methods import METHODS
from signflow.models.networks.chains import cnv, mlp
from signflow.models.networks.reactnet import reactnet18, reactnet_a
from signflow.models.networks.resnet import abn_resnet18, sd_resnet18, sd_resnet18_imagenet, sd_resnet20
from signflow.models.networks.vgg import binarynet, vgg_small

__all__ = ["NETWORKS", "Network", "cnv", "mlp", "network", "predict"]


@dataclass(frozen=True)
class Network:
    """One row of `NETWORKS`."""

    build: Callable[[], nn.Module]
    """Makes the network with fresh weights."""
    input_shape: tuple[int, int, int]
    """(channels, height, width) of the uint8 image."""
    dataset: str
    """What the network is trained on by default: a name of `signflow.models.data`."""


CHAINS = {
    "tfc": (partial(mlp, 64), (1, 28, 28), "fashion-mnist"),
    "sfc": (partial(mlp, 256), (1, 28, 28), "fashion-mnist"),
    "lfc": (partial(mlp, 1024), (1, 28, 28), "fashion-mnist"),
    "cnv": (partial(cnv, 1), (1, 32, 32), "fashion-mnist"),
    "cnv-s": (partial(cnv, 1, width=0.5), (1, 32, 32), "fashion-mnist"),
    "cnv-cifar": (partial(cnv, 3), (3, 32, 32), "cifar10"),
}


def _chains() -> dict[str, Network]:
    """Every chain with every method; batch normalisation needs no suffix."""
    return {
        base if name == "bn" else f"{base}-{name}": Network(partial(build, normalisation=name), shape, dataset)
        for base, (build, shape, dataset) in CHAINS.items()
        for name in METHODS
    }


CIFAR, TINY, IMAGENET = (3, 32, 32), (3, 64, 64), (3, 224, 224)

PAPERS: dict[str, Network] = {
    "abn-binarynet": Network(binarynet, CIFAR, "cifar10"),
    "abn-binarynet-w1": Network(partial(binarynet, width=1.0), CIFAR, "cifar10"),
    "abn-binarynet-cifar100": Network(partial(binarynet, 100), CIFAR, "cifar100"),
    "abn-binarynet-tiny": Network(partial(binarynet, 200, size=64), TINY, "tiny-imagenet"),
    "bn-binarynet": Network(partial(binarynet, normalisation="bn"), CIFAR, "cifar10"),
    "abn-resnet18": Network(abn_resnet18, CIFAR, "cifar10"),
    "abn-resnet18-cifar100": Network(partial(abn_resnet18, 100), CIFAR, "cifar100"),
    "abn-resnet18-tiny": Network(partial(abn_resnet18, 200, size=64), TINY, "tiny-imagenet"),
    "bn-resnet18": Network(partial(abn_resnet18, normalisation="bn"), CIFAR, "cifar10"),
    "sd-vgg-small": Network(vgg_small, CIFAR, "cifar10"),
    "sd-resnet20": Network(sd_resnet20, CIFAR, "cifar10"),
    "sd-resnet18": Network(sd_resnet18, CIFAR, "cifar10"),
    "sd-resnet18-imagenet": Network(sd_resnet18_imagenet, IMAGENET, "imagenet"),
    "reactnet18": Network(reactnet18, CIFAR, "cifar10"),
    "reactnet18-cifar100": Network(partial(reactnet18, 100, statistics="cifar100"), CIFAR, "cifar100"),
    "reactnet18-bn": Network(partial(reactnet18, variant="bn"), CIFAR, "cifar10"),
    "reactnet18-none": Network(partial(reactnet18, variant="none"), CIFAR, "cifar10"),
    "reactnet-a": Network(reactnet_a, IMAGENET, "imagenet"),
    "reactnet-a-bn": Network(partial(reactnet_a, variant="bn"), IMAGENET, "imagenet"),
    "reactnet-a-none": Network(partial(reactnet_a, variant="none"), IMAGENET, "imagenet"),
}

NETWORKS: dict[str, Network] = _chains() | PAPERS


def network(name: str) -> Network:
    """Look up a network; raises ValueError that lists the known names."""
    if name not in NETWORKS:
        methods = [m for m in METHODS if m != "bn"]
        raise ValueError(
            f"unknown network {name!r}; known networks: {', '.join([*CHAINS, *PAPERS])}; "
            f"{', '.join(CHAINS)} also with a method behind a dash: {', '.join(methods)}"
        )
    return NETWORKS[name]


def predict(net: nn.Module, images: Tensor, batch: int = 250) -> Tensor:
    """Float logits (N, classes) of uint8 ``images`` (N, C, H, W), in eval mode and plain float32 arithmetic (the top
    rung of the ladder).
    """
    net.eval()
    with torch.inference_mode():
        return torch.cat([net(part.float()) for part in images.split(batch)])
