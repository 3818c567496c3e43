"""Batch normalisations of feature maps by name, for the networks in which they can be exchanged."""

from collections.abc import Callable
from functools import partial

from torch import nn

from signflow.models.layers.abn import ABN

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "bn": nn.BatchNorm2d,
    "abn": ABN,
    "abn-keep": partial(ABN, convention="keep"),  # the authors' running statistics: nearly the last batch's
}


def norm(name: str, channels: int) -> nn.Module:
    """A fresh normalisation of (N, channels, H, W); raises ValueError that lists the known names."""
    if name not in NORMS:
        raise ValueError(f"unknown normalisation {name!r}; known: {', '.join(NORMS)}")
    return NORMS[name](channels)
