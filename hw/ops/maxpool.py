"""Maximum pooling, of binary maps an OR (`hw/rtl/sf_maxpool.sv`). FINN has a window generator and an HLS pool."""

import math

import numpy as np
from qonnx.core.datatype import DataType

from signflow.hw.ops.base import RTLBackend, RtlInstance, StreamOp, earliest, lut_rams, times
from signflow.hw.ops.folding import divisors

LATENCY = 1


class MaxPool_sf(StreamOp, RTLBackend):
    """(1, H, W, C) integers or bits -> (1, H//kh, W//kw, C): maximum over kh x kw windows that do not overlap; pixels
    that fill no window are dropped.
    """

    def get_nodeattr_types(self):
        """IFMDim [H, W], Channels, PoolDim [kh, kw], PE channels in a word, inputDataType any integer type."""
        own = {
            "IFMDim": ("ints", True, []),
            "Channels": ("i", True, 0),
            "PoolDim": ("ints", True, []),
            "PE": ("i", True, 0),
            "inputDataType": ("s", True, ""),
        }
        return super().get_nodeattr_types() | own

    def picture(self) -> tuple[str, str]:
        """Data pass; the window, of the map."""
        h, w, kh, kw, c, _ = self._dims()
        return "movement", f"{times((kh, kw))} of {times((h, w, c))}"

    def foldings(self) -> dict[str, list]:
        """PE divides Channels."""
        return {"PE": divisors(self.get_nodeattr("Channels"))}

    def _dims(self) -> tuple[int, int, int, int, int, int]:
        get = self.get_nodeattr
        return (*get("IFMDim"), *get("PoolDim"), get("Channels"), get("PE"))

    def get_normal_input_shape(self, ind: int = 0):
        """(1, H, W, C)."""
        h, w, _, _, c, _ = self._dims()
        return (1, h, w, c)

    def get_folded_input_shape(self, ind: int = 0):
        """(1, H, W, C/PE, PE)."""
        h, w, _, _, c, pe = self._dims()
        return (1, h, w, c // pe, pe)

    def get_normal_output_shape(self, ind: int = 0):
        """(1, H//kh, W//kw, C)."""
        h, w, kh, kw, c, _ = self._dims()
        return (1, h // kh, w // kw, c)

    def get_folded_output_shape(self, ind: int = 0):
        """(1, H//kh, W//kw, C/PE, PE)."""
        h, w, kh, kw, c, pe = self._dims()
        return (1, h // kh, w // kw, c // pe, pe)

    def get_input_datatype(self, ind: int = 0):
        """Attribute inputDataType."""
        return DataType[self.get_nodeattr("inputDataType")]

    def get_output_datatype(self, ind: int = 0):
        """As the input."""
        return self.get_input_datatype()

    def get_instream_width(self, ind: int = 0) -> int:
        """PE elements."""
        return self.get_nodeattr("PE") * self.get_input_datatype().bitwidth()

    def get_outstream_width(self, ind: int = 0) -> int:
        """As the input."""
        return self.get_instream_width()

    def get_number_output_values(self) -> int:
        """Output words of an image."""
        return math.prod(self.get_folded_output_shape()[:-1])

    def infer_node_datatype(self, model) -> None:
        """The output has the input's type."""
        dt = model.get_tensor_datatype(self.onnx_node.input[0])
        self.set_nodeattr("inputDataType", dt.name)
        model.set_tensor_datatype(self.onnx_node.output[0], dt)

    def verify_node(self) -> None:
        """Nothing beyond `rtl_instance`'s checks."""

    def execute_node(self, context, graph) -> None:
        """numpy reference."""
        h, w, kh, kw, c, _ = self._dims()
        x = context[self.onnx_node.input[0]].reshape(-1, h, w, c)[:, : h // kh * kh, : w // kw * kw]
        y = x.reshape(len(x), h // kh, kh, w // kw, kw, c).max(axis=(2, 4))
        context[self.onnx_node.output[0]] = y.reshape(context[self.onnx_node.output[0]].shape).astype(np.float32)

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_maxpool.sv`."""
        h, w, kh, kw, c, pe = self._dims()
        if pe < 1 or c % pe:
            raise self.fail(f"PE = {pe} does not divide Channels = {c}")
        if not (dt := self.get_input_datatype()).is_integer():
            raise self.fail(f"the map is {dt.name}; only integers and bits have a maximum pool here")
        if not (1 <= kh <= h and 1 <= kw <= w):
            raise self.fail(f"the window {kh}x{kw} does not fit the {h}x{w} frame")
        types = {"WIDTH": dt.bitwidth(), "SIGNED": int(dt.bitwidth() > 1 and dt.signed())}
        return RtlInstance("sf_maxpool", {"C": c, "PE": pe, "H": h, "W": w, "KH": kh, "KW": kw} | types)

    def get_exp_cycles(self) -> int:
        """One cycle a word: H*W*C/PE."""
        h, w, _, _, c, pe = self._dims()
        return h * w * c // pe

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """One cycle after the last pixel of each window."""
        h, w, kh, kw, c, pe = self._dims()
        taken = earliest(arrivals).reshape(-1, h, w, c // pe)
        return taken[:, kh - 1 : h // kh * kh : kh, kw - 1 : w // kw * kw : kw].ravel() + LATENCY

    def lut_estimation(self, fpgapart: str = "") -> int:
        """A row of outputs in LUT RAM, an OR or a comparison for each lane, counters of words, pixels and windows."""
        h, w, kh, kw, c, pe = self._dims()
        bits, depth = self.get_input_datatype().bitwidth(), w // kw * (c // pe)
        larger = 1 if bits == 1 else 2 * bits - 1.5
        row = lut_rams(pe * bits, depth, ports=1) if kh * kw > 1 else 0
        return int(pe * larger + row + 10 + sum(n.bit_length() for n in (h, w, h // kh, depth, c // pe - 1)))
