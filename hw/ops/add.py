"""Sum of two streams, element by element (`hw/rtl/sf_add.sv`)."""

import numpy as np
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import RtlInstance
from signflow.hw.ops.channels import ChannelOp

LATENCY = 1


class Add_sf(ChannelOp):
    """Two tensors (vectors.., C) of integers -> their exact sum."""

    IN_STREAMS = 2

    def get_nodeattr_types(self):
        """numInputVectors: vectors of a frame, [1, H, W] or [1]; inputDataType1: type of the second input;
        outputDataType: must hold every sum.
        """
        own = {
            "numInputVectors": ("ints", True, [1]),
            "inputDataType1": ("s", True, ""),
            "outputDataType": ("s", True, ""),
        }
        return super().get_nodeattr_types() | own

    def get_input_datatype(self, ind: int = 0):
        """Attribute inputDataType or inputDataType1."""
        return DataType[self.get_nodeattr("inputDataType1")] if ind else super().get_input_datatype()

    def get_output_datatype(self, ind: int = 0):
        """Attribute outputDataType."""
        return DataType[self.get_nodeattr("outputDataType")]

    def execute_node(self, context, graph) -> None:
        """numpy reference."""
        a, b = (context[tensor] for tensor in self.onnx_node.input)
        context[self.onnx_node.output[0]] = (a + b).astype(np.float32)

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_add.sv`."""
        self.folds()
        a, b, out = self.get_input_datatype(0), self.get_input_datatype(1), self.get_output_datatype()
        self.check_integer(a, b)
        self.check_holds(out, int(a.min() + b.min()), int(a.max() + b.max()))
        params = {
            "PE": self.get_nodeattr("PE"),
            "WIDTH0": a.bitwidth(),
            "SIGNED0": int(a.signed()),
            "WIDTH1": b.bitwidth(),
            "SIGNED1": int(b.signed()),
            "OUT_WIDTH": out.bitwidth(),
        }
        return RtlInstance("sf_add", params)

    def timing(self, *arrivals: np.ndarray) -> np.ndarray:
        """One cycle after both words."""
        return self.accepts(*arrivals) + LATENCY

    def lut_estimation(self, fpgapart: str = "") -> int:
        """An adder for each lane."""
        return self.get_outstream_width() + 4
