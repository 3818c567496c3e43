"""FIFO between two operators (`hw/rtl/fifo.sv`)."""

import math

import numpy as np
from finn.custom_op.fpgadataflow.streamingfifo import StreamingFIFO

from signflow.hw.ops.base import RTLBackend, RtlInstance, StreamOp, brams, earliest

BLOCK_BITS = 8192  # from here on a block RAM is cheaper than LUT RAM
BLOCK_DEPTH = 128


class StreamingFIFO_sf(StreamOp, StreamingFIFO, RTLBackend):
    """FINN's StreamingFIFO; the tensor is unchanged. Its timing is that of a FIFO that never fills (see `signflow.deploy.buffer`)."""

    def _block(self) -> bool:
        depth = self.get_nodeattr("depth")
        return depth > BLOCK_DEPTH and depth * self.get_instream_width() >= BLOCK_BITS

    def execute_node(self, context, graph) -> None:
        """Passes the tensor on."""
        context[self.onnx_node.output[0]] = context[self.onnx_node.input[0]]

    def rtl_instance(self, model) -> RtlInstance:
        """See `fifo.sv`."""
        if self.get_nodeattr("depth") < 2:
            raise self.fail(f"depth = {self.get_nodeattr('depth')}, must be >= 2")
        return RtlInstance("fifo", {"WIDTH": self.get_instream_width(), "DEPTH": self.get_nodeattr("depth"), "BLOCK": int(self._block())})

    def get_exp_cycles(self) -> int:
        """One cycle a word."""
        return int(np.prod(self.get_folded_input_shape()[:-1]))

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """One cycle in LUT RAM, two in block RAM."""
        return earliest(arrivals) + (2 if self._block() else 1)

    def lut_estimation(self, fpgapart: str = "") -> int:
        """LUT RAM (pointers and counter only where block RAM holds the words)."""
        depth, width = self.get_nodeattr("depth"), self.get_instream_width()
        return int(3 * math.log2(depth) + 8 + (0 if self._block() else width * math.ceil(depth / 32) * 0.7))

    def bram_estimation(self, fpgapart: str = "") -> int:
        """Deep FIFOs only."""
        return brams(self.get_instream_width(), self.get_nodeattr("depth")) if self._block() else 0
