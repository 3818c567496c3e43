"""The scale of binary weights that stands for their magnitude, without learning: XNOR-Net's.

    W_o = kappa_o sign(w_o),   kappa_o = mean |w_o|, no gradient through kappa
    gradient   d(kappa_o sign(w)) / dw = kappa_o where |w| <= 1

The layer computes with sign(w) alone and a `Kappa` behind it multiplies its accumulators.

Reference: Rastegari et al., "XNOR-Net", ECCV 2016, section 3.1. The code of Liu et al., "ReActNet", ECCV 2020, has the
gradient 1 instead of kappa_o.
"""

from torch import nn
from torch.nn.utils import parametrize

from signflow.models.layers.binary import is_binary
from signflow.models.layers.standardise import Kappa


def latent(layer: nn.Module) -> nn.Module:
    """Put an identity in front of a binary layer's weights, which marks them as latent until they are baked: from then
    on `Kappa` keeps its value. Returns the layer; one of 8-bit weights has its magnitude in them and stays as it is.
    """
    if is_binary(layer):
        parametrize.register_parametrization(layer, "weight", nn.Identity())
    return layer


def magnitude(layer: nn.Module) -> list[nn.Module]:
    """What stands behind ``layer``: kappa where the weights are signs, else nothing."""
    return [Kappa(layer)] if is_binary(layer) else []
