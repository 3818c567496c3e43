"""Who reads an exit of a region, behind operators that only move it: what the exit must hold follows from that."""

import numpy as np
from onnx import NodeProto

from signflow.deploy.compile.passes.geometry import padding_of
from signflow.deploy.compile.passes.products import Product
from signflow.deploy.compile.passes.regions import SHAPES, Region
from signflow.deploy.compile.passes.rewrite import Graph

JOINS = ("Add", "Concat")


class Readers:
    """``products``: the layers of the network, by name; ``regions`` of the whole network."""

    def __init__(self, network: Graph, products: dict[str, Product], regions: list[Region]):
        self.network, self.products = network, products
        self.moves = {region.node.output[0]: region for region in regions if region.kind == "move"}

    def ends(self, readers: list[NodeProto]) -> list[NodeProto]:
        """The nodes that ``readers`` lead to: themselves, or what reads a Pad or a Slice."""
        ends = []
        for node in readers:
            behind = self._behind(node)
            ends += [node] if behind is None else self.ends(behind)
        return ends

    def _behind(self, node: NodeProto) -> list[NodeProto] | None:
        """The readers of what a Pad or Slice moves; None for others, and where it does not stay as it is."""
        region = self.moves.get(node.output[0])
        if region is None or node.op_type == "Concat" or any(n.op_type not in SHAPES for n in region.nodes):
            return None
        return [reader for readers in region.exits.values() for reader in readers]

    def paddings(self, readers: list[NodeProto]) -> list[float]:
        """Values that Pads put beside what ``readers`` get."""
        found = []
        for node in readers:
            found += [padding_of(self.network, node).value] if node.op_type == "Pad" else []
            found += self.paddings(self._behind(node) or [])
        return found

    def weights(self, readers: list[NodeProto]) -> int:
        """Largest sum of the magnitudes of one output's weights, of the layers that ``readers`` lead to."""
        layers = [self.products[node.name].weights for node in self.ends(readers) if node.name in self.products]
        return max((int(np.abs(w).reshape(len(w), -1).sum(axis=1).max()) for w in layers), default=1)

    def want_bits(self, readers: list[NodeProto], scale: float) -> bool:
        """They may get -``scale`` and +``scale`` as bits: layers with weights +-1, the only operators that take bits
        for signs. A Pad between may add bits to a map, or zeros around an even number of channels (`Border`).
        """
        for node in readers:
            behind = self._behind(node)
            if behind is None:
                if node.name not in self.products or not self.products[node.name].bipolar:
                    return False
                continue
            if node.op_type == "Pad":
                pad = padding_of(self.network, node)
                even = self.network.shape(node.input[0])[1] % 2 == 0
                maps = all(reader.op_type == "Conv" for reader in behind)
                if pad.begin[1] or pad.end[1] or not maps or not (abs(pad.value) == scale or (pad.value == 0 and even)):
                    return False
            if not self.want_bits(behind, scale):
                return False
        return True
