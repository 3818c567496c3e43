"""LUT sites: pairs are legal, and about as many as the largest matching of a graph library finds."""

import json

import networkx
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.deploy.tools import estimate, netlist, yosys
from signflow.deploy.tools.sites import inputs, pairs, shared
from signflow.hw.ops.base import RTL_DIR, RtlInstance
from signflow.hw.ops.compress import popcount


def most(luts):
    """The largest number of pairs, by a maximum matching of all that are legal."""
    graph = networkx.Graph()
    legal = ((a, b) for a in range(len(luts)) for b in range(a) if luts[a] & luts[b] and len(luts[a] | luts[b]) <= 5)
    graph.add_edges_from(legal)
    return len(networkx.max_weight_matching(graph, maxcardinality=True))


def lut(kind, output, *nets):
    pins = {f"I{k}": [net] for k, net in enumerate(nets)}
    return {"type": kind, "connections": {"O": [output], **pins}}


def module(*cells):
    return {"cells": dict(enumerate(cells))}


def test_what_shares_a_site():
    """By UG474: five inputs in all; not in front of a carry chain or a wide multiplexer."""
    a, b = lut("LUT4", 20, 1, 2, 3, 4), lut("LUT3", 21, 3, 4, 5)
    assert shared(module(a, b)) == 1
    assert shared(module(a, lut("LUT3", 21, 3, 5, 6))) == 0  # six inputs
    assert shared(module(a, lut("LUT1", 21, 5))) == 0  # nothing in common
    assert shared(module(a, lut("LUT2", 21, 4, "1"))) == 1  # constants are no inputs
    assert shared(module(lut("LUT6", 20, 1, 2, 3, 4, 5, 6), b)) == 0
    assert shared(module(a, b, {"type": "CARRY4", "connections": {"S": [21, "0", "0", "0"], "DI": [7, 8, 9, 10]}})) == 0
    assert shared(module(a, b, {"type": "CARRY4", "connections": {"S": [7, "0", "0", "0"], "DI": [21, 8, 9, 10]}})) == 1
    assert shared(module(a, b, {"type": "MUXF7", "connections": {"I0": [20], "I1": [7], "S": [8], "O": [9]}})) == 0
    assert shared(module({"type": "LUT6_2", "connections": {"O6": [20], "O5": [21], "I0": [1]}}, b)) == 0


@settings(deadline=None, derandomize=True, max_examples=30)
@given(st.integers(2, 12), st.integers(1, 60), st.integers(0, 999))
def test_pairs_are_legal_and_nearly_the_most(nets, count, seed):
    """A greedy maximal matching has at least half of the largest; no LUT is in two pairs."""
    rng = np.random.default_rng(seed)
    luts = [frozenset(rng.choice(nets, min(nets, rng.integers(1, 6)), replace=False).tolist()) for _ in range(count)]
    found = pairs(luts)
    assert all(len(luts[a] | luts[b]) <= 5 and luts[a] & luts[b] for a, b in found)
    assert len({k for pair in found for k in pair}) == 2 * len(found)
    assert len(found) <= most(luts) <= 2 * len(found)


def test_netlists(tmp_path):
    """Of plain text, as good as the best matching within 5 %; of LUT6_2, nothing is left to pair."""
    (tmp_path / "cells").symlink_to(netlist.CELLS)
    files = " ".join(str(RTL_DIR / f"{m}.sv") for m in RtlInstance("sf_dot_binary", {}).modules)
    read = f"read_slang {files} --top sf_dot_binary -G SIMD=96 -G STAGES={popcount(96)[0]}"
    designs = [
        (name, [f"{read} {words}", "rename sf_dot_binary unit", *estimate.SCRIPT, *estimate.written(str(number))])
        for number, (name, words) in enumerate({"plain": "", "primitives": netlist.XC7.words()}.items())
    ]
    yosys.run(estimate.LIBRARY, designs, tmp_path, 1)
    plain, primitives = (json.loads((tmp_path / f"{k}.net.json").read_text())["modules"]["unit"] for k in (0, 1))
    luts = inputs(plain)
    assert 0.95 * most(luts) <= len(pairs(luts)) <= most(luts)
    assert shared(primitives) == 0
    cells = sum(cell["type"].startswith(("LUT", "INV")) for cell in plain["cells"].values())
    assert len(pairs(luts)) > cells / 4
