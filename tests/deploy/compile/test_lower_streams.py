"""Joins, pools and tables of the integer graph become streams: which operators, and what they compute node by node."""

import numpy as np
import pytest

from signflow.deploy.compile import engine, lower, streamline
from signflow.deploy.compile.images import ImageInput
from signflow.deploy.compile.passes.integer_graph import IntegerGraph
from signflow.deploy.golden.intgraph import IntGraph

engine.boot()
ROW = np.random.default_rng(0).integers(-9, 10, (1, 256))
TABLE = np.random.default_rng(1).integers(-9, 10, (6, 6))
STEPS = np.arange(30, 180, 30).reshape(1, -1)
GENERATOR, FORK = "ConvolutionInputGenerator", "Duplicate"
CASES = {
    "sum of shifted maps": (
        lambda g: g.add(g.image, g.threshold(g.image, STEPS, -3), (1, 5)),
        [FORK, "Thresholding", "Add"],
    ),
    "shifted map and vector": (
        lambda g: g.add(g.total(g.image), g.image, (2, 3)),
        [FORK, "AccPool", "Replicate", "Add"],
    ),
    "sum with itself": (lambda g: g.add(g.image, g.image, (0, 1)), [FORK, "Add"]),
    "channels of two": (
        lambda g: g.concat(g.image, g.concat(g.threshold(g.image, STEPS, -3), g.image)),
        [FORK, "Thresholding", FORK, "Concat", "Concat"],
    ),
    "channels twice": (lambda g: g.concat(g.image, g.image), [FORK, "Concat"]),
    "channels of vectors": (lambda g: g.concat(g.flatten(g.image), g.total(g.image)), [FORK, "AccPool", "Concat"]),
    "more channels": (lambda g: g.pad_channels(g.image, 3, 6, -2), ["PadChannels"]),
    "more channels of a vector": (lambda g: g.pad_channels(g.flatten(g.image), 0, 9, 1), ["PadChannels"]),
    "a table": (lambda g: g.lookup(g.image, ROW, 0), ["Lookup"]),
    "tables": (lambda g: g.lookup(g.threshold(g.image, STEPS, -3), TABLE, -3), ["Thresholding", "Lookup"]),
    "a line": (lambda g: g.requantise(g.image, [-77], [900], 9, -30, 0), ["Requantise"]),
    "lines": (
        lambda g: g.requantise(g.total(g.image), [3, -1, 9, 2, -2, 0], [2**33], 9, 2**24 - 90, 2**24 - 1),
        ["AccPool", "Requantise"],
    ),
    "pool": (lambda g: g.pool(g.image, (2, 3), (2, 3)), ["MaxPool"]),
    "overlapping pool": (lambda g: g.pool(g.image, (3, 2), (2, 1)), [GENERATOR, "MaxPool"]),
    "pool that leaves pixels out": (lambda g: g.pool(g.image, (2, 1), (3, 2)), [GENERATOR, "MaxPool"]),
    "every second pixel": (lambda g: g.pool(g.image, (1, 1), (2, 2)), [GENERATOR]),
    "sums of windows": (lambda g: g.sum_pool(g.image, (3, 2), (2, 2)), [GENERATOR, "AccPool"]),
    "sums of windows side by side": (lambda g: g.sum_pool(g.image, (2, 2), (2, 2)), [GENERATOR, "AccPool"]),
    "option A": (
        lambda g: g.pad_channels(g.pool(g.image, (1, 1), (2, 2)), 3, 3, 0),
        [GENERATOR, "PadChannels"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_streams(name):
    build, operators = CASES[name]
    graph = IntegerGraph((5, 6, 6), "UINT8")
    integer = graph.model(build(graph))
    ImageInput("uint8", (6, 5, 6), "NHWC", False).save_to(integer)
    images = np.random.default_rng(2).integers(0, 256, (3, 6, 5, 6))
    hardware = lower.lower(integer)
    assert [node.op_type.removesuffix("_sf") for node in hardware.graph.node] == operators
    expected = streamline.execute(integer, images)
    assert len(np.unique(expected)) > 4
    np.testing.assert_array_equal(streamline.execute(hardware, images), expected)
    np.testing.assert_array_equal(IntGraph(integer)(images).reshape(expected.shape), expected)
