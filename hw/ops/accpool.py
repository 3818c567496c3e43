"""Global sum: every channel summed over all positions of a map (`hw/rtl/sf_accpool.sv`)."""

import math

import numpy as np
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import RtlInstance, lut_rams
from signflow.hw.ops.channels import ChannelOp

LATENCY = 1


class AccPool_sf(ChannelOp):
    """(1, H, W, C) integers -> (1, C): sums over the H*W positions."""

    def get_nodeattr_types(self):
        """numInputVectors: [1, H, W]; outputDataType: must hold every sum."""
        own = {"numInputVectors": ("ints", True, []), "outputDataType": ("s", True, "")}
        return super().get_nodeattr_types() | own

    def out_vectors(self) -> list[int]:
        """One vector."""
        return [1]

    def positions(self) -> int:
        """H * W."""
        return math.prod(self.in_vectors())

    def get_output_datatype(self, ind: int = 0):
        """Attribute outputDataType."""
        return DataType[self.get_nodeattr("outputDataType")]

    def execute_node(self, context, graph) -> None:
        """numpy reference."""
        x = context[self.onnx_node.input[0]].reshape(-1, self.positions(), self.get_nodeattr("NumChannels"))
        context[self.onnx_node.output[0]] = x.sum(axis=1, dtype=np.float64).astype(np.float32)

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
        return width + (lut_rams(width, words) if words > 1 else 0) + 20
