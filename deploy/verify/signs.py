"""The signs of a network in its QONNX graph and in its integer graph, side by side.

Streamlining notes for every sign which tensor of the QONNX graph shows it, and which channels the hardware stores as
complement (`Sign`). Together with the maps of the compiled integer graph that says where the two part for an image: the
first sign, position and channel.
"""

from dataclasses import dataclass

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from signflow.deploy.compile.export import reference
from signflow.deploy.compile.passes.signs import Sign
from signflow.deploy.golden.intgraph import IntGraph


@dataclass(frozen=True)
class SignDifference:
    """The first sign that is not the same."""

    product: str
    """Layer of the QONNX graph whose sign it is."""
    layer: str
    """The same, as integer graph and hardware graph name it."""
    row: int
    column: int
    channel: int
    expected: int
    """The sign in the QONNX graph, -1 or +1."""

    def __str__(self) -> str:
        where = f"row {self.row}, column {self.column}, channel {self.channel}"
        values = f"QONNX has {self.expected:+d}, the integer graph {-self.expected:+d}"
        return f"sign of {self.product} ({self.layer}) at {where}: {values}"


def first_difference(network: ModelWrapper, integer: ModelWrapper, image: np.ndarray) -> SignDifference | None:
    """First sign that differs for one ``image`` (*shape) between the QONNX graph ``network`` and its ``integer`` graph;
    None if none does. A sign that ``network`` holds in another order of axes only has no name there, and is left out.
    """
    graph, named = IntGraph(integer), {name for node in network.graph.node for name in node.output}
    signs = [sign for sign in Sign.of(integer) if sign.tensor in named]
    tensors = reference(network, image[None], tuple(sign.tensor for sign in signs))
    for sign in signs:
        layer = graph.layer_of[sign.integer]
        bits = graph.maps(image[None], layer)[0]
        bits[..., np.isin(sign.channels, sign.complement)] ^= 1
        height, width, _ = bits.shape
        expected = tensors[sign.tensor].reshape(-1, height, width)[sign.channels].transpose(1, 2, 0) > 0
        wrong = np.argwhere(expected != bits)
        if len(wrong):
            row, column, k = (int(i) for i in wrong[0])
            value = 1 if expected[row, column, k] else -1
            return SignDifference(sign.product, layer, row, column, sign.channels[k], value)
    return None
