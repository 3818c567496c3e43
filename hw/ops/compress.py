"""`hw/rtl/sf_compress.sv` and the popcounts made of it: levels, latency and LUTs, to the cycle and to the table."""

from functools import cache

CHAIN, FAST_CHAIN = 8, 4
"""Full adders in a row of `sf_dot_binary.sv`: for 100 MHz on the 7 series, and for 200 MHz."""


def reduced(heights: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """Heights of the columns behind a level of counters and full adders, and its LUTs."""
    counters = [(h + 1) // 6 for h in heights]
    adders = [int(h % 6 in (3, 4)) for h in heights]
    made = [n + m for n, m in zip(counters, adders, strict=True)]
    rest = [0 if h % 6 == 5 else h % 6 - 3 * m for h, m in zip(heights, adders, strict=True)]
    ones, twos, fours = made, [0, *made], [0, 0, *counters]
    return tuple(map(sum, zip(rest, ones, twos, fours, strict=False))), 2 * sum(counters) + sum(adders)


@cache
def compress(heights: tuple[int, ...]) -> tuple[int, int]:
    """(LEVELS, LUTs) of `sf_compress.sv` for bits in columns of these heights."""
    levels = luts = 0
    while max(heights) > 3:
        heights, more = reduced(heights)
        levels, luts = levels + 1, luts + more
    low = next((r for r, h in enumerate(heights) if h > 1), len(heights))  # columns that are their sum
    return levels, luts + len(heights) - low


def columns(places: int, group: int = 0, chain: int = CHAIN) -> tuple[int, ...]:
    """Heights of the columns behind the full adders of `sf_dot_binary.sv` for SIMD ``places``, of which ``group`` share
    a flag (0: none do).
    """
    unit = group or places
    pairs, width = -(-unit // 2), max(2, places.bit_length())
    rows = -(-pairs // chain)
    return (places // unit * rows, places // unit * pairs, *[0] * (width - 2))


def popcount_of_constants(places: int, group: int = 0) -> tuple[int, int]:
    """(STAGES, LUTs) of `sf_dot_steps.sv`."""
    unit, width = group or places, max(2, places.bit_length())
    threes = places // unit * -(-unit // 3)
    levels, luts = compress((threes, threes, *[0] * (width - 2)))
    return 2 + levels, threes + luts


def planes_of_integers(places: int, planes: int) -> tuple[int, int]:
    """(STAGES, LUTs of a neuron) of the counts in `sf_mvau_planes.sv`."""
    threes, width = -(-places // 3), (places * (2**planes - 1)).bit_length()
    levels, luts = compress(tuple(threes * ((r < planes) + (0 < r <= planes)) for r in range(width)))
    return 2 + levels, luts


def popcount(places: int, group: int = 0, chain: int = CHAIN) -> tuple[int, int]:
    """(STAGES, LUTs) of `sf_dot_binary.sv`."""
    heights = columns(places, group, chain)
    levels, luts = compress(heights)
    return 2 + levels, heights[1] + luts
