"""Sums of every channel over the positions of a map, all of them or window by window (`hw/rtl/sf_accpool.sv`)."""

import math

import numpy as np

from signflow.hw.ops.base import RtlInstance, lut_rams
from signflow.hw.ops.channels import ChannelOp

LATENCY = 1


class AccPool_sf(ChannelOp):
    """(1, H, W, C) integers -> (1, C): sums over the H*W positions; or, with outVectors, (vectors.., C) ->
    (outVectors.., C): sums of as many vectors, one after the other, as there are for each that goes out.
    """

    def get_nodeattr_types(self):
        """numInputVectors: [1, H, W]; outVectors: [1], or [1, OH, OW] behind a generator of windows; outputDataType:
        must hold every sum.
        """
        own = {
            "numInputVectors": ("ints", True, []),
            "outVectors": ("ints", False, [1]),
            "outputDataType": ("s", True, ""),
        }
        return super().get_nodeattr_types() | own

    def out_vectors(self) -> list[int]:
        """Attribute outVectors."""
        return list(self.get_nodeattr("outVectors"))

    def positions(self) -> int:
        """Vectors of a sum; raises OpError unless there are as many for each."""
        inputs, sums = self.in_vectors(), self.out_vectors()
        if math.prod(sums) < 1 or math.prod(inputs) % math.prod(sums):
            raise self.fail(f"numInputVectors = {inputs} are not as many vectors for each of outVectors = {sums}")
        return math.prod(inputs) // math.prod(sums)

    def execute_node(self, context, graph) -> None:
        """numpy reference."""
        x, output = context[self.onnx_node.input[0]], self.onnx_node.output[0]
        sums = x.reshape(-1, self.positions(), self.in_channels()).sum(axis=1, dtype=np.float64)
        context[output] = sums.reshape(context[output].shape).astype(np.float32)

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_accpool.sv`."""
        dt, out = self.get_input_datatype(), self.get_output_datatype()
        self.check_integer(dt)
        self.check_holds(out, int(dt.min()) * self.positions(), int(dt.max()) * self.positions())
        params = {
            "PE": self.get_nodeattr("PE"),
            "WORDS": self.folds(),
            "POSITIONS": self.positions(),
            "WIDTH": dt.bitwidth(),
            "IS_SIGNED": int(dt.signed()),
            "OUT_WIDTH": out.bitwidth(),
        }
        return RtlInstance("sf_accpool", params)

    def timing(self, *arrivals: np.ndarray) -> np.ndarray:
        """One cycle after the word of the last position."""
        taken = self.accepts(*arrivals).reshape(-1, self.positions(), self.folds())
        return taken[:, -1].ravel() + LATENCY

    def lut_estimation(self, fpgapart: str = "") -> int:
        """An adder for each lane, the sums in LUT RAM, counters."""
        width, words = self.get_outstream_width(), self.folds()
        return width + (lut_rams(width, words) + 3 if words > 1 else 0) + 7
