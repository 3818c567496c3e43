"""Multiplication by a power of two: exact in floating point, free in hardware."""

from torch import Tensor, nn


class PowerOfTwo(nn.Module):
    """y = x * 2**exponent. Behind the last layer it brings integer accumulators to the range that softmax likes, and
    loses no bit.
    """

    def __init__(self, exponent: int):
        super().__init__()
        self.exponent = exponent

    def forward(self, x: Tensor) -> Tensor:
        """Any shape; exact for every float that does not leave the exponent range."""
        return x * 2.0**self.exponent

    def extra_repr(self) -> str:
        """Shown by ``print(net)``."""
        return f"exponent={self.exponent}"
