"""The scale of binary weights that stands for their magnitude, without learning: XNOR-Net's.

    W_o = kappa_o sign(w_o),   kappa_o = mean |w_o|, no gradient through kappa
    gradient   d(kappa_o sign(w)) / dw = kappa_o where |w| <= 1

The layer computes with sign(w) alone and `Magnitude` multiplies its accumulators.

Reference: Rastegari et al., "XNOR-Net", ECCV 2016, section 3.1. The code of Liu et al., "ReActNet", ECCV 2020, has the
gradient 1 instead of kappa_o.
"""

from torch import nn
from torch.nn.utils import parametrize

from signflow.models.layers.standardise import Kappa


class Magnitude(Kappa):
    """y = kappa_o x for the accumulators x of ``layer``, (N, C) or (N, C, H, W).

    Puts an identity in front of the layer's weights, which marks them as latent until they are baked: from then on
    the buffer keeps kappa. As in `Kappa`, it is 1 while the layer's weight quantiser is switched off.
    """

    def __init__(self, layer: nn.Module):
        parametrize.register_parametrization(layer, "weight", nn.Identity())
        super().__init__(layer)
