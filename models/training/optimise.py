"""The optimiser and the learning rate that a recipe asks for."""

import math

import torch
from torch import nn

from signflow.models.training.agc import AdaptiveGradientClipping, exclude_classifier
from signflow.models.training.recipe import Recipe


def groups(net: nn.Module, recipe: Recipe) -> list[dict]:
    """Parameter groups: those that decay and, where only some do, the others."""
    named = list(net.named_parameters())
    if recipe.decay == "all" or not recipe.weight_decay:
        return [{"params": [p for _, p in named], "weight_decay": recipe.weight_decay}]
    decays = [p.ndim == 4 or "conv" in name for name, p in named]
    return [
        {"params": [p for (_, p), d in zip(named, decays, strict=True) if d], "weight_decay": recipe.weight_decay},
        {"params": [p for (_, p), d in zip(named, decays, strict=True) if not d], "weight_decay": 0.0},
    ]


def optimiser(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer | AdaptiveGradientClipping:
    """A fresh optimiser of all parameters of ``net``."""
    if recipe.optimiser == "adam":
        inner = torch.optim.Adam(groups(net, recipe), recipe.lr)
    else:
        inner = torch.optim.SGD(groups(net, recipe), recipe.lr, recipe.momentum)
    if not recipe.agc:
        return inner
    return AdaptiveGradientClipping(inner, net.named_parameters(), recipe.agc, exclude_classifier(net))


def learning_rate(recipe: Recipe, step: int, per_epoch: int) -> float:
    """At ``step`` = 0, 1, ... counted over the whole training; ``per_epoch`` steps are an epoch."""
    done = step / (per_epoch * recipe.epochs)
    shape = {
        "cosine": 0.5 * (1 + math.cos(math.pi * done)),
        "linear": 1 - done,
        "linear-epochs": 1 - (step // per_epoch + 1) / recipe.epochs,
        "constant": 1.0,
    }[recipe.schedule]
    warm = min(1.0, (step + 1) / (per_epoch * recipe.warmup)) if recipe.warmup else 1.0
    return recipe.lr * warm * shape
