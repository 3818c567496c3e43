"""Words whose bits all go the same way: a module for wide words is so many copies of the one for words of a single bit.

    why = differs(wide["modules"]["sf_fifo"], narrow["modules"]["sf_fifo"], ["in_data_i", "out_data_o"], 96)

Both are netlists as Yosys writes them before it makes gates, `COMMANDS`, of one source with two widths. Cell by cell,
the wide one must be the narrow one, in which only cells that act on each bit alone (`BITWISE`) are wider, and bit k of
what they give goes only to bit k of other such cells. What is proven of the narrow module then holds for every bit of
the wide one.
"""

from collections.abc import Mapping, Sequence

COMMANDS = ("proc -noopt", "flatten", "opt_clean", "memory_collect")
BITWISE = {
    "$mux": ("A", "B", "Y"),
    "$dff": ("D", "Q"),
    "$mem_v2": ("RD_DATA", "WR_DATA", "WR_EN", "RD_ARST_VALUE", "RD_INIT_VALUE", "RD_SRST_VALUE", "INIT"),
}
"""Cells that act on each bit alone, with the ports and parameters that have a bit for each."""


def differs(wide: Mapping, narrow: Mapping, words: Sequence[str], width: int) -> str:
    """Where ``wide`` is not ``width`` copies of ``narrow``, whose ``words`` (inputs and outputs) have a single bit; ""
    where it is.
    """
    cells, others = wide["cells"], narrow["cells"]
    if list(cells) != list(others) or set(wide["ports"]) != set(narrow["ports"]):
        return "it has other cells"
    there: dict = {}  # bit of the wide netlist -> (bit of the narrow one, its column or None for all)
    for place, mine, its, broad, gives in _ports(wide, narrow, words):
        if gives and not _pair(there, mine, its, width if broad else 0):
            return f"{place} is not {width} times as wide"
    for place, mine, its, broad, gives in _ports(wide, narrow, words):
        if gives:
            continue
        if len(mine) != len(its) * (width if broad and len(mine) != len(its) else 1):
            return f"{place} is not {width} times as wide"
        for k, bit in enumerate(mine):
            many = len(mine) != len(its)
            image, column = there.get(bit, (bit, None))
            if image != its[0 if many else k] or column not in (None, k if many else None):
                return f"bit {k} of {place} comes from elsewhere"
    return next((f"{name} is another cell" for name in cells if not _same(cells[name], others[name], width)), "")


def _ports(wide: Mapping, narrow: Mapping, words: Sequence[str]):
    """All (name, bits in the wide netlist, in the narrow one, may be a word, drives them)."""
    for name, port in wide["ports"].items():
        its = narrow["ports"][name]["bits"]
        yield name, port["bits"], its, name in words, port["direction"] == "input"
    for name, cell in wide["cells"].items():
        for port, bits in cell["connections"].items():
            broad = port in BITWISE.get(cell["type"], ())
            its = narrow["cells"][name]["connections"].get(port, [])
            yield f"{name}.{port}", bits, its, broad, cell["port_directions"][port] == "output"


def _pair(there: dict, mine: Sequence, its: Sequence, width: int) -> bool:
    """Note where the bits ``mine`` lie in the narrow netlist; whether there are as many as there must be."""
    if len(mine) == len(its):
        there |= {bit: (other, None) for bit, other in zip(mine, its, strict=True)}
        return True
    there |= {bit: (its[0], k) for k, bit in enumerate(mine)}
    return len(its) == 1 and len(mine) == width


def _same(cell: Mapping, other: Mapping, width: int) -> bool:
    """The cells do the same, but for their width."""
    names = BITWISE.get(cell["type"], ())
    for name, value in cell["parameters"].items():
        its = other["parameters"].get(name)
        wider = name in names and len(value) == width * len(its) and len({*value, *its}) == 1
        if value != its and not wider and not (name == "WIDTH" and names):
            return False
    return cell["type"] == other["type"] and cell["parameters"].keys() == other["parameters"].keys()
