"""Fork of a stream (`hw/rtl/sf_duplicate.sv`)."""

from signflow.hw.ops.base import RtlInstance
from signflow.hw.ops.channels import ChannelOp


class Duplicate_sf(ChannelOp):
    """(vectors.., C) -> the same tensor twice. Each output may take its copy at its own time."""

    OUT_STREAMS = 2

    def get_nodeattr_types(self):
        """numInputVectors: vectors of a frame, [1, H, W] or [1]."""
        return super().get_nodeattr_types() | {"numInputVectors": ("ints", True, [1])}

    def execute_node(self, context, graph) -> None:
        """numpy reference."""
        for tensor in self.onnx_node.output:
            context[tensor] = context[self.onnx_node.input[0]]

    def picture(self) -> tuple[str, str]:
        """Data pass."""
        return "movement", ""

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_duplicate.sv`."""
        self.folds()
        return RtlInstance("sf_duplicate", {"WIDTH": self.get_instream_width()})

    def delay(self) -> int:
        """A word is offered in the cycle in which it arrives."""
        return 0

    def lut_estimation(self, fpgapart: str = "") -> int:
        """Handshakes; the data are wires."""
        return 4
