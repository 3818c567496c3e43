"""The scale of binary weights that stands for their magnitude, without learning: XNOR-Net's.

    W_o = kappa_o sign(w_o),   kappa_o = mean |w_o|, no gradient through kappa
    gradient   d(kappa_o sign(w)) / dw = 1 where |w| <= 1

The layer computes with sign(w) alone and a `Kappa` behind it multiplies its accumulators, which puts kappa_o into the
gradient of w as well; `Latent` divides it out again. A batch normalisation behind a `Kappa` hides kappa from the
forward pass but for its eps, not from the gradient: latent weights see 1 / kappa_o times what they would see without.

Reference: Rastegari et al., "XNOR-Net", ECCV 2016, section 3.1, for the scale; the gradient is that of the released
code of Liu et al., "ReActNet", ECCV 2020, and of Chen et al., CVPR workshops 2021 (XNOR-Net's own has kappa_o + 1/N).
"""

from torch import Tensor, nn
from torch.nn.utils import parametrize

from signflow.models.layers.binary import is_binary
from signflow.models.layers.standardise import Kappa, straight_through


class Latent(nn.Module):
    """Parametrisation of the weight of ``layer``: the weight itself, and its gradient divided by kappa_o."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self._layer = (layer,)  # seen, not owned

    def forward(self, w: Tensor) -> Tensor:
        """``w`` (O, ...)."""
        return straight_through(w, self._layer[0])


def latent(layer: nn.Module) -> nn.Module:
    """Put a `Latent` in front of a binary layer's weights, which marks them as latent until they are baked: from then
    on `Kappa` keeps its value. Returns the layer; one of 8-bit weights has its magnitude in them and stays as it is.
    """
    if is_binary(layer):
        parametrize.register_parametrization(layer, "weight", Latent(layer))
    return layer


def magnitude(layer: nn.Module) -> list[nn.Module]:
    """What stands behind ``layer``: kappa where the weights are signs, else nothing."""
    return [Kappa(layer)] if is_binary(layer) else []
