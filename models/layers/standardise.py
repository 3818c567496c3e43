"""Scaled weight standardisation: what replaces batch normalisation's scaling in a BN-free network.

    w^_o = N^(-1/2) (w_o - mean(w_o)) / (std(w_o) + 1e-5)        o: output channel, N: fan-in, population std
    real step     W_o = gain_o w^_o
    binary step   W_o = gain_o kappa_o sign(w^_o),   kappa_o = mean |w^_o|, no gradient through kappa
    gradient      straight through: d(kappa_o sign(w^)) / dw^ = 1 where |w^| <= 1, then exactly through the
                  standardisation

Here the layer computes with sign(w^) alone (integers in, integers out) and `Gain` multiplies its accumulators by
gain_o kappa_o, which is the same function. That puts kappa_o into the gradient of w^ as well; `Standardise` divides it
out again with `straight_through` (adaptive clipping compares gradients with weights, so the factor matters). Where a
pooling stands between layer and gain, it sees the accumulators.

Reference: Chen et al., "BNN - BN = ? Training Binary Neural Networks without Batch Normalization", CVPR workshops 2021;
standardisation after Brock et al., "Characterizing signal propagation to close the performance gap in unnormalized
ResNets", ICLR 2021.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from signflow.models.layers.binary import is_binary
from signflow.models.layers.channels import per_channel

EPS = 1e-5
INIT_RANGE = 1e-3  # latent weights start in U(0, 1e-3), as the authors'; the mean is subtracted anyway


def takes_signs(layer: nn.Module) -> bool:
    """Whether ``layer`` computes with signs of its weights: not in the real-weight step of the two-step training, nor
    when they have 8 bits.
    """
    return is_binary(layer) and not layer.weight_quant.disable_quant


def _kappa(w: Tensor) -> Tensor:
    """mean |w| of every output channel of (O, ...), without gradient: (O, 1, ...)."""
    return w.detach().abs().mean(tuple(range(1, w.dim())), keepdim=True)


def straight_through(w: Tensor, layer: nn.Module) -> Tensor:
    """``w`` (O, ...), its gradient divided by kappa_o while ``layer`` takes signs, which a `Kappa` multiplies."""
    if w.requires_grad and takes_signs(layer):
        kappa = _kappa(w)
        w = w.view_as(w)  # a hook on this pass alone
        w.register_hook(lambda gradient: gradient / kappa)
    return w


class Standardise(nn.Module):
    """Parametrisation of the weight (O, ...) of ``layer``: w -> w^, same shape.

    While the layer is binary and a `Gain` stands behind it, the gradient that reaches w^ is divided by kappa_o.
    """

    def __init__(self, layer: nn.Module):
        super().__init__()
        self._layer = (layer,)  # seen, not owned

    def forward(self, w: Tensor) -> Tensor:
        """Zero mean and variance 1/N in every output channel."""
        std, mean = torch.std_mean(w, dim=tuple(range(1, w.dim())), correction=0, keepdim=True)
        standard = (w - mean) / ((std + EPS) * w[0].numel() ** 0.5)  # in the memory format of w
        return straight_through(standard, self._layer[0])


def standardise(layer: nn.Module) -> nn.Module:
    """Give a binary layer fresh latent weights, U(0, 0.001), behind a `Standardise` parametrisation; returns it."""
    nn.init.uniform_(layer.weight, 0, INIT_RANGE)
    parametrize.register_parametrization(layer, "weight", Standardise(layer))
    return layer


class Kappa(nn.Module):
    """y = kappa_o x for the accumulators x of ``layer``, (N, C) or (N, C, H, W).

    While the layer's weights are parametrised, kappa follows them; afterwards the buffer keeps the last value. With the
    layer's weight quantiser switched off (the real-weight step of the two-step training) kappa is 1.
    """

    def __init__(self, layer: nn.Module):
        super().__init__()
        self._layer = (layer,)  # seen, not owned: its parameters belong to the network
        self.register_buffer("kappa", torch.ones(layer.weight.shape[0]))
        self.refresh()

    def refresh(self) -> None:
        """Set kappa from the layer's present weights."""
        (layer,) = self._layer
        with torch.no_grad():
            if not takes_signs(layer):
                self.kappa.fill_(1.0)
            elif parametrize.is_parametrized(layer, "weight"):
                self.kappa.copy_(_kappa(layer.weight).flatten())

    def scale(self) -> Tensor:
        """(O,): what each channel is multiplied by."""
        self.refresh()
        return self.kappa.clone()  # the next forward pass overwrites the buffer, maybe before this one's backward pass

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        return x * per_channel(self.scale(), x)


class Gain(Kappa):
    """y = gain_o kappa_o x: `Kappa` with a learned factor.

    The gain has the authors' shape, (O, 1, ...) with the dimensions of the weight, in which every channel is a unit of
    its own for adaptive gradient clipping.
    """

    def __init__(self, layer: nn.Module):
        super().__init__(layer)
        shape = layer.weight.shape
        self.gain = nn.Parameter(torch.ones(shape[0], *[1] * (len(shape) - 1)))

    def scale(self) -> Tensor:
        """(O,): gain and kappa."""
        return self.gain.flatten() * super().scale()
