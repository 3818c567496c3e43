"""The output registers of an ECP5's block RAMs, which Yosys does not use: flip-flops behind a DP16KD move into it.

    moved = rewrite(path)     # Yosys' JSON after synth_ecp5, changed in place

A block RAM takes 5.8 ns (speed grade 6) to its outputs, and 1.0 ns to those of its own register. The outputs of a port
have one register with one clock and one enable (FPGA-TN-02204). So the flip-flops move where every output that is used
goes to one of them and to nothing else, and all of them have the clock of the port, one enable or none, no reset, and
start at 0, as the register does.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

RAM, FLIP_FLOP = "DP16KD", "TRELLIS_FF"
HALF = 18
"""Outputs of a port, DOA0 to DOA17; a port B of 36 bits has those of port A, too."""


def rewrite(path: Path) -> int:
    """`take_in` of a netlist in a file, which is written anew."""
    netlist = json.loads(path.read_text())
    moved = take_in(netlist)
    path.write_text(json.dumps(netlist))
    return moved


def take_in(netlist: Mapping) -> int:
    """Move flip-flops into the block RAMs of the top module, in place; returns how many."""
    module = next(m for m in netlist["modules"].values() if "top" in m.get("attributes", {}))
    cells, readers = module["cells"], _readers(module)
    before = len(cells)
    for ram in [cell for cell in cells.values() if cell["type"] == RAM]:
        for sides, outputs in _ports(ram):
            used = [output for output in outputs if any(bit in readers for bit in ram["connections"].get(output, ()))]
            behind = [readers[ram["connections"][output][0]] for output in used]
            if not used or any(len(found) > 1 or found[0][1] != "DI" for found in behind):
                continue
            names = [found[0][0] for found in behind]
            if not _alike([cells[name] for name in names], ram, sides):
                continue
            _connect(ram, sides, cells[names[0]])
            for output, name in zip(used, names, strict=True):
                ram["connections"][output] = cells.pop(name)["connections"]["Q"]
    return before - len(cells)


def _readers(module: Mapping) -> dict[int, list[tuple[str, str]]]:
    """The inputs of cells (cell, input) that read a net, and the outputs of the module ("", output)."""
    found = defaultdict(list)
    for name, cell in module["cells"].items():
        for port, bits in cell["connections"].items():
            if cell["port_directions"][port] != "output":
                for bit in bits:
                    found[bit].append((name, port))
    for name, port in module["ports"].items():
        if port["direction"] != "input":
            for bit in port["bits"]:
                found[bit].append(("", name))
    return {bit: who for bit, who in found.items() if isinstance(bit, int)}


def _ports(ram: Mapping) -> Iterator[tuple[str, list[str]]]:
    """The ports of a block RAM: the sides whose registers it has, its own last, and its outputs."""
    outputs = {side: [f"DO{side}{k}" for k in range(HALF)] for side in "AB"}
    if int(ram["parameters"]["DATA_WIDTH_B"], 2) == 2 * HALF:
        yield "AB", outputs["A"] + outputs["B"]
    else:
        yield from outputs.items()


def _alike(flip_flops: list[Mapping], ram: Mapping, sides: str) -> bool:
    """One register, of the clock of the last side, does the same as all these flip-flops."""
    wires, words = ram["connections"], ram["parameters"]
    clock = wires[f"CLK{sides[-1]}"]
    if not all(_plain(cell) and cell["connections"]["CLK"] == clock for cell in flip_flops):
        return False
    enables = {(cell["parameters"]["CEMUX"].strip(), *cell["connections"].get("CE", ())) for cell in flip_flops}
    return (
        len(enables) == 1
        and next(iter(enables))[0] in ("1", "CE")
        and all(words[f"CLK{side}MUX"] == f"CLK{side}" and wires[f"RST{side}"] == ["0"] for side in sides)
        and all(wires[f"CLK{side}"] == clock or wires[f"CLK{side}"] == wires[f"CE{side}"] == ["0"] for side in sides)
    )


def _plain(cell: Mapping) -> bool:
    """A flip-flop of the rising edge without a reset, 0 at first."""
    words = cell["parameters"]
    return (
        cell["type"] == FLIP_FLOP
        and (words["CLKMUX"], words["LSRMUX"], words["REGSET"]) == ("CLK", "LSR", "RESET")
        and cell["connections"]["LSR"] == ["0"]
    )


def _connect(ram: Mapping, sides: str, flip_flop: Mapping) -> None:
    """Switch the register on. One of 36 bits lies on both sides; a side that is not written has no clock so far."""
    for side in sides:
        ram["parameters"][f"REGMODE_{side}"] = "OUTREG"
        ram["connections"][f"CLK{side}"] = flip_flop["connections"]["CLK"]
        ram["connections"][f"OCE{side}"] = flip_flop["connections"].get("CE", ["1"])


__all__ = ["rewrite", "take_in"]
