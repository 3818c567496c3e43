"""Multi-bit streams of residual networks on grids of powers of two, so that every addition is exact.

    stream    Q_bits(x)        range [-limit, limit), step limit 2^(1 - bits)
    branch    Q_(bits + 1)(x)  range [-2 limit, 2 limit), the same step
    gradient  straight through inside the range, else 0

What is added to a stream is first brought to the stream's grid (`branch`), or is a sum of integers; the sum is clipped
back (`stream`). All steps are powers of two and no grid has an offset, so a sum of codes is a shift and an addition.
One bit more suffices for a branch where the sum is clipped to the stream's range anyway: with the other summand in
[-limit, limit), a branch outside [-2 limit, 2 limit) saturates the sum whatever its value. ``bits = None`` switches the
quantisers off and leaves the papers' arithmetic. A stream that the papers clip by Hardtanh has limit 1: quantiser and
Hardtanh are one function.
"""

import brevitas.nn as qnn
from torch import nn

from signflow.models.quant import GridQuant, fixed_act


def stream(bits: int | None, limit: float) -> nn.Module:
    """Quantiser of an unbounded stream; ``limit`` (a power of two) is its clip range. Without bits the identity."""
    return nn.Identity() if bits is None else qnn.QuantIdentity(act_quant=fixed_act(bits, limit))


def branch(bits: int | None, limit: float) -> nn.Module:
    """Quantiser of what is added to ``stream(bits, limit)``."""
    return stream(None if bits is None else bits + 1, 2 * limit)


def hardtanh(bits: int | None) -> nn.Module:
    """Clipping to [-1, 1], with ``bits`` to the grid in [-1, 1)."""
    return nn.Hardtanh() if bits is None else stream(bits, 1.0)


def step_of(quantiser: nn.Module) -> float | None:
    """Distance of neighbouring values behind a `stream`, `branch` or `hardtanh`; None without bits."""
    return next((m.step for m in quantiser.modules() if isinstance(m, GridQuant)), None)


def on_grid(norm: list[nn.Module], quantiser: nn.Module) -> list[nn.Module]:
    """``norm`` and ``quantiser`` behind it. A norm that is not monotone is put on the same grid inside
    (`signflow.models.layers.abn.ABN.put_on_grid`), so that hardware needs one table for all its channels.
    """
    if step := step_of(quantiser):
        for part in norm:
            if hasattr(part, "put_on_grid"):
                part.put_on_grid(step)
    return [*norm, quantiser]
