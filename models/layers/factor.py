"""Multiplication by a fixed number that belongs to the network's structure, not to its weights."""

from torch import Tensor, nn


class Factor(nn.Module):
    """y = factor * x, in the precision of x: one rounding for each element."""

    def __init__(self, factor: float):
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x * self.factor

    def extra_repr(self) -> str:
        """Shown by ``print(net)``."""
        return f"{self.factor:.6g}"
