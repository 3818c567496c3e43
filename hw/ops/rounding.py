"""Thresholds that are nothing but rounding: x / 2**shift to the nearest integer, halves to even, clipped
(`hw/rtl/sf_round.sv`).

That is what a quantiser with a step of 2**shift makes of integers, in PyTorch as in ONNX. Code c is reached at

    c * 2**shift - 2**(shift - 1)             where c is even: the half below it is rounded up to it
    c * 2**shift - 2**(shift - 1) + 1         where c is odd
"""

import numpy as np

from signflow.hw.ops.base import clip_luts

LATENCY = 2


def steps(shift: int, low: int, count: int) -> np.ndarray:
    """The smallest integers that reach low + 1, low + 2, .., int64 (count,)."""
    codes = low + 1 + np.arange(count, dtype=np.int64)
    return (codes << shift) - (1 << shift - 1) + codes % 2


def shift_of(rows: np.ndarray, low: int) -> int:
    """The shift of which thresholds (channels or 1, count) are the steps, above the code ``low``; 0: none."""
    if len(rows) != 1 or rows.shape[1] < 3:
        return 0
    shift = int(max(rows[0, 2] - rows[0, 0], 1)).bit_length() - 2  # two steps are 2**(shift + 1) apart
    return shift if shift >= 1 and (rows[0] == steps(shift, low, rows.shape[1])).all() else 0


def luts(bits: int, shift: int, out: int) -> int:
    """Estimated LUTs of a lane: of the sum, which adds ones to the bits that are left out, and of its clipping."""
    return shift - 1 + int(clip_luts(max(bits, shift) + 2 - shift, out))
