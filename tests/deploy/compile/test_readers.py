"""Who reads a result, through what only moves it."""

from itertools import pairwise

import numpy as np

from signflow.deploy.compile.passes.readers import Readers
from signflow.deploy.compile.passes.regions import Region
from signflow.deploy.compile.passes.rewrite import Graph

from .normal_forms import model_of
from .onnx_networks import node


def test_paddings_up_to_what_computes():
    """Of a Slice, two Pads behind it, and none behind the Relu that reads them."""
    nodes = [node("Slice", "x start end", "a"), node("Pad", "a pads one", "b"), node("Pad", "b pads two", "c")]
    nodes += [node("Relu", "c", "d"), node("Pad", "d pads three", "y")]
    numbers = {"one": np.float32(1), "two": np.float32(2), "three": np.float32(3)}
    places = {"start": np.array([0]), "end": np.array([1]), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    network = Graph(model_of(nodes, [1, 2, 3, 3], **numbers, **places))
    moves = pairwise(nodes[:4])
    regions = [Region("move", maker, maker.output[0], exits={maker.output[0]: [reader]}) for maker, reader in moves]
    readers = Readers(network, {}, regions)
    assert readers.paddings(nodes[:1]) == [1, 2]
    assert readers.ends(nodes[:1]) == [nodes[3]]
