"""Multi-bit streams of residual networks on one grid of powers of two, so that every addition is exact.

    stream    Q_bits(x)        range [-limit, limit), step limit 2^(1 - bits)
    branch    Q_(bits + 1)(x)  range [-2 limit, 2 limit), the same step
    gradient  straight through inside the range, else 0

What is added to a stream is first brought to the stream's grid (`branch`), the sum is clipped back (`stream`). One bit
more suffices where the sum is clipped to the stream's range anyway: with the other summand in [-limit, limit), a branch
outside [-2 limit, 2 limit) saturates the sum whatever its value. ``bits = None`` switches the quantisers off and leaves
the papers' arithmetic. A stream that the papers clip by Hardtanh has limit 1: quantiser and Hardtanh are one function.
"""

import brevitas.nn as qnn
from torch import nn

from signflow.models.quant import fixed_act


def stream(bits: int | None, limit: float) -> nn.Module:
    """Quantiser of an unbounded stream; ``limit`` (a power of two) is its clip range. Without bits the identity."""
    return nn.Identity() if bits is None else qnn.QuantIdentity(act_quant=fixed_act(bits, limit))


def branch(bits: int | None, limit: float) -> nn.Module:
    """Quantiser of what is added to ``stream(bits, limit)``."""
    return stream(None if bits is None else bits + 1, 2 * limit)


def hardtanh(bits: int | None) -> nn.Module:
    """Clipping to [-1, 1], with ``bits`` to the grid in [-1, 1)."""
    return nn.Hardtanh() if bits is None else stream(bits, 1.0)
