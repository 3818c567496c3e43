"""Integers times constants of +-1 by bit planes (`hw/rtl/sf_mvau_planes.sv`): some bits of every activation a cycle."""

import numpy as np

from signflow.hw.ops.base import RtlInstance, hex_words, lut_rams, to_bits
from signflow.hw.ops.compress import planes_of_integers


class Planes:
    """Of an MVAU whose attribute ``planes`` says how many bits of every activation a cycle takes; 0: all of them."""

    def planes(self) -> int:
        """Bit planes a cycle."""
        return self.get_nodeattr("planes")

    def plane_steps(self) -> int:
        """Cycles of a vector."""
        return -(-self.get_input_datatype(0).bitwidth() // self.planes())

    def plane_stages(self) -> int:
        """STAGES of the module."""
        return planes_of_integers(self.get_nodeattr("MW"), self.planes())[0]

    def _limit_bits(self) -> int:
        return self.plane_steps() * self.planes() + self.get_nodeattr("MW").bit_length()

    def constant_bits(self) -> int:
        """Of the larger one of its constants, weights or limits."""
        mw, mh = self.get_nodeattr("MW"), self.get_nodeattr("MH")
        return mh * max(mw, self._steps() * self._limit_bits())

    def plane_luts(self) -> float:
        """Planes selected, threes counted in eight ways, the counts of every neuron, its sum, its limits, the FIFO."""
        mw, mh, planes = self.get_nodeattr("MW"), self.get_nodeattr("MH"), self.planes()
        neuron = planes_of_integers(mw, planes)[1] + planes + mw.bit_length() + self._steps() * (1 + -(-planes // 3))
        select = mw * planes * -(-self.plane_steps() // 4) if self.plane_steps() > 1 else 0
        return select + 8 * planes * -(-mw // 3) + mh * neuron + lut_rams(self.get_outstream_width(), 32) + 30

    def limits(self, weights: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
        """Limits of the sums of agreements where the accumulators have ``thresholds``, (MH, steps) each.

        sum = acc + offset * sum(w) + (2**W - 1) * #(w = -1), offset that of offset binary, W the bits of all planes.
        """
        dt, ones = self.get_input_datatype(0), 2 ** (self.plane_steps() * self.planes()) - 1
        offset = 2 ** (dt.bitwidth() - 1) if dt.signed() else 0
        constant = offset * weights.sum(axis=1) + ones * (weights < 0).sum(axis=1)
        return np.clip(thresholds + constant[:, None], 0, ones * weights.shape[1] + 1)

    def planes_instance(self, weights: np.ndarray, thresholds: np.ndarray) -> RtlInstance:
        """The module with weights (MH, MW) and thresholds (MH, steps)."""
        dt = self.get_input_datatype(0)
        bits = (
            (weights > 0).reshape(1, -1),
            to_bits(self.limits(weights, thresholds), self._limit_bits()).reshape(1, -1),
        )
        constants = (f"{b.size}'h{hex_words(b)[0]}" for b in bits)
        return RtlInstance("sf_mvau_planes", {
            "MW": self.get_nodeattr("MW"), "MH": self.get_nodeattr("MH"), "ACT_WIDTH": dt.bitwidth(),
            "ACT_SIGNED": int(dt.signed()), "PLANES": self.planes(), "STAGES": self.plane_stages(),
            "THRESHOLDS": self._steps(), "WINDOW": self.get_nodeattr("window"),
            **dict(zip(("WEIGHTS", "LIMITS"), constants, strict=True)),
        }, {})  # fmt: skip
