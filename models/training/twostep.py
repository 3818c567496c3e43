"""Two-step training: first only the activations are binary, then, from those parameters, the weights too.

Step one (``binarise = "activations"``) computes with each binary layer's real weight, behind its parametrisation and
in front of its sign: for standardised weights gain_o w^_o (`signflow.models.layers.standardise`). Both steps are the
same network with the same parameters, so they transfer by name.

Reference: Chen et al., "BNN - BN = ?", CVPR workshops 2021; the scheme is that of Martinez et al., "Training binary
neural networks with real-to-binary convolutions", ICLR 2020, section 4.
"""

import pickle
from pathlib import Path

import torch
from torch import Tensor, nn

from signflow.models.layers.binary import is_binary
from signflow.models.training.recipe import RecipeError


def real_weights(net: nn.Module) -> nn.Module:
    """Switch every binary weight quantiser of ``net`` off, in place; returns ``net``. Other quantisers stay."""
    for module in net.modules():
        if is_binary(module):
            module.weight_quant.disable_quant = True
    return net


def transfer(net: nn.Module, path: Path) -> nn.Module:
    """Fill ``net`` with the parameters and buffers of an earlier run (a checkpoint or a state dict); returns ``net``.

    Raises RecipeError when the file is missing, not readable, or of another network.
    """
    state, own = _state(path), net.state_dict()
    odd = sorted(set(own) ^ set(state)) or [n for n in own if own[n].shape != state[n].shape]
    if odd:
        raise RecipeError(f"init = {str(path)!r} does not fit the network: {', '.join(odd[:4])} differ")
    net.load_state_dict(state)
    return net


def _state(path: Path) -> dict[str, Tensor]:
    if not path.exists():
        raise RecipeError(f"init = {str(path)!r}: no such file; train the step before first, or correct the path")
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except (pickle.UnpicklingError, RuntimeError, EOFError) as e:
        raise RecipeError(f"init = {str(path)!r}: not a checkpoint of a training ({e})") from e
    if not isinstance(state, dict):
        raise RecipeError(f"init = {str(path)!r}: not a checkpoint of a training (it holds a {type(state).__name__})")
    return state.get("net", state)
