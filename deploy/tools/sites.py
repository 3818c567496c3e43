"""LUT sites of a netlist of the 7 series or UltraScale+: Yosys writes one function a cell, a site holds two.

A site is a 6-input LUT or two functions of together at most five inputs (UG474, UG574). Paired are LUTs that share an
input, each with the free one it shares most with; a LUT in front of a carry chain or of a wide multiplexer stays alone,
and LUT6_2 is a pair already. Greedy, in the order of the netlist, so the same netlist gives the same number; about as
many as the largest matching has (`tests/deploy/tools/test_sites.py`). A placer that also pairs strangers finds more,
one that is asked for speed fewer.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

PAIRABLE = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "INV")
MOST = 5  # inputs of a pair
ALONE = {"CARRY4": ("S",), "CARRY8": ("S",), "MUXF7": ("I0", "I1"), "MUXF8": ("I0", "I1")}
"""Pins in front of which a LUT has a place of its own."""
LOOKED_AT = 64
"""Free LUTs behind one net that are tried: nets such as a step's "first" lead to thousands."""


def inputs(module: Mapping) -> list[frozenset[int]]:
    """Input nets of every LUT of ``module`` (a module of Yosys' `write_json`) that may share a site."""
    cells = module["cells"].values()
    fixed = {bit for cell in cells for pin in ALONE.get(cell["type"], ()) for bit in cell["connections"].get(pin, ())}
    luts = [cell["connections"] for cell in cells if cell["type"] in PAIRABLE]
    return [
        frozenset(bit for pin, bits in pins.items() if pin[0] == "I" for bit in bits if isinstance(bit, int))
        for pins in luts
        if pins["O"][0] not in fixed
    ]


def pairs(luts: list[frozenset[int]]) -> list[tuple[int, int]]:
    """Those of ``luts`` that share a site, as numbers; those with the most inputs choose first."""
    behind, free, found = defaultdict(list), [True] * len(luts), []
    order = sorted(range(len(luts)), key=lambda k: -len(luts[k]))
    for k in order:
        for net in luts[k]:
            behind[net].append(k)
    for k in order:
        if not free[k]:
            continue
        legal = {j for j in _near(luts[k], behind, free) if j != k and len(luts[j] | luts[k]) <= MOST}
        if legal:
            j = min(legal, key=lambda j: (-len(luts[j] & luts[k]), -len(luts[j]), j))
            free[k] = free[j] = False
            found.append((k, j))
    return found


def _near(lut: frozenset[int], behind: Mapping[int, list[int]], free: list[bool]) -> Iterator[int]:
    """Free LUTs that share a net, few of each."""
    for net in lut:
        behind[net][:] = [j for j in behind[net][: 4 * LOOKED_AT] if free[j]] + behind[net][4 * LOOKED_AT :]
        yield from (j for j in behind[net][:LOOKED_AT] if free[j])


def shared(module: Mapping) -> int:
    """By how many LUTs the sites of ``module`` are fewer than its cells."""
    return len(pairs(inputs(module)))
