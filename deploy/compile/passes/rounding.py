"""Where the reference rounds its own sums, and whether that decides anything.

A layer's accumulator n stands for the real number s * n + b. PyTorch and ONNX Runtime add float32 numbers instead, in
an order that depends on the library and the machine. Two bounds say how far their result can be away, in any order:

    exact    every term is a multiple of one power of two g, and all their magnitudes sum up to at most 2^24 g:
             no partial sum needs more than 24 bits, nothing is ever rounded
    else     an addition rounds its result by at most u = 2^-24 of it. So the error is at most u times the sum of all
             partial sums, which is largest when the largest terms are added first, one after the other

Weights and activations that are float32(integer * scale) add what they differ from integer * scale. `truth` evaluates
the network at both ends of the interval that follows. Where the result is the same as in its middle, the hardware
equals the reference in whatever order it adds. Where it is not, there is no single result to be equal to: these sums
are counted and noted (`notes`); the hardware takes what the real number gives.
"""

import numpy as np

ROUNDING = 2.0**-24
"""Largest relative error of one float32 operation."""


def grain(values: np.ndarray) -> float:
    """Largest power of two of which every one of ``values`` (float32) is a multiple; infinity if all are 0."""
    mantissa, exponent = np.frexp(np.asarray(values, dtype=np.float64).reshape(-1))
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    lowest = np.ldexp((whole & -whole).astype(np.float64), exponent - 53)[whole != 0]
    return float(lowest.min(initial=np.inf))


def sum_error(terms: np.ndarray, multiple_of: float) -> np.ndarray:
    """Largest distance of a float32 sum of products from the real one, in any order, for every row of ``terms``
    (sums, terms) float64, the largest magnitudes; all are multiples of ``multiple_of``. float64 (sums,).
    """
    count, total = terms.shape[1], terms.sum(axis=1)
    exact = total <= multiple_of / ROUNDING
    if exact.all():
        return np.zeros(len(terms))
    additions = np.minimum(count - np.arange(count) + 1, count)  # and one rounding of the product itself
    error = ROUNDING * (-np.sort(-terms, axis=1)) @ additions
    return np.where(exact, 0.0, error * (1 + 2 * count * ROUNDING))
