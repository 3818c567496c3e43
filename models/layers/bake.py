"""Baking: what was a function of the latent weights during training becomes plain weights."""

from torch import Tensor, nn
from torch.nn.utils import parametrize

from signflow.models.layers.standardise import Gain


def baked_state(net: nn.Module) -> dict[str, Tensor]:
    """The state that ``bake(net)`` would have, without touching ``net``: every parametrised weight by its value.

    (A copy of a parametrised module shares its class with the original, and baking the copy would break the original:
    this function is the way to store a network in the middle of its training.)
    """
    _refresh(net)
    state = net.state_dict()
    for name, module in net.named_modules():
        if parametrize.is_parametrized(module, "weight"):
            prefix = f"{name}." if name else ""
            latent = f"{prefix}parametrizations.weight."
            state = {key: value for key, value in state.items() if not key.startswith(latent)}
            state[f"{prefix}weight"] = module.weight.detach()
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
        if isinstance(module, Gain):
            module.refresh()
