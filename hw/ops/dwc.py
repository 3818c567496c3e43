"""Width converter: a multiple of the other side, or whole vectors (`hw/rtl/sf_dwc.sv`)."""

import numpy as np
from finn.custom_op.fpgadataflow.streamingdatawidthconverter import StreamingDataWidthConverter

from signflow.hw.ops.base import PassesOn, RTLBackend, RtlInstance, StreamOp, earliest

LATENCY = 1


def luts(wide: int, narrow: int) -> int:
    """Estimated LUTs of a converter from words of ``wide`` bits to ``narrow`` ones, which may be wider."""
    words = -(-max(wide, narrow) // min(wide, narrow))
    bits = (words - 1).bit_length()
    wraps = words & (words - 1) > 0
    return 2 * min(bits, 2) + (bits - 2) * wraps + max(0, wide - narrow)


class StreamingDataWidthConverter_sf(PassesOn, StreamOp, StreamingDataWidthConverter, RTLBackend):
    """FINN's StreamingDataWidthConverter for integer ratios, and between whole vectors (the last dimension of the
    tensor) and words that do not divide them, the last of which is padded with zeros; the tensor is unchanged.
    """

    PLUMBING = "width converters"

    def get_nodeattr_types(self):
        """FINN's attributes, and padGroup: how many bits share a flag; the widths count the flags."""
        return super().get_nodeattr_types() | {"padGroup": ("i", False, 0)}

    def in_group(self, ind: int = 0) -> int:
        """Attribute padGroup."""
        return self.get_nodeattr("padGroup")

    def out_group(self, ind: int = 0) -> int:
        """Attribute padGroup."""
        return self.get_nodeattr("padGroup")

    def _folded_shape_for_width(self, width: int) -> tuple[int, ...]:
        """A word of ``width`` bits has so many elements, and their flags."""
        group, shape = self.in_group(), self.get_normal_input_shape()
        lanes = (width // (group + 1) * group if group else width) // self.get_input_datatype().bitwidth()
        if shape[-1] % lanes and lanes % shape[-1] and max(self._elements()) == shape[-1]:
            return (*shape[:-1], -(-shape[-1] // lanes), lanes)
        return super()._folded_shape_for_width(lanes * self.get_input_datatype().bitwidth())

    def _elements(self) -> list[int]:
        """Of a word of both sides."""
        bits, group = self.get_input_datatype().bitwidth(), self.in_group()
        sides = self.get_nodeattr("inWidth"), self.get_nodeattr("outWidth")
        return [(width // (group + 1) * group if group else width) // bits for width in sides]

    def picture(self) -> tuple[str, str]:
        """A mark with the bits on both sides."""
        return "dwc", f"{self.get_nodeattr('inWidth')}→{self.get_nodeattr('outWidth')}"

    def _ratio(self) -> tuple[bool, int]:
        """(converts to wider words, words of the narrow side in one of the wide side)."""
        i, o, group = (self.get_nodeattr(name) for name in ("inWidth", "outWidth", "padGroup"))
        if group and (i % (group + 1) or o % (group + 1)):
            raise self.fail(f"inWidth = {i} and outWidth = {o}: words of {group} bits and a flag, padGroup = {group}")
        if i == o or min(i, o) < 1:
            raise self.fail(
                f"inWidth = outWidth = {i}: equal widths need no converter"
                if i == o
                else f"inWidth = {i}, outWidth = {o}: must be >= 1"
            )
        if max(i, o) % min(i, o) and max(self._elements()) != (vector := self.get_normal_input_shape()[-1]):
            raise self.fail(
                f"inWidth = {i} and outWidth = {o}: one must be a multiple of the other, or hold a vector, {vector} "
                "elements; chain two through the least common multiple"
            )
        return o >= i, -(-max(i, o) // min(i, o))

    def rtl_instance(self, model) -> RtlInstance:
        """See `sf_dwc.sv`."""
        self._ratio()
        return RtlInstance(
            "sf_dwc", {"IN_WIDTH": self.get_nodeattr("inWidth"), "OUT_WIDTH": self.get_nodeattr("outWidth")}
        )

    def get_exp_cycles(self) -> int:
        """Words of the narrow side."""
        return max(int(np.prod(self.get_folded_input_shape()[:-1])), int(np.prod(self.get_folded_output_shape()[:-1])))

    def accepts(self, arrivals: np.ndarray) -> np.ndarray:
        """Every cycle when converting up; down, a word is taken when the last part of the one before leaves."""
        up, ratio = self._ratio()
        if up:
            return earliest(arrivals)
        ramp = np.arange(len(arrivals)) * ratio
        return np.maximum.accumulate(arrivals - ramp) + ramp

    def timing(self, arrivals: np.ndarray) -> np.ndarray:
        """One cycle after the last word of a group, or after the word, part by part."""
        up, ratio = self._ratio()
        taken = self.accepts(arrivals)
        return taken[ratio - 1 :: ratio] + LATENCY if up else (taken[:, None] + LATENCY + np.arange(ratio)).ravel()

    def room(self) -> int:
        """A word waits in its register for its reader."""
        return 1

    def holds(self) -> bool:
        """And no part of another one comes in."""
        return True

    def hold(self, arrivals: np.ndarray, leave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The first part of a word, or a word, is taken when the word before, or its last part, leaves."""
        up, ratio = self._ratio()
        bound = arrivals.copy()
        free = leave[:-1] if up else leave[ratio - 1 : -1 : ratio]
        step = ratio if up else 1
        bound[step::step] = np.maximum(bound[step::step], free)
        taken = earliest(bound)
        if up:
            return taken, taken[ratio - 1 :: ratio] + LATENCY
        offered = np.concatenate([taken[:1], leave[:-1]])
        offered[::ratio] = taken
        return taken, offered + LATENCY

    def lut_estimation(self, fpgapart: str = "") -> int:
        """A multiplexer for each bit of the wide register but the last word, when converting down; a counter."""
        self._ratio()
        return luts(self.get_nodeattr("inWidth"), self.get_nodeattr("outWidth"))
