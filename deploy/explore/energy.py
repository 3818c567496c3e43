"""An estimate of the energy of an image, labelled as one: nothing of it is measured.

    E = (P_static + f (LUT e_lut + BRAM36 e_bram)) / (images/s)

with the board's clock f, what the estimate of the folding counts, and three numbers that are assumptions. e_lut is what
a LUT takes in a cycle with its register, its wires and its share of the clock tree, e_bram what a block RAM of 36 kbit
takes, P_static what the board takes without the accelerator (0: the accelerator alone). The order of magnitude of e_lut
has one anchor: FINN's fastest network runs 91,131 LUTs at 200 MHz on a ZC706 that draws less than 25 W in all (Umuroglu
et al., FPGA 2017), which is at most 1.4 pJ for each LUT and cycle with the whole board in it. Compare with it what runs
on one board; do not plan a battery with it.
"""

import sys
from dataclasses import dataclass, fields

FORMULA = "E = (P_static + f (LUT e_lut + BRAM36 e_bram)) / (images/s)"


@dataclass(frozen=True)
class Energy:
    """The assumptions. Raises ValueError for a negative one."""

    lut_pj: float = 0.5
    """e_lut in pJ a cycle."""
    bram_pj: float = 10.0
    """e_bram in pJ a cycle, of 36 kbit."""
    static_w: float = 0.0
    """P_static in W."""

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) not in (int, float) or not 0 <= value <= sys.float_info.max:
                raise ValueError(f"{field.name} = {value!r}: must be a number, 0 or more")

    def microjoules(self, lut: float, bram36: float, clock_mhz: float, fps: float) -> float:
        """Of an image, in uJ."""
        watts = self.static_w + clock_mhz * 1e6 * (lut * self.lut_pj + bram36 * self.bram_pj) * 1e-12
        return watts / fps * 1e6

    def __str__(self) -> str:
        words = f"e_lut = {self.lut_pj:g} pJ, e_bram = {self.bram_pj:g} pJ a cycle, P_static = {self.static_w:g} W"
        return f"{FORMULA} with {words}"
