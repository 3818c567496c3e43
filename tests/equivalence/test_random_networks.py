"""Any network of our layers, however folded, climbs the whole ladder: PyTorch = QONNX = integer graph = hardware graph
= RTL, with and without stalls, on every logit, in exactly the predicted cycles.
"""

from collections import Counter

import pytest

from signflow.models.methods import METHODS

from . import random_blocks, random_networks
from .climbing import Case, climb
from .random_networks import Layer, Plan

CHAINS, BLOCKS = 100, 100
JOINED = ("zeros between bits", *random_blocks.SHORTCUTS, *random_blocks.POOLS, "beside", "layer")
FEATURES = ("windows", "pooled windows", "constant channels", "complements", "moving thresholds", "codes", "two pools")


@pytest.mark.parametrize("maker, seed", [(random_networks, 0), (random_networks, 1),
                                         *((random_blocks, seed) for seed in (0, 6, 9))])  # fmt: skip
def test_random_networks(maker, seed, tmp_path):
    climb(Case(maker.plan(seed)), tmp_path / "a")


@pytest.mark.parametrize("kernel, size", [(2, 7), (1, 6), (3, 8)])
def test_inner_strides_leave_a_row_and_a_column_over(kernel, size, tmp_path):
    """Behind a 3x3 kernel the map is size - 2 wide, of which the second layer's stride of 2 leaves one over. Unfolded,
    words come slowly, and the last word of a window is read when the pixels that are left over are still to come.
    """
    second = Layer("conv", 8, "bn", (kernel, kernel), (2, 2))
    layers = (Layer("conv", 8, "bn", (3, 3)), second, Layer("dense", 6, "bn"))
    assert (size - 2 - kernel) % 2 == 1
    climb(Case(Plan((1, size, size), "centred", layers, 5, False, size), folding={}), tmp_path / "a")


@pytest.mark.slow
@pytest.mark.parametrize(
    "maker, count, names",
    [(random_networks, CHAINS, (*METHODS, *FEATURES)), (random_blocks, BLOCKS, (*random_blocks.NORMS, *JOINED))],
)
def test_many_random_networks(maker, count, names, tmp_path):
    """Counts what the networks have: a test that never meets a window says nothing about windows."""
    seen = Counter()
    for seed in range(10, 10 + count):
        found = climb(Case(maker.plan(seed)), tmp_path / f"{seed}")
        seen.update([name for name, number in found.items() if number])
    print(f"{count} networks:", dict(seen.most_common()))
    assert all(seen[name] >= 3 for name in names), seen
    assert seen["images told apart"] > 0.7 * count
