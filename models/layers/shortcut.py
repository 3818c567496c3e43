"""Residual connections: a branch, a shortcut, and what comes behind their sum.

    y = activation(branch(x) + shortcut(x))

`PickAndPad` is the parameter-free shortcut to a smaller map with more channels, option A of He et al., "Deep Residual
Learning for Image Recognition", CVPR 2016: every second pixel, zeros for the new channels.
"""

from torch import Tensor, nn
from torch.nn import functional as F


class Residual(nn.Module):
    """y = activation(branch(x) + shortcut(x)); without ``shortcut`` x itself is added, without ``activation`` the sum
    is the result.
    """

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None, activation: nn.Module | None = None):
        super().__init__()
        self.branch = branch
        self.shortcut = shortcut or nn.Identity()
        self.activation = activation or nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> what the branch makes of it."""
        return self.activation(self.branch(x) + self.shortcut(x))


class PickAndPad(nn.Module):
    """(N, C, H, W) -> (N, out_channels, H / 2, W / 2): pixels at even places, half of the zero channels on each side.

    Raises ValueError when the new channels are negative or odd in number.
    """

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.side, odd = divmod(out_channels - channels, 2)
        if odd or self.side < 0:
            raise ValueError(f"{out_channels - channels} new channels: must be an even number, 0 or more")

    def forward(self, x: Tensor) -> Tensor:
        """Exact: no arithmetic."""
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.side, self.side))
