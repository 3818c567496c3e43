"""Weight self-distribution: every filter's latent weights are moved by a learnable share of their own mean.

    w'_o = w_o + sigmoid(alpha_o) m_o,   m_o = 0.01 mean(w_o) without gradient,   alpha starts at 0
    the layer then computes with sign(w'_o)

The real-weight step of the two-step training does not shift (m_o = 0), as in the authors' code for ImageNet.

Static: after training the shift is part of the signs, and the hardware never sees it.

Reference: Xue et al., "Self-Distribution Binary Neural Networks", Applied Intelligence 2022 (arXiv 2103.02394), and
their released code.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from signflow.models.layers.binary import is_binary
from signflow.models.layers.standardise import takes_signs

MEAN_SHARE = 0.01


class WeightShift(nn.Module):
    """Parametrisation of the weight (O, ...) of ``layer``: w -> w', same shape."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self._layer = (layer,)  # seen, not owned
        self.alpha = nn.Parameter(torch.zeros(layer.weight.shape[0]))

    def forward(self, w: Tensor) -> Tensor:
        """Shifted latent weights."""
        shape = (-1, *[1] * (w.dim() - 1))
        share = MEAN_SHARE if takes_signs(self._layer[0]) else 0.0
        mean = share * w.detach().flatten(1).mean(1)
        return w + (torch.sigmoid(self.alpha) * mean).view(shape)


def self_distribute(layer: nn.Module) -> nn.Module:
    """Put a `WeightShift` in front of a binary layer's weight quantiser; returns the layer. A layer of 8-bit weights
    stays as it is: the shift is there for the signs.
    """
    if not is_binary(layer):
        return layer
    parametrize.register_parametrization(layer, "weight", WeightShift(layer))
    return layer
