"""Thresholds on a narrow integer, such as the quantiser of 8-bit pixels: a table (`hw/rtl/lut.sv`)."""

import numpy as np
from finn.custom_op.fpgadataflow.thresholding import Thresholding

from signflow.hw.ops.base import RTLBackend, RtlInstance, StreamOp, earliest, hex_words, to_bits

LATENCY = 1
MAX_WIDTH = 10


class Thresholding_sf(StreamOp, Thresholding, RTLBackend):
    """FINN's Thresholding on an input of at most 10 bits: (.., NumChannels) -> the same shape."""

    def table(self, model) -> np.ndarray:
        """Output codes (channels or 1, 2**bits), addressed by the input's bits; one row when all channels agree."""
        idt, odt = self.get_input_datatype(), self.get_output_datatype()
        if not idt.is_integer():
            raise self.fail(f"the input is {idt.name}; a table has hardware for integers")
        if idt.bitwidth() > MAX_WIDTH:
            raise self.fail(f"the input is {idt.name}; a table has hardware up to {MAX_WIDTH} bits")
        size = 1 << idt.bitwidth()
        x = np.arange(size)
        if idt.name == "BIPOLAR":
            x = 2 * x - 1
        elif idt.signed():
            x = np.where(x >= size // 2, x - size, x)
        thresholds = model.get_initializer(self.onnx_node.input[1])
        if (
            thresholds.ndim != 2
            or thresholds.shape[0] not in (1, self.get_nodeattr("NumChannels"))
            or np.isnan(thresholds).any()
        ):
            raise self.fail(
                f"thresholds are {thresholds.shape}, must be ({self.get_nodeattr('NumChannels')} or 1, steps) numbers"
            )
        count = (x[None, None, :] >= thresholds[:, :, None]).sum(axis=1)
        codes = count if odt.name == "BIPOLAR" else count + self.get_nodeattr("ActVal")
        most = 1 if odt.name == "BIPOLAR" else odt.max()
        if codes.min() < min(odt.min(), 0) or codes.max() > most:
            raise self.fail(
                f"codes {codes.min()}..{codes.max()} do not fit the output, {odt.name}; "
                "thresholds and ActVal must match outputDataType"
            )
        return codes[:1] if (codes == codes[:1]).all() else codes

    def rtl_instance(self, model) -> RtlInstance:
        """See `lut.sv`."""
        pe, channels = self.get_nodeattr("PE"), self.get_nodeattr("NumChannels")
        if pe < 1 or channels % pe:
            raise self.fail(f"PE = {pe} does not divide NumChannels = {channels}")
        if self.get_nodeattr("runtime_writeable_weights"):
            raise self.fail("runtime_writeable_weights = 1; a table is fixed here")
        codes, bits, file = self.table(model), self.get_output_datatype().bitwidth(), f"{self.onnx_node.name}_table.mem"
        params = {
            "IN_WIDTH": self.get_input_datatype().bitwidth(),
            "OUT_WIDTH": bits,
            "PE": pe,
            "CHANNELS": len(codes),
            "TABLE_FILE": file,
        }
        return RtlInstance("lut", params, {file: hex_words(to_bits(codes.reshape(-1, 1), bits))})

    def get_exp_cycles(self) -> int:
        """One cycle a word."""
        return int(np.prod(self.get_folded_output_shape()[:-1]))

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """One cycle after the word."""
        return earliest(arrivals) + LATENCY

    def lut_estimation(self, fpgapart: str = "") -> int:
        """A table for each lane."""
        bits = self.get_output_datatype().bitwidth()
        return int(self.get_nodeattr("PE") * (3 if bits == 1 else 5 * bits) + 10)
