"""LabelSelect with K = 1: index of the largest value, the first one on a tie (`hw/rtl/sf_argmax.sv`)."""

import numpy as np
from finn.custom_op.fpgadataflow.labelselect import LabelSelect

from signflow.hw.ops.base import RTLBackend, RtlInstance, StreamOp, earliest

LATENCY = 1


class LabelSelect_sf(StreamOp, LabelSelect, RTLBackend):
    """FINN's LabelSelect for K = 1 and PE = 1: (.., Labels) -> (.., 1)."""

    def picture(self) -> tuple[str, str]:
        """The last decision."""
        return "decision", ""

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_argmax.sv`."""
        labels, idt, odt = self.get_nodeattr("Labels"), self.get_input_datatype(), self.get_output_datatype()
        if self.get_nodeattr("K") != 1 or self.get_nodeattr("PE") != 1:
            raise self.fail(
                f"K = {self.get_nodeattr('K')}, PE = {self.get_nodeattr('PE')}; "
                "only K = 1 and PE = 1 have hardware here"
            )
        if not idt.is_integer():
            raise self.fail(f"inputDataType is {idt.name}; only integers have hardware here")
        if odt.max() < labels - 1 or odt.signed():
            raise self.fail(f"outputDataType {odt.name} cannot hold the index {labels - 1}")
        return RtlInstance(
            "sf_argmax",
            {"LABELS": labels, "WIDTH": idt.bitwidth(), "IS_SIGNED": int(idt.signed()), "OUT_WIDTH": odt.bitwidth()},
        )

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """One cycle after the last value."""
        labels = self.get_nodeattr("Labels")
        return earliest(arrivals)[labels - 1 :: labels] + LATENCY

    def lut_estimation(self, fpgapart: str = "") -> int:
        """A comparator and registers."""
        return self.get_input_datatype().bitwidth() + 8
