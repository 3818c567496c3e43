"""Operators that FINN has no RTL base for and that treat every channel alike: what their classes share."""

import math

from qonnx.core.datatype import DataType

from signflow.hw.ops.base import RTLBackend, StreamOp
from signflow.hw.ops.folding import divisors


class ChannelOp(StreamOp, RTLBackend):
    """Streams of vectors of NumChannels channels, PE of them in a word: [..][C/PE] words, every channel alike.

    A subclass says how many vectors a frame has on each side (`in_vectors`, `out_vectors`), how many channels where
    they are not NumChannels (`in_channels`, `out_channels`), what else than its input type goes out (an attribute
    outputDataType), and the rest of `StreamOp`.
    """

    def get_nodeattr_types(self):
        """NumChannels, PE channels in a word, inputDataType."""
        own = {"NumChannels": ("i", True, 0), "PE": ("i", True, 0), "inputDataType": ("s", True, "")}
        return super().get_nodeattr_types() | own

    def in_vectors(self) -> list[int]:
        """Vectors of a frame on every input stream, for example [1, H, W] or [1]."""
        return list(self.get_nodeattr("numInputVectors"))

    def out_vectors(self) -> list[int]:
        """Vectors of a frame on every output stream."""
        return self.in_vectors()

    def in_channels(self, ind: int = 0) -> int:
        """Channels of an input stream."""
        return self.get_nodeattr("NumChannels")

    def out_channels(self) -> int:
        """Channels of every output stream."""
        return self.in_channels()

    def foldings(self) -> dict[str, list]:
        """PE divides the channels of every stream."""
        channels = [self.in_channels(i) for i in range(self.IN_STREAMS)]
        return {"PE": divisors(math.gcd(*channels, self.out_channels()))}

    def folds(self, channels: int | None = None) -> int:
        """Words of a vector of ``channels``, here of the first input; raises OpError when PE does not divide them."""
        channels, pe = self.in_channels() if channels is None else channels, self.get_nodeattr("PE")
        if pe < 1 or channels < 1 or channels % pe:
            raise self.fail(f"PE = {pe} does not divide NumChannels = {channels}")
        return channels // pe

    def get_normal_input_shape(self, ind: int = 0):
        """(vectors.., C)."""
        return (*self.in_vectors(), self.in_channels(ind))

    def get_folded_input_shape(self, ind: int = 0):
        """(vectors.., C/PE, PE)."""
        return (*self.in_vectors(), self.folds(self.in_channels(ind)), self.get_nodeattr("PE"))

    def get_normal_output_shape(self, ind: int = 0):
        """(vectors.., C)."""
        return (*self.out_vectors(), self.out_channels())

    def get_folded_output_shape(self, ind: int = 0):
        """(vectors.., C/PE, PE)."""
        return (*self.out_vectors(), self.folds(self.out_channels()), self.get_nodeattr("PE"))

    def get_input_datatype(self, ind: int = 0):
        """Attribute inputDataType."""
        return DataType[self.get_nodeattr("inputDataType")]

    def get_output_datatype(self, ind: int = 0):
        """Attribute outputDataType; that of the input where there is none."""
        own = "outputDataType" in self.get_nodeattr_types()
        return DataType[self.get_nodeattr("outputDataType")] if own else self.get_input_datatype()

    def get_instream_width(self, ind: int = 0) -> int:
        """PE elements."""
        return self.get_nodeattr("PE") * self.get_input_datatype(ind).bitwidth()

    def get_outstream_width(self, ind: int = 0) -> int:
        """PE elements."""
        return self.get_nodeattr("PE") * self.get_output_datatype(ind).bitwidth()

    def get_number_output_values(self):
        """Output words of an image; with several outputs a dict of them, as FINN's simulation wants it."""
        words = math.prod(self.get_folded_output_shape()[:-1])
        return words if self.OUT_STREAMS == 1 else {f"out{i}": words for i in range(self.OUT_STREAMS)}

    def get_exp_cycles(self) -> int:
        """One cycle a word, of the stream that has most of them."""
        shapes = [self.get_folded_input_shape(i) for i in range(self.IN_STREAMS)]
        return max(math.prod(shape[:-1]) for shape in (*shapes, self.get_folded_output_shape()))

    def make_shape_compatible_op(self, model):
        """A node with the first output, for ONNX's shape inference; the shape of a second one is set in ``model``."""
        for i, tensor in enumerate(self.onnx_node.output[1:], 1):
            model.set_tensor_shape(tensor, self.get_normal_output_shape(i))
        return super().make_shape_compatible_op(model)

    def infer_node_datatype(self, model) -> None:
        """Types of the inputs from the tensors, and of the outputs to them."""
        for i in range(self.IN_STREAMS):
            name = model.get_tensor_datatype(self.onnx_node.input[i]).name
            self.set_nodeattr("inputDataType" + (str(i) if i else ""), name)
        for i, tensor in enumerate(self.onnx_node.output):
            model.set_tensor_datatype(tensor, self.get_output_datatype(i))

    def verify_node(self) -> None:
        """Nothing beyond `rtl_instance`'s checks."""

    def check_integer(self, *datatypes) -> None:
        """Raises OpError unless all types are integers in two's complement (BINARY counts, BIPOLAR does not)."""
        for dt in datatypes:
            if not dt.is_integer() or dt.name == "BIPOLAR":
                raise self.fail(f"the type {dt.name} has no arithmetic here; make it BINARY, UINT or INT")

    def check_holds(self, datatype, low: int, high: int, what: str = "sums") -> None:
        """Raises OpError unless the type is an integer that holds ``what``, low..high."""
        self.check_integer(datatype)
        if not (datatype.allowed(low) and datatype.allowed(high)):
            raise self.fail(f"outputDataType {datatype.name} does not hold the {what}, {low}..{high}")


class FunctionOp(ChannelOp):
    """A function of every integer of a vector, from constants for each channel or for all."""

    def get_nodeattr_types(self):
        """numInputVectors: vectors of a frame, [1, H, W] or [1]; shared: the constants are those of all channels;
        outputDataType: must hold every result; ram_style: where the constants lie, auto by cost.
        """
        own = {
            "numInputVectors": ("ints", True, [1]),
            "shared": ("i", False, 0, {0, 1}),
            "outputDataType": ("s", True, ""),
            "ram_style": ("s", False, "auto", {"auto", "block", "distributed"}),
        }
        return super().get_nodeattr_types() | own

    def foldings(self) -> dict[str, list]:
        """PE, and where the constants lie."""
        return super().foldings() | {"ram_style": ["auto", "block", "distributed"]}

    def picture(self) -> tuple[str, str]:
        """A decision; bits in and out."""
        return "decision", f"{self.get_input_datatype().bitwidth()} → {self.get_output_datatype().bitwidth()} bit"
