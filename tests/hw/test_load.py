"""The load chain: memories that are filled at run time hold what $readmemh would have given them.

A loadable node's bench (conftest.py) writes memory images that are wrong in every bit and sends the right ones through
the chain, so that words and cycles are those of the node only if every memory took all of its words.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signflow.hw.ops.base import RtlInstance, hex_words, load_words
from signflow.hw.sim import SimError
from signflow.hw.sim.stream import StreamModel

from . import test_convolutioninputgenerator as windows
from . import test_lookup as tables
from . import test_mvau as products
from . import test_requantise as linear
from . import test_thresholding as searches


def two_thresholds(bench, rng, **more):
    """Three memories: 45 bits a word of weights, starts, gaps."""
    return products.mvau(bench, rng, 45, 6, 15, 3, form="window", loadable=1, **more)


def ultra(bench, rng):
    """Weights in UltraRAM have no memory image: they start undefined."""
    return products.mvau(bench, rng, 40, 6, 8, 3, loadable=1, ram_style="ultra")


def one_word(bench, rng):
    """Everything at once: a word of weights, and one of the corrections that sums of +-x need."""
    return products.mvau(bench, rng, 6, 4, 6, 4, "INT4", "raw", loadable=1)


def search(bench, rng):
    """Signs, and three stages of thresholds with two read ports each."""
    node = searches.thresholding(
        bench, np.sort(rng.integers(-2000, 2000, (6, 5)), axis=1), 6, 2, "INT12", "UINT3", signs=rng.choice([-1, 1], 6)
    )
    node.op.set_nodeattr("loadable", 1)
    return node


def table(style):
    """A table with three read ports."""
    return lambda bench, rng: tables.lookup(bench, rng.integers(-32, 32, (6, 16)), 6, 3, ram_style=style, loadable=1)


def requantisation(bench, rng):
    """Words of 3 * (26 + 38) bits."""
    kinds = ("INT14", "INT26", "INT38", "INT9")
    constants = [linear.draw(rng, kind, 6) for kind in kinds[1:3]]
    return linear.requantise(bench, *constants, 22, (-256, 255), kinds, 6, 3, loadable=1)


def border(bench, rng):
    """A border that is not the same in all channels."""
    values = [int(v) for v in rng.integers(-512, 512, 4)]
    return windows.swg(bench, 3, 4, 4, 2, pads=(1, 1, 1, 1), dt="INT10", loadable=1, Border=values)


NODES = {
    "two thresholds": two_thresholds, "one word": one_word, "search": search, "table in block RAM": table("block"),
    "table in LUT RAM": table("distributed"), "requantisation": requantisation, "border": border,
    "UltraRAM": ultra,
}  # fmt: skip


@pytest.mark.parametrize("node", NODES.values(), ids=NODES.keys())
def test_what_is_loaded_is_what_is_computed(bench, node):
    rng = np.random.default_rng(1)
    node(bench, rng).compile().check(rng, frames=2)


def test_every_bit_of_a_load_matters_to_some_memory(bench):
    """A load with one wrong bit is another network; one that is too short or too long is refused."""
    rng = np.random.default_rng(2)
    node = two_thresholds(bench, rng, ram_style="block").compile()
    x = node.draw(rng, 200)
    expected, _ = node.stream(x)
    right = node.load.copy()
    for place, bit in ((0, 0), (len(right) // 2, 7), (len(right) - 1, 2)):  # a weight, another, a gap
        node.load = right.copy()
        node.load[place] ^= 1 << bit
        assert (node.stream(x)[0] != expected).any(), (place, bit)
    for change, message in ((slice(-1), "were too few"), (np.r_[0 : len(right), 0, 0], " 2 were too many")):
        with pytest.raises(SimError, match=message):
            StreamModel(node.compiled, node.folder, load=right[change])


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 100), st.integers(1, 5), st.integers(0, 99))
def test_a_memory_word_is_so_many_words_of_the_chain(width, depth, seed):
    """The definition in bits: 32 after 32 of every word, the last ones filled up with zeros."""
    bits = np.random.default_rng(seed).integers(0, 2, (depth, width))
    parts = -(-width // 32)
    filled = np.pad(bits, ((0, 0), (0, 32 * parts - width))).reshape(depth * parts, 32)
    expected = [sum(int(b) << k for k, b in enumerate(row)) for row in filled]
    assert load_words(hex_words(bits)).tolist() == expected
    rtl = RtlInstance("sf_lut", {"LOAD": 1}, {"a": hex_words(bits), "b": ["1"]})
    assert rtl.load().tolist() == [*expected, 1]
