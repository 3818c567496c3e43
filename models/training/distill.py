"""Distillation: the student learns the teacher's softmax (temperature 1), instead of the labels or beside them.

    "cross-entropy"          L = -log p_label
    "distillation"           L = -sum_c q_c log p_c                p, q: softmax of student's and teacher's logits
    "distillation+labels"    L = mean of both

References: Hinton et al., "Distilling the knowledge in a neural network" (2015); without labels as in Chen et al.,
"BNN - BN = ?", CVPR workshops 2021.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from signflow.models import weights
from signflow.models.networks import NETWORKS, network
from signflow.models.training.recipe import Recipe, RecipeError

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(logits (N, classes), labels (N,), images (N, C, H, W) as the network gets them) -> mean loss, a scalar."""


def teacher(recipe: Recipe) -> nn.Module:
    """The recipe's teacher in eval mode, without gradients. Raises RecipeError, or WeightsError for a bad file."""
    if recipe.teacher in NETWORKS:
        ours, theirs = network(recipe.net).input_shape, network(recipe.teacher).input_shape
        if ours != theirs:
            raise RecipeError(f"teacher = {recipe.teacher!r} reads images {theirs}, the student {ours}")
        if recipe.teacher_weights:
            net = weights.load_into(network(recipe.teacher).build(), Path(recipe.teacher_weights))
        else:
            net = weights.trained(recipe.teacher)
    else:
        net = _torchscript(recipe)
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    return net.eval()


def _torchscript(recipe: Recipe) -> nn.Module:
    path = Path(recipe.teacher)
    if path.suffix != ".pt":
        raise RecipeError(
            f"teacher = {recipe.teacher!r}: neither a TorchScript file (.pt) nor one of `signflow networks --all`"
        )
    if recipe.teacher_weights:
        raise RecipeError(f"teacher_weights = {recipe.teacher_weights!r}: a TorchScript teacher holds its own")
    if not path.exists():
        raise RecipeError(f"teacher = {recipe.teacher!r}: no such file; save it with torch.jit.save")
    try:
        return torch.jit.load(path, map_location="cpu")
    except RuntimeError as e:
        raise RecipeError(f"teacher = {recipe.teacher!r}: not a TorchScript file ({e})") from e


def soft_cross_entropy(student: Tensor, teacher: Tensor) -> Tensor:
    """-sum_c softmax(teacher)_c log softmax(student)_c, mean over the batch; logits (N, classes)."""
    return cross_entropy(student, teacher.softmax(1))


def loss_of(recipe: Recipe, device: torch.device) -> Loss:
    """The loss that a recipe asks for; loads its teacher to ``device``. Raises as `teacher`."""
    if recipe.loss == "cross-entropy":
        return lambda logits, labels, images: cross_entropy(logits, labels)
    guide = teacher(recipe).to(device)
    share = {"distillation": 0.0, "distillation+labels": 0.5}[recipe.loss]

    def loss(logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=recipe.amp):
            target = guide(images).float()
        if target.shape != logits.shape:
            raise RecipeError(f"the teacher gives logits {tuple(target.shape)}, the student {tuple(logits.shape)}")
        soft = soft_cross_entropy(logits, target)
        return soft if not share else (1 - share) * soft + share * cross_entropy(logits, labels)

    return loss
