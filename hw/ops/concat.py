"""The channels of two streams one behind the other (`hw/rtl/sf_concat.sv`)."""

import numpy as np
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import RtlInstance, bit_luts, counter_luts, decoded_bits, earliest
from signflow.hw.ops.channels import ChannelOp


class Concat_sf(ChannelOp):
    """(vectors.., C0) and (vectors.., C1) -> (vectors.., C0 + C1), values kept."""

    IN_STREAMS = 2

    def get_nodeattr_types(self):
        """numInputVectors: vectors of a frame, [1, H, W] or [1]; NumChannels1, inputDataType1: those of the second
        input; outputDataType: must hold the values of both.
        """
        own = {
            "numInputVectors": ("ints", True, [1]),
            "NumChannels1": ("i", True, 0),
            "inputDataType1": ("s", True, ""),
            "outputDataType": ("s", True, ""),
        }
        return super().get_nodeattr_types() | own

    def in_channels(self, ind: int = 0) -> int:
        """Attribute NumChannels or NumChannels1."""
        return self.get_nodeattr("NumChannels1" if ind else "NumChannels")

    def out_channels(self) -> int:
        """C0 + C1."""
        return self.in_channels(0) + self.in_channels(1)

    def get_input_datatype(self, ind: int = 0):
        """Attribute inputDataType or inputDataType1."""
        return DataType[self.get_nodeattr("inputDataType1")] if ind else super().get_input_datatype()

    def execute_node(self, context, graph) -> None:
        """numpy reference."""
        parts = [context[x].reshape(self.get_normal_input_shape(i)) for i, x in enumerate(self.onnx_node.input)]
        context[self.onnx_node.output[0]] = np.concatenate(parts, axis=-1).astype(np.float32)

    def picture(self) -> tuple[str, str]:
        """Data pass."""
        return "movement", ""

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_concat.sv`."""
        a, b, out = self.get_input_datatype(0), self.get_input_datatype(1), self.get_output_datatype()
        if {a, b} != {out}:
            self.check_integer(a, b)
            self.check_holds(out, int(min(a.min(), b.min())), int(max(a.max(), b.max())), "values")
        params = {
            "PE": self.get_nodeattr("PE"),
            "WORDS0": self.folds(self.in_channels(0)),
            "WIDTH0": a.bitwidth(),
            "SIGNED0": int(a.signed()),
            "WORDS1": self.folds(self.in_channels(1)),
            "WIDTH1": b.bitwidth(),
            "SIGNED1": int(b.signed()),
            "OUT_WIDTH": out.bitwidth(),
        }
        return RtlInstance("sf_concat", params)

    def _taken(self, arrivals: tuple[np.ndarray, ...]) -> np.ndarray:
        """Cycles of all words, (positions, words of the output)."""
        parts = [a.reshape(-1, self.folds(self.in_channels(i))) for i, a in enumerate(arrivals)]
        bound = np.concatenate(parts, axis=1)
        return earliest(bound.ravel()).reshape(bound.shape)

    def accepts(self, *arrivals: np.ndarray) -> list[np.ndarray]:
        """Both in turns, one word a cycle."""
        taken, words = self._taken(arrivals), self.folds(self.in_channels(0))
        return [taken[:, :words].ravel(), taken[:, words:].ravel()]

    def timing(self, *arrivals: np.ndarray) -> np.ndarray:
        """A word is offered in the cycle in which it is taken."""
        return self._taken(arrivals).ravel()

    def lut_estimation(self, fpgapart: str = "") -> int:
        """A multiplexer of two, whose choice is a function of the counter; the counter."""
        first, second = (self.folds(self.in_channels(i)) for i in range(2))
        chosen = decoded_bits(first + second, first)
        return bit_luts(self.get_outstream_width(), 2, chosen) + counter_luts(first + second)
