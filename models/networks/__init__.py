"""The networks as plain modules, and one table `NETWORKS`: name -> how to build it, what it reads, what it is trained
on. Every network, of ours or of a paper, comes in every normalisation of `signflow.models.methods`, and under the names
of `signflow.models.sizes` in other sizes.

Images enter as uint8 values 0..255 in a float tensor; their scaling belongs to the network.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from inspect import signature

import torch
from torch import Tensor, nn

from signflow.models.methods import METHODS
from signflow.models.networks.chains import cnv, mlp
from signflow.models.networks.reactnet import reactnet18, reactnet_a
from signflow.models.networks.resnet import abn_resnet18, sd_resnet18, sd_resnet18_imagenet, sd_resnet20
from signflow.models.networks.vgg import binarynet, vgg_small
from signflow.models.sizes import Sized, options_of

__all__ = ["NETWORKS", "Network", "cnv", "every_method", "mlp", "network", "networks", "predict"]


@dataclass(frozen=True)
class Network:
    """One row of `NETWORKS`."""

    build: Callable[[], nn.Module]
    """Makes the network with fresh weights."""
    input_shape: tuple[int, int, int]
    """(channels, height, width) of the uint8 image."""
    dataset: str
    """What the network is trained on by default: a name of `signflow.models.data`."""

    @property
    def method(self) -> str:
        """Its normalisation, a name of `METHODS`."""
        return self.option("normalisation")

    @property
    def sizes(self) -> dict[str, list[str]]:
        """Options that a name may set -> the kinds of numbers they take (`signflow.models.sizes`)."""
        return options_of(signature(self.build).parameters)

    def option(self, name: str) -> object:
        """What the network has for an option of its function."""
        return signature(self.build).parameters[name].default

    def with_options(self, **options) -> "Network":
        """The same network with other options."""
        return replace(self, build=partial(self.build, **options))

    def with_method(self, name: str) -> "Network":
        """The same network with another normalisation."""
        return self.with_options(normalisation=name)


GREY, WIDE_GREY = (1, 28, 28), (1, 32, 32)
CIFAR, TINY, IMAGENET = (3, 32, 32), (3, 64, 64), (3, 224, 224)

CHAINS: dict[str, Network] = {
    "tfc": Network(partial(mlp, width=64), GREY, "fashion-mnist"),
    "sfc": Network(partial(mlp, width=256), GREY, "fashion-mnist"),
    "lfc": Network(partial(mlp, width=1024), GREY, "fashion-mnist"),
    "cnv": Network(partial(cnv, 1), WIDE_GREY, "fashion-mnist"),
    "cnv-s": Network(partial(cnv, 1, width=0.5), WIDE_GREY, "fashion-mnist"),
    "cnv-cifar": Network(partial(cnv, 3), CIFAR, "cifar10"),
}

PROPOSED: dict[str, Network] = {
    "abn-binarynet": Network(binarynet, CIFAR, "cifar10"),
    "abn-binarynet-w1": Network(partial(binarynet, width=1.0), CIFAR, "cifar10"),
    "abn-binarynet-cifar100": Network(partial(binarynet, 100), CIFAR, "cifar100"),
    "abn-binarynet-tiny": Network(partial(binarynet, 200, size=64), TINY, "tiny-imagenet"),
    "abn-resnet18": Network(abn_resnet18, CIFAR, "cifar10"),
    "abn-resnet18-cifar100": Network(partial(abn_resnet18, 100), CIFAR, "cifar100"),
    "abn-resnet18-tiny": Network(partial(abn_resnet18, 200, size=64), TINY, "tiny-imagenet"),
    "sd-vgg-small": Network(vgg_small, CIFAR, "cifar10"),
    "sd-resnet20": Network(sd_resnet20, CIFAR, "cifar10"),
    "sd-resnet18": Network(sd_resnet18, CIFAR, "cifar10"),
    "sd-resnet18-imagenet": Network(sd_resnet18_imagenet, IMAGENET, "imagenet"),
    "reactnet18": Network(reactnet18, CIFAR, "cifar10"),
    "reactnet18-cifar100": Network(partial(reactnet18, 100, statistics="cifar100"), CIFAR, "cifar100"),
    "reactnet-a": Network(reactnet_a, IMAGENET, "imagenet"),
}
"""The papers' networks with the normalisation that each proposes."""

