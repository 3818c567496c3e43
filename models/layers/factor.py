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


class PowerOfTwo(Factor):
    """y = x * 2**exponent. Behind the last layer it brings integer accumulators to the range that softmax likes, and
    loses no bit: exact for every float that does not leave the exponent range.
    """

    def __init__(self, exponent: int):
        super().__init__(2.0**exponent)
        self.exponent = exponent

    def extra_repr(self) -> str:
        """Shown by ``print(net)``."""
        return f"exponent={self.exponent}"
