"""LUTs of the control of the serial window generator (`hw/rtl/sf_swg.sv`), by what it holds."""

from signflow.hw.ops.window import Axis

FILL, AROUND, COUNTER, PLACE, CONSTANT = 1.4, 1.5, 3.3, 2.3, 2.1
"""LUT sites, fitted to yosys: for a bit of the words written and of those that are missing, of a read address that goes
around the ring, of a counter and of a pixel's row and column; for a bit of the constants that are added to them.
"""


def steps(y: Axis, x: Axis, words: int) -> list[int]:
    """From a word of a window to the next one, in words of the map: in a pixel, to the next pixel of a line, line of a
    window, window, row of windows, frame. Those of which there is only one are left out.
    """
    row, across = x.size * words, (x.places - 1) * x.stride * words
    window = (y.extent - 1) * row + x.extent * words
    further = [
        (words, 0),
        (x.kernel, (x.dilation - 1) * words),
        (y.kernel, y.dilation * row - x.extent * words),
        (x.places, x.stride * words - window),
        (y.places, y.stride * row - window - across),
    ]
    frame = (y.size - (y.places - 1) * y.stride) * row - window - across
    return [1 + more for count, more in further if count > 1] + [1 + frame]


def constants(steps: list[int], ring: int, width: int) -> int:
    """How many different bits, of those that depend on the step, are in what goes with it: the step less 1, of
    ``width`` bits, and the way around a ring of words, as it is and less the ring.
    """
    address = (ring - 1).bit_length()
    kept = [
        binary(step - 1, width) + binary(step % ring, address) + binary(step % ring - ring, address + 1)
        for step in steps
    ]
    return len({bits for bits in zip(*kept, strict=True) if len(set(bits)) > 1})


def binary(number: int, width: int) -> str:
    """Two's complement."""
    return f"{number % 2**width:0{width}b}"


def luts(y: Axis, x: Axis, words: int, ring: int) -> float:
    """Estimated LUTs with pixels of ``words`` words and a ring of ``ring``."""
    row, around = x.size * words, (ring - 1).bit_length() if ring & (ring - 1) else 0
    missing = ((y.size + y.extent) * row).bit_length() + 1
    written = (y.size * row).bit_length() + 1 - ((row & -row).bit_length() - 1)  # whole rows leave its low bits
    counters = sum((count - 1).bit_length() for count in (words, x.kernel, y.kernel, x.places, y.places))
    padded = y.before + y.after + x.before + x.after > 0
    place = sum((axis.before + axis.size + axis.after).bit_length() + 1 for axis in (y, x)) if padded else 0
    kept = constants(steps(y, x, words), ring, missing)
    return FILL * (written + missing) + AROUND * around + COUNTER * counters + PLACE * place + CONSTANT * kept