BASELINES: dict[str, Network] = {
    "bn-binarynet": PROPOSED["abn-binarynet"].with_method("bn"),
    "bn-resnet18": PROPOSED["abn-resnet18"].with_method("bn"),
    "reactnet18-bn": PROPOSED["reactnet18"].with_method("bn-magnitude"),
    "reactnet18-none": PROPOSED["reactnet18"].with_method("magnitude"),
    "reactnet-a-bn": PROPOSED["reactnet-a"].with_method("bn-magnitude"),
    "reactnet-a-none": PROPOSED["reactnet-a"].with_method("magnitude"),
}
"""What the papers compare with; the ReActNets' "bn" and "none" keep the weights' magnitude, as their code does."""

PAPERS = PROPOSED | BASELINES


def _narrow(build: Callable[..., nn.Module], width: float, **options) -> Network:
    return Network(partial(build, width=width, statistics="fashion-mnist", **options), WIDE_GREY, "fashion-mnist")


NARROW: dict[str, Network] = {
    "abn-resnet18-fashion": _narrow(abn_resnet18, 0.2),
    "bn-resnet18-fashion": _narrow(abn_resnet18, 0.2, normalisation="bn"),
    "sd-resnet20-fashion": _narrow(sd_resnet20, 1.0),
    "reactnet18-fashion": _narrow(reactnet18, 0.25),
    "reactnet18-bn-fashion": _narrow(reactnet18, 0.25, normalisation="bn-magnitude"),
}
"""The papers' residual networks for grey images, from 16 channels on: small enough to be trained on a CPU and for the
4.9 Mbit of block RAM of an XC7Z020.
"""

STREAMS: dict[str, Network] = {
    f"{name}-{f'{bits}bit' if bits else 'float'}": NARROW[name].with_options(stream_bits=bits)
    for name in ("abn-resnet18-fashion", "sd-resnet20-fashion", "reactnet18-fashion")
    for bits in (3, 4, 5, 6, 8, None)
    if bits != NARROW[name].option("stream_bits")
}
"""The same with other streams: of fewer or more bits, or float as in the papers, which no hardware computes exactly."""

BORDERS: dict[str, Network] = {"bn-resnet18-fashion-minus": NARROW["bn-resnet18-fashion"].with_options(pad_value=-1.0)}
"""One with a border of -1 where the papers have 0."""

MAGNITUDES: dict[str, Network] = {"reactnet18-bn-fashion-signs": NARROW["reactnet18-bn-fashion"].with_method("bn")}
"""One whose BN follows weights +-1, without the magnitude mean |w| that the papers' code multiplies them by."""


def every_method(networks: dict[str, Network]) -> dict[str, Network]:
    """Each network as it is, and under its name and a method's with a dash between them in all the other methods."""
    return {
        base if name == row.method else f"{base}-{name}": row if name == row.method else row.with_method(name)
        for base, row in networks.items()
        for name in METHODS
    }


NETWORKS: dict[str, Network] = Sized(
    every_method(CHAINS) | every_method(PROPOSED) | BASELINES | NARROW | STREAMS | BORDERS | MAGNITUDES,
    lambda row: row.sizes,
    lambda row, options: row.with_options(**options),
)
SHIPPED = dict(NETWORKS)
"""The table as it came; a program may add to `NETWORKS`."""


def networks() -> list[str]:
    """Names of all networks: chains and those of the papers in every normalisation, and the narrow ones."""
    return list(NETWORKS)


def network(name: str) -> Network:
    """Look up a network; raises ValueError with the nearest known name."""
    if name not in NETWORKS:
        near = get_close_matches(name, [*CHAINS, *PAPERS, *NARROW], 1) or get_close_matches(name, NETWORKS, 1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        remedy = "`signflow networks` lists them, and a QONNX file is named by its path"
        raise ValueError(f"unknown network {name!r}{meant}; {remedy}")
    return NETWORKS[name]


def predict(net: nn.Module, images: Tensor, batch: int = 250) -> Tensor:
    """Float logits (N, classes) of uint8 ``images`` (N, C, H, W), in eval mode and plain float32 arithmetic (the top
    rung of the ladder).
    """
    net.eval()
    with torch.inference_mode():
        return torch.cat([net(part.float()) for part in images.split(batch)])
