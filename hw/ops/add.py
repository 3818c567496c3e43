"""Sum of two streams, each shifted by a constant, element by element (`hw/rtl/sf_add.sv`)."""

import numpy as np
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import RtlInstance
from signflow.hw.ops.channels import ChannelOp

LATENCY = 1


class Add_sf(ChannelOp):
    """Two tensors (vectors.., C) of integers, x and y -> exactly (x << shift0) + (y << shift1)."""

    IN_STREAMS = 2

    def get_nodeattr_types(self):
        """numInputVectors: vectors of a frame, [1, H, W] or [1]; inputDataType1: type of the second input;
        outputDataType: must hold every sum; shift0, shift1: powers of two that the inputs are multiplied by.
        """
        own = {
            "numInputVectors": ("ints", True, [1]),
            "inputDataType1": ("s", True, ""),
            "outputDataType": ("s", True, ""),
            "shift0": ("i", False, 0),
            "shift1": ("i", False, 0),
        }
        return super().get_nodeattr_types() | own

    def get_input_datatype(self, ind: int = 0):
        """Attribute inputDataType or inputDataType1."""
        return DataType[self.get_nodeattr("inputDataType1")] if ind else super().get_input_datatype()

    def execute_node(self, context, graph) -> None:
        """numpy reference."""
        a, b = (context[tensor] * 2.0**shift for tensor, shift in zip(self.onnx_node.input, self.shifts(), strict=True))
        context[self.onnx_node.output[0]] = (a + b).astype(np.float32)

    def shifts(self) -> list[int]:
        """Of both inputs; raises OpError for a negative one."""
        shifts = [self.get_nodeattr("shift0"), self.get_nodeattr("shift1")]
        if min(shifts) < 0:
            raise self.fail(f"shift0 = {shifts[0]} and shift1 = {shifts[1]}; it shifts to the left, by 0 or more")
        return shifts

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_add.sv`."""
        self.folds()
        a, b, out = self.get_input_datatype(0), self.get_input_datatype(1), self.get_output_datatype()
        self.check_integer(a, b)
        s, t = self.shifts()
        low, high = (int(x) * 2**s + int(y) * 2**t for x, y in ((a.min(), b.min()), (a.max(), b.max())))
        self.check_holds(out, low, high)
        params = {
            "PE": self.get_nodeattr("PE"),
            "WIDTH0": a.bitwidth(),
            "SIGNED0": int(a.signed()),
            "SHIFT0": s,
            "WIDTH1": b.bitwidth(),
            "SIGNED1": int(b.signed()),
            "SHIFT1": t,
            "OUT_WIDTH": out.bitwidth(),
        }
        return RtlInstance("sf_add", params)

    def delay(self) -> int:
        """One cycle after both words."""
        return LATENCY

    def lut_estimation(self, fpgapart: str = "") -> int:
        """An adder for each lane, where both terms have a bit; a sign goes on to the top of the longer one."""
        types = self.get_input_datatype(0), self.get_input_datatype(1)
        ends = [t.bitwidth() + s for t, s in zip(types, self.shifts(), strict=True)]
        tops = [max(ends) if t.signed() else end for t, end in zip(types, ends, strict=True)]
        return self.get_nodeattr("PE") * max(0, min(tops) - max(self.shifts())) + 2
