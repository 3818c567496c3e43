"""Channels of a constant in front of those of a stream, and behind them (`hw/rtl/sf_pad_channels.sv`)."""

import math

import numpy as np

from signflow.hw.ops.base import RtlInstance, bit_luts, counter_luts, decoded_bits, earliest
from signflow.hw.ops.channels import ChannelOp
from signflow.hw.ops.folding import divisors


class PadChannels_sf(ChannelOp):
    """(vectors.., C) -> (vectors.., before + C + after), the new ones constant: shortcuts that pad with zeros."""

    def get_nodeattr_types(self):
        """numInputVectors: vectors of a frame, [1, H, W] or [1]; before, after: new channels; value: what they hold;
        outputDataType: must hold the value and the input's.
        """
        own = {
            "numInputVectors": ("ints", True, [1]),
            "before": ("i", True, 0),
            "after": ("i", True, 0),
            "value": ("i", False, 0),
            "outputDataType": ("s", True, ""),
        }
        return super().get_nodeattr_types() | own

    def out_channels(self) -> int:
        """before + C + after."""
        return sum(self._parts())

    def foldings(self) -> dict[str, list]:
        """PE divides the channels of all three parts."""
        return {"PE": divisors(math.gcd(*self._parts()))}

    def _parts(self) -> tuple[int, int, int]:
        """Channels in front, of the input, and behind."""
        return self.get_nodeattr("before"), self.in_channels(), self.get_nodeattr("after")

    def words(self) -> list[int]:
        """Words of a position in front, of the input, and behind."""
        return [self.folds(channels) if channels else 0 for channels in self._parts()]

    def execute_node(self, context, graph) -> None:
        """numpy reference."""
        x, get = context[self.onnx_node.input[0]].reshape(self.get_normal_input_shape()), self.get_nodeattr
        sides = [(0, 0)] * (x.ndim - 1) + [(get("before"), get("after"))]
        padded = np.pad(x, sides, constant_values=get("value"))
        context[self.onnx_node.output[0]] = padded.astype(np.float32)

    def picture(self) -> tuple[str, str]:
        """Data pass."""
        return "movement", f"{self.in_channels()} → {self.out_channels()}"

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_pad_channels.sv`."""
        dt, out, value = self.get_input_datatype(), self.get_output_datatype(), self.get_nodeattr("value")
        before, _, after = self._parts()
        if min(before, after) < 0 or before + after == 0:
            raise self.fail(f"before = {before} and after = {after}; one of them must be >= 1, the other >= 0")
        if dt != out:
            self.check_integer(dt)
            self.check_holds(out, int(dt.min()), int(dt.max()), "values")
        if not out.allowed(value):
            raise self.fail(f"outputDataType {out.name} does not hold value = {value}")
        names = dict(zip(("BEFORE", "WORDS", "AFTER"), self.words(), strict=True))
        types = {"WIDTH": dt.bitwidth(), "SIGNED": int(dt.signed()), "OUT_WIDTH": out.bitwidth()}
        code = (value + 1) // 2 if out.name == "BIPOLAR" else value
        return RtlInstance("sf_pad_channels", {"PE": self.get_nodeattr("PE")} | names | types | {"VALUE": code})

    def _given(self, arrivals: np.ndarray) -> np.ndarray:
        """Cycle in which each word of the output is taken: (positions, words). Those in front wait for the input."""
        before, words, after = self.words()
        x = arrivals.reshape(-1, words)
        bound = np.concatenate([np.repeat(x[:, :1], before, axis=1), x, np.repeat(x[:, -1:], after, axis=1)], axis=1)
        return earliest(bound.ravel()).reshape(bound.shape)

    def accepts(self, *arrivals: np.ndarray) -> np.ndarray:
        """Between the words in front and those behind."""
        before, words, _ = self.words()
        return self._given(arrivals[0])[:, before : before + words].ravel()

    def timing(self, *arrivals: np.ndarray) -> np.ndarray:
        """A word is offered when it can be taken."""
        return self._given(arrivals[0]).ravel()

    def lut_estimation(self, fpgapart: str = "") -> int:
        """A choice between the input and a constant, which is a function of the counter; the counter."""
        before, words, after = self.words()
        chosen = decoded_bits(before + words + after, before, before + words)
        return bit_luts(self.get_outstream_width(), 1, chosen) + counter_luts(before + words + after)
