"""Baking: what was a function of the latent weights during training becomes plain weights."""

from torch import Tensor, nn
from torch.nn.utils import parametrize

from signflow.models.layers.standardise import Kappa


def baked_state(net: nn.Module) -> dict[str, Tensor]:
    """The state that ``bake(net)`` would have, in its order, while ``net`` stays as it is: every parametrised weight by
    its value. As in ``state_dict``, the rest are the tensors of ``net`` itself, not copies.

    (A copy of a parametrised module shares its class with the original, and baking the copy would break the original:
    this function is the way to store a network in the middle of its training.)
    """
    _refresh(net)
    state = {}
    for key, value in net.state_dict().items():
        owner, latent, _ = key.partition("parametrizations.weight.")
        if not latent:
            state[key] = value
        elif f"{owner}weight" not in state:
            state[f"{owner}weight"] = net.get_submodule(owner.removesuffix(".")).weight.detach()
    return state


def bake(net: nn.Module) -> nn.Module:
    """Replace every parametrised weight by its present value, in place; returns ``net``.

    The network computes the same as before, its layers are plain Brevitas layers again (which is what export and the
    packing of weights need), and it can no longer be trained as the method wants.
    """
    _refresh(net)
    for module in list(net.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
    return net


def _refresh(net: nn.Module) -> None:
    for module in net.modules():
        if isinstance(module, Kappa):
            module.refresh()
