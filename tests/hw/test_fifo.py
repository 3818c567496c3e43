"""FIFO: words, cycles and refusals, in LUT RAM and block RAM."""

import numpy as np
import pytest

from signflow.hw.ops.base import OpError
from signflow.hw.sim import RtlError


def fifo(bench, width, depth, words=40, **attributes):
    shape = {"folded_shape": [1, words, width], "normal_shape": [1, words * width]}
    return bench("StreamingFIFO_sf", {"depth": depth, "dataType": "BINARY"} | shape | attributes)


SIZES = [(1, 2), (70, 33), (64, 129)]
MORE = [(8, 3), (13, 32), (65, 130)]


@pytest.mark.parametrize(("width", "depth"), SIZES + [pytest.param(*size, marks=pytest.mark.slow) for size in MORE])
@pytest.mark.parametrize("ram_style", ["distributed", "block"])
def test_fifo(bench, width, depth, ram_style):
    fifo(bench, width, depth, ram_style=ram_style).compile().check(np.random.default_rng(depth))


def test_it_carries_flags(bench):
    node = fifo(bench, 12, 40, padGroup=4)
    assert node.op.get_instream_width() == node.op.get_outstream_width() == 15
    node.compile().check(np.random.default_rng(0))


def test_the_depth_is_rounded_up_to_the_memory_it_takes(bench):
    for depth, ram_style, capacity in [
        (2, "auto", 2),
        (3, "auto", 8),
        (9, "auto", 32),
        (33, "auto", 64),
        (65, "distributed", 128),
        (3, "block", 512),
        (513, "auto", 1024),
    ]:
        assert fifo(bench, 32, depth, ram_style=ram_style).op.capacity() == capacity


@pytest.mark.parametrize("ram_style", ["distributed", "block"])
def test_it_holds_its_depth_and_keeps_up(bench, ram_style):
    """A sink that pauses for a long time: the FIFO takes `depth` words, then one for each that leaves."""
    node = fifo(bench, 8, 6, words=500, ram_style=ram_style).compile(DEPTH=6)
    x = np.random.default_rng(0).integers(0, 2, (1, 1, 500 * 8))
    _, run = node.stream(x, out_stall=0.6, seed=3)
    held = [int((run.in_cycles < c).sum() - (run.out_cycles < c).sum()) for c in range(int(run.out_cycles[-1]))]
    assert max(held) == 6
    # a word that waits is offered in the cycle after the one before it was taken: the sink, not the FIFO, sets the pace
    assert np.diff(run.out_cycles).mean() < 1 / 0.4 * 1.1


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [("depth", 1, "depth = 1, must be >= 2"), ("ram_style", "ultra", "ram_style is ultra")],
)
def test_illegal_attributes(bench, attribute, value, message):
    node = fifo(bench, 8, 4)
    node.op.set_nodeattr(attribute, value)
    with pytest.raises(OpError, match=message):
        node.op.rtl_instance(node.model)


@pytest.mark.parametrize(
    ("override", "message"), [({"DEPTH": 1}, "DEPTH = 1, must be >= 2"), ({"WIDTH": 0}, "WIDTH = 0")]
)
def test_elaboration_refuses(bench, override, message):
    with pytest.raises(RtlError, match=message):
        fifo(bench, 8, 4).compile(**override)
