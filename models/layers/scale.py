"""Multiplication by a power of two: exact in floating point, free in hardware."""

from signflow.models.layers.factor import Factor


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
